//! What a JSON Schema of the core's model says, in the few shapes that the model uses.
//! A shape that is not known here is an error: better no file than a wrong one.

use crate::Result;
use serde_json::Value;

/// A type that crosses a language border.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) shape: Shape,
}

/// The form of a type.
#[derive(Debug)]
pub(super) enum Shape {
    /// A secret text: taken in, never given back.
    Secret,
    /// Octets.
    Bytes,
    /// One of a few words.
    Words(Vec<Word>),
    /// A record.
    Record(Vec<Field>),
    /// One of several records, told apart by `type`.
    Variants(Vec<Variant>),
}

#[derive(Debug)]
pub(super) struct Word {
    pub(super) value: String,
    pub(super) doc: String,
}

#[derive(Debug)]
pub(super) struct Variant {
    pub(super) tag: String,
    pub(super) doc: String,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    /// The name on the wire, in camelCase.
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) of: FieldType,
    /// The value that stands for an absent field; none for a field that must be there.
    pub(super) default: Option<Value>,
}

#[derive(Debug)]
pub(super) enum FieldType {
    Text,
    /// Whole numbers; the format is Rust's width, such as `uint64`.
    Integer {
        format: String,
    },
    Number,
    Boolean,
    Named(String),
    List(Box<Self>),
    Map(Box<Self>),
    Optional(Box<Self>),
}

/// Reads one definition.
pub(super) fn read(name: &str, definition: &Value) -> Result<Type> {
    Ok(Type {
        name: name.to_owned(),
        doc: doc(definition),
        shape: read_shape(definition).map_err(|error| format!("{name}: {error}"))?,
    })
}

fn read_shape(definition: &Value) -> Result<Shape> {
    if definition["writeOnly"] == true {
        return Ok(Shape::Secret);
    }
    if definition["contentEncoding"] == "base64" {
        return Ok(Shape::Bytes);
    }
    if let Some(options) = definition["oneOf"].as_array() {
        let is_word = |option: &Value| option["const"].is_string();
        return if options.iter().all(is_word) {
            Ok(Shape::Words(options.iter().map(read_word).collect()))
        } else {
            let variants = options.iter().map(read_variant);
            Ok(Shape::Variants(variants.collect::<Result<_>>()?))
        };
    }
    Ok(Shape::Record(read_fields(definition)?))
}

fn read_word(option: &Value) -> Word {
    Word {
        value: text(&option["const"]),
        doc: doc(option),
    }
}

fn read_variant(option: &Value) -> Result<Variant> {
    let mut fields = read_fields(option)?;
    fields.retain(|field| field.name != "type");
    Ok(Variant {
        tag: text(
            option
                .pointer("/properties/type/const")
                .unwrap_or(&Value::Null),
        ),
        doc: doc(option),
        fields,
    })
}

fn read_fields(record: &Value) -> Result<Vec<Field>> {
    let properties = record["properties"]
        .as_object()
        .ok_or("expected a record with properties")?;
    let required: Vec<_> = record["required"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    properties
        .iter()
        .map(|(name, property)| {
            let of = read_type(property).map_err(|error| format!("{name}: {error}"))?;
            let is_required = required.iter().any(|required| *required == name);
            let stated = property.get("default").cloned();
            let default = stated.or_else(|| (!is_required).then_some(Value::Null));
            Ok(Field {
                name: name.clone(),
                doc: doc(property),
                of,
                default,
            })
        })
        .collect()
}

fn read_type(property: &Value) -> Result<FieldType> {
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return Ok(FieldType::Named(name.to_owned()));
    }
    if let Some([first, second]) = property["anyOf"].as_array().map(Vec::as_slice)
        && second["type"] == "null"
    {
        return Ok(FieldType::Optional(Box::new(read_type(first)?)));
    }
    match &property["type"] {
        Value::Array(names) => match names.as_slice() {
            [name, null] if null == "null" => {
                Ok(FieldType::Optional(Box::new(read_plain(name, property)?)))
            }
            _ => Err(format!("no such type is known: {property}").into()),
        },
        name => read_plain(name, property),
    }
}

fn read_plain(name: &Value, property: &Value) -> Result<FieldType> {
    match name.as_str() {
        Some("string") => Ok(FieldType::Text),
        Some("integer") => Ok(FieldType::Integer {
            format: text(&property["format"]),
        }),
        Some("number") => Ok(FieldType::Number),
        Some("boolean") => Ok(FieldType::Boolean),
        Some("array") => Ok(FieldType::List(Box::new(read_type(&property["items"])?))),
        Some("object") => {
            let values = &property["additionalProperties"];
            Ok(FieldType::Map(Box::new(read_type(values)?)))
        }
        _ => Err(format!("no such type is known: {property}").into()),
    }
}

/// The documentation as one line.
fn doc(value: &Value) -> String {
    text(&value["description"]).replace('\n', " ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `expiresAtUnixMs` as `expires_at_unix_ms`.
pub(super) fn snake_case(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

/// `expires_at_unix_ms` as `expiresAtUnixMs`.
pub(crate) fn camel_case(snake: &str) -> String {
    let mut parts = snake.split('_');
    let head = parts.next().unwrap_or_default().to_owned();
    parts.fold(head, |camel, part| camel + &pascal_case(part))
}

/// `mailAccepted` or `smtp_reply` as `MailAccepted`, `SmtpReply`.
pub(super) fn pascal_case(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut letters = part.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}
