//! Microsoft's host names and scopes are written down in one place, so that a change there is a change here once.

use super::Source;

const NAMES: [&str; 9] = [
    "microsoftonline",
    "office365.com",
    "office365.us",
    "office.com",
    "outlook.com",
    "outlook.cn",
    "graph.microsoft",
    "SMTP.Send",
    "mx.microsoft",
];

/// Complains about every such name in code outside `provider` and the catalogue's module.
pub(super) fn check(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .filter(|file| !is_allowed(file))
        .flat_map(|file| {
            let named = file.code_lines().filter_map(|(number, line)| {
                let name = NAMES.iter().find(|name| line.contains(*name))?;
                Some(format!(
                    "{}:{number}: `{name}` belongs into core/src/provider",
                    file.path.display()
                ))
            });
            named.collect::<Vec<_>>()
        })
        .collect()
}

fn is_allowed(file: &Source) -> bool {
    file.below("core/src/provider").is_some() || file.below("core/src/diagnosis").is_some()
}
