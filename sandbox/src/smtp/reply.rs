//! Writes replies of the catalogue: blanks filled in, and Exchange's tail behind.
//! Host names and session ids are invented; clients must not parse them.

use std::net::IpAddr;

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
        hidden: &[&str],
    ) -> String {
        let negotiable = match (encrypted, mechanisms) {
            (false, _) => "STARTTLS".to_owned(),
            (true, []) => String::new(),
            (true, mechanisms) => format!("AUTH {}", mechanisms.join(" ")),
        };
        let hello = format!("{PUBLIC_NAME} Hello [{}]", self.client);
        let size = format!("SIZE {ANNOUNCED_SIZE_BYTES}");
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
        ];
        let is_shown = |line: &&&str| !line.is_empty() && !hidden.contains(*line);
        let lines = lines.iter().filter(is_shown);
        let continued: String = lines.map(|line| format!("250-{line}\r\n")).collect();
        continued + "250 SMTPUTF8"
    }
}

/// 150 MiB: what the service announces, whatever the mailbox may send.
pub(super) const ANNOUNCED_SIZE_BYTES: usize = 157_286_400;

/// The name of the server that made a message id for a message without one.
pub(super) const MESSAGE_ID_DOMAIN: &str = "SB1P000MB0001.SBXP000.PROD.OUTLOOK.COM";

const PUBLIC_NAME: &str = "SB1P000CA0001.outlook.office365.com";
const FRONT_END: &str = "SB1P000CA0001.SBXP000.PROD.OUTLOOK.COM";
const BACK_END: &str = "SB1P000MB0001.SBXP000.PROD.OUTLOOK.COM";
