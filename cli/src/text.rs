//! Text that may be written to a terminal: free of control characters, and styled.
//! A server's words can hold escape sequences, so nothing else than [`Text`] reaches the screen.
//! Colours are written always; the output stream drops them where they do not belong.

use anstyle::{AnsiColor, Style};
use std::fmt;
use textwrap::core::display_width;

/// Clean text, with styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(String);

impl Text {
    /// Several texts as one.
    pub(crate) fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }

    /// How many columns it takes.
    pub(crate) fn width(&self) -> usize {
        display_width(&self.0)
    }

    /// Itself with spaces up to a width.
    pub(crate) fn padded(&self, width: usize) -> Self {
        Self(format!("{}{}", self.0, spaces(width, self.width())))
    }

    /// Itself with spaces in front, up to a width.
    pub(crate) fn padded_left(&self, width: usize) -> Self {
        Self(format!("{}{}", spaces(width, self.width()), self.0))
    }

    /// Lines of at most `width` columns, broken at spaces only: addresses and identifiers stay whole.
    pub(crate) fn wrapped(&self, width: usize) -> Vec<Self> {
        let options = textwrap::Options::new(width)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let lines = textwrap::wrap(&self.0, options);
        lines
            .into_iter()
            .map(|line| Self(line.into_owned()))
            .collect()
    }
}

impl<T: AsRef<str>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(clean(text.as_ref()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Headings and what matters most.
pub(crate) fn strong(text: impl AsRef<str>) -> Text {
    styled(Style::new().bold(), text)
}

/// What went as it should.
pub(crate) fn good(text: impl AsRef<str>) -> Text {
    styled(AnsiColor::Green.on_default(), text)
}

/// What did not, and will not by waiting.
pub(crate) fn bad(text: impl AsRef<str>) -> Text {
    styled(AnsiColor::Red.on_default().bold(), text)
}

/// What may still turn out well.
pub(crate) fn uncertain(text: impl AsRef<str>) -> Text {
    styled(AnsiColor::Yellow.on_default(), text)
}

/// Labels and details.
pub(crate) fn faint(text: impl AsRef<str>) -> Text {
    styled(Style::new().dimmed(), text)
}

/// An address to open or a command to type.
pub(crate) fn link(text: impl AsRef<str>) -> Text {
    styled(AnsiColor::Cyan.on_default(), text)
}

fn styled(style: Style, text: impl AsRef<str>) -> Text {
    Text(format!("{style}{}{style:#}", clean(text.as_ref())))
}

fn spaces(wanted: usize, taken: usize) -> String {
    " ".repeat(wanted.saturating_sub(taken))
}

/// Line breaks become spaces; everything else that commands a terminal, or reorders what is read, becomes U+FFFD.
fn clean(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            _ if character.is_control() || is_reordering(character) => char::REPLACEMENT_CHARACTER,
            _ => character,
        })
        .collect()
}

fn is_reordering(character: char) -> bool {
    matches!(
        character,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_teeth_out_of_control_characters() {
        fn check(text: &str, expected: &str) {
            assert_eq!(Text::from(text).to_string(), expected);
        }
        check("550 5.1.10 not found", "550 5.1.10 not found");
        check(
            "\u{1b}[2J\u{1b}]0;owned\u{7}",
            "\u{FFFD}[2J\u{FFFD}]0;owned\u{FFFD}",
        );
        check("\u{9b}31mred", "\u{FFFD}31mred");
        check("gpj.\u{202e}exe", "gpj.\u{FFFD}exe");
        check("two\r\nlines", "two  lines");
        check("Grüße 📬", "Grüße 📬");
    }

    #[test]
    fn styles_take_no_columns() {
        assert_eq!(good("✔ done").width(), 6);
        assert_eq!(good("✔ done").padded(10).width(), 10);
        assert_eq!(good("7 ms").padded_left(9).width(), 9);
    }

    #[test]
    fn breaks_lines_at_spaces_only() {
        let lines = Text::from("see https://login.example/a-b/c and go on").wrapped(12);
        let lines: Vec<String> = lines.iter().map(Text::to_string).collect();
        assert_eq!(lines, ["see", "https://login.example/a-b/c", "and go on"]);
    }
}
