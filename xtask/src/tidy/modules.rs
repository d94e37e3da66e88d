//! Every Rust file says at its top what it is for.

use super::rust_files;
use crate::root;

const FOLDERS: [&str; 10] = [
    "core",
    "cli",
    "sandbox",
    "xtask",
    "bindings-python/src",
    "bindings-node/src",
    "bindings-swift/src",
    "bindings-swift/sandbox/src",
    "fuzz/fuzz_targets",
    "fuzz/src",
];

/// Complains about files without a module comment.
pub(super) fn check() -> Vec<String> {
    let files = FOLDERS
        .iter()
        .flat_map(|folder| rust_files(&root().join(folder)));
    files
        .filter(|file| !has_module_comment(&file.text))
        .map(|file| format!("{}: no module comment (//!)", file.path.display()))
        .collect()
}

fn has_module_comment(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("#!["));
    first.is_some_and(|line| line.starts_with("//!"))
}
