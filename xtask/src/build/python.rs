//! The Python wheel, built by maturin from the tests' own environment. Never an editable install: what is tested is
//! what is shipped.

use super::{Profile, fresh, only_file};
use crate::test::needs::{Need, install, missing, python};
use crate::{Result, root};
use std::path::PathBuf;
use xshell::{Shell, cmd};

/// What building and testing takes.
pub(crate) const NEEDS: &[Need] = &[Need::Python("bindings-python/requirements-test.txt")];

/// Builds the wheel and gives its path.
pub(crate) fn build(shell: &Shell, profile: Profile) -> Result<PathBuf> {
    install(NEEDS.iter());
    if let Some(missing) = missing(NEEDS) {
        return Err(missing.into());
    }
    let wheels = root().join("target/wheels");
    fresh(&wheels)?;
    let (python, profile) = (python(), profile.name());
    cmd!(
        shell,
        "{python} -m maturin build --quiet --manifest-path bindings-python/Cargo.toml --profile {profile} --out {wheels}"
    )
    .run()?;
    only_file(&wheels)
}

/// Writes the reference of the installed package into `target/python-reference`.
pub(crate) fn reference(shell: &Shell) -> Result {
    let (python, folder) = (python(), root().join("target/python-reference"));
    fresh(&folder)?;
    Ok(cmd!(
        shell,
        "{python} -m pdoc --output-directory {folder} mailbearer"
    )
    .run()?)
}
