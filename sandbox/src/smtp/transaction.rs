//! A mail transaction within a session: MAIL, RCPT, DATA and BDAT.
//! The verdict on the complete message is in `submission`.

use super::command::{PathAndParameters, is_address};
use super::service::SmtpService;
use super::session::{Outcome, Session};
use super::submission::{Submission, Transaction};
use super::wire::Content;
use crate::catalogue::{Reply, replies};
use crate::faults::Phase;
use crate::inbox::{RecipientParameters, RefusedRecipient};

impl Session {
    pub(super) async fn mail(&mut self, path: PathAndParameters) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Mail).await? {
            return Ok(outcome);
        }
        if let Some(refusal) = self.mail_refusal(&path) {
            return self.answer(refusal);
        }
        self.transaction = Some(Transaction {
            binary: path
                .parameter("BODY")
                .is_some_and(|body| body.eq_ignore_ascii_case("BINARYMIME")),
            sender: path.address,
            parameters: path.parameters,
            ..Transaction::default()
        });
        self.answer(&replies::SENDER_OK)
    }

    fn mail_refusal(&self, path: &PathAndParameters) -> Option<&'static Reply> {
        if self.ehlo.is_none() {
            return Some(&replies::SEND_HELLO_FIRST);
        }
        if !self.wire.is_encrypted() {
            return Some(&replies::STARTTLS_REQUIRED);
        }
        if self.signed_in.is_none() && self.service != SmtpService::Mx {
            return Some(&replies::NOT_AUTHENTICATED);
        }
        if self.transaction.is_some() {
            return Some(&replies::SENDER_ALREADY_SPECIFIED);
        }
        let extra = self.cloud.limits.allowed().extra_extensions;
        if !has_sound_mail_parameters(path, extra) {
            return Some(&replies::INVALID_ARGUMENTS);
        }
        if !path.address.is_empty()
            && !is_permitted_address(&path.address, path.parameter("SMTPUTF8").is_some())
        {
            return Some(&replies::INVALID_SENDER_ADDRESS);
        }
        let declared = path
            .parameter("SIZE")
            .and_then(|size| size.parse::<usize>().ok());
        let too_large = declared.is_some_and(|size_bytes| size_bytes > self.message_limit_bytes());
        too_large.then_some(&replies::MESSAGE_TOO_LARGE)
    }

    pub(super) async fn rcpt(&mut self, path: PathAndParameters) -> Outcome {
        let fault = self.strike(Phase::Rcpt).await?;
        let Some(mut transaction) = self.transaction.take() else {
            let need_mail = || {
                self.voice
                    .say(&self.cloud, &replies::NEED_MAIL_COMMAND, &[])
            };
            let reply = fault.unwrap_or_else(need_mail);
            return self.say(&reply);
        };
        let refusal = fault.or_else(|| self.recipient_refusal(&transaction, &path));
        let reply = match refusal {
            Some(reply) => {
                let (address, reply) = (path.address, reply);
                transaction.refused.push(RefusedRecipient {
                    address,
                    reply: reply.clone(),
                });
                reply
            }
            None => {
                if !path.parameters.is_empty() {
                    transaction.recipient_parameters.push(RecipientParameters {
                        address: path.address.clone(),
                        parameters: path.parameters,
                    });
                }
                transaction.accepted.push(path.address);
                self.voice.say(&self.cloud, &replies::RECIPIENT_OK, &[])
            }
        };
        self.transaction = Some(transaction);
        self.say(&reply)
    }

    fn recipient_refusal(
        &self,
        transaction: &Transaction,
        path: &PathAndParameters,
    ) -> Option<String> {
        let allowed = self.cloud.limits.allowed().recipients_per_message;
        let reply = if !has_sound_recipient_parameters(path) {
            &replies::INVALID_ARGUMENTS
        } else if transaction.accepted.len() >= allowed {
            &replies::TOO_MANY_RECIPIENTS
        } else if !is_permitted_address(&path.address, transaction.is_international()) {
            &replies::INVALID_RECIPIENT_ADDRESS
        } else if let Some(refusal) = self.service_refusal(&transaction.sender, &path.address) {
            refusal
        } else if let Some(set) = self.cloud.directory.recipient_refusal(&path.address) {
            match Reply::named(&set) {
                Some(reply) => reply,
                None => return Some(set),
            }
        } else if self.is_missing(&path.address) {
            &replies::RECIPIENT_NOT_FOUND
        } else {
            return None;
        };
        let blanks = [("recipient", path.address.as_str())];
        Some(self.voice.say(&self.cloud, reply, &blanks))
    }

    /// What the service itself says of who sends to whom.
    fn service_refusal(&self, sender: &str, recipient: &str) -> Option<&'static Reply> {
        let is_inside = self.is_ours(recipient);
        match self.service {
            SmtpService::HighVolumeEmail => (!is_inside).then_some(&replies::INTERNAL_ONLY),
            SmtpService::Mx => {
                let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
                let tenant = self.cloud.directory.tenant(domain);
                let tenant = tenant.filter(|tenant| tenant.accepts(domain));
                match tenant {
                    Some(tenant) if tenant.inbound_connector => None,
                    Some(tenant) if tenant.reject_direct_send => {
                        Some(&replies::DIRECT_SEND_REJECTED)
                    }
                    _ if is_inside => None,
                    _ => Some(&replies::RELAY_ACCESS_DENIED),
                }
            }
            _ => None,
        }
    }

    fn is_ours(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let tenant = self.cloud.directory.tenant(domain);
        tenant.is_some_and(|tenant| tenant.accepts(domain))
    }

    /// Whether the address is in one of our domains, and no mailbox has it.
    fn is_missing(&self, address: &str) -> bool {
        let directory = &self.cloud.directory;
        self.is_ours(address)
            && directory
                .user(address)
                .is_none_or(|user| !user.has_mailbox())
    }

    pub(super) async fn data(&mut self) -> Outcome {
        if let Some(outcome) = self.struck(Phase::Data).await? {
            return Ok(outcome);
        }
        match &self.transaction {
            None => return self.answer(&replies::NEED_MAIL_COMMAND),
            Some(transaction) if transaction.accepted.is_empty() => {
                return self.answer(&replies::NEED_RCPT_COMMAND);
            }
            Some(transaction) if transaction.binary => {
                return self.answer(&replies::BINARYMIME_NEEDS_BDAT);
            }
            Some(transaction) if transaction.chunks.is_some() => {
                return self.answer(&replies::BAD_SEQUENCE);
            }
            Some(_) => {}
        }
        let _ = self.answer(&replies::START_MAIL_INPUT)?;
        let content = self.wire.content(self.message_limit_bytes()).await?;
        self.finish(content).await
    }

    pub(super) async fn bdat(&mut self, size_bytes: usize, last: bool) -> Outcome {
        let so_far = self
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.chunks.as_ref())
            .map_or(0, Vec::len);
        // The chunk is read whatever becomes of it: it is already on its way (RFC 3030).
        let chunk = self
            .wire
            .chunk(
                size_bytes,
                self.message_limit_bytes().saturating_sub(so_far),
            )
            .await?;
        let Some(transaction) = &mut self.transaction else {
            return self.answer(&replies::NEED_MAIL_COMMAND);
        };
        if transaction.accepted.is_empty() {
            return self.answer(&replies::NEED_RCPT_COMMAND);
        }
        let chunks = transaction.chunks.get_or_insert_default();
        match chunk {
            Content::Complete(chunk) => chunks.extend_from_slice(&chunk),
            Content::TooLarge => return self.finish(Content::TooLarge).await,
        }
        if last {
            let content = Content::Complete(std::mem::take(chunks));
            return self.finish(content).await;
        }
        if let Some(outcome) = self.struck(Phase::Bdat).await? {
            return Ok(outcome);
        }
        self.answer_with(
            &replies::CHUNK_RECEIVED,
            &[("size", &size_bytes.to_string())],
        )
    }

    /// The content is complete: the transaction ends, whatever the verdict.
    async fn finish(&mut self, content: Content) -> Outcome {
        let transaction = self.transaction.take().unwrap_or_default();
        if let Some(outcome) = self.struck(Phase::DataEnd).await? {
            return Ok(outcome);
        }
        let Content::Complete(mime) = content else {
            return self.answer(&replies::MESSAGE_TOO_LARGE);
        };
        if self.signed_in.is_none() && self.service != SmtpService::Mx {
            return self.answer(&replies::NOT_AUTHENTICATED);
        }
        let submission = Submission {
            transaction,
            mime,
            login: self.signed_in.as_ref(),
            client: self.voice.client,
            ehlo: self.ehlo.clone().unwrap_or_default(),
            tls: self.tls.clone(),
        };
        let (reply, blanks) = submission.decide(&self.cloud);
        if std::ptr::eq(reply, &replies::ACCEPTED)
            && let Some(outcome) = self.struck(Phase::Accepted).await?
        {
            return Ok(outcome);
        }
        let blanks: Vec<(&str, &str)> = blanks
            .iter()
            .map(|(blank, value)| (*blank, value.as_str()))
            .collect();
        self.answer_with(reply, &blanks)
    }

    fn message_limit_bytes(&self) -> usize {
        self.cloud.limits.allowed().message_bytes
    }
}

