//! Every method of the handle and every kind of error has a scenario, so that every language is tried on it.

use crate::codegen::handle::methods;
use crate::codegen::schema::camel_case;
use crate::{Result, root};
use std::fs;
use syn::Item;

pub(super) fn check() -> Result<Vec<String>> {
    let cases = cases()?;
    let methods = methods()?.into_iter().map(|method| {
        let action = format!("\"{}\"", camel_case(&method.name));
        (action, format!("method {}", method.name))
    });
    let kinds = kinds()?.into_iter().map(|kind| {
        let expected = format!("\"kind\": \"{kind}\"");
        (expected, format!("kind of error {kind}"))
    });
    Ok(missing(&cases, methods.chain(kinds)))
}

fn missing(cases: &str, wanted: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let missing = wanted.filter(|(mention, _)| !cases.contains(mention));
    missing
        .map(|(_, what)| format!("scenarios: no case for the {what}"))
        .collect()
}

/// The text of all cases.
fn cases() -> Result<String> {
    let mut text = String::new();
    for folder in fs::read_dir(root().join("scenarios"))? {
        let case = folder?.path().join("case.json");
        if case.exists() {
            text += &fs::read_to_string(case)?;
        }
    }
    Ok(text)
}

/// The kinds of error, as JSON has them.
fn kinds() -> Result<Vec<String>> {
    let source = fs::read_to_string(root().join("core/src/model/problem.rs"))?;
    let kinds = syn::parse_file(&source)?
        .items
        .into_iter()
        .find_map(|item| match item {
            Item::Enum(kinds) if kinds.ident == "ProblemKind" => Some(kinds.variants),
            _ => None,
        });
    let kinds = kinds.ok_or("core/src/model/problem.rs: there is no ProblemKind")?;
    let names = kinds.iter().map(|kind| kind.ident.to_string());
    Ok(names.map(|name| lower_first(&name)).collect())
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_out() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_no_case_mentions_is_a_complaint() {
        let wanted = ["storage", "magic"].map(|kind| (format!("\"{kind}\""), kind.to_owned()));
        let complaints = missing(r#"{"kind": "storage"}"#, wanted.into_iter());
        assert_eq!(complaints, ["scenarios: no case for the magic"]);
        assert_eq!(kinds().unwrap().len(), 9);
    }
}
