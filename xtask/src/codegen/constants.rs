//! The model's constants, which other languages do not have: where its documentation links to one, they get the number.

use crate::{Result, root};
use std::fs;
use syn::{Expr, Item, Lit};

/// A text with ``[`REPLY_MS`]`` replaced by `120000`, and likewise for every constant of `core/src/model`.
pub(crate) fn filled_in(text: &str) -> Result<String> {
    let mut text = text.to_owned();
    for entry in fs::read_dir(root().join("core/src/model"))? {
        for (name, value) in read(&fs::read_to_string(entry?.path())?)? {
            text = text.replace(&format!("[`{name}`]"), &value);
        }
    }
    Ok(text)
}

fn read(source: &str) -> Result<Vec<(String, String)>> {
    let items = syn::parse_file(source)?.items.into_iter();
    let constants = items.filter_map(|item| {
        let Item::Const(constant) = item else {
            return None;
        };
        let Expr::Lit(literal) = *constant.expr else {
            return None;
        };
        let Lit::Int(number) = literal.lit else {
            return None;
        };
        Some((
            constant.ident.to_string(),
            number.base10_digits().to_owned(),
        ))
    });
    Ok(constants.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_constant_becomes_its_number() {
        let text = "Default [`REPLY_MS`], in [`Config`].";
        assert_eq!(filled_in(text).unwrap(), "Default 120000, in [`Config`].");
    }

    #[test]
    fn only_whole_numbers_are_read() {
        let source = "/// Why.\npub const A_MS: u64 = 30_000;\nconst B: &str = \"b\";\nstruct C;";
        let expected = [("A_MS".to_owned(), "30000".to_owned())];
        assert_eq!(read(source).unwrap(), expected);
    }
}
