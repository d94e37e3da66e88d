//! Which road an account's mail takes, the checks that a road makes before anything is sent, and when the second one may be
//! taken.

use super::folder::FolderTransport;
use super::graph::GraphTransport;
use super::smtp::{asked_for, no_require_tls};
use super::verdict::{classified, not_tried};
use super::{Login, Outcome, OutgoingMail, Roads, SmtpRoute, Transport};
use crate::body::Form;
use crate::error::{Error, Result};
use crate::host::{Clock, HttpClient, Random, TlsParameters};
use crate::model::{
    Account, ConnectionSettings, ProblemKind, Route, SenderIdentity, SendingAs, Timeouts, Trail,
    Verdict,
};
use crate::provider::route::{GRAPH_MAIL_BYTES, limits};
use crate::token::TokenSource;
use mail_parser::{Address, MessageParser};
use std::sync::Arc;
use std::time::Duration;

/// What the roads of a handle share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Travel<'a> {
    pub(crate) roads: &'a Roads,
    pub(crate) http: &'a Arc<dyn HttpClient>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) random: &'a Arc<dyn Random>,
    pub(crate) tokens: &'a Arc<dyn TokenSource>,
    pub(crate) ehlo_name: Option<&'a str>,
    pub(crate) timeouts: Timeouts,
    pub(crate) connections: &'a ConnectionSettings,
}

impl Travel<'_> {
    /// Makes one attempt along the account's road.
    pub(crate) async fn send(
        &self,
        account: &Account,
        login: Login,
        mail: OutgoingMail,
    ) -> Outcome {
        let identity = identity(account, &login, &mail);
        let asked = asked_for(&mail.transfer);
        let mut outcome = match check(account, &mail) {
            Ok(()) => self.road(account, login).deliver(mail).await,
            Err(error) => not_tried(Trail::default(), &mail.recipients, error),
        };
        if !is_smtp(&account.route) {
            outcome.trail.not_offered = asked;
        }
        outcome.trail.route = account.route.kind();
        outcome.trail.identity = identity;
        classified(outcome)
    }

    fn road(&self, account: &Account, login: Login) -> Arc<dyn Transport> {
        match &account.route {
            Route::Folder { path } => Arc::new(FolderTransport {
                folder: path.into(),
                clock: self.clock.clone(),
                random: self.random.clone(),
            }),
            Route::Graph { .. } => Arc::new(self.graph(account)),
            _ => self.roads.along(self.smtp_route(account, login)),
        }
    }

    fn graph(&self, account: &Account) -> GraphTransport {
        GraphTransport {
            account: account.name.clone(),
            mailbox: account.mailbox.clone(),
            url: account.endpoints.graph_url.clone().unwrap_or_default(),
            extra_roots_pem: account.endpoints.ca_pem.as_deref().map(Arc::from),
            limit: Duration::from_millis(self.timeouts.verdict_ms),
            one_request_bytes: usize::try_from(GRAPH_MAIL_BYTES).unwrap_or(usize::MAX),
            http: self.http.clone(),
            clock: self.clock.clone(),
            tokens: self.tokens.clone(),
        }
    }

    /// The account's road, where it leads to an SMTP server.
    pub(crate) fn smtp(&self, account: &Account, login: Login) -> Option<SmtpRoute> {
        is_smtp(&account.route).then(|| self.smtp_route(account, login))
    }

    fn smtp_route(&self, account: &Account, login: Login) -> SmtpRoute {
        let user = match &account.route {
            Route::AzureCommunicationServices { username, .. } => username,
            _ => &account.mailbox,
        };
        let tls = TlsParameters {
            extra_roots_pem: account.endpoints.ca_pem.as_deref().map(Arc::from),
            identity: match &login {
                Login::Certificate(identity) => Some(identity.clone()),
                _ => None,
            },
        };
        SmtpRoute {
            account: account.name.clone(),
            host: account.endpoints.smtp_host.clone(),
            port: account.endpoints.smtp_port,
            security: account.endpoints.smtp_security,
            login,
            mailbox: user.clone(),
            ehlo_name: self.ehlo_name.map(str::to_owned),
            tls,
            timeouts: self.timeouts,
            rest: Duration::from_millis(self.connections.rest_ms),
            concurrency_wait: Duration::from_millis(self.connections.concurrency_wait_ms),
        }
    }
}

