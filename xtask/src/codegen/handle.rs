//! The methods of the handle, read from `core/src/handle.rs`: what every language's face is generated from.
//! A signature that has no form in every language is an error: better no file than a wrong one.

use crate::{Result, root};
use std::fs;
use syn::{FnArg, ImplItem, ImplItemFn, Item, Pat, ReturnType, Type, Visibility};

/// A public method of the handle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// Its name for other languages, in snake_case.
    pub(crate) name: String,
    /// Its documentation, a line each, with Rust's links.
    pub(crate) doc: Vec<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returns: Value,
    /// It waits, and so can be cancelled.
    pub(crate) is_async: bool,
    /// It makes a handle instead of using one.
    pub(crate) is_constructor: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// In snake_case.
    pub(crate) name: String,
    pub(crate) of: Value,
}

/// What goes in or out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Nothing,
    /// The handle itself, from a constructor.
    Handle,
    /// A reader of events.
    Events,
    Text,
    Boolean,
    /// Octets.
    Bytes,
    /// A type of the model.
    Named(String),
    /// A list of a type of the model.
    List(String),
}

/// The kinds of errors as the documentation of methods names them: the variants of `ProblemKind`.
pub(crate) const KINDS: [&str; 9] = [
    "Config",
    "SignIn",
    "Consent",
    "Rejected",
    "Throttled",
    "Unavailable",
    "Storage",
    "Misuse",
    "Internal",
];

/// All methods, in the order of their definition.
pub(crate) fn methods() -> Result<Vec<Method>> {
    read(&fs::read_to_string(root().join("core/src/handle.rs"))?)
}

fn read(source: &str) -> Result<Vec<Method>> {
    let mut methods = Vec::new();
    for item in syn::parse_file(source)?.items {
        let Item::Impl(block) = item else { continue };
        if block.trait_.is_some() || named(&block.self_ty).as_deref() != Some("Mailbearer") {
            continue;
        }
        for item in block.items {
            let ImplItem::Fn(function) = item else {
                continue;
            };
            if matches!(function.vis, Visibility::Public(_)) && !is_for_rust_only(&function) {
                let name = function.sig.ident.to_string();
                methods.push(read_method(&function).map_err(|error| format!("{name}: {error}"))?);
            }
        }
    }
    give_the_revealed_their_name(&mut methods);
    Ok(methods)
}

/// `open_with` takes the machine's services, which are Rust's traits. Taking over another tool's account is done once, by a
/// person at the command line.
fn is_for_rust_only(function: &ImplItemFn) -> bool {
    let inputs = &function.sig.inputs;
    inputs.iter().any(|input| match input {
        FnArg::Typed(typed) => {
            named(referred(&typed.ty)).is_some_and(|name| RUST_ONLY.contains(&name.as_str()))
        }
        FnArg::Receiver(_) => false,
    })
}

const RUST_ONLY: &[&str] = &["Parts", "Import"];

/// The type behind a reference.
fn referred(of: &Type) -> &Type {
    match of {
        Type::Reference(reference) => &reference.elem,
        other => other,
    }
}

/// A method that returns a secret in the clear stands for the one that does not: `revealed_access_token` is
/// `access_token` in every other language.
fn give_the_revealed_their_name(methods: &mut Vec<Method>) {
    let revealed: Vec<_> = methods
        .iter()
        .filter_map(|method| Some(method.name.strip_prefix(REVEALED)?.to_owned()))
        .collect();
    let mut docs = Vec::new();
    methods.retain_mut(|method| {
        let is_stood_for = revealed.contains(&method.name);
        if is_stood_for {
            docs.push((method.name.clone(), std::mem::take(&mut method.doc)));
        }
        !is_stood_for
    });
    for method in methods {
        let Some(name) = method.name.strip_prefix(REVEALED).map(str::to_owned) else {
            continue;
        };
        if let Some((_, doc)) = docs.iter().find(|(documented, _)| *documented == name) {
            method.doc.clone_from(doc);
        }
        method.name = name;
    }
}

const REVEALED: &str = "revealed_";

fn read_method(function: &ImplItemFn) -> Result<Method> {
    let signature = &function.sig;
    let mut is_constructor = true;
    let mut parameters = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(_) => is_constructor = false,
            FnArg::Typed(typed) => {
                let Pat::Ident(name) = &*typed.pat else {
                    return Err("a parameter without a name".into());
                };
                parameters.push(Parameter {
                    name: name.ident.to_string(),
                    of: read_value(&typed.ty)?,
                });
            }
        }
    }
    let returns = match &signature.output {
        ReturnType::Default => Value::Nothing,
        ReturnType::Type(_, of) => read_value(of)?,
    };
    Ok(Method {
        name: signature.ident.to_string(),
        doc: doc(function),
        parameters,
        returns,
        is_async: signature.asyncness.is_some(),
        is_constructor,
    })
}

