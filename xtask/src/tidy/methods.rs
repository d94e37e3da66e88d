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
    Face {
        path: "bindings-swift/Sources/Mailbearer/Mailbearer.swift",
        mention: |method| format!("func {}(", camel_case(&method.name)),
    },
    Face {
        path: "cli/src/command.rs",
        mention: |method| format!("(\"{}\", &[", method.name),
    },
];

pub(super) fn check() -> Result<Vec<String>> {
    let methods = methods()?;
    let mut complaints = Vec::new();
    for face in FACES {
        let text = fs::read_to_string(root().join(face.path))?;
        complaints.extend(missing(&methods, face.path, &text, face.mention));
    }
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
