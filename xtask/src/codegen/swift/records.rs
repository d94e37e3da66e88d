//! The records' names in the module that people import, and their initializers with defaults.

use super::super::schema::{Field, FieldType, Shape, Type, camel_case};
use super::head;
use crate::Result;
use serde_json::Value;

/// The whole of `Types.swift`.
pub(super) fn exports(types: &[Type]) -> String {
    let mut lines = vec![head("core/src/model"), String::new()];
    lines.extend(types.iter().map(export));
    lines.join("\n") + "\n"
}

/// The whole of `Defaults.swift`.
pub(super) fn initializers(types: &[Type]) -> Result<String> {
    let mut lines = vec![head("core/src/model")];
    for one in types {
        if let Shape::Record(fields) = &one.shape
            && fields.iter().any(|field| field.default.is_some())
        {
            lines.extend(initializer(one, fields, types)?);
        }
    }
    Ok(lines.join("\n") + "\n")
}

fn export(one: &Type) -> String {
    let kind = match one.shape {
        Shape::Secret | Shape::Record(_) => "struct",
        Shape::Bytes => "typealias",
        Shape::Words(_) | Shape::Variants(_) => "enum",
    };
    format!("@_exported import {kind} MailbearerNative.{}", one.name)
}

/// The unused first parameter tells this initializer from the record's own, which the compiler prefers where every
/// field is given, as it is here.
fn initializer(one: &Type, fields: &[Field], types: &[Type]) -> Result<Vec<String>> {
    let mut parameters = vec!["        _: Void = ()".to_owned()];
    let mut arguments = Vec::new();
    for field in fields {
        let name = &field.name;
        let of = name_of(&field.of);
        let default = match &field.default {
            None => String::new(),
            Some(value) => format!(" = {}", default_value(&field.of, value, types)?),
        };
        parameters.push(format!("        {name}: {of}{default}"));
        arguments.push(format!("            {name}: {name}"));
    }
    Ok(vec![
        String::new(),
        format!("extension {} {{", one.name),
        format!("    /// {}", one.doc),
        "    public init(".to_owned(),
        parameters.join(",\n"),
        "    ) {".to_owned(),
        "        self.init(".to_owned(),
        arguments.join(",\n") + ")",
        "    }".to_owned(),
        "}".to_owned(),
    ])
}

pub(super) fn name_of(of: &FieldType) -> String {
    match of {
        FieldType::Text => "String".to_owned(),
        FieldType::Integer { format } => format.replace("uint", "UInt").replace("int", "Int"),
        FieldType::Number => "Double".to_owned(),
        FieldType::Boolean => "Bool".to_owned(),
        FieldType::Named(name) => name.clone(),
        FieldType::List(of) => format!("[{}]", name_of(of)),
        FieldType::Map(of) => format!("[String: {}]", name_of(of)),
        FieldType::Optional(of) => format!("{}?", name_of(of)),
    }
}

/// What stands for a field that is left out.
pub(super) fn default_value(of: &FieldType, value: &Value, types: &[Type]) -> Result<String> {
    Ok(match (of, value) {
        (FieldType::Optional(_), _) => "nil".to_owned(),
        (FieldType::List(_), _) => "[]".to_owned(),
        (FieldType::Map(_), _) => "[:]".to_owned(),
        (FieldType::Named(_), Value::String(word)) => format!(".{}", camel_case(word)),
        (FieldType::Named(name), _) => default_of(name, types)?,
        (_, Value::String(text)) => format!("{text:?}"),
        (_, Value::Number(_) | Value::Bool(_)) => value.to_string(),
        _ => return Err(format!("no default is known for {of:?}").into()),
    })
}

/// The default of a record is its empty initializer; that of a choice is its first case, which then holds nothing.
fn default_of(name: &str, types: &[Type]) -> Result<String> {
    let shape = types.iter().find(|one| one.name == name);
    match shape.map(|one| &one.shape) {
        Some(Shape::Record(fields)) if fields.iter().all(|field| field.default.is_some()) => {
            Ok(format!("{name}()"))
        }
        Some(Shape::Variants(variants)) => match variants.first() {
            Some(first) if first.fields.is_empty() => Ok(format!(".{}", first.tag)),
            _ => Err(format!("{name}: the first case is no default").into()),
        },
        _ => Err(format!("{name}: no default is known").into()),
    }
}