/// Whether the second road may be taken after this outcome, and why the first did not take the mail.
///
/// The whole rule: the first server certainly has nothing of the mail and did not judge it, because it could not be reached
/// or let nobody in; and what stood in the way is neither the mail, nor this machine, nor the pace. So no mail is doubled, no
/// refusal of a mail is got round, and a server that asks for a pause gets it.
pub(crate) fn passed_over(outcome: &Outcome) -> Option<&Error> {
    let error = outcome.end.as_ref().err()?;
    let is_of_the_road = matches!(
        error.kind(),
        ProblemKind::Config | ProblemKind::SignIn | ProblemKind::Consent | ProblemKind::Unavailable
    );
    let nobody_tried = outcome
        .recipients
        .iter()
        .all(|recipient| recipient.verdict == Verdict::NotTried && recipient.reply.is_none());
    (error.is_before_mail() && is_of_the_road && nobody_tried).then_some(error)
}

/// Whether a road leads to an SMTP server: others know nothing of SMTP's extensions.
fn is_smtp(route: &Route) -> bool {
    !matches!(route, Route::Folder { .. } | Route::Graph { .. })
}

/// What the road does not allow, found out before anybody is bothered. Errors: `Rejected`.
fn check(account: &Account, mail: &OutgoingMail) -> Result<()> {
    let limits = limits(&account.route)?;
    let count = mail.recipients.len();
    if let Some(most) = limits.recipients.filter(|most| count > *most) {
        return Err(Error::new(
            ProblemKind::Rejected,
            "recipient-limit",
            format!("the mail has {count} recipients, and this route takes at most {most}"),
            "split the recipients over several mails",
        ));
    }
    let size = mail.mime.size_bytes(Form::Base64);
    if let Some(most) = limits.message_bytes.filter(|most| size > *most) {
        let fix = match &account.route {
            Route::Graph {
                large_mails: false, ..
            } => {
                "set route.largeMails, which needs the permission Mail.ReadWrite as well; or send less, or a link"
            }
            _ => "send less, or a link to it; or take another route",
        };
        return Err(Error::new(
            ProblemKind::Rejected,
            "size-limit",
            format!("the mail has {size} octets, and this route takes at most {most}"),
            fix,
        ));
    }
    if mail.transfer.require_tls && !is_smtp(&account.route) {
        return Err(no_require_tls("this route"));
    }
    match &account.route {
        Route::DirectSend { domains, .. } => check_inside(account, domains, mail),
        _ => Ok(()),
    }
}

