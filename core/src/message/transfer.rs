//! What a mail asks of the servers on its way, checked, with recipients as they stand in the envelope.
//! Whether a server offers it is the transport's to see.

use super::address::MailAddress;
use super::one_line::refuse_controls;
use super::refusal::rejected;
use crate::error::Result;
use crate::model::{DeliveryNotification, NotifyWhen, RecipientNotification, TransferOptions};

/// Takes the options of a mail for these recipients. Errors: `Rejected`, by the name of the field.
pub(super) fn checked(options: &TransferOptions, recipients: &[String]) -> Result<TransferOptions> {
    if options
        .priority
        .is_some_and(|priority| !(-9..=9).contains(&priority))
    {
        return Err(rejected(
            "priority-out-of-range",
            "transfer.priority is not between -9 and 9",
            "give transfer.priority from -9 to 9, or leave it out",
        ));
    }
    let notification = options.notification.as_ref();
    Ok(TransferOptions {
        notification: notification
            .map(|given| notification_checked(given, recipients))
            .transpose()?,
        ..options.clone()
    })
}

fn notification_checked(
    given: &DeliveryNotification,
    recipients: &[String],
) -> Result<DeliveryNotification> {
    if let Some(id) = &given.envelope_id {
        check_envelope_id(id)?;
    }
    let own = given.recipients.iter().enumerate();
    Ok(DeliveryNotification {
        notify: in_order("transfer.notification.notify", &given.notify)?,
        recipients: own
            .map(|(index, own)| recipient(index, own, recipients))
            .collect::<Result<_>>()?,
        ..given.clone()
    })
}

fn recipient(
    index: usize,
    own: &RecipientNotification,
    recipients: &[String],
) -> Result<RecipientNotification> {
    let field = format!("transfer.notification.recipients[{index}]");
    let address = MailAddress::parse(&format!("{field}.address"), &own.address)?.to_string();
    if !recipients.contains(&address) {
        return Err(rejected(
            "notification-for-nobody",
            format!("{field}.address is no recipient of the mail"),
            format!(
                "give {field}.address as it stands among the recipients, or leave the entry out"
            ),
        ));
    }
    Ok(RecipientNotification {
        address,
        notify: in_order(&format!("{field}.notify"), &own.notify)?,
    })
}

/// Each once.
fn in_order(field: &str, given: &[NotifyWhen]) -> Result<Vec<NotifyWhen>> {
    let mut notify = given.to_vec();
    notify.sort_unstable();
    notify.dedup();
    if notify.contains(&NotifyWhen::Never) && notify.len() > 1 {
        return Err(rejected(
            "notify-never-stands-alone",
            format!("{field} has never beside something else"),
            format!("give {field} never alone, or without it"),
        ));
    }
    Ok(notify)
}

fn check_envelope_id(id: &str) -> Result<()> {
    let field = "transfer.notification.envelopeId";
    refuse_controls(field, id)?;
    let is_printable = id.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    let escaped = id.bytes().filter(|octet| b"+= ".contains(octet)).count();
    if is_printable && (1..=100).contains(&(id.len() + 2 * escaped)) {
        return Ok(());
    }
    Err(rejected(
        "invalid-envelope-id",
        format!("{field} is not 1 to 100 printable ASCII characters as it is sent"),
        format!("shorten {field}, keep it to ASCII, or leave it out"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(notification: DeliveryNotification) -> TransferOptions {
        TransferOptions {
            notification: Some(notification),
            ..TransferOptions::default()
        }
    }

    fn check_refused(options: &TransferOptions, code: &str, field: &str) {
        let error = checked(options, &["b@xn--nda.example".to_owned()]).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.to_string().starts_with(field), "{error}");
    }

    #[test]
    fn names_recipients_as_the_envelope_does_and_each_case_once() {
        let given = asking(DeliveryNotification {
            notify: vec![NotifyWhen::Delay, NotifyWhen::Failure, NotifyWhen::Delay],
            recipients: vec![RecipientNotification {
                address: "b@\u{d6}.example".to_owned(),
                notify: vec![NotifyWhen::Never],
            }],
            ..DeliveryNotification::default()
        });
        let taken = checked(&given, &["b@xn--nda.example".to_owned()]).unwrap();
        let taken = taken.notification.unwrap();
        assert_eq!(taken.notify, [NotifyWhen::Failure, NotifyWhen::Delay]);
        assert_eq!(taken.recipients[0].address, "b@xn--nda.example");
    }

    #[test]
    fn refuses_by_the_name_of_the_field() {
        let priority = |priority| TransferOptions {
            priority: Some(priority),
            ..TransferOptions::default()
        };
        assert!(checked(&priority(-9), &[]).is_ok() && checked(&priority(9), &[]).is_ok());
        check_refused(&priority(10), "priority-out-of-range", "transfer.priority ");
        check_refused(
            &priority(-10),
            "priority-out-of-range",
            "transfer.priority ",
        );

        let both = vec![NotifyWhen::Never, NotifyWhen::Failure];
        let code = "notify-never-stands-alone";
        let notify = DeliveryNotification {
            notify: both.clone(),
            ..DeliveryNotification::default()
        };
        check_refused(&asking(notify), code, "transfer.notification.notify ");
        let own = |address: &str, notify| {
            asking(DeliveryNotification {
                recipients: vec![RecipientNotification {
                    address: address.to_owned(),
                    notify,
                }],
                ..DeliveryNotification::default()
            })
        };
        let field = "transfer.notification.recipients[0]";
        check_refused(
            &own("b@\u{d6}.example", both),
            code,
            &format!("{field}.notify "),
        );
        let address = format!("{field}.address ");
        check_refused(
            &own("c@d.example", vec![]),
            "notification-for-nobody",
            &address,
        );
        check_refused(&own("c", vec![]), "invalid-address", &address);
    }

    #[test]
    fn takes_an_envelope_id_that_fits_the_command() {
        fn check(id: &str, expected: Option<&str>) {
            let found = check_envelope_id(id).map_err(|error| error.code().to_owned());
            assert_eq!(found.err().as_deref(), expected, "{id:?}");
        }
        let invalid = Some("invalid-envelope-id");
        check("order 7+8=15", None);
        check(&"x".repeat(100), None);
        check(&"x".repeat(101), invalid);
        check(&"+".repeat(33), None);
        check(&"+".repeat(34), invalid);
        check("", invalid);
        check("gr\u{fc}n", invalid);
        check("a\r\nRSET", Some("header-injection"));
    }
}
