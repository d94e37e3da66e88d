//! Services without a secret: federated credentials and managed identities.

use mailbearer_sandbox::directory::{
    Application, ExchangeServicePrincipal, FederatedCredential, MailboxPermission, MailboxRight,
    seed,
};
use mailbearer_sandbox::{Effect, Fault, HttpAnswer, Phase, Times};
use serde_json::Value;

use crate::support::{APPLICATION_SCOPE, Smtp, http, post, sandbox};

fn workload(subject: &str) -> FederatedCredential {
    FederatedCredential {
        issuer: "https://issuer.example".to_owned(),
        subject: subject.to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    }
}

#[tokio::test]
async fn a_token_of_a_trusted_issuer_stands_for_a_secret() {
    let sandbox = sandbox().await;
    sandbox
        .tenant()
        .change_application(seed::SERVICE_CLIENT_ID, |application| {
            application
                .federated_credentials
                .push(workload("system:serviceaccount:mail:sender"));
        });
    let present = async |assertion: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", seed::SERVICE_CLIENT_ID),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
            ("scope", APPLICATION_SCOPE),
        ];
        post(&sandbox, "token", &form).await
    };
    let check = async |workload: FederatedCredential, expected| {
        let answer = present(&sandbox.federated_token(&workload)).await;
        assert_eq!(answer.refusal().2, expected, "{}", answer.body);
    };
    let good = workload("system:serviceaccount:mail:sender");
    check(good.clone(), 0).await;
    check(workload("system:serviceaccount:mail:Sender"), 700_213).await;
    check(
        FederatedCredential {
            issuer: "https://other.example".to_owned(),
            ..good.clone()
        },
        700_211,
    )
    .await;
    check(
        FederatedCredential {
            audience: "api://other".to_owned(),
            ..good.clone()
        },
        700_212,
    )
    .await;
    let token = sandbox.federated_token(&good);
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(
        present(&format!("{signed}.AAAA")).await.refusal(),
        (401, "invalid_client", 50_013)
    );
    sandbox
        .clock()
        .advance(std::time::Duration::from_secs(2 * 3600));
    assert_eq!(
        present(&token).await.refusal(),
        (401, "invalid_client", 700_024)
    );
}

#[tokio::test]
async fn a_managed_identity_gets_its_token_from_the_metadata_service() {
    let sandbox = sandbox().await;
    let url = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://outlook.office365.com",
        sandbox.identity_url()
    );
    let ask = async |url: &str, marked: bool| -> (u16, Value) {
        let request = http(&sandbox).get(url);
        let request = if marked {
            request.header("Metadata", "true")
        } else {
            request
        };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    };
    assert_eq!(ask(&url, false).await.1["error"], "bad_request_102");
    assert_eq!(
        ask(&url, true).await.1["error_description"],
        "Identity not found"
    );
    let directory = sandbox.tenant();
    let identity = directory.register(Application {
        managed_identity: true,
        application_permissions: vec!["https://outlook.office365.com/SMTP.SendAsApp".to_owned()],
        ..Application::default()
    });
    directory.add_service_principal(ExchangeServicePrincipal {
        app_id: identity.client_id.clone(),
        object_id: identity.service_principal_object_id,
    });
    let (mailbox, trustee) = (seed::BOB.to_owned(), identity.client_id.clone());
    directory.grant(MailboxPermission {
        mailbox,
        trustee,
        right: MailboxRight::FullAccess,
    });

    let (status, answer) = ask(&format!("{url}&client_id={}", identity.client_id), true).await;
    assert_eq!(
        (status, answer["resource"].as_str()),
        (200, Some("https://outlook.office365.com"))
    );
    assert!(
        answer["expires_in"]
            .as_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 3599
    );
    Smtp::signed_in(
        &sandbox,
        seed::BOB,
        answer["access_token"].as_str().unwrap(),
    )
    .await;

    assert_eq!(ask(&format!("{url}&client_id=other"), true).await.0, 400);
    assert_eq!(
        ask(
            &url.replace("outlook.office365.com", "nowhere.example"),
            true
        )
        .await
        .1["error"],
        "invalid_resource"
    );
    let gone = HttpAnswer {
        status: 410,
        headers: Vec::new(),
        body: "{}".to_owned(),
    };
    let fault = Fault {
        at: Phase::ManagedIdentity,
        effect: Effect::Http(gone),
        times: Times::Once,
    };
    sandbox.faults().inject(fault).unwrap();
    assert_eq!(ask(&url, true).await.0, 410);
}
