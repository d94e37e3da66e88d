//! From what another tool says to an account of ours: cloud and tenant follow from the token endpoint's address.

use super::{Found, Hints, Import, Tool, missing};
use crate::error::{Error, Result};
use crate::model::{Cloud, EndpointOverrides, Grant, NewAccount, ProblemKind};
use crate::provider;
use oauth2::url::Url;

/// Where an account signs in.
struct Place {
    cloud: Cloud,
    tenant: String,
    /// A sign-in host that is none of Microsoft's, as it stands.
    authority: Option<String>,
}

impl Found {
    pub(super) fn into_import(self, tool: Tool, hints: Hints) -> Result<Import> {
        let mailbox = hints.mailbox.or(self.mailbox);
        let mailbox =
            mailbox.ok_or_else(|| missing("which mailbox it is for", "give --mailbox"))?;
        let client_id = hints.client_id.or(self.client_id);
        let client_id = client_id.filter(|id| !id.is_empty() && !id.contains("***"));
        let client_id = client_id.ok_or_else(|| {
            missing(
                "the client id that its token belongs to",
                "give --client-id: it stands in the tool's configuration or script",
            )
        })?;
        let place = Place::of(self.token_url.as_deref(), &mailbox)?;
        let grant = match (self.is_application, self.client_secret) {
            (true, Some(client_secret)) => Grant::ClientSecret { client_secret },
            (true, None) => {
                return Err(missing(
                    "the client secret",
                    "add the account by hand: mailbearer account add",
                ));
            }
            (false, _) if self.is_device_code => Grant::DeviceCode,
            (false, _) => Grant::AuthorizationCode,
        };
        let name = hints.name.unwrap_or_else(|| name_of(&mailbox));
        let tenant = match place.cloud {
            Cloud::Personal => String::new(),
            _ => hints.tenant.unwrap_or(place.tenant),
        };
        Ok(Import {
            tool,
            account: NewAccount {
                name,
                mailbox,
                cloud: place.cloud,
                tenant,
                client_id,
                grant,
                secret_expires_at_unix_ms: None,
                route: crate::model::Route::default(),
                fallback: None,
                endpoints: EndpointOverrides {
                    authority: hints.endpoints.authority.or(place.authority),
                    ..hints.endpoints
                },
            },
            refresh_token: self.refresh_token,
        })
    }
}

impl Place {
    fn of(token_url: Option<&str>, mailbox: &str) -> Result<Self> {
        let Some(text) = token_url else {
            return Ok(Self::named(Cloud::Worldwide, "common", mailbox));
        };
        let url = Url::parse(text).map_err(|_| foreign_provider(text))?;
        let mut path = url.path_segments().into_iter().flatten();
        let tenant = path.next().unwrap_or_default();
        let is_microsofts_form = path.collect::<Vec<_>>() == ["oauth2", "v2.0", "token"];
        let owner = provider::issuers(text)?.into_iter().next();
        match (owner, is_microsofts_form) {
            (Some(cloud), _) => Ok(Self::named(cloud, tenant, mailbox)),
            (None, true) => Ok(Self {
                authority: Some(url.origin().ascii_serialization()),
                ..Self::named(Cloud::Worldwide, tenant, mailbox)
            }),
            (None, false) => Err(foreign_provider(url.host_str().unwrap_or_default())),
        }
    }

    fn named(cloud: Cloud, tenant: &str, mailbox: &str) -> Self {
        let is_personal = tenant == "consumers" || provider::is_personal_address(mailbox);
        let cloud = match cloud {
            Cloud::Worldwide if is_personal => Cloud::Personal,
            cloud => cloud,
        };
        Self {
            cloud,
            tenant: tenant.to_owned(),
            authority: None,
        }
    }
}

/// What stands before the `@`, in the characters that a name may have.
fn name_of(mailbox: &str) -> String {
    let local = mailbox.split('@').next().unwrap_or_default();
    let plain = |c: char| {
        let is_allowed = c.is_ascii_alphanumeric() || "._-".contains(c);
        if is_allowed { c } else { '-' }
    };
    local.chars().map(plain).take(64).collect()
}

fn foreign_provider(host: &str) -> Error {
    Error::new(
        ProblemKind::Config,
        "import-not-microsoft",
        format!("the account does not sign in at Microsoft: {host}"),
        "Mailbearer sends through Microsoft 365; choose an account of it with --mailbox",
    )
}
