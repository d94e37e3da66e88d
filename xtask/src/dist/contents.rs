//! What is inside a native file: the crates it was built from, as a bill of materials (CycloneDX) and as the texts of
//! their licences. Read from cargo, which alone knows what a platform and its features bring in.

use super::platform::Platform;
use super::with;
use crate::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::{Shell, cmd};

/// The crates that a package of the workspace consists of.
pub(super) struct Contents {
    package: String,
    platform: &'static Platform,
    crates: Vec<Crate>,
    needs: Needs,
}

/// A crate's name and version.
type Id = (String, String);
/// What each crate was built with.
type Needs = BTreeMap<Id, BTreeSet<Id>>;

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
}

impl Contents {
    pub(super) fn of(shell: &Shell, package: &str, platform: &'static Platform) -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Crate>,
        }
        let (triple, format) = (platform.triple, "{p}");
        // Not the metadata's own graph: that one joins the features of the whole workspace.
        let tree = cmd!(
            shell,
            "cargo tree --locked --package {package} --target {triple} --edges normal,no-proc-macro --prefix depth --format {format}"
        )
        .quiet()
        .read()?;
        let needs = needs(&tree);
        let json = cmd!(
            shell,
            "cargo metadata --format-version 1 --locked --filter-platform {triple}"
        )
        .quiet()
        .ignore_stderr()
        .read()?;
        let mut crates = serde_json::from_str::<Metadata>(&json)?.packages;
        crates.retain(|one| needs.contains_key(&(one.name.clone(), one.version.clone())));
        crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let package = package.to_owned();
        Ok(Self {
            package,
            platform,
            crates,
            needs,
        })
    }

    /// The bill of materials. It has no serial number and no time: both would differ from build to build.
    pub(super) fn bill(&self) -> Result<String> {
        let version = env!("CARGO_PKG_VERSION");
        let parts = self.crates.iter().filter(|one| one.name != self.package);
        let bill = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "library",
                    "bom-ref": self.package,
                    "name": self.package,
                    "version": version,
                    "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                    "properties": [{ "name": "cdx:rustc:target", "value": self.platform.triple }],
                },
            },
            "components": parts.map(component).collect::<Vec<_>>(),
            "dependencies": self.dependencies(),
        });
        Ok(serde_json::to_string_pretty(&bill)? + "\n")
    }

    fn dependencies(&self) -> Vec<Value> {
        let reference = |(name, version): &Id| match *name == self.package {
            true => name.clone(),
            false => purl(name, version),
        };
        let one = |(id, needs): (&Id, &BTreeSet<Id>)| {
            let needs: Vec<_> = needs.iter().map(reference).collect();
            json!({ "ref": reference(id), "dependsOn": needs })
        };
        self.needs.iter().map(one).collect()
    }

    /// The licences of all crates of others, each text once with the crates it is for.
    pub(super) fn licences(&self) -> Result<String> {
        let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut lines = String::from(INTRODUCTION);
        if self.platform.triple.ends_with("musl") {
            lines.push_str(MUSL);
        }
        for one in self.crates.iter().filter(|one| one.source.is_some()) {
            let title = format!("{} {}", one.name, one.version);
            let licence = one.license.as_deref().unwrap_or("see its text");
            let manifest = &one.manifest_path;
            let found = licence_texts(manifest.parent().unwrap_or(manifest))?;
            let note = if found.is_empty() {
                "; brings no text of it"
            } else {
                ""
            };
            lines.push_str(&[&title, ": ", licence, note, "\n"].concat());
            for text in found {
                texts.entry(text).or_default().insert(title.clone());
            }
        }
        for (text, crates) in texts {
            let crates: Vec<_> = crates.into_iter().collect();
            lines.push_str(
                &[
                    "\n",
                    RULE,
                    "\n",
                    &crates.join(", "),
                    "\n\n",
                    text.trim(),
                    "\n",
                ]
                .concat(),
            );
        }
        Ok(lines)
    }
}