fn is_permitted_address(address: &str, international: bool) -> bool {
    is_address(address) && (international || address.is_ascii())
}

/// `extra` are extensions that the service itself does not offer, each with a parameter of its own name.
fn has_sound_mail_parameters(path: &PathAndParameters, extra: &[&str]) -> bool {
    let one_of = |name: &str, values: &[&str]| {
        path.parameter(name)
            .is_none_or(|value| values.iter().any(|known| known.eq_ignore_ascii_case(value)))
    };
    let known = ["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"];
    let known: Vec<_> = known.iter().chain(extra).copied().collect();
    path.unknown_parameter(&known).is_none()
        && path
            .parameter("SIZE")
            .is_none_or(|size| size.parse::<u64>().is_ok())
        && path.parameter("MT-PRIORITY").is_none_or(|priority| {
            priority
                .parse()
                .is_ok_and(|value: i8| (-9..=9).contains(&value))
        })
        && one_of("BODY", &["7BIT", "8BITMIME", "BINARYMIME"])
        && one_of("RET", &["FULL", "HDRS"])
}

/// RFC 3461, sections 4.1 and 4.2.
fn has_sound_recipient_parameters(path: &PathAndParameters) -> bool {
    let is_sound_notify = |value: &str| {
        let words: Vec<_> = value.split(',').map(str::to_ascii_uppercase).collect();
        let is_known = |word: &String| ["SUCCESS", "FAILURE", "DELAY"].contains(&word.as_str());
        words == ["NEVER"] || words.iter().all(is_known)
    };
    path.unknown_parameter(&["NOTIFY", "ORCPT"]).is_none()
        && path.parameter("NOTIFY").is_none_or(is_sound_notify)
        && path
            .parameter("ORCPT")
            .is_none_or(|value| value.contains(';'))
}
