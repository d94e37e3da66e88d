//! What ten thousand accounts take: the handle's memory without and with a token in the cache of each, and the time to
//! look one up among them. `cargo bench -p mailbearer --bench memory` prints it (Linux).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement prints, and takes the time"
)]

use async_trait::async_trait;
use mailbearer::host::HttpClient;
use mailbearer::model::{Cloud, EndpointOverrides, Grant, NewAccount};
use mailbearer::{Config, Mailbearer, Parts};
use std::sync::Arc;
use std::time::Instant;

const ACCOUNTS: usize = 10_000;
/// As long as Microsoft's tokens for Exchange Online.
const TOKEN_OCTETS: usize = 2_000;

/// Gives everybody an opaque token of their own.
#[derive(Debug)]
struct Provider;

#[async_trait]
impl HttpClient for Provider {
    async fn call(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> mailbearer::Result<http::Response<Vec<u8>>> {
        let own = request.body().len();
        let token = format!("Ew{own}{}", "x".repeat(TOKEN_OCTETS));
        let body =
            format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#);
        let response = http::Response::builder().header("content-type", "application/json");
        Ok(response.body(body.into_bytes()).unwrap())
    }
}

fn main() {
    tokio::runtime::Runtime::new().unwrap().block_on(measure());
}

async fn measure() {
    let parts = Parts {
        http: Arc::new(Provider),
        ..Parts::default()
    };
    let before = resident_kb();
    let mailbearer = Mailbearer::open_with(Config::default(), parts)
        .await
        .unwrap();
    let opened = resident_kb();
    for number in 0..ACCOUNTS {
        mailbearer.add_account(account(number)).await.unwrap();
    }
    let added = resident_kb();
    let started = Instant::now();
    for number in 0..ACCOUNTS {
        mailbearer.access_token(&name(number)).await.unwrap();
    }
    let obtained = started.elapsed();
    let cached = resident_kb();
    let started = Instant::now();
    for number in 0..ACCOUNTS {
        mailbearer.access_token(&name(number)).await.unwrap();
    }
    let looked_up = started.elapsed();
    println!(
        "open handle                              {:>8} KB",
        opened - before
    );
    println!(
        "{ACCOUNTS} accounts, in the vault in memory  {:>8} KB",
        added - opened
    );
    println!(
        "their tokens, in vault and cache         {:>8} KB",
        cached - added
    );
    println!(
        "obtaining one, without the network       {:>8.1} us",
        per_account_us(obtained)
    );
    println!(
        "a cached one among {ACCOUNTS}            {:>8.2} us",
        per_account_us(looked_up)
    );
}

fn per_account_us(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e6 / ACCOUNTS as f64
}

fn name(number: usize) -> String {
    format!("account-{number}")
}

fn account(number: usize) -> NewAccount {
    NewAccount {
        name: name(number),
        mailbox: format!("mailbox-{number}@contoso.example"),
        cloud: Cloud::Worldwide,
        tenant: "contoso.example".to_owned(),
        client_id: "11111111-2222-3333-4444-555555555555".to_owned(),
        grant: Grant::ClientSecret {
            client_secret: "abc8Q~secret-of-the-usual-length-of-forty-"
                .to_owned()
                .into(),
        },
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides::default(),
    }
}

/// The process's resident set, as the kernel counts it.
fn resident_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}
