//! Packages for people: wheels, npm packages, the Swift package, and the command line program as archive and for
//! Debian, each with a bill of materials and the licences of what is inside. Signs nothing; `publish` hands them to the registries.
//!
//! Two builds of one commit are the same octet for octet, wherever they are made: `--verify` builds twice and compares.

mod archive;
mod cli;
mod compiler;
mod contents;
mod debian;
mod node;
mod platform;
pub(crate) mod publish;
mod python;
mod recipe;
pub(crate) mod swift;

use crate::build::{self, Profile, Target, fresh};
use crate::{Result, root};
use archive::SUMS;
use contents::Contents;
use platform::Platform;
use recipe::Recipe;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xshell::{Shell, cmd};

/// What to pack.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The front end.
    #[arg(default_value = "all")]
    target: Target,
    /// The platform, by Rust's name, such as aarch64-unknown-linux-gnu; may be repeated. Default: this machine's.
    /// Programs for Linux are linked against musl in any case, and run beside either C library.
    #[arg(long = "target", value_name = "TRIPLE")]
    platforms: Vec<String>,
    /// Build everything a second time, in another folder, and fail unless it is the same octet for octet.
    #[arg(long)]
    verify: bool,
}

/// Builds into `target/artifacts`, which also gets the checksums.
pub(crate) fn run(shell: &Shell, arguments: &Arguments) -> Result {
    let first = Packing::new(shell, "target/artifacts")?;
    build_all(&first, arguments, &root().join("target/portable"))?;
    first.finish()?;
    if arguments.verify {
        let second = Packing::new(shell, "target/artifacts-again")?;
        let folder = root().join("target/portable-again");
        fresh(&folder)?;
        build_all(&second, arguments, &folder)?;
        second.finish()?;
        compare(&first.out, &second.out)?;
    }
    first.list()
}

/// Packs what the tests' own builds made: the same packages, but fast to build and for this machine only.
pub(crate) fn pack_for_tests(shell: &Shell, folder: &str) -> Result<PathBuf> {
    let packing = Packing::new(shell, folder)?;
    let host = Platform::host(shell)?;
    cmd!(
        shell,
        "cargo build --quiet --package mailbearer-cli --package mailbearer-node"
    )
    .run()?;
    let built = |name: &str| packing.stripped(&root().join("target/debug").join(name));
    cli::pack(&packing, &built(&host.program("mailbearer"))?, host)?;
    node::pack(&packing, &built(&host.library("mailbearer_node"))?, host)?;
    node::pack_face(&packing)?;
    python::pack(&packing, &build::python::build(shell, Profile::Dev)?, host)?;
    python::pack_source(&packing)?;
    packing.finish()?;
    Ok(packing.out)
}

/// One run: where packages go, where they are put together, and the time they bear.
struct Packing<'a> {
    shell: &'a Shell,
    out: PathBuf,
    stage: PathBuf,
    /// Seconds since 1970.
    time: u64,
}

impl<'a> Packing<'a> {
    fn new(shell: &'a Shell, folder: &str) -> Result<Self> {
        let out = root().join(folder);
        let stage = root().join(format!("{folder}-stage"));
        fresh(&out)?;
        fresh(&stage)?;
        let time = recipe::commit_time(shell)?;
        Ok(Self {
            shell,
            out,
            stage,
            time,
        })
    }

