//! Which vault holds the accounts, and opening the handle on it.
//! The vault itself is the core's; here is only where it lies and what unlocks it.

use crate::passphrase;
use mailbearer::model::{Config, ConnectionSettings, Passphrase, ProblemKind, VaultSettings};
use mailbearer::secret::SecretText;
use mailbearer::{Error, Mailbearer, Result};
use std::path::{Path, PathBuf};

/// Where accounts, secrets and tokens are kept, encrypted.
#[derive(Debug, clap::Args)]
pub(crate) struct VaultArgs {
    /// The vault: a file, sqlite:FILE, postgresql://USER@HOST/DATABASE, env:VARIABLE or command:PROGRAM [default: mailbearer/vault.mbv in the user's data folder]
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
    /// Take the vault's passphrase from this credential of the systemd unit
    #[arg(long, global = true, value_name = "NAME", help_heading = "Vault")]
    key_credential: Option<String>,
    /// Take the vault's passphrase from what this command prints
    #[arg(
        long,
        global = true,
        value_name = "COMMAND",
        env = "MAILBEARER_KEY_COMMAND",
        help_heading = "Vault"
    )]
    key_command: Option<String>,
    /// Keep the vault's key in the keyring, under the vault's name [a new vault's, where there is a keyring]
    #[arg(long, global = true, help_heading = "Vault")]
    keyring: bool,
    /// Reach mail servers and sign-in hosts through this proxy: http://HOST:PORT, socks5h://HOST:PORT; with USER:PASSWORD@ best in the environment, where other users do not see it
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MAILBEARER_PROXY",
        hide_env_values = true,
        help_heading = "Connections"
    )]
    proxy: Option<SecretText>,
}

impl VaultArgs {
    /// Opens the handle on a vault that exists.
    pub(crate) async fn open(&self) -> Result<Mailbearer> {
        let place = self.place()?;
        match place.file() {
            Some(path) if !path.exists() => Err(missing(path)),
            _ => self.open_at(&place, false).await,
        }
    }

    /// Opens the handle, and creates the vault when there is none.
    pub(crate) async fn open_or_create(&self) -> Result<Mailbearer> {
        let place = self.place()?;
        let is_new = place.file().is_some_and(|path| !path.exists());
        if let Some(path) = place.file()
            && is_new
            && self.vault.is_none()
        {
            create_folder_of(path)?;
        }
        self.open_at(&place, is_new).await
    }

    /// Whether the passphrase is read from standard input, so that nothing else can be.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.passphrase_fd == Some(0)
    }

    async fn open_at(&self, place: &Place, is_new: bool) -> Result<Mailbearer> {
        let keyring = Passphrase::Keyring {
            name: place.name()?,
        };
        if self.keyring {
            return self.open_with(place.settings(keyring)?).await;
        }
        if let Some(named) = self.named()? {
            return self.open_with(place.settings(named)?).await;
        }
        if place.needs_key() {
            match self.open_with(place.settings(keyring)?).await {
                Err(error) if NO_KEY_THERE.contains(&error.code()) => {}
                done => return done,
            }
        }
        let text = match place.needs_key() {
            true => passphrase::ask(Path::new(&place.name()?), is_new)?,
            false => SecretText::default(),
        };
        self.open_with(place.settings(Passphrase::Text { text })?)
            .await
    }

    async fn open_with(&self, vault: VaultSettings) -> Result<Mailbearer> {
        Mailbearer::open(Config {
            vault,
            connections: ConnectionSettings {
                proxy: self.proxy.clone(),
                ..ConnectionSettings::default()
            },
            ..Config::default()
        })
        .await
    }

    fn place(&self) -> Result<Place> {
        match &self.vault {
            Some(path) => Place::read(path),
            None => default_path().map(Place::File).ok_or_else(no_data_folder),
        }
    }

    /// What was asked for on the command line comes before the environment.
    fn named(&self) -> Result<Option<Passphrase>> {
        if let Some(descriptor) = self.passphrase_fd {
            return Ok(Some(Passphrase::FileDescriptor { descriptor }));
        }
        if let Some(path) = &self.key_file {
            let path = text_of(path)?;
            return Ok(Some(Passphrase::KeyFile { path }));
        }
        if let Some(name) = self.key_credential.clone() {
            return Ok(Some(Passphrase::Credential { name }));
        }
        if let Some(command) = &self.key_command {
            let command = split(command)?;
            return Ok(Some(Passphrase::Command { command }));
        }
        Ok(from_variable(PASSPHRASE_VARIABLE))
    }
}

