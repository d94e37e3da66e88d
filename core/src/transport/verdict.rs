//! Outcomes that are the same for all recipients of a mail, and the class of those that no server gave.

use super::Outcome;
use crate::error::Error;
use crate::model::{
    Problem, ProblemKind, RecipientVerdict, ReplyClass, ReplyScope, Retry, SmtpReply, Trail,
    Verdict,
};

/// The outcome of a mail that was taken for all recipients.
pub(super) fn accepted_by(trail: Trail, recipients: &[String], reply: SmtpReply) -> Outcome {
    let accepted = |address: &String| RecipientVerdict {
        address: address.clone(),
        verdict: Verdict::Accepted,
        reply: Some(reply.clone()),
        code: String::new(),
        fix: String::new(),
        retry: Retry::Never,
        reply_class: Some(ReplyClass::Accepted),
        reply_scope: Some(ReplyScope::Recipient),
    };
    Outcome {
        trail,
        recipients: recipients.iter().map(accepted).collect(),
        end: Ok(reply),
    }
}

/// The outcome of a mail that nobody has anything of.
pub(super) fn not_tried(trail: Trail, recipients: &[String], error: Error) -> Outcome {
    Outcome {
        trail,
        recipients: alike(recipients, Verdict::NotTried, &error),
        end: Err(error.with_nothing_sent()),
    }
}

/// The same verdict for all recipients.
pub(super) fn alike(
    recipients: &[String],
    verdict: Verdict,
    error: &Error,
) -> Vec<RecipientVerdict> {
    let problem = error.problem();
    let one = |address: &String| RecipientVerdict {
        address: address.clone(),
        verdict,
        reply: None,
        code: problem.code.clone(),
        fix: problem.fix.clone(),
        retry: problem.retry,
        reply_class: problem.reply_class,
        reply_scope: problem.reply_scope,
    };
    recipients.iter().map(one).collect()
}

/// The outcome with a class and a scope wherever something failed without a server's answer.
pub(super) fn classified(mut outcome: Outcome) -> Outcome {
    if let Err(error) = &outcome.end
        && let Some((class, scope)) = class_of(error.problem())
    {
        for recipient in &mut outcome.recipients {
            let is_of_mail = recipient.code == error.code();
            if recipient.reply_class.is_none() && is_of_mail {
                (recipient.reply_class, recipient.reply_scope) = (Some(class), Some(scope));
            }
        }
        if error.problem().reply_class.is_none() {
            outcome.end = outcome.end.map_err(|error| error.with_class(class, scope));
        }
    }
    outcome
}

/// By what the caller must do, where no server said more.
fn class_of(problem: &Problem) -> Option<(ReplyClass, ReplyScope)> {
    if let (Some(class), Some(scope)) = (problem.reply_class, problem.reply_scope) {
        return Some((class, scope));
    }
    Some(match (problem.kind, problem.code.as_str()) {
        (_, "size-limit") => (ReplyClass::Size, ReplyScope::Mail),
        (_, "address-invalid" | "recipients-missing" | "recipient-limit" | "recipient-outside") => {
            (ReplyClass::Recipient, ReplyScope::Mail)
        }
        (ProblemKind::Unavailable, _) => (ReplyClass::Unavailable, ReplyScope::Connection),
        (ProblemKind::SignIn, _) => (ReplyClass::Authentication, ReplyScope::Mailbox),
        (ProblemKind::Consent, _) => (ReplyClass::Authorization, ReplyScope::Mailbox),
        (ProblemKind::Throttled, _) => (ReplyClass::Throttled, ReplyScope::Mailbox),
        (ProblemKind::Rejected, _) => (ReplyClass::Content, ReplyScope::Mail),
        // Settings, programs, disks: no answer of any server.
        _ => return None,
    })
}
