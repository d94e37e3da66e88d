//! A delivery as a person reads it: the server's verdict on each recipient, and the trail of how the mail got there.

use crate::page::Page;
use crate::problem;
use crate::text::{Text, bad, faint, good, uncertain};
use crate::time;
use mailbearer::model::{
    Delivery, RecipientVerdict, RouteKind, SenderIdentity, SendingAs, SmtpReply, Step, TokenOrigin,
    TokenUse, Verdict,
};
use std::time::Duration;

/// Each recipient with the server's verdict; what the server said, the cause and the fix beneath a refusal, unless
/// its cause is one that was told already.
pub(crate) fn verdicts(recipients: &[RecipientVerdict], told: Option<&str>) -> Page {
    let mut page = Page::new();
    let addresses = recipients
        .iter()
        .map(|recipient| Text::from(&recipient.address).width());
    let longest = addresses.max().unwrap_or_default();
    for recipient in recipients {
        page.line(Text::concat([
            Text::from("  "),
            verdict(recipient.verdict).padded(VERDICT_WIDTH),
            Text::from(&recipient.address).padded(longest + 2),
            recipient.reply.as_ref().map(codes).unwrap_or_default(),
        ]));
        if !recipient.code.is_empty() && told != Some(&recipient.code) {
            page.fields(4, &reasons(recipient));
        }
    }
    page
}

/// How the mail got there: server, TLS, token, the server's answer, and the time each step took.
pub(crate) fn trail(delivery: &Delivery) -> Page {
    let mut fields = way(delivery);
    fields.extend(delivery.trail.token.iter().flat_map(token_details));
    trail_page(fields, delivery)
}

/// The same without the token's details, where they are shown already.
pub(crate) fn brief_trail(delivery: &Delivery) -> Page {
    trail_page(way(delivery), delivery)
}

/// How a token was obtained, for people.
pub(crate) fn origin(origin: TokenOrigin) -> &'static str {
    match origin {
        TokenOrigin::DeviceCode => "device code",
        TokenOrigin::ClientSecret => "client secret",
        TokenOrigin::RefreshToken => "refresh token",
        _ => "another way",
    }
}

fn verdict(verdict: Verdict) -> Text {
    match verdict {
        Verdict::Accepted => good("✔ accepted"),
        Verdict::Refused => bad("✘ refused"),
        Verdict::Deferred => uncertain("… deferred"),
        Verdict::Undecided => uncertain("? undecided"),
        Verdict::NotTried => faint("- not tried"),
    }
}

fn codes(reply: &SmtpReply) -> Text {
    let status = reply.enhanced_status.as_deref().unwrap_or_default();
    Text::from(format!("{} {status}", reply.code))
}

fn reasons(recipient: &RecipientVerdict) -> Vec<(&'static str, Text)> {
    let mut fields = Vec::new();
    if let Some(reply) = &recipient.reply {
        fields.push(("answer", Text::from(&reply.text)));
    }
    for (label, text) in [("cause", &recipient.code), ("next", &recipient.fix)] {
        if !text.is_empty() {
            fields.push((label, Text::from(text)));
        }
    }
    if let Some(advice) = problem::retry(recipient.retry) {
        fields.push(("retry", Text::from(advice)));
    }
    fields
}

fn trail_page(mut fields: Vec<(&'static str, Text)>, delivery: &Delivery) -> Page {
    let size = time::size(delivery.trail.size_bytes);
    let reply = &delivery.reply;
    let answer = Text::concat([codes(reply), Text::from(format!(" {}", reply.text))]);
    fields.extend([("size", Text::from(size)), ("answer", answer)]);
    let mut page = Page::new();
    page.fields(2, &fields);
    page.append(steps(&delivery.trail.steps));
    page
}

fn way(delivery: &Delivery) -> Vec<(&'static str, Text)> {
    let trail = &delivery.trail;
    let mut fields = vec![("route", Text::from(route(trail.route)))];
    if let Some(first) = &delivery.passed_over {
        let why = format!("not the first one ({}): {}", first.code, first.text);
        fields.push(("passed", Text::from(why)));
    }
    fields.push(("sent as", Text::from(identity(&trail.identity))));
    fields.push(("server", Text::from(&trail.server)));
    if let Some(tls) = &trail.tls {
        let session = format!("{}, {}", tls.version, tls.cipher_suite);
        fields.push(("TLS", Text::from(session)));
    }
    if let Some(token) = &trail.token {
        let when = match token.from_cache {
            true => "at hand",
            false => "obtained for this mail",
        };
        let token = format!("{when}, by {}", origin(token.origin));
        fields.push(("token", Text::from(token)));
    }
    fields
}

/// A road, as the command line names it.
fn route(route: RouteKind) -> &'static str {
    match route {
        RouteKind::ClientSubmission => "client-submission",
        RouteKind::StandardSmtp => "standard-smtp",
        RouteKind::ConnectorRelay => "connector-relay",
        RouteKind::DirectSend => "direct-send",
        RouteKind::HighVolumeEmail => "high-volume-email",
        RouteKind::AzureCommunicationServices => "azure-communication-services",
        RouteKind::Graph => "graph",
        RouteKind::Folder => "folder",
        _ => "other",
    }
}

