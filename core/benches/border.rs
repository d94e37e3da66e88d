//! What calls cost in Rust that other languages make, too: the base from which their own cost is counted.

#![expect(clippy::unwrap_used, reason = "benchmarks may stop where they stand")]

use criterion::{Criterion, criterion_group, criterion_main};
use mailbearer::model::{
    Cloud, EndpointOverrides, Evidence, EvidenceItem, EvidenceKind, Grant, NewAccount,
};
use mailbearer::{Config, Mailbearer};
use mailbearer_sandbox::directory::seed;
use mailbearer_sandbox::{Options, Sandbox};
use std::hint::black_box;
use tokio::runtime::Runtime;

fn calls(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (_sandbox, mailbearer) = runtime.block_on(world());
    criterion.bench_function("access_token", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| async { mailbearer.revealed_access_token("billing").await.unwrap() });
    });
    let cases = [
        ("explain", log(10 * 1024)),
        ("explain_one_reply", log(0)),
        ("explain_2000_lines", log(2_000 * LINE.len())),
    ];
    for (name, evidence) in cases {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| mailbearer.explain(black_box(&evidence)));
        });
    }
}

async fn world() -> (Sandbox, Mailbearer) {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mailbearer = Mailbearer::open(Config::default()).await.unwrap();
    let account = NewAccount {
        name: "billing".to_owned(),
        mailbox: seed::BILLING.to_owned(),
        cloud: Cloud::Worldwide,
        tenant: seed::TENANT_ID.to_owned(),
        client_id: seed::SERVICE_CLIENT_ID.to_owned(),
        grant: Grant::ClientSecret {
            client_secret: seed::SERVICE_CLIENT_SECRET.to_owned().into(),
        },
        secret_expires_at_unix_ms: None,
        route: mailbearer::model::Route::default(),
        fallback: None,
        endpoints: EndpointOverrides {
            authority: Some(sandbox.identity_url()),
            ..EndpointOverrides::default()
        },
    };
    mailbearer.add_account(account).await.unwrap();
    (sandbox, mailbearer)
}

const LINE: &str =
    "2026-11-25T12:00:00Z worker-7 queue: nothing to do, waiting for the next message\n";

/// So many octets of an application's log, with the one line that matters at its end.
fn log(octets: usize) -> Evidence {
    let text = LINE.repeat(octets / LINE.len())
        + "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.";
    Evidence {
        evidence: vec![EvidenceItem {
            kind: EvidenceKind::Log,
            text,
        }],
        ..Evidence::default()
    }
}

criterion_group!(benches, calls);
criterion_main!(benches);
