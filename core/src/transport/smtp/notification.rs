//! What asks for notifications (DSN, RFC 3461), as parameters of MAIL and RCPT that no value can end or add to.

use crate::model::{DeliveryNotification, NotifyWhen, ReturnedContent};
use std::fmt::Write as _;

/// The parameters of MAIL (RFC 3461 sections 4.3 and 4.4).
pub(super) fn mail_parameters(asked: &DeliveryNotification) -> impl Iterator<Item = String> {
    let returned = asked.returned.map(|returned| match returned {
        ReturnedContent::Full => "RET=FULL".to_owned(),
        ReturnedContent::Headers => "RET=HDRS".to_owned(),
    });
    let id = asked.envelope_id.as_deref();
    let id = id.map(|id| format!("ENVID={}", xtext(id)));
    returned.into_iter().chain(id)
}

/// The parameters of RCPT for this recipient, each behind a blank (RFC 3461 sections 4.1 and 4.2).
pub(super) fn recipient_parameters(asked: &DeliveryNotification, address: &str) -> String {
    let mut own = asked.recipients.iter();
    let own = own.find(|own| own.address == address);
    let notify = own.map_or(&asked.notify, |own| &own.notify);
    let notify: Vec<_> = notify.iter().map(|when| word(*when)).collect();
    let notify = match notify.is_empty() {
        true => String::new(),
        false => format!(" NOTIFY={}", notify.join(",")),
    };
    format!("{notify} ORCPT={}", original(address))
}

fn word(when: NotifyWhen) -> &'static str {
    match when {
        NotifyWhen::Never => "NEVER",
        NotifyWhen::Success => "SUCCESS",
        NotifyWhen::Failure => "FAILURE",
        NotifyWhen::Delay => "DELAY",
    }
}

/// An address with its type. One beyond ASCII is written in the form that every server on the way can pass on (RFC 6533
/// section 3), even where the next one takes UTF-8.
fn original(address: &str) -> String {
    match address.is_ascii() {
        true => format!("rfc822;{}", xtext(address)),
        false => format!("utf-8;{}", utf8_xtext(address)),
    }
}

/// RFC 3461 section 4.
fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if !b"+=".contains(&octet) => encoded.push(char::from(octet)),
            _ => write!(encoded, "+{octet:02X}").expect("a String has room for every text"),
        }
    }
    encoded
}

/// RFC 6533 section 3, `utf-8-addr-xtext`.
fn utf8_xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(2 * text.len());
    for character in text.chars() {
        match character {
            '!'..='~' if !r"+=\".contains(character) => encoded.push(character),
            _ => write!(encoded, r"\x{{{:02X}}}", u32::from(character))
                .expect("a String has room for every text"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecipientNotification;
    use proptest::prelude::*;

    #[test]
    fn asks_for_the_message_and_for_each_recipient() {
        let asked = DeliveryNotification {
            notify: vec![NotifyWhen::Failure, NotifyWhen::Delay],
            returned: Some(ReturnedContent::Headers),
            envelope_id: Some("order 7+8".to_owned()),
            recipients: vec![RecipientNotification {
                address: "c@d.example".to_owned(),
                notify: vec![NotifyWhen::Never],
            }],
        };
        let of_mail: Vec<_> = mail_parameters(&asked).collect();
        assert_eq!(of_mail, ["RET=HDRS", "ENVID=order+207+2B8"]);
        let check = |address, expected| assert_eq!(recipient_parameters(&asked, address), expected);
        check(
            "a+b@d.example",
            " NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@d.example",
        );
        check("c@d.example", " NOTIFY=NEVER ORCPT=rfc822;c@d.example");
        let utf8 = r" NOTIFY=FAILURE,DELAY ORCPT=utf-8;j\x{FC}r\x{2B}g\x{1F600}@d.example";
        check("j\u{fc}r+g\u{1f600}@d.example", utf8);
        let nothing = DeliveryNotification::default();
        assert_eq!(mail_parameters(&nothing).count(), 0);
        assert_eq!(recipient_parameters(&nothing, "a@b"), " ORCPT=rfc822;a@b");
    }

    proptest! {
        #[test]
        fn no_value_is_more_than_one_word(text in any::<String>()) {
            for encoded in [xtext(&text), utf8_xtext(&text)] {
                prop_assert!(encoded.bytes().all(|octet| matches!(octet, b'!'..=b'~') && octet != b'='));
            }
        }
    }
}
