//! The native library in the forms that Swift's package manager takes without pkg-config: an artifact bundle (SE-0482,
//! Swift 6.2 and newer) on Linux, an XCFramework on Apple's platforms.

use super::{Profile, fresh};
use crate::{Result, root};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::{Shell, cmd};

/// Puts `library` into a bundle in the package, and gives the folder it lies in.
pub(super) fn artifact_bundle(package: &Path, library: &Path) -> Result<PathBuf> {
    let bundle = package.join("MailbearerFFI.artifactbundle");
    let architecture = std::env::consts::ARCH;
    let platform = format!("{architecture}-linux");
    let place = bundle.join(&platform);
    fresh(&place)?;
    let name = library.file_name().unwrap_or_default();
    fs::copy(library, place.join(name))?;
    headers(&bundle.join("include"))?;
    // Distributions disagree about the vendor in the triple.
    let triples = ["unknown", "pc"].map(|vendor| format!("{architecture}-{vendor}-linux-gnu"));
    let variant = json!({
        "path": format!("{platform}/{}", name.to_string_lossy()),
        "supportedTriples": triples,
        "staticLibraryMetadata": {
            "headerPaths": ["include"],
            "moduleMapPath": "include/module.modulemap",
        },
    });
    let artifact = json!({
        "type": "staticLibrary",
        "version": env!("CARGO_PKG_VERSION"),
        "variants": [variant],
    });
    let info = json!({ "schemaVersion": "1.0", "artifacts": { "MailbearerFFI": artifact } });
    fs::write(bundle.join("info.json"), format!("{info:#}\n"))?;
    Ok(place)
}

/// Builds the library for macOS, iOS and its simulator into a framework in the package. Takes a Mac with Xcode, and has
/// not been run.
pub(super) fn xcframework(shell: &Shell, package: &Path) -> Result {
    let (stage, profile) = (
        root().join("target/swift/xcframework"),
        Profile::Dist.name(),
    );
    fresh(&stage)?;
    // In a folder of its own, or two such frameworks in one program get in each other's way.
    headers(&stage.join("include/MailbearerFFI"))?;
    let mut arguments = Vec::new();
    for (platform, triples) in APPLE {
        let mut libraries = Vec::new();
        for triple in *triples {
            cmd!(
                shell,
                "cargo build --quiet --package mailbearer-swift --profile {profile} --target {triple}"
            )
            .run()?;
            let folder = root().join("target").join(triple).join(profile);
            libraries.push(folder.join(super::swift::LIBRARY));
        }
        let library = stage.join(platform).join(super::swift::LIBRARY);
        fs::create_dir_all(stage.join(platform))?;
        cmd!(shell, "lipo -create {libraries...} -output {library}").run()?;
        arguments.extend(["-library".into(), library]);
        arguments.extend(["-headers".into(), stage.join("include")]);
    }
    let framework = package.join("MailbearerFFI.xcframework");
    cmd!(
        shell,
        "xcodebuild -create-xcframework {arguments...} -output {framework}"
    )
    .run()?;
    Ok(())
}

/// What the framework is for, and of which of Rust's platforms each part is made.
const APPLE: &[(&str, &[&str])] = &[
    ("macos", &["aarch64-apple-darwin", "x86_64-apple-darwin"]),
    ("ios", &["aarch64-apple-ios"]),
    (
        "ios-simulator",
        &["aarch64-apple-ios-sim", "x86_64-apple-ios"],
    ),
];

/// The C headers with a module map that leaves the linking to the package manager.
fn headers(folder: &Path) -> Result {
    fresh(folder)?;
    let ours = root().join("bindings-swift/Sources/MailbearerFFI");
    for entry in fs::read_dir(&ours)? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let lines = text
            .lines()
            .filter(|line| !line.trim().starts_with("link "));
        let text = lines.map(|line| format!("{line}\n")).collect::<String>();
        fs::write(folder.join(path.file_name().unwrap_or_default()), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_bundle_describes_what_is_in_it() {
        let folder = std::env::temp_dir().join(format!("mailbearer-bundle-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let library = folder.join("libx.a");
        fs::write(&library, "x").unwrap();
        let place = artifact_bundle(&folder, &library).unwrap();
        assert_eq!(fs::read(place.join("libx.a")).unwrap(), b"x");
        let bundle = folder.join("MailbearerFFI.artifactbundle");
        let info: Value =
            serde_json::from_slice(&fs::read(bundle.join("info.json")).unwrap()).unwrap();
        let variant = info.pointer("/artifacts/MailbearerFFI/variants/0").unwrap();
        for path in ["/path", "/staticLibraryMetadata/moduleMapPath"] {
            let path = variant.pointer(path).unwrap().as_str().unwrap();
            assert!(bundle.join(path).is_file(), "{path}");
        }
        let map = fs::read_to_string(bundle.join("include/module.modulemap")).unwrap();
        assert!(map.contains("header \"HandleFFI.h\""), "{map}");
        assert!(!map.contains("link"), "{map}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
