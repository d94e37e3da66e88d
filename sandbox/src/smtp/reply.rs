//! Writes replies of the catalogue: blanks filled in, and Exchange's tail behind.
//! Host names and session ids are invented; clients must not parse them.

use std::net::IpAddr;

use super::limits::SubmissionLimits;
use crate::catalogue::replies::{Reply, Tail};
use crate::cloud::Cloud;

/// What the tails of one session have in common.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) session_id: String,
    pub(super) client: IpAddr,
}

impl Voice {
    /// The reply as it goes over the wire, without the final line break.
    pub(super) fn say(&self, cloud: &Cloud, reply: &Reply, blanks: &[(&str, &str)]) -> String {
        let mut text = reply.text.replace("{client}", &self.client.to_string());
        for (blank, value) in blanks {
            text = text.replace(&format!("{{{blank}}}"), value);
        }
        match reply.tail {
            Tail::None => text,
            Tail::Session => {
                format!(
                    "{text} [{FRONT_END} {} {}]",
                    cloud.clock.reply_timestamp(),
                    self.session_id
                )
            }
            Tail::Hostname => format!("{text} [Hostname={BACK_END}]"),
        }
    }

    /// `220 …`
    pub(super) fn banner(&self, cloud: &Cloud) -> String {
        format!(
            "220 {PUBLIC_NAME} Microsoft ESMTP MAIL Service ready at {} [{}]",
            cloud.clock.banner_timestamp(),
            self.session_id
        )
    }

    /// The answer to HELO.
    pub(super) fn hello(&self) -> String {
        format!("250 {PUBLIC_NAME} Hello [{}]", self.client)
    }

    /// The answer to EHLO, before and after TLS.
    pub(super) fn extended_hello(
        &self,
        encrypted: bool,
        mechanisms: &[&str],
        allowed: &SubmissionLimits,
    ) -> String {
        let negotiable = match (encrypted, mechanisms) {
            (false, _) => "STARTTLS".to_owned(),
            (true, []) => String::new(),
            (true, mechanisms) => format!("AUTH {}", mechanisms.join(" ")),
        };
        let hello = format!("{PUBLIC_NAME} Hello [{}]", self.client);
        let size = format!("SIZE {}", allowed.announced_bytes());
        let lines = [
            &hello,
            &size,
            "PIPELINING",
            "DSN",
            "ENHANCEDSTATUSCODES",
            &negotiable,
            "8BITMIME",
            "BINARYMIME",
            "CHUNKING",
            "SMTPUTF8",
        ];
        let is_shown =
            |line: &&&str| !line.is_empty() && !allowed.hidden_extensions.contains(*line);
        let lines = lines.iter().filter(is_shown);
        // REQUIRETLS is offered over TLS only (RFC 8689, section 2).
        let extra = allowed.extra_extensions.iter().filter(|_| encrypted);
        let lines: Vec<_> = lines.chain(extra).copied().collect();
        let mut hello = format!("250-{}", lines.join("\r\n250-"));
        let last = hello.len() - lines.last().map_or(0, |line| line.len()) - 1;
        hello.replace_range(last..=last, " ");
        hello
    }
}

/// The name of the server that made a message id for a message without one.
pub(super) const MESSAGE_ID_DOMAIN: &str = "SB1P000MB0001.SBXP000.PROD.OUTLOOK.COM";

const PUBLIC_NAME: &str = "SB1P000CA0001.outlook.office365.com";
const FRONT_END: &str = "SB1P000CA0001.SBXP000.PROD.OUTLOOK.COM";
const BACK_END: &str = "SB1P000MB0001.SBXP000.PROD.OUTLOOK.COM";
