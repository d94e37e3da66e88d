//! Configuration files in the form of Python's configparser: sections, options, values that go on in indented lines.

/// A section and its options, in order. Names of options are in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    options: Vec<(String, String)>,
}

impl Section {
    /// The value of an option; the last one counts, and an empty one counts as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.options.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }
}

/// All sections. What belongs to none, and lines that are neither, are skipped: they are another program's business.
pub(super) fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        let current = sections.last_mut();
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = current.and_then(|section| section.options.last_mut())
        {
            value.push('\n');
            value.push_str(bare);
        } else if let Some(name) = bare
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            sections.push(Section {
                name: name.trim().to_owned(),
                options: Vec::new(),
            });
        } else if let Some((name, value)) = bare.split_once(['=', ':'])
            && let Some(section) = sections.last_mut()
        {
            let name = name.trim().to_ascii_lowercase();
            section.options.push((name, value.trim().to_owned()));
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sections_options_and_values_of_several_lines() {
        let text = "x = 1\n[One]\ntext = a\n\tb\n\n\tc = d\nEmpty =\n# e = 1\n; f = 2\n[two]\nkey: value\nkey = last\nno option\n";
        let [one, two] = <[Section; 2]>::try_from(sections(text)).unwrap();
        assert_eq!((&*one.name, &*two.name), ("One", "two"));
        assert_eq!(one.get("text"), Some("a\nb\nc = d"));
        assert_eq!(
            (one.get("empty"), one.get("e"), one.get("c")),
            (None, None, None)
        );
        assert_eq!(two.get("key"), Some("last"));
        assert_eq!(sections(""), []);
    }
}