/// Direct Send goes to the tenant's own domains only.
fn check_inside(account: &Account, domains: &[String], mail: &OutgoingMail) -> Result<()> {
    let own = domain_of(&account.mailbox);
    let is_inside = |address: &String| {
        let domain = domain_of(address);
        match domains.is_empty() {
            true => domain.eq_ignore_ascii_case(own),
            false => domains.iter().any(|one| domain.eq_ignore_ascii_case(one)),
        }
    };
    let Some(outside) = mail.recipients.iter().find(|address| !is_inside(address)) else {
        return Ok(());
    };
    Err(Error::new(
        ProblemKind::Rejected,
        "recipient-outside",
        format!(
            "Direct Send reaches the tenant's own domains only, and this recipient is elsewhere: {}",
            outside.escape_debug()
        ),
        "send to recipients inside, name the domain in route.domains if it is the tenant's, or take a route that reaches others, such as `connectorRelay` or `clientSubmission`",
    ))
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// As whom the mail goes out.
fn identity(account: &Account, login: &Login, mail: &OutgoingMail) -> SenderIdentity {
    let beginning = mail.mime.beginning();
    let message = MessageParser::default().parse_headers(&beginning[..]);
    let address = |field: Option<&Address<'_>>| {
        let entry = field.and_then(Address::first);
        let address = entry.and_then(|entry| entry.address());
        address.map(str::to_owned)
    };
    let message = message.as_ref();
    let from = address(message.and_then(|message| message.from())).unwrap_or_default();
    let sender = address(message.and_then(|message| message.sender()));
    let signs_in = !matches!(account.route, Route::Folder { .. }) && *login != Login::Nobody;
    let is_mailbox = |one: &str| one.eq_ignore_ascii_case(&account.mailbox);
    let kind = match &sender {
        _ if !signs_in => SendingAs::Anonymous,
        _ if is_mailbox(&from) => SendingAs::Mailbox,
        Some(sender) if is_mailbox(sender) => SendingAs::OnBehalf,
        _ => SendingAs::AliasOrSendAs,
    };
    SenderIdentity {
        login: match signs_in {
            true => account.mailbox.clone(),
            false => String::new(),
        },
        mail_from: mail.sender.clone(),
        header_from: from,
        sender,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RecipientVerdict, ReplyClass, Retry, SmtpReply};

    const KINDS: [ProblemKind; 9] = [
        ProblemKind::Config,
        ProblemKind::SignIn,
        ProblemKind::Consent,
        ProblemKind::Rejected,
        ProblemKind::Throttled,
        ProblemKind::Unavailable,
        ProblemKind::Storage,
        ProblemKind::Misuse,
        ProblemKind::Internal,
    ];
    const VERDICTS: [Verdict; 5] = [
        Verdict::Accepted,
        Verdict::Refused,
        Verdict::Deferred,
        Verdict::Undecided,
        Verdict::NotTried,
    ];

    fn outcome(error: Option<Error>, verdicts: &[(Verdict, bool)]) -> Outcome {
        let reply = || SmtpReply {
            code: 250,
            enhanced_status: None,
            text: String::new(),
        };
        let recipient = |(verdict, replied): &(Verdict, bool)| RecipientVerdict {
            address: "b@example.com".to_owned(),
            verdict: *verdict,
            reply: replied.then(reply),
            code: String::new(),
            fix: String::new(),
            retry: Retry::Never,
            reply_class: None,
            reply_scope: None,
        };
        Outcome {
            trail: Trail::default(),
            recipients: verdicts.iter().map(recipient).collect(),
            end: error.map_or_else(|| Ok(reply()), Err),
        }
    }

    /// Every combination of what an error may be, whether it came before the mail, and two recipients' verdicts.
    #[test]
    fn the_second_road_is_taken_only_when_the_first_server_has_nothing() {
        let mut taken = Vec::new();
        for kind in KINDS {
            for before_mail in [true, false] {
                for first in VERDICTS {
                    for second in VERDICTS {
                        for replied in [true, false] {
                            let error = Error::new(kind, "x", "x", "x");
                            let error = match before_mail {
                                true => error.with_nothing_sent(),
                                false => error,
                            };
                            let outcome =
                                outcome(Some(error), &[(first, replied), (second, false)]);
                            if passed_over(&outcome).is_some() {
                                let nothing = (Verdict::NotTried, Verdict::NotTried, false, true);
                                assert_eq!((first, second, replied, before_mail), nothing);
                                taken.push(kind);
                            }
                        }
                    }
                }
            }
        }
        let roads_own = [
            ProblemKind::Config,
            ProblemKind::SignIn,
            ProblemKind::Consent,
            ProblemKind::Unavailable,
        ];
        assert_eq!(taken, roads_own);
        let accepted = outcome(None, &[(Verdict::Accepted, true)]);
        assert!(passed_over(&accepted).is_none());
    }

    fn account(route: Route) -> Account {
        let json = serde_json::json!({
            "name": "a", "mailbox": "ada@contoso.example", "cloud": "worldwide", "tenant": "", "clientId": "",
            "grant": "nothing", "endpoints": {
                "tokenUrl": "", "deviceAuthorizationUrl": null, "scopes": [], "audiences": [],
                "smtpHost": "localhost", "smtpPort": 25,
            },
        });
        Account {
            route,
            ..serde_json::from_value(json).unwrap()
        }
    }

    fn mail(header: &str, recipients: &[&str]) -> OutgoingMail {
        OutgoingMail {
            sender: "ada@contoso.example".to_owned(),
            recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
            mime: format!("{header}\r\nhello\r\n").into(),
            needs_smtputf8: false,
            eight_bit: false,
            transfer: crate::model::TransferOptions::default(),
        }
    }

    #[test]
    fn direct_send_stays_inside_the_tenants_domains() {
        let case = |domains: &[&str], recipients: &[&str], expected: Result<(), &str>| {
            let route = Route::DirectSend {
                host: None,
                port: None,
                domains: domains.iter().map(|one| (*one).to_owned()).collect(),
            };
            let checked = check(&account(route), &mail("", recipients));
            assert_eq!(
                checked.as_ref().map_err(Error::code),
                expected.as_ref().map_err(|code| *code)
            );
        };
        case(&[], &["bob@contoso.example"], Ok(()));
        case(&[], &["bob@CONTOSO.example"], Ok(()));
        case(
            &[],
            &["bob@contoso.example", "c@elsewhere.example"],
            Err("recipient-outside"),
        );
        case(&["fabrikam.example"], &["bob@fabrikam.example"], Ok(()));
        case(
            &["fabrikam.example"],
            &["bob@contoso.example"],
            Err("recipient-outside"),
        );
        case(&[], &["bob@sub.contoso.example"], Err("recipient-outside"));
    }

    #[test]
    fn limits_are_known_before_anything_is_sent() {
        let case = |route: Route, recipients: usize, size: usize, expected: Result<(), &str>| {
            let recipients = vec!["bob@contoso.example"; recipients];
            let mail = OutgoingMail {
                mime: vec![b'x'; size].into(),
                ..mail("", &recipients)
            };
            let checked = check(&account(route), &mail);
            assert_eq!(
                checked.as_ref().map_err(Error::code),
                expected.as_ref().map_err(|code| *code)
            );
        };
        let high_volume = || Route::HighVolumeEmail {
            host: None,
            port: None,
        };
        case(high_volume(), 50, 10_485_760, Ok(()));
        case(high_volume(), 51, 1, Err("recipient-limit"));
        case(high_volume(), 1, 10_485_761, Err("size-limit"));
        let graph = |large_mails| Route::Graph {
            url: None,
            large_mails,
        };
        case(graph(false), 1, 3_000_000, Ok(()));
        case(graph(false), 1, 3_000_001, Err("size-limit"));
        case(graph(true), 1, 3_000_001, Ok(()));
        case(Route::ClientSubmission, 1001, 1, Err("recipient-limit"));
        case(
            Route::Folder {
                path: String::new(),
            },
            5000,
            1,
            Ok(()),
        );
    }

    #[test]
    fn tells_as_whom_a_mail_is_sent() {
        let check = |header: &str, login: Login, expected: SendingAs| {
            let found = identity(
                &account(Route::ClientSubmission),
                &login,
                &mail(header, &[]),
            );
            assert_eq!(found.kind, expected, "{header}");
        };
        check(
            "From: ada@contoso.example\r\n",
            Login::Token,
            SendingAs::Mailbox,
        );
        check(
            "From: Ada <Ada@Contoso.example>\r\n",
            Login::Token,
            SendingAs::Mailbox,
        );
        check(
            "From: info@contoso.example\r\n",
            Login::Token,
            SendingAs::AliasOrSendAs,
        );
        let behalf = "From: info@contoso.example\r\nSender: ada@contoso.example\r\n";
        check(behalf, Login::Token, SendingAs::OnBehalf);
        let other = "From: info@contoso.example\r\nSender: bob@contoso.example\r\n";
        check(other, Login::Token, SendingAs::AliasOrSendAs);
        check(
            "From: ada@contoso.example\r\n",
            Login::Nobody,
            SendingAs::Anonymous,
        );
    }

    #[test]
    fn what_no_server_said_is_classified_by_what_it_asks_of_the_caller() {
        let check = |kind: ProblemKind, expected: Option<ReplyClass>| {
            let error = Error::new(kind, "x", "x", "x");
            let outcome = not_tried(Trail::default(), &["b@example.com".to_owned()], error);
            let outcome = classified(outcome);
            assert_eq!(outcome.recipients[0].reply_class, expected);
            assert_eq!(outcome.end.unwrap_err().problem().reply_class, expected);
        };
        check(ProblemKind::Unavailable, Some(ReplyClass::Unavailable));
        check(ProblemKind::SignIn, Some(ReplyClass::Authentication));
        check(ProblemKind::Consent, Some(ReplyClass::Authorization));
        check(ProblemKind::Rejected, Some(ReplyClass::Content));
        check(ProblemKind::Storage, None);
    }
}
