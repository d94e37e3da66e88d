//! How a client proves which application it is: not at all, by secret, or by an assertion signed with its certificate.
//! Assertions of other issuers are in `federated`.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use x509_parser::pem::Pem;

use super::authority::about;
use super::federated;
use super::jwt::Jwt;
use super::refusal::Refusal;
use super::request::{Caller, Form};
use crate::catalogue::aadsts;
use crate::clock::grant_timestamp;
use crate::cloud::Cloud;
use crate::directory::Application;

/// What a client showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    None,
    Secret,
    Certificate,
}

/// Checks whatever credential the request carries.
///
/// # Errors
/// AADSTS7000215 and 7000222 for secrets, the 7000xx family for assertions.
pub(crate) fn authenticate(
    cloud: &Cloud,
    caller: &Caller,
    application: &Application,
    form: &Form,
    basic_secret: Option<&str>,
) -> Result<Proof, Refusal> {
    if let Some(assertion) = form.optional("client_assertion") {
        cloud.secrets.note(assertion);
        return check_assertion(cloud, caller, application, assertion).map(|()| Proof::Certificate);
    }
    let Some(secret) = form.optional("client_secret").or(basic_secret) else {
        return Ok(Proof::None);
    };
    cloud.secrets.note(secret);
    check_secret(cloud, application, secret).map(|()| Proof::Secret)
}

fn check_secret(cloud: &Cloud, application: &Application, secret: &str) -> Result<(), Refusal> {
    let Some(known) = application
        .secrets
        .iter()
        .find(|known| known.value == secret)
    else {
        return Err(about(application, &aadsts::WRONG_SECRET));
    };
    match cloud.clock.now_unix_ms() < known.expires_at_unix_ms {
        true => Ok(()),
        false => Err(about(application, &aadsts::SECRET_EXPIRED)),
    }
}

fn check_assertion(
    cloud: &Cloud,
    caller: &Caller,
    application: &Application,
    assertion: &str,
) -> Result<(), Refusal> {
    let jwt = Jwt::parse(assertion).ok_or_else(|| Refusal::from(&aadsts::ASSERTION_MALFORMED))?;
    let is_own = |claim: &str| {
        jwt.text(claim)
            .is_some_and(|value| value.eq_ignore_ascii_case(&application.client_id))
    };
    if !is_own("iss") && !is_own("sub") {
        return federated::check(cloud, application, &jwt);
    }
    if !is_own("iss") || !is_own("sub") {
        return Err(Refusal::from(&aadsts::ASSERTION_SUBJECT));
    }
    let certificate = signing_certificate(application, &jwt)?;
    check_signature(application, &jwt, &certificate)?;
    check_validity(cloud, &certificate)?;
    check_times(cloud, &jwt)?;
    check_audience(caller, &jwt)
}

/// The uploaded certificate whose thumbprint the header names.
fn signing_certificate(
    application: &Application,
    jwt: &Jwt<'_>,
) -> Result<UploadedCertificate, Refusal> {
    let named = |name: &str| {
        jwt.header
            .get(name)
            .and_then(Value::as_str)
            .map(plain_base64url)
    };
    let named = [named("x5t#S256"), named("x5t"), named("kid")];
    let thumbprint = named.into_iter().flatten().next().unwrap_or_default();
    let uploaded = application
        .certificates
        .iter()
        .filter_map(|pem| UploadedCertificate::read(pem));
    let found = uploaded
        .into_iter()
        .find(|known| known.is_named_by(&thumbprint));
    found.ok_or_else(|| bad_signature(application, "The key was not found.", &thumbprint))
}

/// Clients write thumbprints with and without padding, and in both alphabets.
fn plain_base64url(text: &str) -> String {
    text.trim_end_matches('=')
        .replace('+', "-")
        .replace('/', "_")
}

fn check_signature(
    application: &Application,
    jwt: &Jwt<'_>,
    certificate: &UploadedCertificate,
) -> Result<(), Refusal> {
    let algorithm: &'static dyn ring::signature::VerificationAlgorithm =
        match jwt.header.get("alg").and_then(Value::as_str) {
            Some("PS256") => &RSA_PSS_2048_8192_SHA256,
            Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
            _ => {
                return Err(bad_signature(
                    application,
                    "The algorithm is not supported.",
                    &certificate.sha1_hex,
                ));
            }
        };
    let key = UnparsedPublicKey::new(algorithm, &certificate.public_key);
    key.verify(jwt.signed, &jwt.signature).map_err(|_| {
        bad_signature(
            application,
            "The key was found but it's not valid for the signature.",
            &certificate.sha1_hex,
        )
    })
}

