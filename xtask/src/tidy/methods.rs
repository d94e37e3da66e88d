//! Every method of the handle is in every language, and on the command line.

use crate::codegen::handle::{Method, methods};
use crate::codegen::schema::camel_case;
use crate::{Result, root};
use std::fs;

/// A file that must name every method, and how it does.
struct Face {
    path: &'static str,
    mention: fn(&Method) -> String,
}

const FACES: &[Face] = &[
    Face {
        path: "bindings-python/src/lib.rs",
        mention: |method| format!("fn {}", method.name),
    },
    Face {
        path: "bindings-node/src/lib.rs",
        mention: |method| format!("fn {}", method.name),
    },
    Face {
        path: "bindings-swift/src/lib.rs",
        mention: |method| format!("fn {}", method.name),
    },
    Face {
        path: "bindings-node/handle.d.ts",
        mention: |method| format!("{}(", camel_case(&method.name)),
    },
];

/// What a method is called on the command line. A one-shot program has no use for some: they are its beginning or end.
const VERBS: &[(&str, &str)] = &[
    ("open", "its beginning"),
    ("close", "its end"),
    ("add_account", "account add"),
    ("accounts", "account list"),
    ("remove_account", "account remove"),
    ("begin_sign_in", "login"),
    ("finish_sign_in", "login"),
    ("access_token", "token"),
    ("token_status", "status"),
    ("send", "send"),
    ("send_raw", "send --eml"),
    (
        "events",
        "none: they end with the process; send --verbose shows what happened",
    ),
    ("explain", "explain"),
];

pub(super) fn check() -> Result<Vec<String>> {
    let methods = methods()?;
    let mut complaints = Vec::new();
    for face in FACES {
        let text = fs::read_to_string(root().join(face.path))?;
        complaints.extend(missing(&methods, face.path, &text, face.mention));
    }
    let has_verb = |method: &&Method| VERBS.iter().any(|(name, _)| *name == method.name);
    let without = methods.iter().filter(|method| !has_verb(method));
    complaints.extend(without.map(|method| {
        format!(
            "xtask/src/tidy/methods.rs: say which verb of the command line is {}",
            method.name
        )
    }));
    Ok(complaints)
}

fn missing(
    methods: &[Method],
    path: &str,
    text: &str,
    mention: fn(&Method) -> String,
) -> Vec<String> {
    let is_missing = |method: &&Method| !text.contains(&mention(method));
    let missing = methods.iter().filter(is_missing);
    missing
        .map(|method| format!("{path}: the handle's method {} is missing", method.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_everywhere() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_missing_method_is_a_complaint() {
        let complaints = missing(&methods().unwrap(), "x.rs", "fn open fn close", |method| {
            format!("fn {}", method.name)
        });
        assert!(
            complaints
                .iter()
                .any(|complaint| complaint.contains("send_raw"))
        );
        assert!(
            !complaints
                .iter()
                .any(|complaint| complaint.contains("close"))
        );
    }
}
