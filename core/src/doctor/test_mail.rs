//! The mail that is sent to see whether mail arrives, and what to look at afterwards. Pure: sending is the handle's.

use crate::model::{Account, Address, Delivery, Message, TestMail, Verdict};

/// A test mail. Its nonce stands in the subject, where every mailbox can be searched for it.
pub(crate) fn message(order: &TestMail, account: &Account, nonce: &str) -> Message {
    let to = match order.to.as_slice() {
        [] => std::slice::from_ref(&account.mailbox),
        to => to,
    };
    let to = to.iter().map(|address| Address {
        address: address.clone(),
        name: None,
    });
    Message {
        account: account.name.clone(),
        to: to.collect(),
        subject: format!("Test of mail delivery {nonce}"),
        text: Some(format!(
            "This mail was sent by Mailbearer to see whether mail from {} arrives.\n\
             It needs no answer. Its mark is {nonce}.\n",
            account.mailbox
        )),
        ..Message::default()
    }
}

/// What to look at after a test mail, by what the server said of it.
pub(crate) fn next_steps(delivery: &Delivery, nonce: &str) -> Vec<String> {
    let has = |verdict: Verdict| {
        delivery
            .recipients
            .iter()
            .any(|recipient| recipient.verdict == verdict)
    };
    let mut steps = Vec::new();
    if has(Verdict::Accepted) {
        let id = delivery.server_message_id.as_ref();
        let id = id.unwrap_or(&delivery.message_id);
        steps.extend([
            format!("look for {nonce} in the recipient's inbox, then in Junk Email, within five minutes"),
            format!("if it is in neither, ask the message trace of the Exchange admin center, or Get-MessageTraceV2 -MessageId \"<{id}>\": it says delivered, filtered as spam, quarantined or failed"),
            "in the mail's Authentication-Results header field, spf, dkim and dmarc must each say pass".to_owned(),
            "look into the sender's inbox for a non-delivery report".to_owned(),
        ]);
    }
    if has(Verdict::Refused) || has(Verdict::Deferred) {
        steps.push(
            "mend what the server said of the recipients it did not take, and test again"
                .to_owned(),
        );
    }
    steps
}
