//! Text that stays on its own line: the type that keeps header injection out of every field.
//! Says nothing about what the text means.

use super::refusal::rejected;
use crate::error::Result;

/// Text of a header field: no line break, no other control character but the tab, no blanks at its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OneLine<'a>(&'a str);

impl<'a> OneLine<'a> {
    /// Takes the text of the named field, without the blanks around it.
    pub(super) fn parse(field: &str, text: &'a str) -> Result<Self> {
        refuse_controls(field, text)?;
        Ok(Self(text.trim_matches(BLANKS)))
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }
}

/// Refuses what could end a header line, in us or in a later reader: C0 and C1 controls but the tab, DEL, and
/// Unicode's line and paragraph separators.
pub(super) fn refuse_controls(field: &str, text: &str) -> Result<()> {
    let found = text.chars().enumerate().find(|(_, c)| breaks_a_line(*c));
    let Some((position, character)) = found else {
        return Ok(());
    };
    Err(rejected(
        "header-injection",
        format!(
            "{field} has {} (U+{:04X}) at character {}",
            character_name(character),
            u32::from(character),
            position + 1
        ),
        format!("remove it from {field}: it could start a header field of its own"),
    ))
}

fn breaks_a_line(character: char) -> bool {
    (character.is_control() && character != '\t') || matches!(character, '\u{2028}' | '\u{2029}')
}

fn character_name(character: char) -> &'static str {
    match character {
        '\r' => "a carriage return",
        '\n' => "a line feed",
        '\0' => "a NUL",
        '\u{2028}' => "a line separator",
        '\u{2029}' => "a paragraph separator",
        _ => "a control character",
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_text_without_the_blanks_around_it() {
        fn check(text: &str, expected: &str) {
            assert_eq!(OneLine::parse("subject", text).unwrap().as_str(), expected);
        }
        check("", "");
        check(" \t ", "");
        check(" two  words\there ", "two  words\there");
        check("\u{a0}Größe", "\u{a0}Größe");
    }

    #[test]
    fn refuses_what_could_end_the_line_and_names_the_field() {
        fn check(text: &str, expected: &str) {
            let error = OneLine::parse("to[1].name", text).unwrap_err();
            assert_eq!(error.code(), "header-injection");
            assert_eq!(error.to_string(), expected);
            assert!(error.problem().fix.contains("to[1].name"));
        }
        check(
            "hi\r\nBcc: x@example.org",
            "to[1].name has a carriage return (U+000D) at character 3",
        );
        check("\nx", "to[1].name has a line feed (U+000A) at character 1");
        check("é\0", "to[1].name has a NUL (U+0000) at character 2");
        check(
            "\u{1b}",
            "to[1].name has a control character (U+001B) at character 1",
        );
        check(
            "\u{7f}",
            "to[1].name has a control character (U+007F) at character 1",
        );
        check(
            "\u{85}",
            "to[1].name has a control character (U+0085) at character 1",
        );
        check(
            "\u{2028}",
            "to[1].name has a line separator (U+2028) at character 1",
        );
    }
}