fn check_validity(cloud: &Cloud, certificate: &UploadedCertificate) -> Result<(), Refusal> {
    let now = cloud.clock.now_unix_seconds();
    if (certificate.not_before..=certificate.not_after).contains(&now) {
        return Ok(());
    }
    let expiry = grant_timestamp(certificate.not_after.saturating_mul(1000));
    Err(Refusal::from(&aadsts::CERTIFICATE_EXPIRED).with("valid_until", expiry))
}

pub(super) fn check_times(cloud: &Cloud, jwt: &Jwt<'_>) -> Result<(), Refusal> {
    let now = cloud.clock.now_unix_seconds();
    let begins = jwt
        .seconds("nbf")
        .or_else(|| jwt.seconds("iat"))
        .unwrap_or(now);
    let ends = jwt.seconds("exp").unwrap_or(0);
    if now >= begins - CLOCK_SKEW_SECONDS && now < ends + CLOCK_SKEW_SECONDS {
        return Ok(());
    }
    Err(Refusal::from(&aadsts::ASSERTION_TIME)
        .with("now", grant_timestamp(now.saturating_mul(1000)))
        .with("valid_from", grant_timestamp(begins.saturating_mul(1000)))
        .with("valid_until", grant_timestamp(ends.saturating_mul(1000))))
}

/// The audience is the token endpoint of a tenant, at whatever address the sandbox was reached, or Microsoft's own.
fn check_audience(caller: &Caller, jwt: &Jwt<'_>) -> Result<(), Refusal> {
    let audience = jwt.text("aud").unwrap_or_default();
    let is_ours = audience.starts_with(&format!("{}/", caller.base_url));
    let is_microsofts = audience.starts_with("https://login.microsoftonline.com/");
    let is_endpoint = ["/oauth2/v2.0/token", "/oauth2/token", "/v2.0"]
        .iter()
        .any(|path| audience.ends_with(path));
    match (is_ours || is_microsofts) && is_endpoint {
        true => Ok(()),
        false => Err(Refusal::from(&aadsts::ASSERTION_AUDIENCE)),
    }
}

fn bad_signature(application: &Application, reason: &str, thumbprint: &str) -> Refusal {
    about(application, &aadsts::ASSERTION_SIGNATURE)
        .with("reason", reason)
        .with("thumbprint", thumbprint)
}

struct UploadedCertificate {
    sha256: String,
    sha1: String,
    sha1_hex: String,
    public_key: Vec<u8>,
    not_before: i64,
    not_after: i64,
}

impl UploadedCertificate {
    /// Whether the thumbprint is one of the certificate's: SHA-256, SHA-1, or SHA-1 in hexadecimal as in the portal.
    fn is_named_by(&self, thumbprint: &str) -> bool {
        self.sha256 == thumbprint
            || self.sha1 == thumbprint
            || self.sha1_hex.eq_ignore_ascii_case(thumbprint)
    }

    fn read(pem: &str) -> Option<Self> {
        let der = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?.contents;
        let certificate = x509_parser::parse_x509_certificate(&der).ok()?.1;
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
        Some(Self {
            sha256: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            sha1: URL_SAFE_NO_PAD.encode(sha1),
            sha1_hex: sha1
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect(),
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

/// The tolerance Entra grants clients whose clock is off.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// Whether the text is a certificate in PEM; for whoever uploads one.
pub(crate) fn is_certificate(pem: &str) -> bool {
    UploadedCertificate::read(pem).is_some()
}

/// PEM of a certificate given as bare base64 of its DER, as the portal accepts too.
pub(crate) fn pem_of(certificate: &str) -> String {
    if certificate.contains("-----BEGIN") {
        return certificate.to_owned();
    }
    match STANDARD.decode(certificate.trim()) {
        Ok(_) => format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            certificate.trim()
        ),
        Err(_) => certificate.to_owned(),
    }
}