fn read_value(of: &Type) -> Result<Value> {
    match of {
        Type::Reference(reference) => return read_value(&reference.elem),
        Type::Tuple(tuple) if tuple.elems.is_empty() => return Ok(Value::Nothing),
        _ => {}
    }
    let name = named(of).ok_or("a type without a name")?;
    match name.as_str() {
        "Result" => read_value(argument(of).ok_or("a Result of nothing")?),
        "Vec" => match read_value(argument(of).ok_or("a Vec of nothing")?)? {
            Value::Named(name) => Ok(Value::List(name)),
            other => Err(format!("a list of {other:?} has no form in other languages").into()),
        },
        "Self" => Ok(Value::Handle),
        "Events" => Ok(Value::Events),
        "str" | "String" => Ok(Value::Text),
        "bool" => Ok(Value::Boolean),
        "Bytes" => Ok(Value::Bytes),
        _ => Ok(Value::Named(name)),
    }
}

/// The last part of a type's path.
fn named(of: &Type) -> Option<String> {
    let Type::Path(path) = of else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

/// The first type in angle brackets.
fn argument(of: &Type) -> Option<&Type> {
    let Type::Path(path) = of else { return None };
    let syn::PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments
    else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(of) => Some(of),
        _ => None,
    })
}

fn doc(function: &ImplItemFn) -> Vec<String> {
    let lines = function.attrs.iter().filter_map(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        let syn::Expr::Lit(literal) = &pair.value else {
            return None;
        };
        match &literal.lit {
            syn::Lit::Str(text) if pair.path.is_ident("doc") => {
                Some(text.value().trim().to_owned())
            }
            _ => None,
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_method_takes_and_gives() {
        let source = "impl Mailbearer {
            /// Opens.
            /// Errors: `Config`.
            pub async fn open(config: Config) -> Result<Self> { todo!() }
            pub async fn open_with(config: Config, parts: Parts) -> Result<Self> { todo!() }
            /// A token.
            pub async fn access_token(&self, account: &str) -> Result<AccessToken> { todo!() }
            /// Another one.
            pub async fn access_token_after(&self, account: &str, refused: &SecretText) -> Result<AccessToken> { todo!() }
            /// For others.
            pub async fn revealed_access_token(&self, account: &str) -> Result<RevealedAccessToken> { todo!() }
            /// For others.
            pub async fn revealed_access_token_after(&self, account: &str, refused: &str) -> Result<RevealedAccessToken> { todo!() }
            pub async fn send_raw(&self, envelope: Envelope, mime: Bytes) -> Result<()> { todo!() }
            pub fn events(&self) -> Events { todo!() }
            pub fn explain(&self, evidence: &Evidence) -> Vec<Diagnosis> { todo!() }
            fn hidden(&self) {}
        }
        impl Other { pub fn foreign(&self) {} }";
        let methods = read(source).unwrap();
        let names: Vec<_> = methods.iter().map(|method| method.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "open",
                "access_token",
                "access_token_after",
                "send_raw",
                "events",
                "explain"
            ]
        );
        let [open, token, after, send_raw, events, explain] = methods.as_slice() else {
            unreachable!()
        };
        assert!(open.is_constructor && open.is_async);
        assert_eq!(open.returns, Value::Handle);
        assert_eq!(open.doc, ["Opens.", "Errors: `Config`."]);
        assert_eq!(token.doc, ["A token."]);
        let revealed = Value::Named("RevealedAccessToken".to_owned());
        assert_eq!(token.returns, revealed);
        assert_eq!(token.parameters[0].of, Value::Text);
        assert_eq!(after.doc, ["Another one."]);
        assert_eq!(
            after.parameters[1].of,
            Value::Text,
            "as the revealed one takes it"
        );
        assert_eq!(send_raw.parameters[1].of, Value::Bytes);
        assert_eq!(send_raw.returns, Value::Nothing);
        assert_eq!(events.returns, Value::Events);
        assert!(!events.is_async && !events.is_constructor);
        assert_eq!(explain.returns, Value::List("Diagnosis".to_owned()));
    }

    #[test]
    fn refuses_what_has_no_form_elsewhere() {
        let source = "impl Mailbearer { pub fn odd(&self) -> Vec<Vec<Event>> { todo!() } }";
        let error = read(source).unwrap_err().to_string();
        assert!(error.contains("odd"), "{error}");
    }
}
