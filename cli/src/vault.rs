//! Which vault holds the accounts, and opening the handle on it.
//! The vault itself is the core's; here is only where it lies and what unlocks it.

use crate::passphrase;
use mailbearer::model::{Config, Passphrase, ProblemKind, VaultSettings};
use mailbearer::{Error, Mailbearer, Result};
use std::path::{Path, PathBuf};

/// Where accounts, secrets and tokens are kept, encrypted.
#[derive(Debug, clap::Args)]
pub(crate) struct VaultArgs {
    /// The vault's file [default: mailbearer/vault.mbv in the user's data folder]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MAILBEARER_VAULT",
        help_heading = "Vault"
    )]
    vault: Option<PathBuf>,
    /// Read the vault's passphrase from this file, which only its owner may read
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MAILBEARER_KEY_FILE",
        help_heading = "Vault"
    )]
    key_file: Option<PathBuf>,
    /// Read the vault's passphrase from this open file descriptor [otherwise: $MAILBEARER_PASSPHRASE, or asked for]
    #[arg(long, global = true, value_name = "N", help_heading = "Vault")]
    passphrase_fd: Option<u32>,
}

impl VaultArgs {
    /// Opens the handle on a vault that exists.
    pub(crate) async fn open(&self) -> Result<Mailbearer> {
        let path = self.path()?;
        if !path.exists() {
            return Err(missing(&path));
        }
        self.open_at(&path, false).await
    }

    /// Opens the handle, and creates the vault when there is none.
    pub(crate) async fn open_or_create(&self) -> Result<Mailbearer> {
        let path = self.path()?;
        let is_new = !path.exists();
        if is_new && self.vault.is_none() {
            create_folder_of(&path)?;
        }
        self.open_at(&path, is_new).await
    }

    /// Whether the passphrase is read from standard input, so that nothing else can be.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.passphrase_fd == Some(0)
    }

    async fn open_at(&self, path: &Path, is_new: bool) -> Result<Mailbearer> {
        let vault = VaultSettings::File {
            path: text_of(path)?,
            passphrase: self.passphrase(path, is_new)?,
        };
        Mailbearer::open(Config {
            vault,
            ..Config::default()
        })
        .await
    }

    fn path(&self) -> Result<PathBuf> {
        match &self.vault {
            Some(path) => Ok(path.clone()),
            None => default_path().ok_or_else(no_data_folder),
        }
    }

    /// What was asked for on the command line comes before the environment, and a person last.
    fn passphrase(&self, path: &Path, is_new: bool) -> Result<Passphrase> {
        if let Some(descriptor) = self.passphrase_fd {
            return Ok(Passphrase::FileDescriptor { descriptor });
        }
        if let Some(path) = &self.key_file {
            return Ok(Passphrase::KeyFile {
                path: text_of(path)?,
            });
        }
        if std::env::var_os(PASSPHRASE_VARIABLE).is_some() {
            return Ok(Passphrase::Environment {
                variable: PASSPHRASE_VARIABLE.to_owned(),
            });
        }
        let text = passphrase::ask(path, is_new)?;
        Ok(Passphrase::Text { text })
    }
}

/// The environment variable that may hold the passphrase.
pub(crate) const PASSPHRASE_VARIABLE: &str = "MAILBEARER_PASSPHRASE";

fn default_path() -> Option<PathBuf> {
    Some(data_folder()?.join("mailbearer").join("vault.mbv"))
}

#[cfg(target_os = "macos")]
fn data_folder() -> Option<PathBuf> {
    Some(absolute("HOME")?.join("Library/Application Support"))
}

#[cfg(windows)]
fn data_folder() -> Option<PathBuf> {
    absolute("LOCALAPPDATA")
}

/// The XDG base directory specification; a relative path there is to be ignored.
#[cfg(not(any(target_os = "macos", windows)))]
fn data_folder() -> Option<PathBuf> {
    absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))
}

fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

fn create_folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        let text = format!(
            "the vault's folder cannot be made, {error}: {}",
            folder.display()
        );
        let fix = "give another place with --vault";
        Error::new(ProblemKind::Storage, "vault-folder", text, fix)
    })
}

/// The handle's settings are text, for the sake of languages without another kind of path.
fn text_of(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let text = format!("the path is not Unicode: {}", path.display());
        Error::new(
            ProblemKind::Misuse,
            "path-not-unicode",
            text,
            "use another path",
        )
    })
}

fn missing(path: &Path) -> Error {
    Error::new(
        ProblemKind::Config,
        "vault-missing",
        format!("there is no vault yet: {}", path.display()),
        "add an account, which creates it: mailbearer account add; or name another file with --vault",
    )
}

fn no_data_folder() -> Error {
    Error::new(
        ProblemKind::Config,
        "data-folder-unknown",
        "the environment names no home folder to keep the vault in",
        "name the vault's file with --vault or MAILBEARER_VAULT",
    )
}
