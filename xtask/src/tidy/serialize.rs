//! A type that can be written is a promise about its form. Public ones live in `model`; others stay private.

use super::Source;

/// Complains about every public type outside `model` that derives `Serialize`.
pub(super) fn check(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.below("core/src/model").is_none())
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut derived = false;
    for (number, line) in file.code_lines() {
        let line = line.trim_start();
        if line.starts_with("#[derive(") {
            derived = line.contains("Serialize") && !line.contains("(Deserialize)");
            derived &= line
                .split(&['(', ',', ')'][..])
                .any(|name| name.trim() == "Serialize");
        } else if !line.starts_with("#[") {
            if derived && line.starts_with("pub ") {
                complaints.push(format!(
                    "{}:{number}: a public type outside model derives Serialize",
                    file.path.display()
                ));
            }
            derived = false;
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complains_only_about_public_types_that_can_be_written() {
        fn check(text: &str, expected: usize) {
            let file = Source {
                path: "core/src/token/record.rs".into(),
                text: text.to_owned(),
            };
            assert_eq!(check_file(&file).len(), expected, "{text}");
        }
        check("#[derive(Debug, Serialize)]\npub struct A;", 1);
        check("#[derive(Serialize)]\n#[serde(x)]\npub enum A {}", 1);
        check("#[derive(Debug, Deserialize)]\npub struct A;", 0);
        check("#[derive(Serialize)]\nstruct A;\npub struct B;", 0);
        check("#[derive(Serialize)]\npub(crate) struct A;", 0);
    }
}
