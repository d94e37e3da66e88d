//! Hands packages to the registries, as hosted CI does for a tag: to PyPI by twine and to npm by npm, both without a
//! stored password (the registry trusts the workflow's identity), and to GitHub by its own program.
//!
//! Builds nothing: it takes what `dist` made on every system, and refuses what differs from system to system.

use super::archive::{SUMS, files, sums};
use crate::build::fresh;
use crate::test::needs::{Need, install, missing, python};
use crate::{Result, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to publish, and where.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    place: Place,
    /// The version's tag, such as v0.1.0, for the release on GitHub.
    #[arg(long, default_value_t = format!("v{}", super::VERSION))]
    tag: String,
    /// Check and print, but hand over nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Where packages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Place {
    /// Wheels and the source distribution.
    Pypi,
    /// The packages of all platforms, then the one that asks for them.
    Npm,
    /// Everything, as the assets of a release.
    Github,
}

/// Publishes what lies below `target/artifacts`: the artifacts of one system, or a folder for each of several.
pub(crate) fn run(arguments: &Arguments) -> Result {
    let out = root().join("target/published");
    gather(&root().join("target/artifacts"), &out)?;
    for mut command in commands(arguments.place, &files(&out)?, &arguments.tag) {
        println!("{command:?}");
        if arguments.dry_run {
            continue;
        }
        if arguments.place == Place::Pypi {
            install(NEEDS.iter());
            if let Some(missing) = missing(NEEDS) {
                return Err(missing.into());
            }
        }
        if !command.status()?.success() {
            return Err("not published".into());
        }
    }
    Ok(())
}

/// twine exchanges the identity of the running workflow for a password that lasts some minutes.
const NEEDS: &[Need] = &[Need::Python("xtask/src/dist/requirements-publish.txt")];

/// Copies all packages into one folder, checked against the sums that came with them. What several systems made, such as
/// the source distribution, must be the same everywhere.
fn gather(from: &Path, out: &Path) -> Result {
    fresh(out)?;
    for path in files(from)?.iter().filter(|path| path.ends_with(SUMS)) {
        let folder = path.parent().unwrap_or(from);
        if sums(folder)? != fs::read_to_string(path)? {
            return Err(format!("not as it was built: {}", folder.display()).into());
        }
        for file in files(folder)?.iter().filter(|file| !file.ends_with(SUMS)) {
            let to = out.join(file.file_name().unwrap_or_default());
            if to.exists() && fs::read(&to)? != fs::read(file)? {
                return Err(format!("two systems made it differently: {}", file.display()).into());
            }
            fs::copy(file, to)?;
        }
    }
    Ok(fs::write(out.join(SUMS), sums(out)?)?)
}

fn commands(place: Place, files: &[PathBuf], tag: &str) -> Vec<Command> {
    let of_python = |path: &&PathBuf| name(path).ends_with(".whl") || name(path) == source();
    match place {
        Place::Pypi => {
            let mut command = Command::new(python());
            command.args(["-m", "twine", "upload", "--non-interactive"]);
            command.args(files.iter().filter(of_python));
            vec![command]
        }
        Place::Npm => {
            let mut packages: Vec<_> = files
                .iter()
                .filter(|path| name(path).ends_with(".tgz"))
                .collect();
            // The one that people name comes last: it must find the others.
            packages.sort_by_key(|path| name(path) == face());
            packages.into_iter().map(|path| npm_publish(path)).collect()
        }
        Place::Github => {
            let mut command = Command::new("gh");
            command.args(["release", "create", tag, "--verify-tag", "--title", tag]);
            command.args(files);
            vec![command]
        }
    }
}

/// `--provenance` has the registry show which workflow of which commit made it.
fn npm_publish(package: &Path) -> Command {
    let mut command = Command::new("npm");
    command
        .args(["publish", "--provenance", "--access", "public"])
        .arg(package);
    command
}

fn source() -> String {
    format!("mailbearer-{}.tar.gz", super::VERSION)
}

fn face() -> String {
    format!("mailbearer-{}.tgz", super::VERSION)
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_gets_its_packages_in_an_order_that_works() {
        let version = super::super::VERSION;
        let paths = [
            format!("mailbearer-{version}.tgz"),
            format!("mailbearer-{version}.tar.gz"),
            format!("mailbearer-{version}-cp310-abi3-manylinux_2_17_x86_64.whl"),
            format!("mailbearer-linux-x64-gnu-{version}.tgz"),
            format!("mailbearer-{version}-x86_64-unknown-linux-musl.tar.gz"),
        ]
        .map(PathBuf::from);
        let check = |place, expected: &[&[&str]]| {
            let commands = commands(place, &paths, "v1");
            assert_eq!(commands.len(), expected.len(), "{place:?}");
            for (command, expected) in commands.iter().zip(expected) {
                let arguments: Vec<_> = command.get_args().filter_map(|a| a.to_str()).collect();
                assert!(arguments.ends_with(expected), "{place:?}: {arguments:?}");
            }
        };
        let [face, source, wheel, module, _] = paths.each_ref().map(|path| name(path));
        check(Place::Pypi, &[&["--non-interactive", source, wheel]]);
        check(Place::Npm, &[&["public", module], &["public", face]]);
        let all = paths.each_ref().map(|path| name(path));
        check(Place::Github, &[&all]);
    }

    #[test]
    fn what_was_changed_or_differs_is_not_published() {
        let folder = std::env::temp_dir().join(format!("mailbearer-gather-{}", std::process::id()));
        let (from, out) = (folder.join("from"), folder.join("out"));
        let write = |system: &str, name: &str, content: &str| {
            let folder = from.join(system);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), content).unwrap();
            fs::write(folder.join(SUMS), sums(&folder).unwrap()).unwrap();
        };
        write("linux", "a.whl", "linux");
        write("mac", "b.whl", "mac");
        write("linux", "source", "same");
        write("mac", "source", "same");
        gather(&from, &out).unwrap();
        assert_eq!(
            files(&out).unwrap().len(),
            4,
            "three packages and their sums"
        );

        write("mac", "source", "other");
        let differs = gather(&from, &out).unwrap_err().to_string();
        assert!(differs.starts_with("two systems"), "{differs}");

        write("mac", "source", "same");
        fs::write(from.join("mac/b.whl"), "changed").unwrap();
        let changed = gather(&from, &out).unwrap_err().to_string();
        assert!(changed.starts_with("not as it was built"), "{changed}");
        fs::remove_dir_all(&folder).unwrap();
    }
}
