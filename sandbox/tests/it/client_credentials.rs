//! The client credentials grant: secrets and what can be wrong with them.

use mailbearer_sandbox::directory::seed;

use crate::support::{APPLICATION_SCOPE, post, sandbox};

#[tokio::test]
async fn a_service_with_its_secret_gets_an_access_token_and_nothing_else() {
    let sandbox = sandbox().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", seed::SERVICE_CLIENT_ID),
        ("client_secret", seed::SERVICE_CLIENT_SECRET),
        ("scope", APPLICATION_SCOPE),
    ];
    let answer = post(&sandbox, "token", &form).await;
    let mut fields: Vec<&str> = answer
        .body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["access_token", "expires_in", "ext_expires_in", "token_type"]
    );
    assert!((3599..5400).contains(&answer.body["expires_in"].as_i64().unwrap()));
}
