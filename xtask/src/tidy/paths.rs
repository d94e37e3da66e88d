//! Files and folders that the documents name exist: a page that points nowhere misleads a newcomer.

use crate::root;
use std::fs;

const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
];

/// Complains about every path in backquotes or behind a link that is not there.
pub(super) fn check() -> Vec<String> {
    let mut complaints = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap_or_default();
        let missing = paths(&text).filter(|path| !root().join(path).exists());
        complaints.extend(missing.map(|path| format!("{document}: there is no {path}")));
    }
    complaints
}

/// The texts that look like paths of the workspace: with a slash, without blanks or placeholders.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let linked = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    quoted.chain(linked).filter(|path| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let top = path.split('/').next().unwrap_or_default();
        path.contains('/')
            && path.chars().all(is_name)
            && top != "target"
            && root().join(top).is_dir()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_paths_and_nothing_else() {
        let text = "See `core/src/lib.rs`, [docs](docs/cli.md) and `cargo xtask ci`, `a/b`, `core/src/x*`, `ci`.";
        let found: Vec<_> = paths(text).collect();
        assert_eq!(found, ["core/src/lib.rs", "docs/cli.md"]);
    }
}
