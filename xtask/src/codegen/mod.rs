//! Writes the files that follow from the core's own definitions, or checks that they are fresh.
//! One definition, four languages: types come from `core/src/model`, error pages from the catalogue.

pub(crate) mod constants;
mod errors;
pub(crate) mod handle;
mod node_face;
mod python;
mod python_face;
pub(crate) mod schema;
mod swift;
mod typescript;

use crate::{Result, root};
use schema::Type;
use std::fs;
use xshell::{Shell, cmd};

/// Generates everything; with `check`, only compares and fails if a file is not fresh.
pub(crate) fn run(shell: &Shell, check: bool) -> Result {
    let (types, methods) = (types(shell)?, handle::methods()?);
    let mut files = errors::pages(shell)?;
    for (path, text) in [
        ("bindings-node/handle.js", node_face::write_class(&methods)),
        (
            "bindings-node/handle.d.ts",
            node_face::write_declarations(&methods),
        ),
        ("bindings-node/types.d.ts", typescript::write(&types)),
        (
            "bindings-python/python/mailbearer/types.py",
            python::write(&types),
        ),
        (
            "bindings-python/python/mailbearer/_handle.py",
            python_face::write(&methods),
        ),
        (
            "bindings-python/python/mailbearer/_mailbearer.pyi",
            python_face::write_native(&methods),
        ),
    ] {
        files.push((path.to_owned(), text));
    }
    for (path, text) in swift::files(&types, &methods)? {
        files.push((path.to_owned(), text));
    }
    let mut stale = Vec::new();
    for (path, text) in files {
        let path = root().join(path);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if check {
            stale.push(path.display().to_string());
        } else {
            fs::write(&path, text)?;
            println!("wrote {}", path.display());
        }
    }
    match stale.as_slice() {
        [] => Ok(()),
        stale => Err(format!("not fresh, run cargo xtask codegen: {}", stale.join(", ")).into()),
    }
}

/// The types that cross a language border, in the order of their definition.
fn types(shell: &Shell) -> Result<Vec<Type>> {
    let json = cmd!(
        shell,
        "cargo run --quiet --package mailbearer --features schema --example schema"
    )
    .quiet()
    .ignore_stderr()
    .read()?;
    let json = constants::filled_in(&json)?;
    let definitions: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json)?;
    definitions
        .iter()
        .map(|(name, definition)| schema::read(name, definition))
        .collect()
}
