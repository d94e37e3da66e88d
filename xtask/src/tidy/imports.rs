//! Imports follow the table in ARCHITECTURE.md: the table is read, not repeated here.

use super::Source;
use crate::{Result, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

type Table = BTreeMap<String, BTreeSet<String>>;

/// Complains about every path to a module that the table does not allow.
pub(super) fn check(files: &[Source]) -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let table = read_table(&text);
    if table.is_empty() {
        return Err("ARCHITECTURE.md has no import table".into());
    }
    let complaints = files.iter().flat_map(|file| check_file(file, &table));
    Ok(complaints.collect())
}

/// Reads the rows `| level | module | may import | … |`. Everybody may import the modules of level 0.
fn read_table(text: &str) -> Table {
    let rows: Vec<(u32, &str, &str)> = text.lines().filter_map(read_row).collect();
    let base = rows.iter().filter(|(level, ..)| *level == 0);
    let base: BTreeSet<String> = base.map(|(_, module, _)| (*module).to_owned()).collect();
    let allowed = |level: u32, list: &str| {
        let listed = list.split(',').map(|name| name.trim().to_owned());
        let base = base.iter().filter(|_| level > 0).cloned();
        listed.chain(base).collect()
    };
    rows.into_iter()
        .map(|(level, module, list)| (module.to_owned(), allowed(level, list)))
        .collect()
}

fn read_row(line: &str) -> Option<(u32, &str, &str)> {
    let mut cells = line.split('|').map(str::trim).skip(1);
    let level = cells.next()?.parse().ok()?;
    let module = cells.next()?;
    let is_name = module.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_name.then_some((level, module, cells.next()?))
}

fn check_file(file: &Source, table: &Table) -> Vec<String> {
    let Some(module) = module_of(file) else {
        return Vec::new();
    };
    let Some(allowed) = table.get(&module) else {
        return vec![format!(
            "{}: module `{module}` is not in the import table of ARCHITECTURE.md",
            file.path.display()
        )];
    };
    let forbidden = |(number, line): (usize, &str)| {
        let names = imported(line).into_iter();
        let names = names.filter(|name| *name != module && !allowed.contains(name));
        names
            .map(|name| {
                format!(
                    "{}:{number}: `{module}` may not import `{name}`",
                    file.path.display()
                )
            })
            .collect::<Vec<_>>()
    };
    file.code_lines().flat_map(forbidden).collect()
}

/// The first folder or file name below `core/src`; none for `lib.rs`, which declares the modules.
fn module_of(file: &Source) -> Option<String> {
    let below = file.below("core/src")?;
    let first = below.iter().next()?.to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (name != "lib").then(|| name.to_owned())
}

/// The modules named by `crate::` paths in a line. Names re-exported at the root stand for their module.
fn imported(line: &str) -> Vec<String> {
    let is_part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = "";
    let mut names = Vec::new();
    for (place, after) in line.split("crate::").enumerate() {
        if place > 0 && !before.ends_with(is_part_of_name) {
            let name: String = after.chars().take_while(|c| is_part_of_name(*c)).collect();
            names.push(match name.as_str() {
                "Error" | "Result" => "error".to_owned(),
                "" => "{…}, one `use` per module".to_owned(),
                _ => name,
            });
        }
        before = after;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const TABLE: &str = "| level | module | may import | touches |\n| --- | --- | --- | --- |\n\
        | 0 | model | secret | no |\n| 0 | secret | – | no |\n| 0 | error | model | no |\n\
        | 1 | host | – | yes |\n| 4 | token | host | yes |\n| x | no | row |";

    #[test]
    fn complains_about_what_the_table_does_not_allow() {
        fn check(path: &str, code: &str, expected: usize) {
            let file = Source {
                path: PathBuf::from(path),
                text: code.to_owned(),
            };
            let found = check_file(&file, &read_table(TABLE));
            assert_eq!(found.len(), expected, "{path}: {code}: {found:?}");
        }
        check("core/src/token/cache.rs", "use crate::host::Clock;", 0);
        check("core/src/token/cache.rs", "use crate::model::Event;", 0);
        check("core/src/token/cache.rs", "use crate::token::record;", 0);
        check("core/src/token/cache.rs", "let e = crate::Error::new();", 0);
        check("core/src/host/clock.rs", "use crate::token::Cache;", 1);
        check("core/src/model/event.rs", "use crate::error::Error;", 1);
        check(
            "core/src/host/clock.rs",
            "use crate::{model::Event, error::Error};",
            1,
        );
        check("core/src/host/clock.rs", "// crate::token is above us", 0);
        check("core/src/host/clock.rs", "use outer_crate::token;", 0);
        check("core/src/novel.rs", "", 1);
        check("core/src/lib.rs", "pub use crate::token::Cache;", 0);
    }
}
