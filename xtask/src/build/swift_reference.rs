//! The reference of the Swift package, made by DocC. A link that leads nowhere fails.
//!
//! DocC documents what a module declares; ours re-exports the records that the native library brings. So their symbols
//! are put into the description of the module that people import.

use super::fresh;
use super::swift_toolchain::Toolchain;
use crate::{Result, root};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes the reference of each module into `target/doc/swift`. `scratch` is where the package has been built.
pub(crate) fn write(toolchain: &Toolchain, pkg_config: &Path, scratch: &Path) -> Result {
    let package = root().join("bindings-swift");
    let mut dump = toolchain.swift(&package, pkg_config);
    dump.args(["package", "--scratch-path"]).arg(scratch);
    run(dump.args([
        "dump-symbol-graph",
        "--minimum-access-level",
        "public",
        "--skip-synthesized-members",
    ]))?;
    // `debug` leads to the folder of this machine's platform, and the description lies beside it.
    let build = fs::canonicalize(scratch.join("debug"))?;
    let graphs = build.with_file_name("symbolgraph");
    for module in ["Mailbearer", "MailbearerSandbox"] {
        let folder = root().join("target/swift/symbols").join(module);
        fresh(&folder)?;
        let graph = match module {
            "Mailbearer" => with_exported(&graphs)?,
            other => read(&graphs.join(format!("{other}.symbols.json")))?,
        };
        fs::write(
            folder.join(format!("{module}.symbols.json")),
            graph.to_string(),
        )?;
        let out = root().join("target/doc/swift").join(module);
        fresh(&out)?;
        let mut docc = toolchain.program("docc", &package, pkg_config);
        docc.arg("convert");
        docc.arg(package.join(format!("Sources/{module}/{module}.docc")));
        docc.arg("--additional-symbol-graph-dir").arg(folder);
        docc.arg("--output-path").arg(out);
        docc.args(["--fallback-display-name", module]);
        docc.args(["--fallback-bundle-identifier", module]);
        run(docc.arg("--warnings-as-errors"))?;
    }
    Ok(())
}

/// The module that people import, with the records that it re-exports.
fn with_exported(graphs: &Path) -> Result<Value> {
    let exports = fs::read_to_string(root().join("bindings-swift/Sources/Mailbearer/Types.swift"))?;
    let exported: Vec<_> = exports
        .lines()
        .filter_map(|line| line.rsplit_once("MailbearerNative."))
        .map(|(_, name)| name)
        .collect();
    let mut graph = read(&graphs.join("Mailbearer.symbols.json"))?;
    for other in ["MailbearerNative", "Mailbearer@MailbearerNative"] {
        merge(
            &mut graph,
            read(&graphs.join(format!("{other}.symbols.json")))?,
            &exported,
        );
    }
    Ok(graph)
}

/// Adds the symbols that are, or belong to, one of these names, and what is said about them.
fn merge(graph: &mut Value, mut other: Value, names: &[&str]) {
    let (exported, hidden): (Vec<_>, Vec<_>) =
        taken(&mut other, "symbols")
            .into_iter()
            .partition(|symbol| {
                let first = symbol.pointer("/pathComponents/0");
                first
                    .and_then(Value::as_str)
                    .is_some_and(|name| names.contains(&name))
            });
    let hidden: Vec<_> = hidden
        .iter()
        .filter_map(|symbol| symbol.pointer("/identifier/precise"))
        .collect();
    let is_hidden = |end: Option<&Value>| end.is_some_and(|end| hidden.contains(&end));
    let mut relationships = taken(&mut other, "relationships");
    relationships.retain(|one| !is_hidden(one.get("source")) && !is_hidden(one.get("target")));
    add(graph, "symbols", exported);
    add(graph, "relationships", relationships);
}

fn taken(graph: &mut Value, part: &str) -> Vec<Value> {
    let list = graph.get_mut(part).and_then(Value::as_array_mut);
    list.map(std::mem::take).unwrap_or_default()
}

fn add(graph: &mut Value, part: &str, more: Vec<Value>) {
    if let Some(list) = graph.get_mut(part).and_then(Value::as_array_mut) {
        list.extend(more);
    }
}

fn read(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn run(command: &mut Command) -> Result {
    let status = command.status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("the Swift reference cannot be made: {status}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_exported_is_documented() {
        let symbol = |id: &str, path: &[&str]| json!({ "identifier": { "precise": id }, "pathComponents": path });
        let relationship =
            |source: &str, target: &str| json!({ "source": source, "target": target });
        let mut graph = json!({ "symbols": [symbol("m", &["Mailbearer"])], "relationships": [] });
        let native = json!({
            "symbols": [symbol("c", &["Config"]), symbol("c.v", &["Config", "vault"]), symbol("h", &["Handle"])],
            "relationships": [relationship("c.v", "c"), relationship("h", "c"), relationship("c", "Sendable")],
        });
        merge(&mut graph, native, &["Config"]);
        let expected = json!({
            "symbols": [symbol("m", &["Mailbearer"]), symbol("c", &["Config"]), symbol("c.v", &["Config", "vault"])],
            "relationships": [relationship("c.v", "c"), relationship("c", "Sendable")],
        });
        assert_eq!(graph, expected);
    }
}
