//! A problem as a person reads it: what happened, why, and what to do next, with the code to search for.

use crate::delivery;
use crate::page::Page;
use crate::text::{Text, bad, strong};
use crate::time;
use mailbearer::model::{Problem, Retry};

/// The page for a problem.
pub(crate) fn page(problem: &Problem) -> Page {
    let mut page = Page::new();
    let start = bad("error: ");
    page.paragraph(start.width(), &start, &strong(&problem.text));
    let mut fields = Vec::new();
    if let Some(answer) = &problem.answer {
        fields.push(("answer", Text::from(answer)));
    }
    fields.push(("cause", Text::from(&problem.code)));
    if !problem.fix.is_empty() {
        fields.push(("next", Text::from(&problem.fix)));
    }
    if let Some(advice) = retry(problem.retry) {
        fields.push(("retry", Text::from(advice)));
    }
    page.fields(2, &fields);
    if !problem.recipients.is_empty() {
        page.blank();
        page.append(delivery::verdicts(&problem.recipients, Some(&problem.code)));
    }
    page
}

/// When to try again; `None` where trying again does not help.
pub(crate) fn retry(retry: Retry) -> Option<String> {
    match retry {
        Retry::Never => None,
        Retry::Now => Some("at once".to_owned()),
        Retry::After { delay_ms } => Some(format!("after {}", time::wait(delay_ms))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailbearer::model::ProblemKind;

    #[test]
    fn says_what_happened_why_and_what_to_do_next() {
        let problem = Problem {
            kind: ProblemKind::Consent,
            code: "smtp-auth-disabled".to_owned(),
            text: "smtp.example refused the sign-in".to_owned(),
            fix: "enable it".to_owned(),
            retry: Retry::After { delay_ms: 90_000 },
            operation: "send".to_owned(),
            answer: Some("535 5.7.139 \u{1b}[31mdisabled".to_owned()),
            reply_class: None,
            reply_scope: None,
            recipients: Vec::new(),
        };
        let shown = anstream::adapter::strip_str(&page(&problem).to_string()).to_string();
        assert_eq!(
            shown,
            "error: smtp.example refused the sign-in\n  answer  535 5.7.139 \u{FFFD}[31mdisabled\n  \
             cause   smtp-auth-disabled\n  next    enable it\n  retry   after 90 s\n"
        );
    }
}
