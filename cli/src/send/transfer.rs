//! What a mail asks of the servers on its way, from options.

use clap::ValueEnum;
use mailbearer::model::{DeliveryNotification, NotifyWhen, ReturnedContent, TransferOptions};

/// What is asked for.
#[derive(Debug, clap::Args)]
#[group(id = "Transfer", multiple = true)]
pub(super) struct Transfer {
    /// Have the servers write when it was delivered, failed or is late, or never [default: as they do unasked]
    #[arg(long, value_enum, value_name = "WHEN", value_delimiter = ',')]
    notify: Vec<NotifyArg>,
    /// How much of the mail comes back with a failure
    #[arg(long, value_enum, value_name = "WHAT")]
    returned: Option<ReturnedArg>,
    /// A name of your own for this mail, which such notifications repeat
    #[arg(long, value_name = "ID")]
    envelope_id: Option<String>,
    /// Send it only if every server on the way will pass it on over TLS (REQUIRETLS)
    #[arg(long)]
    require_tls: bool,
    /// Its place among other mails on the servers, from -9 to 9 (MT-PRIORITY)
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    transfer_priority: Option<i8>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NotifyArg {
    Never,
    Success,
    Failure,
    Delay,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReturnedArg {
    Full,
    Headers,
}

impl Transfer {
    /// The same as the core takes it.
    pub(super) fn options(self) -> TransferOptions {
        let notification = DeliveryNotification {
            notify: self.notify.into_iter().map(NotifyWhen::from).collect(),
            returned: self.returned.map(ReturnedContent::from),
            envelope_id: self.envelope_id,
            recipients: Vec::new(),
        };
        TransferOptions {
            notification: (notification != DeliveryNotification::default()).then_some(notification),
            require_tls: self.require_tls,
            priority: self.transfer_priority,
        }
    }
}

impl From<NotifyArg> for NotifyWhen {
    fn from(when: NotifyArg) -> Self {
        match when {
            NotifyArg::Never => Self::Never,
            NotifyArg::Success => Self::Success,
            NotifyArg::Failure => Self::Failure,
            NotifyArg::Delay => Self::Delay,
        }
    }
}

impl From<ReturnedArg> for ReturnedContent {
    fn from(returned: ReturnedArg) -> Self {
        match returned {
            ReturnedArg::Full => Self::Full,
            ReturnedArg::Headers => Self::Headers,
        }
    }
}
