//! The Swift package: a static library, and Swift sources generated from it. The generator is a program of its own
//! (`xtask/src/bin/swift-bindgen.rs`) that is compiled only here.

use super::{Profile, fresh, swift_bundle};
use crate::codegen::constants;
use crate::{Result, root};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::{Shell, cmd};

/// Puts the package together, with its sources and this library, and gives its folder. On Linux, before Swift 6.2, its
/// users set `PKG_CONFIG_PATH` to its `lib/pkgconfig`.
pub(crate) fn package(shell: &Shell, library: &Path) -> Result<PathBuf> {
    check_generated(shell, library)?;
    let package = root().join("target/swift/package");
    fresh(&package)?;
    let folder = root().join("bindings-swift");
    let parts = PARTS.map(|part| folder.join(part));
    cmd!(shell, "cp -R {parts...} {package}").run()?;
    if cfg!(target_os = "macos") {
        swift_bundle::xcframework(shell, &package)?;
        return Ok(package);
    }
    let place = swift_bundle::artifact_bundle(&package, library)?;
    // What only a debugger needs would be most of a development build's size.
    let library = place.join(LIBRARY);
    cmd!(shell, "strip --strip-debug {library}").run()?;
    describe(&package.join("lib"), place.strip_prefix(&package)?)?;
    Ok(package)
}

/// What the package has of our folder. Its own tests are among it, because its description names them.
const PARTS: [&str; 6] = [
    "Package.swift",
    "README.md",
    "Benchmarks",
    "Examples",
    "Sources",
    "Tests",
];

/// Builds the library and gives its path.
pub(crate) fn library(shell: &Shell, profile: Profile) -> Result<PathBuf> {
    let name = profile.name();
    cmd!(
        shell,
        "cargo build --quiet --package mailbearer-swift --profile {name}"
    )
    .run()?;
    Ok(profile.folder().join(LIBRARY))
}

/// Puts a copy of the library where our own package finds it, and gives the folder for pkg-config.
pub(crate) fn pkg_config(library: &Path) -> Result<PathBuf> {
    // The folder holds no shared library: programs then need nothing beside themselves.
    let lib = root().join("target/swift/lib");
    describe(&lib, Path::new("lib"))?;
    let copy = lib.join(LIBRARY);
    if fs::read(&copy).ok() != Some(fs::read(library)?) {
        fs::copy(library, copy)?;
        unlink_programs()?;
    }
    Ok(lib.join("pkgconfig"))
}

/// Swift's package manager does not see that a library has changed: without this, its programs would keep the old one.
fn unlink_programs() -> Result {
    let Ok(entries) = fs::read_dir(root().join("target/swift/build/debug")) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Tells pkg-config, in the folder `lib` of a package, where in the package the library lies.
fn describe(lib: &Path, place: &Path) -> Result {
    fs::create_dir_all(lib.join("pkgconfig"))?;
    let place = place.display();
    let description =
        format!("prefix=${{pcfiledir}}/../..\nlibdir=${{prefix}}/{place}\n{PKG_CONFIG}");
    Ok(fs::write(lib.join("pkgconfig/mailbearer.pc"), description)?)
}

/// Writes the generated sources into the package.
pub(crate) fn generate(shell: &Shell) -> Result {
    let library = library(shell, Profile::Dev)?;
    for (generated, place) in generated(shell, &library)? {
        if fs::read(&generated)? != fs::read(&place).unwrap_or_default() {
            fs::copy(generated, &place)?;
            println!("wrote {}", place.display());
        }
    }
    Ok(())
}

/// Fails if the generated sources in the package are not what the library asks for.
pub(crate) fn check_generated(shell: &Shell, library: &Path) -> Result {
    for (generated, place) in generated(shell, library)? {
        if fs::read(&generated)? != fs::read(&place)? {
            return Err(format!(
                "{} is not fresh, run cargo xtask codegen --swift",
                place.display()
            )
            .into());
        }
    }
    Ok(())
}

/// Generates into a folder of its own; gives each file with its place in the package.
fn generated(shell: &Shell, library: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let folder = root().join("target/swift/generated");
    fresh(&folder)?;
    // Stripping takes the description of the interface out of everything but the static library.
    let package = root().join("bindings-swift");
    let config = package.join("bindgen.toml");
    cmd!(
        shell,
        "cargo run --quiet --package xtask --features swift-bindgen --bin swift-bindgen -- {library} {config} {folder}"
    )
    .run()?;
    let place = |file: &Path| {
        let module = match file.extension().and_then(|extension| extension.to_str()) {
            Some("h") => "MailbearerFFI",
            _ if file.ends_with("SandboxServer.swift") => "MailbearerSandboxNative",
            _ => "MailbearerNative",
        };
        let name = file.file_name().unwrap_or_default();
        package.join("Sources").join(module).join(name)
    };
    let files = fs::read_dir(&folder)?;
    files
        .map(|entry| {
            let file = entry?.path();
            let place = place(&file);
            let text = constants::filled_in(&fs::read_to_string(&file)?)?;
            fs::write(&file, in_docc(&text))?;
            Ok((file, place))
        })
        .collect()
}

/// Rust's links to types in DocC's form.
fn in_docc(text: &str) -> String {
    text.replace("[`", "``").replace("`]", "``")
}

pub(crate) const LIBRARY: &str = "libmailbearer_swift.a";

const PKG_CONFIG: &str = concat!(
    "Name: mailbearer\n",
    "Description: The native library of Mailbearer's Swift package\n",
    "Version: ",
    env!("CARGO_PKG_VERSION"),
    "\nLibs: -L${libdir} -lmailbearer_swift\n",
);
