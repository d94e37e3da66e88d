//! The sandbox's own HTTP interface.

use mailbearer_sandbox::Sandbox;
use mailbearer_sandbox::directory::seed;
use serde_json::{Value, json};

use crate::support::{APPLICATION_SCOPE, http, post, sandbox};

async fn call(sandbox: &Sandbox, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/sandbox{path}", sandbox.inbox_url());
    let request = http(sandbox).request(method.parse().unwrap(), url);
    let request = if body.is_null() {
        request
    } else {
        request.json(&body)
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_overview_says_where_everything_is() {
    let sandbox = sandbox().await;
    let (_, overview) = call(&sandbox, "GET", "", Value::Null).await;
    assert_eq!(overview["identity_url"], sandbox.identity_url());
    assert_eq!(overview["smtp_port"], sandbox.smtp_address().port());
    assert_eq!(
        std::fs::read_to_string(overview["ca_file"].as_str().unwrap()).unwrap(),
        sandbox.ca_pem()
    );
}

#[tokio::test]
async fn an_application_can_be_registered_and_used() {
    let sandbox = sandbox().await;
    let body = json!({"display_name": "Tester", "secrets": [{}]});
    let (status, application) = call(&sandbox, "POST", "/applications", body).await;
    assert_eq!(status, 200, "{application}");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", application["client_id"].as_str().unwrap()),
        (
            "client_secret",
            application["secrets"][0]["value"].as_str().unwrap(),
        ),
        ("scope", APPLICATION_SCOPE),
    ];
    let token = post(&sandbox, "token", &form)
        .await
        .access_token()
        .to_owned();
    let (_, secrets) = call(&sandbox, "GET", "/secrets", Value::Null).await;
    let secrets: Vec<String> = serde_json::from_value(secrets).unwrap();
    assert!(secrets.contains(&token));
    assert!(secrets.iter().any(|secret| secret == seed::ALICE_PASSWORD));
}

#[tokio::test]
async fn fields_of_people_and_tenants_can_be_changed_one_by_one() {
    let sandbox = sandbox().await;
    let (status, user) = call(
        &sandbox,
        "PATCH",
        "/users/bob@contoso.example",
        json!({"enabled": false}),
    )
    .await;
    assert_eq!(
        (status, &user["enabled"], &user["licensed"]),
        (200, &json!(false), &json!(true))
    );
    let switched = json!({"smtp_auth_disabled": true});
    assert_eq!(
        call(&sandbox, "PATCH", "/tenants/contoso.example", switched)
            .await
            .0,
        200
    );
    assert!(
        sandbox
            .tenant()
            .tenant(seed::DOMAIN)
            .unwrap()
            .smtp_auth_disabled
    );
    assert_eq!(
        call(
            &sandbox,
            "PATCH",
            "/users/nobody@contoso.example",
            json!({})
        )
        .await
        .0,
        404
    );
    assert_eq!(
        call(
            &sandbox,
            "PATCH",
            "/users/bob@contoso.example",
            json!({"enabld": true})
        )
        .await
        .0,
        400
    );
}

#[tokio::test]
async fn a_device_code_can_be_approved_and_the_clock_moved() {
    let sandbox = sandbox().await;
    let form = [
        ("client_id", seed::PUBLIC_CLIENT_ID),
        ("scope", "https://outlook.office.com/SMTP.Send"),
    ];
    let begun = post(&sandbox, "devicecode", &form).await;
    let user_code = begun.text("user_code");
    assert_eq!(
        call(&sandbox, "GET", "/devices", Value::Null).await.1,
        json!([user_code])
    );
    let approval = json!({"user_code": user_code, "user": "nobody@contoso.example"});
    let (status, failure) = call(&sandbox, "POST", "/devices/approve", approval).await;
    assert_eq!(status, 400);
    assert!(
        failure["error"]
            .as_str()
            .unwrap()
            .starts_with("AADSTS50034")
    );
    let approval = json!({"user_code": user_code, "user": seed::ALICE});
    assert_eq!(
        call(&sandbox, "POST", "/devices/approve", approval).await.0,
        200
    );
    let before = sandbox.clock().now_unix_ms();
    call(&sandbox, "POST", "/clock/advance", json!({"seconds": 60})).await;
    assert!(sandbox.clock().now_unix_ms() >= before + 60_000);
}

#[tokio::test]
async fn faults_are_injected_by_catalogue_name() {
    let sandbox = sandbox().await;
    let fault = json!({"at": "mail", "effect": {"named": "server-busy"}, "times": "always"});
    assert_eq!(
        call(&sandbox, "POST", "/faults", fault.clone()).await.0,
        200
    );
    assert_eq!(
        call(&sandbox, "GET", "/faults", Value::Null).await.1,
        json!([fault])
    );
    assert_eq!(
        call(&sandbox, "DELETE", "/faults", Value::Null).await.0,
        200
    );
    assert!(sandbox.faults().pending().is_empty());
    let unknown = json!({"at": "mail", "effect": {"named": "no-such-reply"}});
    assert_eq!(call(&sandbox, "POST", "/faults", unknown).await.0, 400);
    let (_, catalogue) = call(&sandbox, "GET", "/catalogue", Value::Null).await;
    assert!(
        catalogue["smtp"]
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["name"] == "server-busy")
    );
}

#[tokio::test]
async fn a_shut_down_sandbox_accepts_no_connections_and_removes_its_folder() {
    let sandbox = sandbox().await;
    let (smtp, ca_file) = (sandbox.smtp_address(), sandbox.ca_file().to_owned());
    assert!(ca_file.exists());
    sandbox.shutdown().await;
    assert!(tokio::net::TcpStream::connect(smtp).await.is_err());
    assert!(!ca_file.exists());
}

#[tokio::test]
async fn a_dropped_sandbox_ends_its_servers() {
    let sandbox = sandbox().await;
    let smtp = sandbox.smtp_address();
    drop(sandbox);
    for _ in 0..1000 {
        // The aborted tasks end the next time the runtime looks at them.
        tokio::task::yield_now().await;
        if tokio::net::TcpStream::connect(smtp).await.is_err() {
            return;
        }
    }
    panic!("the server still accepts connections");
}
