//! The binary `mailbearer-sandbox`: a local Microsoft 365 that runs until Ctrl-C.
//! It only reads the command line and prints where everything is; the work is in the library.

#![forbid(unsafe_code)]

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mailbearer_sandbox::{Options, Population, SandboxError, run};
use tracing_subscriber::EnvFilter;

/// A local Microsoft 365 for tests and for trying out: Entra ID, Exchange Online SMTP, and a web inbox.
///
/// All accounts and secrets are fake, and no mail ever leaves this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Port of the identity server over HTTP; 0 means a free one.
    #[arg(long, default_value_t = 8400)]
    identity_port: u16,
    /// Port of the identity server over HTTPS.
    #[arg(long, default_value_t = 8443)]
    identity_tls_port: u16,
    /// Port of SMTP submission.
    #[arg(long, default_value_t = 8587)]
    smtp_port: u16,
    /// Port of the web inbox.
    #[arg(long, default_value_t = 8025)]
    inbox_port: u16,
    /// Folder for the CA certificate `ca.pem`; a temporary one by default.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Start with the tenant alone, without people and applications.
    #[arg(long)]
    empty: bool,
    /// Refuse unknown tenants instead of letting them stand in for the default one.
    #[arg(long)]
    strict_tenants: bool,
    /// Seed that makes ids, secrets and chances repeatable.
    #[arg(long)]
    random_seed: Option<u64>,
}

impl Arguments {
    fn into_options(self) -> Options {
        Options {
            host: self.host,
            identity_port: self.identity_port,
            identity_tls_port: self.identity_tls_port,
            smtp_port: self.smtp_port,
            inbox_port: self.inbox_port,
            folder: self.folder,
            population: if self.empty {
                Population::Empty
            } else {
                Population::Contoso
            },
            strict_tenants: self.strict_tenants,
            random_seed: self.random_seed,
            ..Options::default()
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,mailbearer_sandbox=debug"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse().into_options(), interrupted(), show).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Ctrl-C, or a polite kill. Without a signal handler the sandbox still ends with its process.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn show(summary: &str) {
    let mut output = std::io::stdout();
    // Nobody may be reading, which does not stop the sandbox.
    let _ = writeln!(output, "{summary}").and_then(|()| output.flush());
}

fn fail(error: &SandboxError) -> ExitCode {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "{error}{cause}");
    ExitCode::FAILURE
}
