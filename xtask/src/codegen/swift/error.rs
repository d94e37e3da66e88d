//! Swift's error: a case for each kind of problem, and everything that a problem says as a property.

use super::super::schema::{Shape, Type};
use super::records::name_of;
use super::{head, identifier};
use crate::Result;

/// The whole of `MailbearerError.swift`.
pub(super) fn write(types: &[Type]) -> Result<String> {
    let shape = |name: &str| types.iter().find(|one| one.name == name);
    let Some(Shape::Words(kinds)) = shape("ProblemKind").map(|one| &one.shape) else {
        return Err("ProblemKind is no choice of words".into());
    };
    let Some(Shape::Record(fields)) = shape("Problem").map(|one| &one.shape) else {
        return Err("Problem is no record".into());
    };
    let each = |line: &dyn Fn(&str, &str) -> String| -> String {
        let lines = kinds
            .iter()
            .map(|kind| line(&identifier(&kind.value), &kind.doc));
        lines.collect()
    };
    let cases = each(&|kind, doc| format!("    /// {doc}\n    case {kind}(Problem)\n"));
    let made = each(&|kind, _| format!("        case .{kind}: self = .{kind}(problem)\n"));
    let read = each(&|kind, _| format!("        case .{kind}(let problem): problem\n"));
    let properties = fields.iter().map(|field| {
        let (name, doc) = (identifier(&field.name), &field.doc);
        let of = name_of(&field.of);
        format!("    /// {doc}\n    public var {name}: {of} {{ problem.{name} }}\n")
    });
    let text = TEMPLATE
        .replace("{cases}", &cases)
        .replace("{made}", &made)
        .replace("{read}", &read)
        .replace("{properties}", &properties.collect::<String>());
    Ok(format!("{}\n\n{text}", head("core/src/model")))
}

const TEMPLATE: &str = "\
import Foundation
import MailbearerNative

/// A failure with its cause and the next step: one case for each thing the caller must do.
public enum MailbearerError: Error, Hashable, Sendable {
{cases}
    /// The error for a problem.
    public init(_ problem: Problem) {
        switch problem.kind {
{made}        }
    }

    /// What went wrong, with the cause, the fix, and the verdict on each recipient.
    public var problem: Problem {
        switch self {
{read}        }
    }
}

extension MailbearerError {
{properties}}

extension MailbearerError: LocalizedError {
    public var errorDescription: String? { problem.text }
    public var recoverySuggestion: String? { problem.fix }
}
";

#[cfg(test)]
mod tests {
    use super::super::super::schema::read;
    use super::*;
    use serde_json::json;

    #[test]
    fn has_a_case_for_each_kind_and_a_property_for_each_field() {
        let kind = json!({ "oneOf": [{ "const": "signIn", "description": "Sign in again." }, { "const": "internal" }] });
        let problem = json!({ "properties": {
            "kind": { "$ref": "#/$defs/ProblemKind", "description": "What to do." },
        }, "required": ["kind"] });
        let types = [("ProblemKind", kind), ("Problem", problem)]
            .map(|(name, definition)| read(name, &definition).unwrap());
        let written = write(&types).unwrap();
        for part in [
            "    /// Sign in again.\n    case signIn(Problem)\n",
            "    case `internal`(Problem)\n",
            "        case .signIn: self = .signIn(problem)\n",
            "        case .`internal`(let problem): problem\n",
            "    /// What to do.\n    public var kind: ProblemKind { problem.kind }\n",
        ] {
            assert!(written.contains(part), "{part} is not in {written}");
        }
    }
}