fn identity(identity: &SenderIdentity) -> String {
    let SenderIdentity {
        login,
        header_from: from,
        ..
    } = identity;
    match identity.kind {
        SendingAs::Mailbox => from.clone(),
        SendingAs::AliasOrSendAs => format!("{from}, an alias of {login} or by Send As"),
        SendingAs::OnBehalf => format!("{login} on behalf of {from}"),
        _ => format!("{from}, without sign-in"),
    }
}

fn token_details(token: &TokenUse) -> Vec<(&'static str, Text)> {
    let mut fields = Vec::new();
    if let Some(audience) = &token.audience {
        fields.push(("audience", Text::from(audience)));
    }
    fields.push(("scope", Text::from(token.scopes.join(" "))));
    fields.push(("ends", Text::from(time::moment(token.expires_at_unix_ms))));
    fields
}

/// The time each step took.
pub(crate) fn steps(steps: &[Step]) -> Page {
    let mut page = Page::new();
    let times: Vec<Text> = steps
        .iter()
        .map(|step| Text::from(time::duration(Duration::from_micros(step.duration_us))))
        .collect();
    let longest = times.iter().map(Text::width).max().unwrap_or_default();
    let rows: Vec<Vec<Text>> = steps
        .iter()
        .zip(&times)
        .enumerate()
        .map(|(number, (step, time))| {
            let label = if number == 0 { "steps   " } else { "        " };
            vec![
                faint(label),
                Text::from(&step.name),
                time.padded_left(longest),
            ]
        })
        .collect();
    page.table(2, &rows);
    page
}

/// The longest verdict, its mark and two spaces.
const VERDICT_WIDTH: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;
    use mailbearer::model::Retry;

    fn recipient(address: &str, verdict: Verdict, code: u16, text: &str) -> RecipientVerdict {
        RecipientVerdict {
            address: address.to_owned(),
            verdict,
            reply: Some(SmtpReply {
                code,
                enhanced_status: None,
                text: text.to_owned(),
            }),
            code: String::new(),
            fix: String::new(),
            retry: Retry::Never,
            reply_class: None,
            reply_scope: None,
        }
    }

    #[test]
    fn shows_the_verdict_per_recipient_and_the_fix_beneath_a_refusal() {
        let refused = RecipientVerdict {
            code: "recipient-unknown".to_owned(),
            fix: "check the address".to_owned(),
            ..recipient("no@a.example", Verdict::Refused, 550, "not found")
        };
        let accepted = recipient("ada@a.example", Verdict::Accepted, 250, "OK");
        let shown = verdicts(&[accepted, refused], None).to_string();
        assert_eq!(
            anstream::adapter::strip_str(&shown).to_string(),
            "  ✔ accepted   ada@a.example  250\n  ✘ refused    no@a.example   550\n    \
             answer  not found\n    cause   recipient-unknown\n    next    check the address\n"
        );
    }

    #[test]
    fn tells_a_cause_once() {
        let refused = RecipientVerdict {
            code: "size-limit".to_owned(),
            ..recipient("ada@a.example", Verdict::Refused, 552, "too large")
        };
        let shown = verdicts(&[refused], Some("size-limit")).to_string();
        assert_eq!(shown.lines().count(), 1, "{shown}");
    }

    #[test]
    fn every_line_fits_eighty_columns() {
        let text =
            "RESOLVER.ADR.RecipientNotFound; recipient not found by SMTP address lookup ".repeat(4);
        let one = recipient("somebody@contoso.example", Verdict::Refused, 550, &text);
        let shown = verdicts(&[one], None).to_string();
        for line in shown.lines() {
            assert!(
                Text::from(anstream::adapter::strip_str(line).to_string()).width() <= 80,
                "{line}"
            );
        }
    }
}
