//! Mailbearer through its handle, as any program uses it, with a token that needs no identity provider.

use async_trait::async_trait;
use mailbearer::host::HttpClient;
use mailbearer::model::{Bytes, Cloud, EndpointOverrides, Grant, NewAccount};
use mailbearer::{Config, Envelope, Mailbearer, Parts};
use mailbearer_bench::Run;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Answers every request with the token of the run.
#[derive(Debug)]
struct Provider(String);

#[async_trait]
impl HttpClient for Provider {
    async fn call(&self, _: http::Request<Vec<u8>>) -> mailbearer::Result<http::Response<Vec<u8>>> {
        let token = &self.0;
        let body =
            format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#);
        let response = http::Response::builder().header("content-type", "application/json");
        Ok(response.body(body.into_bytes()).expect("a response"))
    }
}

#[tokio::main]
async fn main() {
    let run = Run::from_arguments();
    let parts = Parts {
        http: Arc::new(Provider(run.token.clone())),
        ..Parts::default()
    };
    let mailbearer = Mailbearer::open_with(Config::default(), parts)
        .await
        .expect("a handle");
    mailbearer
        .add_account(account(&run))
        .await
        .expect("an account");
    let envelope = Envelope {
        account: "bench".to_owned(),
        sender: None,
        recipients: run.recipients.clone(),
    };
    let message = Bytes::from(run.message());
    let turns = Arc::new(run.turns());
    let mut tasks = JoinSet::new();
    for _ in 0..run.connections * run.streams {
        let (mailbearer, turns) = (mailbearer.clone(), turns.clone());
        let (envelope, message) = (envelope.clone(), message.clone());
        tasks.spawn(async move {
            while turns.take() {
                let sent = mailbearer.send_raw(envelope.clone(), message.clone()).await;
                sent.expect("a verdict");
            }
        });
    }
    tasks.join_all().await;
    mailbearer.close().await.expect("an end");
}

fn account(run: &Run) -> NewAccount {
    NewAccount {
        name: "bench".to_owned(),
        mailbox: run.user.clone(),
        cloud: Cloud::Custom,
        tenant: String::new(),
        client_id: "bench".to_owned(),
        grant: Grant::ClientSecret {
            client_secret: "unused".to_owned().into(),
        },
        secret_expires_at_unix_ms: None,
        endpoints: EndpointOverrides {
            token_url: Some("http://127.0.0.1:9/token".to_owned()), // never asked
            scopes: Some(vec!["mail".to_owned()]),
            smtp_host: Some(run.host.clone()),
            smtp_port: Some(run.port),
            ca_pem: Some(run.ca_pem()),
            ..EndpointOverrides::default()
        },
    }
}
