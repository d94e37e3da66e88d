//! What no compiler checks: each rule is a function from the tree to complaints, and all complaints are printed.

mod dependencies;
mod hosts;
mod imports;
mod lockfiles;
mod methods;
mod modules;
mod paths;
mod scenarios;
mod serialize;

use crate::{Result, root};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::Shell;

/// Checks every rule. Fails with the number of complaints.
pub(crate) fn run(shell: &Shell) -> Result {
    let files = rust_files(&root().join("core/src"));
    let mut complaints = imports::check(&files)?;
    complaints.extend(hosts::check(&files));
    complaints.extend(serialize::check(&files));
    complaints.extend(methods::check()?);
    complaints.extend(scenarios::check()?);
    complaints.extend(modules::check());
    complaints.extend(paths::check());
    complaints.extend(lockfiles::check(shell)?);
    complaints.extend(dependencies::check(shell)?);
    for complaint in &complaints {
        println!("tidy: {complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        number => Err(format!("tidy has {number} complaints").into()),
    }
}

/// A source file with its path from the workspace's folder.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The lines of code with their numbers, without comments and without the tests at the end.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate();
        numbered
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(number, line)| (number + 1, line))
    }

    /// The part of the path below a folder of the workspace.
    fn below(&self, folder: &str) -> Option<&Path> {
        self.path.strip_prefix(folder).ok()
    }
}

/// All Rust files below a folder, without those that hold only tests.
fn rust_files(folder: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if !path.ends_with("node_modules") && !path.ends_with("target") {
                files.extend(rust_files(&path));
            }
        } else if is_rust_source(&path)
            && let Ok(text) = fs::read_to_string(&path)
        {
            let path = path.strip_prefix(root()).unwrap_or(&path).to_owned();
            files.push(Source { path, text });
        }
    }
    files
}

fn is_rust_source(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default();
    path.extension().is_some_and(|extension| extension == "rs")
        && !stem.to_string_lossy().ends_with("tests")
        && stem != "testing"
}
