//! The class and scope of a reply: by the catalogue's cause where its text is known, otherwise by the enhanced code
//! (RFC 3463), otherwise by the first digit and the phase (RFC 5321 section 4.2).

use super::catalogue::{Cause, Enhanced};
use super::smtp::SmtpPhase;
use crate::model::{ReplyClass, ReplyScope, SmtpReply};

/// What kind of answer it is, and what it is about.
pub(super) type Classification = (ReplyClass, ReplyScope);

/// Classifies a refusal whose cause was found with this confidence.
pub(super) fn classify(
    cause: Option<&Cause>,
    confidence: f64,
    phase: SmtpPhase,
    reply: &SmtpReply,
) -> Classification {
    let known = cause.and_then(|cause| Some((cause.class?, cause.scope?)));
    if confidence >= SURE {
        // A rule that knows the text knows more than its code.
        if let Some(known) = known {
            return known;
        }
    }
    let enhanced = reply.enhanced_status.as_deref().and_then(Enhanced::parse);
    enhanced
        .and_then(|code| by_enhanced(code, phase))
        .unwrap_or_else(|| by_digits(phase, reply.code))
}

/// What RFC 3463 (with RFC 4954, 5248, 7372) says of a code whose text is unknown.
fn by_enhanced(code: Enhanced, phase: SmtpPhase) -> Option<Classification> {
    use ReplyClass as Class;
    use ReplyScope as Scope;
    let is_passing = code.class == 4;
    Some(match (code.subject, code.detail) {
        // Address: the sender's, or a recipient's.
        (1, 7 | 8) => (Class::Policy, Scope::Mail),
        (1, 0) if phase == SmtpPhase::Mail => (Class::Policy, Scope::Mail),
        (1, _) => (Class::Recipient, Scope::Recipient),
        // Mailbox.
        (2, 3) => (Class::Size, Scope::Recipient),
        (2, _) if is_passing => (Class::Unavailable, Scope::Recipient),
        (2, _) => (Class::Recipient, Scope::Recipient),
        // Mail system.
        (3, 4) => (Class::Size, Scope::Mail),
        (3, 3) => (Class::Protocol, Scope::Connection),
        (3, _) => (Class::Unavailable, Scope::Host),
        // Network and routing: beyond the server once it has the mail.
        (4, 2) => (Class::Unavailable, Scope::Connection),
        (4, _) if phase == SmtpPhase::Recipient => (Class::Unavailable, Scope::Recipient),
        (4, _) => (Class::Unavailable, Scope::Host),
        // Protocol.
        (5, 3) => (Class::Recipient, Scope::Mail),
        (5, _) => (Class::Protocol, Scope::Connection),
        // Content.
        (6, _) => (Class::Content, Scope::Mail),
        // Security and policy.
        (7, 8 | 9 | 11 | 13 | 14) if phase == SmtpPhase::Auth => {
            (Class::Authentication, Scope::Mailbox)
        }
        (7, 4) => (Class::Authentication, Scope::Host),
        (7, 3 | 8 | 9) => (Class::Authentication, Scope::Mailbox),
        (7, _) if phase == SmtpPhase::Auth => (Class::Authentication, Scope::Mailbox),
        (7, _) if phase == SmtpPhase::Recipient => (Class::Policy, Scope::Recipient),
        (7, _) => (Class::Policy, Scope::Mail),
        _ => return None,
    })
}

/// What is left when there is no code but the three digits.
fn by_digits(phase: SmtpPhase, code: u16) -> Classification {
    use ReplyClass as Class;
    use ReplyScope as Scope;
    match (code, phase) {
        (421, _) => (Class::Unavailable, Scope::Connection),
        (432, _) => (Class::Throttled, Scope::Mailbox),
        (452 | 552, SmtpPhase::Mail | SmtpPhase::Data) => (Class::Size, Scope::Mail),
        (400..500, SmtpPhase::Recipient) => (Class::Unavailable, Scope::Recipient),
        (400..500, SmtpPhase::Mail | SmtpPhase::Data) => (Class::Unavailable, Scope::Mail),
        (400..500, _) => (Class::Unavailable, Scope::Connection),
        (_, SmtpPhase::Auth) => (Class::Authentication, Scope::Mailbox),
        (530 | 534 | 535 | 538, _) => (Class::Authentication, Scope::Connection),
        (500..505, _) => (Class::Protocol, Scope::Connection),
        (500..600, SmtpPhase::Greeting | SmtpPhase::Session) => (Class::Policy, Scope::Connection),
        (500..600, SmtpPhase::Mail) => (Class::Policy, Scope::Mail),
        (500..600, SmtpPhase::Recipient) => (Class::Recipient, Scope::Recipient),
        (500..600, SmtpPhase::Data) => (Class::Content, Scope::Mail),
        _ => (Class::Protocol, Scope::Connection),
    }
}

/// Rules below this only know the basic code.
const SURE: f64 = 0.33;
