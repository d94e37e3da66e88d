//! What the packages depend on: no front end in the core, one TLS provider, an independent sandbox, known licences.

use crate::{Result, root};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use xshell::{Shell, cmd};

/// Complains about dependencies and licences that must not be there.
pub(super) fn check(shell: &Shell) -> Result<Vec<String>> {
    let mut complaints = must_not_need(shell, "mailbearer", &FRONT_ENDS)?;
    complaints.extend(must_not_need(shell, "mailbearer-sandbox", &["mailbearer"])?);
    complaints.extend(must_not_need(shell, "mailbearer-cli", &OTHER_TLS)?);
    complaints.extend(licences(shell)?);
    Ok(complaints)
}

const FRONT_ENDS: [&str; 7] = [
    "uniffi",
    "pyo3",
    "napi",
    "clap",
    "schemars",
    "mailbearer-sandbox",
    "axum",
];
const OTHER_TLS: [&str; 3] = ["aws-lc-rs", "native-tls", "openssl-sys"];

/// Complains when a default build of `package` contains one of `unwanted`.
fn must_not_need(shell: &Shell, package: &str, unwanted: &[&str]) -> Result<Vec<String>> {
    let format = "{p}";
    let tree = cmd!(
        shell,
        "cargo tree --package {package} --edges normal --prefix none --format {format}"
    )
    .quiet()
    .read()?;
    let names: BTreeSet<_> = tree
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let found = unwanted.iter().filter(|name| names.contains(*name));
    Ok(found
        .map(|name| format!("{package} must not depend on {name}"))
        .collect())
}

/// Complains about packages whose licence is not on the list of `deny.toml`.
fn licences(shell: &Shell) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        license: Option<String>,
    }
    let json = cmd!(shell, "cargo metadata --format-version 1 --locked")
        .quiet()
        .ignore_stderr()
        .read()?;
    let metadata: Metadata = serde_json::from_str(&json)?;
    let allowed = allowed_licences()?;
    let unlisted = metadata.packages.into_iter().filter_map(|package| {
        let licence = package.license.unwrap_or_default();
        let name = package.name;
        (!is_allowed(&licence, &allowed))
            .then(|| format!("{name}: licence {licence:?} is not in deny.toml"))
    });
    Ok(unlisted.collect())
}

fn allowed_licences() -> Result<BTreeSet<String>> {
    #[derive(Deserialize)]
    struct Deny {
        licenses: Licences,
    }
    #[derive(Deserialize)]
    struct Licences {
        allow: BTreeSet<String>,
    }
    let text = fs::read_to_string(root().join("deny.toml"))?;
    Ok(toml::from_str::<Deny>(&text)?.licenses.allow)
}

/// An SPDX expression of ANDs of ORs, which is all that the dependencies use.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    let plain = expression.replace(['(', ')'], "");
    let all_of = plain.split(" AND ");
    all_of
        .into_iter()
        .all(|part| part.split(" OR ").any(|name| allowed.contains(name.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_licence_expressions() {
        let allowed = ["MIT", "Apache-2.0", "ISC"].map(str::to_owned).into();
        let check = |expression: &str, expected: bool| {
            assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
        };
        check("MIT OR Apache-2.0", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0 OR MIT", true);
        check("Apache-2.0 AND ISC", true);
        check("(GPL-3.0 OR MIT) AND ISC", true);
        check("GPL-3.0 AND MIT", false);
        check("", false);
    }
}
