//! The road an account's mail takes, from one option: `graph`, `folder,path=/var/mail/out`, or JSON as in the settings.

use mailbearer::model::Route;
use serde_json::{Map, Value};

/// Reads a route: a name, with its settings behind commas, or a JSON object.
pub(super) fn parse(text: &str) -> Result<Route, String> {
    let value = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| error.to_string())?,
        false => value(text)?,
    };
    serde_json::from_value(value).map_err(|error| {
        format!("{error}; the routes are {NAMES}, and docs/routes.md has the settings of each")
    })
}

fn value(text: &str) -> Result<Value, String> {
    let mut parts = text.split(',');
    let name = parts.next().unwrap_or_default();
    let mut object = Map::new();
    object.insert("type".to_owned(), Value::String(camel(name)));
    for part in parts {
        let (setting, value) = part
            .split_once('=')
            .ok_or_else(|| format!("not SETTING=VALUE: {part}"))?;
        let setting = camel(setting);
        match (setting.as_str(), object.get_mut(&setting)) {
            (_, Some(Value::Array(list))) => list.push(Value::String(value.to_owned())),
            ("domains", _) => {
                object.insert(setting, Value::Array(vec![Value::String(value.to_owned())]));
            }
            _ => {
                object.insert(setting.clone(), plain(&setting, value));
            }
        }
    }
    Ok(Value::Object(object))
}

/// Numbers and truth values as such; words of the settings in their own spelling.
fn plain(setting: &str, value: &str) -> Value {
    match (setting, value) {
        ("port", _) => value
            .parse::<u16>()
            .map_or_else(|_| Value::String(value.to_owned()), Value::from),
        ("largeMails", "true") => Value::Bool(true),
        ("largeMails", "false") => Value::Bool(false),
        ("preset" | "security", _) => Value::String(camel(value)),
        _ => Value::String(value.to_owned()),
    }
}

/// `high-volume-email` as `highVolumeEmail`.
fn camel(text: &str) -> String {
    let mut words = text.split('-');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

const NAMES: &str = "client-submission, standard-smtp, connector-relay, direct-send, high-volume-email, azure-communication-services, graph, folder";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_names_settings_and_json() {
        fn check(text: &str, expected: Option<Value>) {
            let route = parse(text).ok();
            let route = route.map(|route| serde_json::to_value(route).unwrap());
            assert_eq!(route, expected, "{text}");
        }
        check(
            "graph",
            Some(json!({"type": "graph", "url": null, "largeMails": false})),
        );
        check(
            "graph,large-mails=true,url=https://graph.example",
            Some(json!({"type": "graph", "url": "https://graph.example", "largeMails": true})),
        );
        check(
            "folder,path=/var/out",
            Some(json!({"type": "folder", "path": "/var/out"})),
        );
        check(
            r#"{"type":"folder","path":"a,b"}"#,
            Some(json!({"type": "folder", "path": "a,b"})),
        );
        check(
            "direct-send,host=localhost,domains=a.example,domains=b.example",
            Some(
                json!({"type": "directSend", "host": "localhost", "port": null, "domains": ["a.example", "b.example"]}),
            ),
        );
        check(
            "standard-smtp,preset=own-server,host=mail.example,port=465,security=implicit-tls",
            Some(
                json!({"type": "standardSmtp", "preset": "ownServer", "host": "mail.example", "port": 465, "security": "implicitTls"}),
            ),
        );
        for wrong in [
            "",
            "carrier-pigeon",
            "folder",
            "graph,large-mails=maybe",
            "graph,fast",
            "standard-smtp,port=x",
            "{",
        ] {
            check(wrong, None);
        }
    }
}
