//! `mailbearer man`: the manual pages, written from the command line's own definition.

use crate::command::Cli;
use crate::exit::Exit;
use crate::output::Output;
use crate::page::Page;
use clap::CommandFactory;
use mailbearer::model::ProblemKind;
use mailbearer::{Error, Result};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

/// Write the manual pages, one for every verb, into a folder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder; it is made when it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Exit> {
    let names = write_all(&args.folder).map_err(|error| unwritable(&args.folder, &error))?;
    output.answer(&json!({ "pages": names }), || {
        let mut page = Page::new();
        page.line(format!(
            "{} pages in {}",
            names.len(),
            args.folder.display()
        ));
        page
    });
    Ok(Exit::Done)
}

fn write_all(folder: &Path) -> io::Result<Vec<String>> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("mailbearer") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn unwritable(folder: &Path, error: &io::Error) -> Error {
    let text = format!(
        "the manual pages cannot be written, {error}: {}",
        folder.display()
    );
    Error::new(
        ProblemKind::Storage,
        "folder-unwritable",
        text,
        "give a folder of your own",
    )
}
