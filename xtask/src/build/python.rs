//! The Python wheel, built by maturin from the tests' own environment. Never an editable install: what is tested is
//! what is shipped.

use super::{Profile, fresh, only_file};
use crate::test::needs::{Need, install, missing, python};
use crate::{Result, root};
use std::fs;
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
    let modules = public_modules()?;
    // Django refuses to be looked at without settings.
    let _settings = shell.push_env("DJANGO_SETTINGS_MODULE", "django.conf.global_settings");
    Ok(cmd!(
        shell,
        "{python} -m pdoc --output-directory {folder} mailbearer {modules...}"
    )
    .run()?)
}

/// Every module of the package whose name does not begin with an underscore.
fn public_modules() -> Result<Vec<String>> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(root().join("bindings-python/python/mailbearer"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let module = name
            .strip_suffix(".py")
            .filter(|stem| !stem.starts_with('_'));
        modules.extend(module.map(|stem| format!("mailbearer.{stem}")));
    }
    modules.sort();
    Ok(modules)
}
