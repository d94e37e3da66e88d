//! A mail from options: addresses, texts, attachments and header fields as the command line writes them.
//! Whether they make a mail that can be sent is the core's to say.

use crate::input;
use mailbearer::Result;
use mailbearer::model::{Address, Attachment, Content, Header, ListUnsubscribe, Message, Priority};
use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

/// What the mail is made of.
#[derive(Debug, clap::Args)]
#[group(id = "Composition", multiple = true)]
pub(super) struct Composition {
    /// Reply-To; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    reply_to: Vec<Address>,
    /// Cc; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    cc: Vec<Address>,
    /// A recipient named in no header field; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    bcc: Vec<Address>,
    /// The subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// The plain text [default: standard input, when there is no HTML either]
    #[arg(long)]
    text: Option<String>,
    /// The HTML part
    #[arg(long)]
    html: Option<String>,
    /// Read the HTML part from this file, or from standard input for `-`
    #[arg(long, value_name = "FILE", conflicts_with = "html")]
    html_file: Option<PathBuf>,
    /// Attach this file; may be repeated
    #[arg(long, value_name = "FILE")]
    attach: Vec<String>,
    /// Put this image into the HTML, where it says src="cid:ID"; may be repeated
    #[arg(long, value_name = "ID=FILE", value_parser = inline)]
    inline: Vec<Attachment>,
    /// A header field of your own, such as "X-Case: 4711"; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<Header>,
    /// How urgent it is
    #[arg(long, value_enum)]
    priority: Option<PriorityArg>,
    /// The https address that unsubscribes with one click (RFC 8058)
    #[arg(long, value_name = "URL")]
    unsubscribe_url: Option<String>,
    /// The address that unsubscribes by mail
    #[arg(long, value_name = "ADDRESS")]
    unsubscribe_address: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum PriorityArg {
    High,
    Normal,
    Low,
}

impl Composition {
    /// The mail as the core takes it. Reads standard input when nothing else says what the text is.
    pub(super) fn message(
        self,
        account: String,
        from: Option<Address>,
        to: Vec<Address>,
    ) -> Result<Message> {
        let text = if self.lacks_body() {
            input::piped_text("the text")?
        } else {
            self.text
        };
        let html_file = self.html_file.map(|path| input::text(&path, "the HTML"));
        let attached = self.attach.into_iter().map(attachment);
        let unsubscribe = ListUnsubscribe {
            url: self.unsubscribe_url,
            address: self.unsubscribe_address,
        };
        Ok(Message {
            account,
            sender: from,
            reply_to: self.reply_to,
            to,
            cc: self.cc,
            bcc: self.bcc,
            subject: self.subject.unwrap_or_default(),
            text,
            html: self.html.or(html_file.transpose()?),
            attachments: self.inline.into_iter().chain(attached).collect(),
            headers: self.header,
            priority: self.priority.map(Priority::from),
            list_unsubscribe: (unsubscribe != ListUnsubscribe::default()).then_some(unsubscribe),
            ..Message::default()
        })
    }

    /// Whether standard input is part of the mail.
    pub(super) fn reads_stdin(&self) -> bool {
        let is_html_piped = self.html_file.as_deref().is_some_and(input::is_stdin);
        is_html_piped || (self.lacks_body() && !stdin().is_terminal())
    }

    fn lacks_body(&self) -> bool {
        self.text.is_none() && self.html.is_none() && self.html_file.is_none()
    }
}

impl From<PriorityArg> for Priority {
    fn from(priority: PriorityArg) -> Self {
        match priority {
            PriorityArg::High => Self::High,
            PriorityArg::Normal => Self::Normal,
            PriorityArg::Low => Self::Low,
        }
    }
}

/// Reads `ada@contoso.example` or `Ada Lovelace <ada@contoso.example>`.
pub(super) fn address(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let Some((name, rest)) = text.rsplit_once('<') else {
        return Ok(Address {
            address: text.to_owned(),
            name: None,
        });
    };
    let address = rest.strip_suffix('>').ok_or("expected `Name <address>`")?;
    let name = name.trim();
    let unquoted = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    let name = unquoted.unwrap_or(name);
    Ok(Address {
        address: address.trim().to_owned(),
        name: (!name.is_empty()).then(|| name.to_owned()),
    })
}

fn inline(text: &str) -> Result<Attachment, String> {
    match text.split_once('=') {
        Some((id, path)) if !id.is_empty() && !path.is_empty() => Ok(Attachment {
            content_id: Some(id.to_owned()),
            ..attachment(path.to_owned())
        }),
        _ => Err("expected ID=FILE".to_owned()),
    }
}

fn attachment(path: String) -> Attachment {
    Attachment {
        name: None,
        content_type: None,
        content_id: None,
        content: Content::File { path },
    }
}

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    Ok(Header {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_and_without_a_name() {
        fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
            let read = address(text).ok();
            let expected = expected.map(|(address, name)| Address {
                address: address.to_owned(),
                name: name.map(str::to_owned),
            });
            assert_eq!(read, expected, "{text}");
        }
        check("ada@contoso.example", Some(("ada@contoso.example", None)));
        check(
            " <ada@contoso.example> ",
            Some(("ada@contoso.example", None)),
        );
        check("Ada <ada@a.example>", Some(("ada@a.example", Some("Ada"))));
        check(
            r#""Lovelace, Ada" <ada@a.example>"#,
            Some(("ada@a.example", Some("Lovelace, Ada"))),
        );
        check("Ada <ada@a.example", None);
    }

    #[test]
    fn reads_header_fields_and_inline_images() {
        assert_eq!(header("X-Case: 47:11").unwrap().value, "47:11");
        assert!(header("X-Case").is_err());
        let image = inline("logo=images/logo=1.png").unwrap();
        assert_eq!(image.content_id.as_deref(), Some("logo"));
        assert_eq!(
            image.content,
            Content::File {
                path: "images/logo=1.png".to_owned()
            }
        );
        assert!(inline("=logo.png").is_err());
    }
}