/// Reads the lines of `cargo tree`, in which a crate's depth says whose dependency it is. One that comes again is not
/// followed again.
fn needs(tree: &str) -> Needs {
    let mut needs = Needs::new();
    let mut path: Vec<Id> = Vec::new();
    for (depth, id) in tree.lines().filter_map(tree_line) {
        path.truncate(depth);
        if let Some(parent) = path.last() {
            needs.entry(parent.clone()).or_default().insert(id.clone());
        }
        needs.entry(id.clone()).or_default();
        path.push(id);
    }
    needs
}

/// `2name v1.2.3 (…)`: two below the first one.
fn tree_line(line: &str) -> Option<(usize, Id)> {
    let end = line.find(|letter: char| !letter.is_ascii_digit())?;
    let (depth, rest) = line.split_at(end);
    let mut words = rest.split_whitespace();
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some((depth.parse().ok()?, (name.to_owned(), version.to_owned())))
}

/// A crate's name in bills (package-url).
fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

fn component(one: &Crate) -> Value {
    let Crate { name, version, .. } = one;
    let purl = purl(name, version);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    });
    if let Some(licence) = &one.license {
        // Older crates write a slash where SPDX says OR.
        let licence = licence.replace('/', " OR ");
        component = with(component, "licenses", json!([{ "expression": licence }]));
    }
    if let Some(url) = &one.repository {
        let references = json!([{ "type": "vcs", "url": url }]);
        component = with(component, "externalReferences", references);
    }
    component
}

fn licence_texts(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && is_licence(path));
    paths.sort();
    let read = |path: &PathBuf| Ok(String::from_utf8_lossy(&fs::read(path)?).replace('\r', ""));
    paths.iter().map(read).collect()
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_uppercase();
    [
        "LICENSE",
        "LICENCE",
        "COPYING",
        "COPYRIGHT",
        "NOTICE",
        "UNLICENSE",
    ]
    .iter()
    .any(|word| name.starts_with(word))
        && !name.ends_with(".RS")
}

const RULE: &str = "----------------------------------------------------------------------";

const INTRODUCTION: &str = "\
Mailbearer is MIT OR Apache-2.0. The native file in this package also contains the Rust standard library
(MIT OR Apache-2.0, https://www.rust-lang.org) and these crates:

";

const MUSL: &str = "musl (the C library; MIT, copyright 2005-2020 Rich Felker, et al.)\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_cargo_tree_who_needs_whom() {
        let id = |name: &str| (name.to_owned(), "1.0.0".to_owned());
        let tree = "0a v1.0.0 (/somewhere/a)\n1b v1.0.0\n2c v1.0.0\n1d v1.0.0\n2c v1.0.0 (*)\n\n";
        let expected = [
            ("a", vec!["b", "d"]),
            ("b", vec!["c"]),
            ("c", vec![]),
            ("d", vec!["c"]),
        ];
        let expected = expected.map(|(one, needs)| (id(one), needs.into_iter().map(id).collect()));
        assert_eq!(needs(tree), Needs::from(expected));
    }

    #[test]
    fn takes_licences_and_no_source() {
        let check =
            |name: &str, expected| assert_eq!(is_licence(Path::new(name)), expected, "{name}");
        check("LICENSE-MIT", true);
        check("COPYING", true);
        check("license.rs", false);
        check("README.md", false);
    }

    #[test]
    fn an_old_expression_and_a_build_number_are_written_as_the_standards_say() {
        let one = Crate {
            name: "a".to_owned(),
            version: "1.0.0+b".to_owned(),
            license: Some("MIT/Apache-2.0".to_owned()),
            repository: None,
            source: None,
            manifest_path: PathBuf::new(),
        };
        let component = component(&one);
        assert_eq!(component["purl"], "pkg:cargo/a@1.0.0%2Bb");
        assert_eq!(component["licenses"][0]["expression"], "MIT OR Apache-2.0");
    }
}