    /// An empty folder of that name to put a package together in.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.stage.join(name);
        fresh(&folder)?;
        Ok(folder)
    }

    /// Writes what is inside a native file: licences into `folder`, the bill there and beside the packages.
    fn describe(&self, package: &str, platform: &'static Platform, folder: &Path) -> Result {
        let contents = Contents::of(self.shell, package, platform)?;
        let bill = contents.bill()?;
        let name = format!("{package}-{VERSION}-{}.cdx.json", platform.triple);
        fs::write(self.out.join(name), &bill)?;
        fs::write(folder.join("sbom.cdx.json"), bill)?;
        fs::write(folder.join("THIRD-PARTY-LICENSES"), contents.licences()?)?;
        for licence in OUR_LICENCES {
            fs::copy(root().join(licence), folder.join(licence))?;
        }
        Ok(())
    }

    /// A copy without what only a debugger needs.
    fn stripped(&self, file: &Path) -> Result<PathBuf> {
        let folder = self.stage.join("stripped");
        fs::create_dir_all(&folder)?;
        let copy = folder.join(file.file_name().unwrap_or_default());
        cmd!(self.shell, "strip --strip-unneeded -o {copy} {file}").run()?;
        Ok(copy)
    }

    fn finish(&self) -> Result {
        Ok(fs::write(self.out.join(SUMS), archive::sums(&self.out)?)?)
    }

    fn list(&self) -> Result {
        for path in archive::files(&self.out)? {
            let kilobytes = fs::metadata(&path)?.len().div_ceil(1000);
            println!("{kilobytes:>7} kB  {}", path.display());
        }
        Ok(())
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const OUR_LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

fn build_all(packing: &Packing<'_>, arguments: &Arguments, folder: &Path) -> Result {
    let wants = |target| arguments.target == target || arguments.target == Target::All;
    let host = Platform::host(packing.shell)?;
    let named = arguments
        .platforms
        .iter()
        .map(|triple| Platform::named(triple));
    let mut platforms = named.collect::<Result<Vec<_>>>()?;
    if platforms.is_empty() {
        platforms.push(host);
    }
    let recipe = |platform| Recipe::new(packing.shell, platform, folder.to_owned());
    if wants(Target::Cli) {
        for platform in programs(&platforms)? {
            let program = recipe(platform)?.cargo("mailbearer-cli")?;
            let program = program.join(platform.program("mailbearer"));
            cli::pack(packing, &program, platform)?;
        }
    }
    if wants(Target::Python) {
        for platform in &platforms {
            let wheels = packing.folder("maturin")?;
            recipe(platform)?.wheel(&wheels)?;
            python::pack(packing, &build::only_file(&wheels)?, platform)?;
        }
        python::pack_source(packing)?;
    }
    if wants(Target::Node) {
        for platform in &platforms {
            let library = recipe(platform)?.cargo("mailbearer-node")?;
            let library = library.join(platform.library("mailbearer_node"));
            node::pack(packing, &library, platform)?;
        }
        node::pack_face(packing)?;
    }
    if wants(Target::Swift) {
        let library = recipe(host)?.cargo("mailbearer-swift")?;
        swift::pack(packing, &library.join(build::swift::LIBRARY), host)?;
    }
    Ok(())
}

/// Where programs for these platforms are linked, each once.
fn programs(platforms: &[&'static Platform]) -> Result<Vec<&'static Platform>> {
    let mut programs = Vec::new();
    for platform in platforms {
        let platform = platform.for_programs()?;
        if !programs.contains(&platform) {
            programs.push(platform);
        }
    }
    Ok(programs)
}

/// Fails with the names of the files that differ.
pub(crate) fn compare(first: &Path, second: &Path) -> Result {
    let [ours, theirs] = [first, second].map(|folder| archive::sums(folder).unwrap_or_default());
    let differ: Vec<_> = ours
        .lines()
        .filter(|line| !theirs.lines().any(|other| other == *line))
        .collect();
    if differ.is_empty() && ours.lines().count() == theirs.lines().count() && !ours.is_empty() {
        println!("built twice, the same octet for octet: {}", first.display());
        return Ok(());
    }
    Err(format!("two builds differ:\n{}", differ.join("\n")).into())
}

/// Runs a program quietly; its failure shows what it said.
fn run_quietly(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{}: {said}", command.get_program().to_string_lossy()).into())
}

/// An object with one more field.
fn with(mut object: serde_json::Value, name: &str, value: serde_json::Value) -> serde_json::Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
    object
}