/// The keyring is not there, does not know the vault, or knows an earlier one of its name: a person is asked instead.
const NO_KEY_THERE: [&str; 4] = [
    "vault-keyring-unavailable",
    "vault-keyring-refused",
    "vault-keyring-entry-missing",
    "vault-passphrase-wrong",
];

/// A vault as one text names it.
#[derive(Debug)]
pub(crate) enum Place {
    File(PathBuf),
    Sqlite(PathBuf),
    Postgres(SecretText),
    Environment(String),
    Command(Vec<String>),
}

impl Place {
    pub(crate) fn read(given: &Path) -> Result<Self> {
        let Some(text) = given.to_str() else {
            return Ok(Self::File(given.to_owned()));
        };
        if text.starts_with("postgresql://") || text.starts_with("postgres://") {
            return Ok(Self::Postgres(SecretText::new(text.to_owned())));
        }
        match text.split_once(':') {
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("env", variable)) => Ok(Self::Environment(variable.to_owned())),
            Some(("command", command)) => Ok(Self::Command(split(command)?)),
            _ => Ok(Self::File(given.to_owned())),
        }
    }

    /// The vault in full; the passphrase is for those that are sealed with one.
    pub(crate) fn settings(&self, passphrase: Passphrase) -> Result<VaultSettings> {
        Ok(match self {
            Self::File(path) => VaultSettings::File {
                path: text_of(path)?,
                passphrase,
            },
            Self::Sqlite(path) => VaultSettings::Sqlite {
                path: text_of(path)?,
                passphrase,
            },
            Self::Postgres(url) => VaultSettings::Postgres {
                url: url.clone(),
                password: from_variable(DATABASE_PASSWORD_VARIABLE),
                ca_pem: None,
                passphrase,
            },
            Self::Environment(variable) => VaultSettings::Environment {
                variable: Some(variable.clone()).filter(|name| !name.is_empty()),
            },
            Self::Command(command) => VaultSettings::Command {
                command: command.clone(),
            },
        })
    }

    fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Sqlite(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn needs_key(&self) -> bool {
        !matches!(self, Self::Environment(_) | Self::Command(_))
    }

    /// What the vault is called in a keyring and in a question: a database without user and password.
    pub(crate) fn name(&self) -> Result<String> {
        match self {
            Self::File(path) | Self::Sqlite(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                text_of(&path)
            }
            // Exposed to be cut: what comes before the last @ may be a password.
            Self::Postgres(url) => {
                let scheme_ends = url.expose().find("://").map_or(0, |place| place + 3);
                let after = url.expose().get(scheme_ends..).unwrap_or_default();
                let place = after.rsplit('@').next().unwrap_or_default();
                let place = place.split('?').next().unwrap_or_default();
                Ok(format!("postgresql://{place}"))
            }
            Self::Environment(variable) => Ok(variable.clone()),
            Self::Command(command) => Ok(command.join(" ")),
        }
    }
}

pub(crate) fn from_variable(variable: &str) -> Option<Passphrase> {
    let variable = variable.to_owned();
    std::env::var_os(&variable).map(|_| Passphrase::Environment { variable })
}

pub(crate) fn split(command: &str) -> Result<Vec<String>> {
    shell_words::split(command).map_err(|error| {
        let text = format!("the command cannot be split into words: {error}");
        let fix = "close every quotation mark";
        Error::new(ProblemKind::Misuse, "command-quotes", text, fix)
    })
}

/// The environment variable that may hold a database's password.
pub(crate) const DATABASE_PASSWORD_VARIABLE: &str = "MAILBEARER_DATABASE_PASSWORD";

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
pub(crate) fn text_of(path: &Path) -> Result<String> {
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
