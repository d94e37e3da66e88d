//! The handle's face in Swift: a class whose methods can be cancelled, with the core's documentation in DocC's form.

use super::super::handle::{KINDS, Method, Parameter, Value};
use super::super::schema::camel_case;
use super::{head, identifier};

/// The whole of `Mailbearer.swift`.
pub(super) fn write(methods: &[Method]) -> String {
    let declared: Vec<_> = methods
        .iter()
        .map(|method| declare(method, methods))
        .collect();
    format!(
        "{}\n\n{CLASS}\n{}}}\n",
        head("core/src/handle.rs"),
        declared.join("\n")
    )
}

const CLASS: &str = "\
import Foundation
import MailbearerNative

/// A handle on everything Mailbearer does. It may be shared between tasks.
///
/// Every failure is a ``MailbearerError``. When the surrounding task is cancelled, the work ends at once and
/// `CancellationError` is thrown: a cancelled ``send(_:)`` has either been taken by the server or not been sent.
/// Because of these two errors the methods throw untyped. A handle that nobody holds any more needs no ``close()``.
public final class Mailbearer: Sendable {
    private let handle: Handle

    private init(_ handle: Handle) {
        self.handle = handle
    }
";

fn declare(method: &Method, methods: &[Method]) -> String {
    let mut lines: Vec<_> = method
        .doc
        .iter()
        .map(|line| {
            format!("/// {}", translate(line, methods))
                .trim_end()
                .to_owned()
        })
        .collect();
    if DISCARDABLE.contains(&method.name.as_str()) {
        lines.push("@discardableResult".to_owned());
    }
    let parameters = method.parameters.iter().enumerate().map(taken);
    lines.push(format!(
        "public {}func {}({}){}{} {{",
        if method.is_constructor { "static " } else { "" },
        identifier(&camel_case(&method.name)),
        parameters.collect::<Vec<_>>().join(", "),
        if method.is_async { " async throws" } else { "" },
        returned(&method.returns),
    ));
    lines.push(format!("    {}", body(method)));
    lines.push("}".to_owned());
    let indented = lines.iter().map(|line| format!("    {line}\n"));
    indented.collect()
}

/// Whose results are news that need no reader.
const DISCARDABLE: &[&str] = &["add_account", "finish_sign_in", "send", "send_raw"];

/// The first argument needs no label, as the method's name says what it is.
fn taken((place, parameter): (usize, &Parameter)) -> String {
    let label = if place == 0 { "_ " } else { "" };
    let default = match default_of(parameter) {
        Some(default) => format!(" = {default}"),
        None => String::new(),
    };
    let name = identifier(&camel_case(&parameter.name));
    format!("{label}{name}: {}{default}", name_of(&parameter.of))
}

/// What stands for an argument that is left out, where there is an obvious choice.
fn default_of(parameter: &Parameter) -> Option<&'static str> {
    match &parameter.of {
        Value::Named(of) if of == "Config" => Some("Config()"),
        Value::Named(of) if of == "SignInFlow" => Some(".deviceCode"),
        _ => None,
    }
}

fn returned(of: &Value) -> String {
    match of {
        Value::Nothing => String::new(),
        of => format!(" -> {}", name_of(of)),
    }
}

fn name_of(of: &Value) -> String {
    match of {
        Value::Nothing => "Void".to_owned(),
        Value::Handle => "Mailbearer".to_owned(),
        Value::Events => "Events".to_owned(),
        Value::Text => "String".to_owned(),
        Value::Boolean => "Bool".to_owned(),
        Value::Bytes => "Data".to_owned(),
        Value::Named(name) => name.clone(),
        Value::List(name) => format!("[{name}]"),
    }
}

fn body(method: &Method) -> String {
    let names = method.parameters.iter().map(|parameter| {
        let name = camel_case(&parameter.name);
        format!("{name}: {}", identifier(&name))
    });
    let mut arguments: Vec<_> = names.collect();
    if method.is_async {
        arguments.push("cancellation: $0".to_owned());
    }
    let called = match method.is_constructor {
        true => "Handle",
        false if method.is_async => "self.handle",
        false => "handle",
    };
    let call = format!(
        "{called}.{}({})",
        identifier(&camel_case(&method.name)),
        arguments.join(", ")
    );
    let value = match method.is_async {
        true => format!("try await cancellable {{ try await {call} }}"),
        false => call,
    };
    match method.returns {
        Value::Handle => format!("Mailbearer({value})"),
        Value::Events => format!("Events(reader: {value})"),
        _ => value,
    }
}

