//! The records as JSON, in the core's own form: camelCase, variants by `type`, octets in base64.
//! What holds a secret is read and never written.

use super::super::schema::{Field, FieldType, Shape, Type, Variant, Word, camel_case};
use super::records::default_value;
use super::{head, identifier};
use crate::Result;

/// The whole of `Codable.swift`.
pub(super) fn write(types: &[Type]) -> Result<String> {
    let mut lines = vec![head("core/src/model")];
    for one in types.iter().filter(|one| one.name != REVEALED) {
        lines.extend(conformance(one, types)?);
    }
    Ok(lines.join("\n") + "\n")
}

/// A secret in the clear, which is not meant to be stored.
const REVEALED: &str = "RevealedAccessToken";

fn conformance(one: &Type, types: &[Type]) -> Result<Vec<String>> {
    let protocol = match holds_secret(one, types) {
        true => "Decodable",
        false => "Codable",
    };
    let (reading, writing) = match &one.shape {
        Shape::Secret | Shape::Bytes => return Ok(Vec::new()),
        Shape::Words(words) => return Ok(write_words(&one.name, words)),
        Shape::Record(fields) => (read_record(fields, types)?, write_record(fields)),
        Shape::Variants(variants) => (read_variants(variants, types)?, write_variants(variants)),
    };
    let mut lines = vec![
        String::new(),
        format!("extension {}: {protocol} {{", one.name),
        "    public init(from decoder: any Decoder) throws {".to_owned(),
    ];
    lines.extend(reading);
    lines.push("    }".to_owned());
    if protocol == "Codable" {
        lines.push(String::new());
        lines.push("    public func encode(to encoder: any Encoder) throws {".to_owned());
        lines.push("        var wire = encoder.container(keyedBy: FieldName.self)".to_owned());
        lines.extend(writing);
        lines.push("    }".to_owned());
    }
    lines.push("}".to_owned());
    Ok(lines)
}

fn holds_secret(one: &Type, types: &[Type]) -> bool {
    let in_fields = |fields: &[Field]| {
        fields
            .iter()
            .filter_map(|field| named(&field.of))
            .filter_map(|name| types.iter().find(|other| other.name == name))
            .any(|other| holds_secret(other, types))
    };
    match &one.shape {
        Shape::Secret => true,
        Shape::Bytes | Shape::Words(_) => false,
        Shape::Record(fields) => in_fields(fields),
        Shape::Variants(variants) => variants.iter().any(|variant| in_fields(&variant.fields)),
    }
}

fn named(of: &FieldType) -> Option<&str> {
    match of {
        FieldType::Named(name) => Some(name),
        FieldType::List(of) | FieldType::Map(of) | FieldType::Optional(of) => named(of),
        _ => None,
    }
}

fn write_words(name: &str, words: &[Word]) -> Vec<String> {
    let cases = words
        .iter()
        .map(|word| format!(".{}", case_of(&word.value)));
    let mut lines = vec![
        String::new(),
        format!("extension {name}: Word {{"),
        format!(
            "    public static let allCases: [{name}] = [{}]",
            cases.collect::<Vec<_>>().join(", ")
        ),
        String::new(),
        "    public var word: String {".to_owned(),
        "        switch self {".to_owned(),
    ];
    lines.extend(
        words
            .iter()
            .map(|word| format!("        case .{}: \"{}\"", case_of(&word.value), word.value)),
    );
    lines.extend(["        }", "    }", "}"].map(str::to_owned));
    lines
}

/// A word may be in snake_case; a case never is.
fn case_of(word: &str) -> String {
    identifier(&camel_case(word))
}

fn read_record(fields: &[Field], types: &[Type]) -> Result<Vec<String>> {
    let mut lines = vec![known(fields, &[], "        ")];
    let read = read_fields(fields, types)?;
    lines.push(format!("        self.init({read})"));
    Ok(lines)
}

fn known(fields: &[Field], others: &[&str], indent: &str) -> String {
    let names = fields.iter().map(|field| field.name.as_str());
    let names = others.iter().copied().chain(names);
    let names: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
    format!(
        "{indent}let fields = try Fields(decoder, [{}])",
        names.join(", ")
    )
}

fn read_fields(fields: &[Field], types: &[Type]) -> Result<String> {
    let read = fields.iter().map(|field| {
        let name = &field.name;
        let value = match (&field.of, &field.default) {
            (FieldType::Optional(_), _) => format!("fields.optional(\"{name}\")"),
            (_, None) => format!("fields.value(\"{name}\")"),
            (of, Some(default)) => {
                let default = default_value(of, default, types)?;
                format!("fields.value(\"{name}\", or: {default})")
            }
        };
        Ok(format!("\n            {name}: try {value}"))
    });
    Ok(read.collect::<Result<Vec<_>>>()?.join(","))
}

