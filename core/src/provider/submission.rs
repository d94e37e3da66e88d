//! Checks of where mail is submitted: host, port, extra certificates, and that all hosts belong to one cloud.
//! The connection itself, always with STARTTLS, is the transport's.

use super::address::is_loopback;
use super::clouds::{self, Clouds, MICROSOFT_CLOUDS};
use super::refusal;
use super::route::Server;
use crate::error::Result;
use crate::model::{Cloud, NewAccount, SmtpSecurity};
use std::net::IpAddr;

/// Where client submission leads.
pub(super) fn server(account: &NewAccount, clouds: &Clouds) -> Result<Server> {
    let host = smtp_host(account, clouds)?;
    Ok(Server {
        port: smtp_port(account, &host, clouds)?,
        host,
        security: SmtpSecurity::StartTls,
    })
}

/// The SMTP host: as given, or the cloud's.
fn smtp_host(account: &NewAccount, clouds: &Clouds) -> Result<String> {
    let data = clouds.data(account.cloud);
    let host = match (&account.endpoints.smtp_host, data) {
        (Some(host), _) => host.trim_end_matches('.').to_ascii_lowercase(),
        (None, data) => data.map(|data| data.smtp_host.clone()).unwrap_or_default(),
    };
    check_host_syntax("endpoints.smtpHost", &host)?;
    let usual = data.map_or("the provider's submission host", |data| &data.smtp_host);
    if clouds
        .mx_suffixes
        .iter()
        .any(|suffix| host.ends_with(suffix))
    {
        return Err(refusal(
            "wrong-host",
            format!("this host takes mail from other servers and has no sign-in: {host}"),
            format!("Submit to `{usual}`; an MX host is not for submission."),
        ));
    }
    let by_address = host.parse::<IpAddr>().is_ok() && !is_loopback(&host);
    if by_address && account.cloud != Cloud::Custom {
        return Err(refusal(
            "smtp-host-is-ip-address",
            format!(
                "the SMTP host is given by its IP address, which changes and fits no certificate: {host}"
            ),
            format!("Give the host by name: `{usual}`."),
        ));
    }
    Ok(host)
}

/// The SMTP port: as given, or 587.
fn smtp_port(account: &NewAccount, host: &str, clouds: &Clouds) -> Result<u16> {
    let data = clouds.data(account.cloud);
    let default = data.map_or(SUBMISSION_PORT, |data| data.smtp_port);
    let port = account.endpoints.smtp_port.unwrap_or(default);
    if port == 0 {
        return Err(refusal(
            "smtp-port-invalid",
            "the SMTP port is 0",
            "Leave endpoints.smtpPort out: the default is 587, with STARTTLS.",
        ));
    }
    let unusual_at_microsoft = clouds.is_submission_host(host) && port != SUBMISSION_PORT;
    if port == IMPLICIT_TLS_PORT || unusual_at_microsoft {
        return Err(refusal(
            "wrong-port-or-security",
            format!("{host} takes submissions with STARTTLS on port 587, not on port {port}"),
            "Set endpoints.smtpPort to 587, or leave it out. Port 465 speaks TLS from the first octet and is not offered; port 25 is for relay and widely blocked.",
        ));
    }
    Ok(port)
}

/// Checks that extra certificates are certificates.
pub(super) fn check_ca_pem(account: &NewAccount) -> Result<()> {
    let Some(pem) = &account.endpoints.ca_pem else {
        return Ok(());
    };
    let whole = pem.contains("-----BEGIN CERTIFICATE-----")
        && pem.contains("-----END CERTIFICATE-----")
        && !pem.contains("PRIVATE KEY-----");
    if whole {
        return Ok(());
    }
    Err(refusal(
        "ca-pem-invalid",
        "endpoints.caPem holds no complete PEM certificate, or a private key",
        "Give the text of the certificate file, from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`, not its path.",
    ))
}

/// Checks that every Microsoft host belongs to the account's cloud; in a custom cloud, that all belong to the same.
pub(super) fn check_one_cloud(
    account: &NewAccount,
    hosts: &[String],
    clouds: &Clouds,
) -> Result<()> {
    let mut possible: Vec<Cloud> = match account.cloud {
        Cloud::Custom => MICROSOFT_CLOUDS.to_vec(),
        cloud => vec![cloud],
    };
    for host in hosts {
        let owners = clouds.owners(host);
        let Some(owner) = owners.first() else {
            continue;
        };
        possible.retain(|cloud| owners.contains(cloud));
        if possible.is_empty() {
            return Err(refusal(
                "wrong-cloud-endpoint",
                format!(
                    "the hosts belong to different clouds, which share nothing: {host} is of {}",
                    clouds::name(*owner)
                ),
                "Set cloud to the one that holds the mailbox and leave the endpoints out; override only what your administrator names.",
            ));
        }
    }
    Ok(())
}

pub(super) fn check_host_syntax(setting: &str, host: &str) -> Result<()> {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_".contains(character))
    };
    let is_name = host.len() <= 253 && host.split('.').all(label);
    if is_name || host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err(refusal(
        "smtp-host-invalid",
        format!("{setting} is not a host name: {host:?}"),
        "Give the name alone, such as `smtp.office365.com`: no scheme, no port, no blanks. The port has its own setting.",
    ))
}

/// The port of message submission (RFC 6409), and the only one Microsoft recommends.
const SUBMISSION_PORT: u16 = 587;
/// Submission over implicit TLS (RFC 8314), which Exchange Online does not offer.
const IMPLICIT_TLS_PORT: u16 = 465;
