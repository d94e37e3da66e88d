//! npm packages: one with the JavaScript, and one for each platform with nothing but the native module. npm installs
//! the one that fits, because each says its system; no script runs at installation.

use super::platform::{PLATFORMS, Platform};
use super::{OUR_LICENCES, Packing, VERSION, run_quietly, with};
use crate::{Result, root};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Packs a native module that has been built, as `@mailbearer/<platform>`.
pub(super) fn pack(packing: &Packing<'_>, library: &Path, platform: &'static Platform) -> Result {
    let folder = packing.folder(platform.npm)?;
    fs::copy(library, folder.join(MODULE))?;
    packing.describe("mailbearer-node", platform, &folder)?;
    let (os, cpu, libc) = platform.npm_fields();
    let mut manifest = json!({
        "name": format!("@mailbearer/{}", platform.npm),
        "version": VERSION,
        "description": format!("The native module of mailbearer for {}", platform.triple),
        "license": "MIT OR Apache-2.0",
        "main": MODULE,
        "files": [MODULE, "sbom.cdx.json", "THIRD-PARTY-LICENSES"],
        "engines": { "node": ">=20" },
        "os": [os],
        "cpu": [cpu],
    });
    if let Some(libc) = libc {
        manifest = with(manifest, "libc", json!([libc]));
    }
    fs::write(folder.join("package.json"), pretty(&manifest)?)?;
    npm_pack(packing, &folder)
}

/// Packs the JavaScript, as `mailbearer`. It asks for every platform's package; npm takes the one that fits.
pub(super) fn pack_face(packing: &Packing<'_>) -> Result {
    let source = root().join("bindings-node");
    let folder = packing.folder("mailbearer")?;
    let listing = run_quietly(
        Command::new("npm")
            .args(["pack", "--dry-run", "--json"])
            .current_dir(&source),
    )?;
    let listing: Value = serde_json::from_slice(&listing)?;
    let files = listing.pointer("/0/files").and_then(Value::as_array);
    let names = files
        .into_iter()
        .flatten()
        .filter_map(|file| file.get("path")?.as_str());
    for name in names.filter(|name| !name.ends_with(".node")) {
        let to = folder.join(name);
        fs::create_dir_all(to.parent().unwrap_or(&to))?;
        fs::copy(source.join(name), to)?;
    }
    for licence in OUR_LICENCES {
        fs::copy(root().join(licence), folder.join(licence))?;
    }
    let manifest = serde_json::from_slice(&fs::read(source.join("package.json"))?)?;
    fs::write(folder.join("package.json"), pretty(&for_people(manifest)?)?)?;
    npm_pack(packing, &folder)
}

/// The manifest without what only developers need, and with the platforms' packages.
fn for_people(manifest: Value) -> Result<Value> {
    let Value::Object(mut manifest) = manifest else {
        return Err("bindings-node/package.json holds no object".into());
    };
    manifest.shift_remove("scripts");
    manifest.shift_remove("devDependencies");
    let names = PLATFORMS
        .iter()
        .map(|platform| format!("@mailbearer/{}", platform.npm));
    let platforms: Map<_, _> = names.map(|name| (name, VERSION.into())).collect();
    manifest.insert("optionalDependencies".to_owned(), platforms.into());
    Ok(manifest.into())
}

const MODULE: &str = "mailbearer.node";

fn pretty(manifest: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(manifest)? + "\n")
}

/// npm's archives bear one time and no owner: they are the same whenever their content is.
fn npm_pack(packing: &Packing<'_>, folder: &Path) -> Result {
    run_quietly(
        Command::new("npm")
            .args(["pack", "--silent", "--pack-destination"])
            .arg(&packing.out)
            .current_dir(folder),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_runs_no_script_and_names_the_platforms() {
        let manifest =
            json!({ "name": "mailbearer", "scripts": { "install": "x" }, "devDependencies": {} });
        let published = for_people(manifest).unwrap();
        assert!(published.get("scripts").is_none(), "{published}");
        assert!(published.get("devDependencies").is_none(), "{published}");
        let platforms = published["optionalDependencies"].as_object().unwrap();
        assert_eq!(platforms.len(), PLATFORMS.len());
        assert_eq!(platforms["@mailbearer/linux-x64-gnu"], VERSION);
    }
}
