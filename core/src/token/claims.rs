//! What an access token says about itself, where it can be read. Nothing is verified: that is the server's part.
//! Microsoft asks clients not to depend on this; it serves checks before use and texts for people, never decisions
//! about access. Personal accounts' tokens are opaque and simply have no claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims worth telling a person (RFC 7519, and Microsoft's access token reference).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Claims {
    /// `aud`: the services the token is for.
    pub(crate) audiences: Vec<String>,
    /// `iss`: who made it.
    pub(crate) issuer: Option<String>,
    /// `scp` or `scope`: what a person has let the application do.
    pub(crate) scopes: Vec<String>,
    /// `roles`: what an administrator has let the application do as itself.
    pub(crate) roles: Vec<String>,
    /// `tid`: the tenant.
    pub(crate) tenant: Option<String>,
    /// `appid`, `azp` or `client_id`: the application.
    pub(crate) application: Option<String>,
    /// `upn`, `preferred_username` or `unique_name`: the person.
    pub(crate) person: Option<String>,
    /// `sub`: whoever it stands for, as the issuer names them.
    pub(crate) subject: Option<String>,
    /// `idtyp`: `app` for an application as itself, `user` for a person.
    pub(crate) identity_type: Option<String>,
    /// `exp`, in seconds since 1970-01-01T00:00:00Z.
    pub(crate) expires_at_unix: Option<i64>,
    /// `nbf`, in seconds since 1970-01-01T00:00:00Z.
    pub(crate) not_before_unix: Option<i64>,
}

impl Claims {
    /// Reads a JSON Web Token's payload; `None` for anything else.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let octets = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Payload = serde_json::from_slice(&octets).ok()?;
        let list = |value: Option<OneOrMany>| value.map(OneOrMany::into_list).unwrap_or_default();
        Some(Self {
            audiences: list(payload.aud),
            issuer: payload.iss,
            scopes: list(payload.scp.or(payload.scope)),
            roles: list(payload.roles),
            tenant: payload.tid,
            application: payload.appid.or(payload.azp).or(payload.client_id),
            person: payload
                .upn
                .or(payload.preferred_username)
                .or(payload.unique_name),
            subject: payload.sub,
            identity_type: payload.idtyp,
            expires_at_unix: payload.exp.map(|time| time as i64),
            not_before_unix: payload.nbf.map(|time| time as i64),
        })
    }

    /// Everything it permits.
    pub(crate) fn permissions(&self) -> Vec<String> {
        [self.scopes.as_slice(), &self.roles].concat()
    }

    /// Whom it stands for, in the clearest form there is.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let names = [&self.person, &self.application, &self.subject];
        names.into_iter().flatten().next().map(String::as_str)
    }

    /// Whether it stands for a person rather than for the application itself.
    pub(crate) fn is_a_persons(&self) -> bool {
        match self.identity_type.as_deref() {
            Some(kind) => kind == "user",
            None => self.person.is_some() || !self.scopes.is_empty(),
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    aud: Option<OneOrMany>,
    iss: Option<String>,
    scp: Option<OneOrMany>,
    scope: Option<OneOrMany>,
    roles: Option<OneOrMany>,
    tid: Option<String>,
    upn: Option<String>,
    preferred_username: Option<String>,
    unique_name: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
    client_id: Option<String>,
    sub: Option<String>,
    idtyp: Option<String>,
    /// RFC 7519 section 2 lets a NumericDate have a fraction.
    exp: Option<f64>,
    nbf: Option<f64>,
}

/// RFC 7519 section 4.1.3 allows one text or several; scopes come as one text with blanks, or as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
            Self::Many(list) => list,
        }
    }
}

/// A token that says this, for tests.
#[cfg(test)]
pub(crate) fn jwt(payload: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", encode(r#"{"alg":"RS256"}"#), encode(payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_the_token_says() {
        fn check(payload: &str, audiences: &[&str], permissions: &[&str], bearer: Option<&str>) {
            let claims = Claims::read(&jwt(payload)).unwrap();
            assert_eq!(claims.audiences, audiences, "{payload}");
            assert_eq!(claims.permissions(), permissions, "{payload}");
            assert_eq!(claims.bearer(), bearer, "{payload}");
        }
        check(
            r#"{"aud":"https://outlook.office.com","scp":"SMTP.Send User.Read","upn":"a@contoso.example","sub":"x"}"#,
            &["https://outlook.office.com"],
            &["SMTP.Send", "User.Read"],
            Some("a@contoso.example"),
        );
        check(
            r#"{"aud":["one","two"],"roles":["SMTP.SendAsApp"],"appid":"1234","exp":1.5}"#,
            &["one", "two"],
            &["SMTP.SendAsApp"],
            Some("1234"),
        );
        check("{}", &[], &[], None);
    }

    #[test]
    fn opaque_and_broken_tokens_have_no_claims() {
        for token in [
            "",
            "EwBAAl3BAAUFFpUAo7J3",
            "a.b.c",
            "..",
            &jwt("[]"),
            &jwt("{\"aud\":7}"),
        ] {
            assert_eq!(Claims::read(token), None, "{token:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(token in ".*") {
            let _ = Claims::read(&token);
        }
    }
}
