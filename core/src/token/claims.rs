//! What an access token says about itself, where it can be read. Nothing is verified: that is the server's part.
//! Microsoft asks clients not to depend on this; it serves checks before use and texts for people, never decisions
//! about access. Personal accounts' tokens are opaque and simply have no claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims worth telling a person (RFC 7519, and Microsoft's access token reference).
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Claims {
    pub(crate) audience: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) subject: Option<String>,
}

impl Claims {
    /// Reads a JSON Web Token's payload; `None` for anything else.
    pub(crate) fn read(token: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Payload {
            aud: Option<OneOrMany>,
            scp: Option<OneOrMany>,
            scope: Option<OneOrMany>,
            roles: Option<OneOrMany>,
            upn: Option<String>,
            preferred_username: Option<String>,
            unique_name: Option<String>,
            appid: Option<String>,
            azp: Option<String>,
            client_id: Option<String>,
            sub: Option<String>,
        }
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let octets = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let payload: Payload = serde_json::from_slice(&octets).ok()?;
        let scopes = [payload.scp, payload.scope, payload.roles];
        Some(Self {
            audience: payload
                .aud
                .and_then(|aud| aud.into_list().into_iter().next()),
            scopes: scopes
                .into_iter()
                .flatten()
                .flat_map(OneOrMany::into_list)
                .collect(),
            subject: payload
                .upn
                .or(payload.preferred_username)
                .or(payload.unique_name)
                .or(payload.appid)
                .or(payload.azp)
                .or(payload.client_id)
                .or(payload.sub),
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(payload: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.c2ln", encode(r#"{"alg":"RS256"}"#), encode(payload))
    }

    #[test]
    fn reads_what_the_token_says() {
        fn check(payload: &str, audience: Option<&str>, scopes: &[&str], subject: Option<&str>) {
            let claims = Claims::read(&jwt(payload)).unwrap();
            assert_eq!(claims.audience.as_deref(), audience, "{payload}");
            assert_eq!(claims.scopes, scopes, "{payload}");
            assert_eq!(claims.subject.as_deref(), subject, "{payload}");
        }
        check(
            r#"{"aud":"https://outlook.office.com","scp":"SMTP.Send User.Read","upn":"a@contoso.example","sub":"x"}"#,
            Some("https://outlook.office.com"),
            &["SMTP.Send", "User.Read"],
            Some("a@contoso.example"),
        );
        check(
            r#"{"aud":["one","two"],"roles":["SMTP.SendAsApp"],"appid":"1234"}"#,
            Some("one"),
            &["SMTP.SendAsApp"],
            Some("1234"),
        );
        check("{}", None, &[], None);
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