/// Links and kinds of errors in DocC's form: ``[`Mailbearer::send_raw`]`` and `` `SignIn` ``.
fn translate(line: &str, methods: &[Method]) -> String {
    let mut translated = String::new();
    for (place, part) in line.split('`').enumerate() {
        if place % 2 == 0 {
            translated.push_str(part);
        } else if KINDS.contains(&part) {
            translated.extend(["`", &first_lower(part), "`"]);
        } else if translated.ends_with('[') {
            translated.pop();
            translated.push_str(&link(part, methods));
            translated.push(LINKED);
        } else {
            translated.extend(["`", part, "`"]);
        }
    }
    let translated = translated.replace(&format!("{LINKED}]"), "");
    translated.replace("Errors: ", "Kinds of errors: ")
}

/// Marks where a link of Rust's has been, until its bracket is taken away.
const LINKED: char = '\u{0}';

fn link(target: &str, methods: &[Method]) -> String {
    let name = target.strip_prefix("Mailbearer::").unwrap_or(target);
    match methods.iter().find(|method| method.name == name) {
        Some(method) => format!("``{}``", selector(method)),
        None if target == "Error" => "``MailbearerError``".to_owned(),
        None => format!("`{name}`"),
    }
}

/// A method's name with its labels, as in `sendRaw(_:mime:)`.
fn selector(method: &Method) -> String {
    let labels = method
        .parameters
        .iter()
        .enumerate()
        .map(|(place, parameter)| match place {
            0 => "_:".to_owned(),
            _ => camel_case(&parameter.name) + ":",
        });
    format!(
        "{}({})",
        camel_case(&method.name),
        labels.collect::<String>()
    )
}

fn first_lower(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_raw() -> Method {
        let parameter = |name: &str, of| Parameter {
            name: name.to_owned(),
            of,
        };
        Method {
            name: "send_raw".to_owned(),
            doc: vec!["Sends. Errors: `SignIn`.".to_owned(), String::new()],
            parameters: vec![
                parameter("envelope", Value::Named("Envelope".to_owned())),
                parameter("mime", Value::Bytes),
            ],
            returns: Value::Named("Delivery".to_owned()),
            is_async: true,
            is_constructor: false,
        }
    }

    #[test]
    fn a_method_can_be_cancelled() {
        let expected = "    /// Sends. Kinds of errors: `signIn`.
    ///
    @discardableResult
    public func sendRaw(_ envelope: Envelope, mime: Data) async throws -> Delivery {
        try await cancellable { try await self.handle.sendRaw(envelope: envelope, mime: mime, cancellation: $0) }
    }
";
        assert_eq!(declare(&send_raw(), &[]), expected);
    }

    #[test]
    fn a_constructor_is_static_and_gives_the_handle() {
        let mut open = send_raw();
        (open.name, open.is_constructor, open.returns) = ("open".to_owned(), true, Value::Handle);
        open.parameters = vec![Parameter {
            name: "config".to_owned(),
            of: Value::Named("Config".to_owned()),
        }];
        let declared = declare(&open, &[]);
        assert!(
            declared.contains(
                "public static func open(_ config: Config = Config()) async throws -> Mailbearer {"
            ),
            "{declared}"
        );
        assert!(
            declared.contains("Mailbearer(try await cancellable { try await Handle.open(config: config, cancellation: $0) })"),
            "{declared}"
        );
    }

    #[test]
    fn translates_links_and_kinds() {
        fn check(line: &str, expected: &str) {
            assert_eq!(translate(line, &[send_raw()]), expected);
        }
        check(
            "like [`Mailbearer::send_raw`].",
            "like ``sendRaw(_:mime:)``.",
        );
        check("an [`Error`] [sic]", "an ``MailbearerError`` [sic]");
        check("by [`TOKEN_MS`]", "by `TOKEN_MS`");
        check(
            "Errors: `Config`, `SignIn` (`x`).",
            "Kinds of errors: `config`, `signIn` (`x`).",
        );
    }
}
