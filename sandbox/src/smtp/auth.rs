//! The AUTH exchanges: XOAUTH2 in both its forms, and LOGIN with its two prompts.
//! It reads what the client sends; `access` decides what it is worth.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::access::{Denial, Identity, Login, smtp_auth_enabled};
use super::service::SmtpService;
use crate::catalogue::replies::{
    BAD_CREDENTIALS, BASIC_AUTH_DISABLED, BASIC_AUTH_REMOVED, CONDITIONAL_ACCESS,
    INVALID_AUTH_DATA, Reply,
};
use crate::cloud::Cloud;
use crate::directory::{BasicSmtpAuth, User};

/// A client's response, decoded; `None` if it is no base64.
pub(super) fn decoded(response: &str) -> Option<Vec<u8>> {
    LENIENT.decode(response.trim()).ok()
}

/// Signs in with an XOAUTH2 response: `user=` address `^A` `auth=Bearer ` token `^A^A`.
///
/// # Errors
/// `501` for what has another form, otherwise as [`Login::by_token`].
pub(super) fn xoauth2(
    cloud: &Cloud,
    response: &str,
    service: SmtpService,
) -> Result<Login, Denial> {
    let malformed = || Denial {
        reply: &INVALID_AUTH_DATA,
        reason: "the XOAUTH2 response is malformed".to_owned(),
    };
    let text = decoded(response)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(malformed)?;
    let (user, token) = user_and_token(&text).ok_or_else(malformed)?;
    cloud.secrets.note(token);
    match service {
        SmtpService::HighVolumeEmail => Login::of_high_volume(cloud, user, token),
        SmtpService::AzureCommunicationServices => Login::of_azure(cloud, user, token),
        _ => Login::by_token(cloud, user, token),
    }
}

/// Signs in with user name and password.
///
/// # Errors
/// As the tenant's switch for basic authentication says; `535 5.7.139` for wrong credentials.
pub(super) fn password(
    cloud: &Cloud,
    user: &str,
    password: &str,
    service: SmtpService,
) -> Result<Login, Denial> {
    cloud.secrets.note(password);
    let refused = |reply: &'static Reply, reason: &str| {
        Err(Denial {
            reply,
            reason: format!("{user}: {reason}"),
        })
    };
    if service == SmtpService::AzureCommunicationServices {
        return Login::of_azure_secret(cloud, user, password);
    }
    let Some(mailbox) = cloud.directory.user(user).filter(User::has_mailbox) else {
        return refused(&BASIC_AUTH_DISABLED, "no such mailbox");
    };
    let switch = cloud
        .directory
        .tenant(&mailbox.tenant_id)
        .map(|tenant| tenant.basic_smtp_auth);
    match switch.unwrap_or_default() {
        _ if service == SmtpService::Standard => {}
        BasicSmtpAuth::Removed => {
            return refused(&BASIC_AUTH_REMOVED, "basic authentication is removed");
        }
        BasicSmtpAuth::Disabled => {
            return refused(&BASIC_AUTH_DISABLED, "basic authentication is disabled");
        }
        BasicSmtpAuth::Allowed => {}
    }
    smtp_auth_enabled(cloud, &mailbox)?;
    if mailbox.password.is_empty() || mailbox.password != password {
        return refused(&BAD_CREDENTIALS, "wrong password");
    }
    if mailbox.mfa_required || mailbox.blocked_by_conditional_access || !mailbox.enabled {
        return refused(&CONDITIONAL_ACCESS, "a password alone is not enough");
    }
    let identity = Identity::Person(mailbox.address.clone());
    Ok(Login {
        mailbox,
        identity,
        claims: None,
    })
}

fn user_and_token(text: &str) -> Option<(&str, &str)> {
    let fields = text.strip_suffix("\x01\x01")?;
    let (user, auth) = fields.split_once('\x01')?;
    let user = user.strip_prefix("user=")?;
    let (scheme, token) = auth.strip_prefix("auth=")?.split_once(' ')?;
    let complete = !user.is_empty() && !token.is_empty() && scheme.eq_ignore_ascii_case("bearer");
    complete.then_some((user, token))
}

/// Accepts responses whether padded or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsofts_own_test_vector_is_understood() {
        let response = "dXNlcj10ZXN0QGNvbnRvc28ub25taWNyb3NvZnQuY29tAWF1dGg9QmVhcmVyIEV3QkFBbDNCQUFVRkZwVUFvN0ozVmUwYmpMQldaV0NjbFJDM0VvQUEBAQ==";
        let text = String::from_utf8(decoded(response).unwrap()).unwrap();
        let expected = (
            "test@contoso.onmicrosoft.com",
            "EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA",
        );
        assert_eq!(user_and_token(&text), Some(expected));
    }

    #[test]
    fn other_forms_are_malformed() {
        let check = |text: &str| assert_eq!(user_and_token(text), None, "{text:?}");
        check("");
        check("user=a\x01auth=Bearer t");
        check("user=a\x01auth=Bearer t\x01");
        check("user=\x01auth=Bearer t\x01\x01");
        check("user=a\x01auth=Bearer \x01\x01");
        check("user=a\x01auth=t\x01\x01");
        check("a\x01auth=Bearer t\x01\x01");
        check("user=a auth=Bearer t\x01\x01");
    }
}
