//! The demo as a person reads it, page by page, as it happens.

use super::checks::Check;
use super::{Place, SignIn, Story};
use crate::delivery;
use crate::page::Page;
use crate::text::{Text, bad, faint, good, link, strong};
use crate::time;
use mailbearer::model::{Delivery, TokenStatus};
use std::time::Duration;

/// Where it happens.
pub(super) fn place(place: &Place) -> Page {
    let mut page = Page::new();
    page.line(Text::concat([
        strong("Mailbearer demo"),
        faint("  a local Microsoft 365; nothing leaves this machine"),
    ]));
    page.blank();
    page.fields(
        2,
        &[
            ("sign-in", link(&place.identity_url)),
            ("mail server", Text::from(&place.smtp_server)),
            ("inbox", link(&place.inbox_url)),
        ],
    );
    page
}

/// Where a token came from, what it is for, and how long that took.
pub(super) fn sign_in(title: &str, sign_in: &SignIn) -> Page {
    let mut page = titled(title);
    page.fields(2, &token_fields(&sign_in.token));
    page.append(delivery::steps(&sign_in.steps));
    page
}

/// The verdict on each recipient, and how the mail got there.
pub(super) fn delivery(title: &str, delivery: &Delivery) -> Page {
    let mut page = titled(title);
    page.append(delivery::verdicts(&delivery.recipients, None));
    page.blank();
    page.append(delivery::brief_trail(delivery));
    page
}

/// What was checked, and how it ended.
pub(super) fn ending(story: &Story) -> Page {
    let mut page = titled("5. Checked against what the sandbox received");
    for check in &story.checks {
        page.append(checked(check));
    }
    page.blank();
    let took = time::duration(Duration::from_micros(story.duration_us));
    page.line(if story.happened {
        Text::concat([
            good("✔ "),
            strong("All of it happened"),
            Text::from(format!(", in {took}. ")),
        ])
    } else {
        Text::concat([bad("✘ "), strong("Not all of it happened.")])
    });
    page
}

/// How to look at the mail.
pub(super) fn inbox(place: &Place, is_kept: bool) -> Page {
    let mut page = Page::new();
    page.line(if is_kept {
        Text::concat([
            Text::from("  The mail is in the inbox until Ctrl-C: "),
            link(&place.inbox_url),
        ])
    } else {
        Text::concat([
            Text::from("  The inbox is closed. To look into it: "),
            link("mailbearer demo --keep"),
        ])
    });
    page
}

fn titled(title: &str) -> Page {
    let mut page = Page::new();
    page.blank();
    page.line(strong(title));
    page
}

fn token_fields(token: &TokenStatus) -> Vec<(&'static str, Text)> {
    let mut fields = Vec::new();
    let by = token.origin.map(delivery::origin).unwrap_or("none");
    let renewal = if token.has_refresh_token {
        ", renewed with a refresh token"
    } else {
        ""
    };
    fields.push(("token", Text::from(format!("by {by}{renewal}"))));
    if let Some(subject) = &token.subject {
        fields.push(("for", Text::from(subject)));
    }
    if let Some(audience) = &token.audience {
        fields.push(("audience", Text::from(audience)));
    }
    fields.push(("scope", Text::from(token.scopes.join(" "))));
    if let Some(ends) = token.expires_at_unix_ms {
        fields.push(("ends", Text::from(time::moment(ends))));
    }
    fields
}

fn checked(check: &Check) -> Page {
    let mut page = Page::new();
    let mark = if check.happened {
        good("  ✔ ")
    } else {
        bad("  ✘ ")
    };
    page.paragraph(4, &mark, &Text::from(check.what));
    if !check.happened {
        let fields = [
            ("expected", Text::from(&check.expected)),
            ("found", Text::from(&check.found)),
        ];
        page.fields(4, &fields);
    }
    page
}
