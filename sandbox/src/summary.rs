//! What a person needs to know about a running sandbox, as text for a terminal.
//! It shows seeded ids and secrets on purpose: they are fake, and one cannot try anything out without them.

use std::future::Future;

use crate::directory::seed;
use crate::{Options, Population, Sandbox, SandboxError};

/// Runs a sandbox until `end` is ready. `show` gets the summary once all servers accept connections.
///
/// # Errors
/// As [`Sandbox::start`].
pub async fn run(
    options: Options,
    end: impl Future<Output = ()>,
    show: impl FnOnce(&str),
) -> Result<(), SandboxError> {
    let population = options.population;
    let sandbox = Sandbox::start(options).await?;
    show(&summary(&sandbox, population));
    end.await;
    sandbox.shutdown().await;
    Ok(())
}

fn summary(sandbox: &Sandbox, population: Population) -> String {
    let mut lines = vec![
        ("inbox", sandbox.inbox_url()),
        (
            "authority",
            format!("{}/{}", sandbox.identity_https_url(), seed::TENANT_ID),
        ),
        (
            "authority (http)",
            format!("{}/{}", sandbox.identity_url(), seed::TENANT_ID),
        ),
        ("smtp (STARTTLS)", sandbox.smtp_address().to_string()),
        ("ca file", sandbox.ca_file().display().to_string()),
        ("control", format!("{}/sandbox", sandbox.identity_url())),
        ("tenant", format!("{} ({})", seed::TENANT_ID, seed::DOMAIN)),
    ];
    if population == Population::Contoso {
        lines.extend([
            ("public client", seed::PUBLIC_CLIENT_ID.to_owned()),
            ("service client", seed::SERVICE_CLIENT_ID.to_owned()),
            ("service secret", seed::SERVICE_CLIENT_SECRET.to_owned()),
            (
                "user",
                format!("{}  password {}", seed::ALICE, seed::ALICE_PASSWORD),
            ),
            (
                "user",
                format!("{}  password {}", seed::BOB, seed::BOB_PASSWORD),
            ),
            ("shared mailbox", seed::BILLING.to_owned()),
        ]);
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("{name:<18}{value}"))
        .collect();
    lines.join("\n")
}