fn write_record(fields: &[Field]) -> Vec<String> {
    let lines = fields.iter().map(|field| {
        let name = &field.name;
        format!(
            "        try wire.encode(self.{}, forKey: \"{name}\")",
            identifier(name)
        )
    });
    lines.collect()
}

fn read_variants(variants: &[Variant], types: &[Type]) -> Result<Vec<String>> {
    let mut lines = vec!["        switch try decoder.variant() {".to_owned()];
    for variant in variants {
        let (tag, fields) = (&variant.tag, &variant.fields);
        let case = case_of(tag);
        lines.push(format!("        case \"{tag}\":"));
        if fields.is_empty() {
            lines.push("            _ = try Fields(decoder, [\"type\"])".to_owned());
            lines.push(format!("            self = .{case}"));
        } else {
            lines.push(known(fields, &["type"], "            "));
            let read = read_fields(fields, types)?.replace("\n            ", "\n                ");
            lines.push(format!("            self = .{case}({read})"));
        }
    }
    let tags: Vec<_> = variants
        .iter()
        .map(|variant| format!("\"{}\"", variant.tag))
        .collect();
    lines.push(format!(
        "        default: throw decoder.unknownVariant(of: [{}])",
        tags.join(", ")
    ));
    lines.push("        }".to_owned());
    Ok(lines)
}

fn write_variants(variants: &[Variant]) -> Vec<String> {
    let mut lines = vec!["        switch self {".to_owned()];
    for Variant { tag, fields, .. } in variants {
        let names: Vec<_> = fields.iter().map(|field| identifier(&field.name)).collect();
        let bound = match names.as_slice() {
            [] => String::new(),
            names => format!(
                "({})",
                names
                    .iter()
                    .map(|name| format!("let {name}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        lines.push(format!("        case .{}{bound}:", case_of(tag)));
        lines.push(format!(
            "            try wire.encode(\"{tag}\", forKey: \"type\")"
        ));
        lines.extend(fields.iter().zip(names).map(|(field, name)| {
            format!(
                "            try wire.encode({name}, forKey: \"{}\")",
                field.name
            )
        }));
    }
    lines.push("        }".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::super::super::schema::read;
    use super::*;
    use serde_json::json;

    fn types() -> Vec<Type> {
        let passphrase = json!({ "oneOf": [
            { "properties": { "type": { "type": "string", "const": "text" }, "text": { "$ref": "#/$defs/SecretText" } }, "required": ["type", "text"] },
            { "properties": { "type": { "type": "string", "const": "none" } }, "required": ["type"] },
        ]});
        let definitions = [
            ("SecretText", json!({ "type": "string", "writeOnly": true })),
            ("Passphrase", passphrase),
            (
                "Header",
                json!({ "properties": {
                "name": { "type": "string" },
                "value": { "type": ["string", "null"] },
                "default": { "type": "boolean", "default": true },
            }, "required": ["name"] }),
            ),
            (
                "Kind",
                json!({ "oneOf": [{ "const": "smtpReply" }, { "const": "internal" }] }),
            ),
        ];
        definitions
            .iter()
            .map(|(name, definition)| read(name, definition).unwrap())
            .collect()
    }

    fn check(name: &str, expected: &str) {
        let types = types();
        let one = types.iter().find(|one| one.name == name).unwrap();
        assert_eq!(conformance(one, &types).unwrap().join("\n"), expected);
    }

    #[test]
    fn a_record_is_read_with_its_defaults_and_written_whole() {
        check(
            "Header",
            r#"
extension Header: Codable {
    public init(from decoder: any Decoder) throws {
        let fields = try Fields(decoder, ["name", "value", "default"])
        self.init(
            name: try fields.value("name"),
            value: try fields.optional("value"),
            default: try fields.value("default", or: true))
    }

    public func encode(to encoder: any Encoder) throws {
        var wire = encoder.container(keyedBy: FieldName.self)
        try wire.encode(self.name, forKey: "name")
        try wire.encode(self.value, forKey: "value")
        try wire.encode(self.`default`, forKey: "default")
    }
}"#,
        );
    }

    #[test]
    fn a_secret_is_read_and_never_written() {
        check("SecretText", "");
        check(
            "Passphrase",
            r#"
extension Passphrase: Decodable {
    public init(from decoder: any Decoder) throws {
        switch try decoder.variant() {
        case "text":
            let fields = try Fields(decoder, ["type", "text"])
            self = .text(
                text: try fields.value("text"))
        case "none":
            _ = try Fields(decoder, ["type"])
            self = .none
        default: throw decoder.unknownVariant(of: ["text", "none"])
        }
    }
}"#,
        );
    }

    #[test]
    fn words_are_known_by_their_words() {
        check(
            "Kind",
            r#"
extension Kind: Word {
    public static let allCases: [Kind] = [.smtpReply, .`internal`]

    public var word: String {
        switch self {
        case .smtpReply: "smtpReply"
        case .`internal`: "internal"
        }
    }
}"#,
        );
    }
}
