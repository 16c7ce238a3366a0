//! E-mail by SMTP, driven command by command: only so can be told whether a failed attempt may
//! nevertheless have been delivered. A server takes a message with its answer to the final dot;
//! before the dot left it cannot have done so, after it a missing answer means nobody knows.
//! Connections are kept for the messages that come next ([`connections`]).

mod connections;

use std::{
    fmt,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use kulanz_domain::ids::NoticeId;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
        response::{Response, Severity},
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use self::connections::{Connections, IDLE, Line};
use super::{
    Accepted, Outgoing, Pace, Recipient, Secret, SendError, Sender, SenderConfigError,
    secret::Hidden,
};
use crate::render::{Content, Document, clean};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// Not at all: for a server on the same machine.
    None,
    /// Begins in the clear and must be upgraded before anything else is said (usually port 587).
    #[default]
    Starttls,
    /// From the first byte (usually port 465).
    Implicit,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Host name, as in its certificate.
    #[schemars(example = "mail.example.org")]
    pub host: String,
    /// Port.
    #[schemars(example = 587)]
    pub port: u16,
    /// Protection.
    #[serde(default)]
    pub tls: SmtpTls,
    /// User; with it goes `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"kulanz")]
    pub user: Option<String>,
    /// Password of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = Secret::File("/run/secrets/smtp".into()))]
    pub password: Option<Secret>,
    /// Sending address where the creditor has none of its own.
    #[schemars(example = "billing@example.org")]
    pub from: String,
    /// Time for a whole attempt, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// E-mails that are on their way to it at the same time, each by a connection of its own, from each
    /// server process. Many servers take no more than 50 connections from one address.
    #[serde(default = "default_at_once")]
    pub at_once: u16,
    /// E-mails within any second, from each server process. Where left out: as many as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = 14)]
    pub per_second: Option<u32>,
    /// PEM file with further certificate authorities to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = "/etc/ssl/our-ca.pem")]
    pub extra_ca: Option<PathBuf>,
}

fn default_timeout_ms() -> u64 {
    60_000
}

fn default_at_once() -> u16 {
    32
}

/// Sends e-mail. SMTP knows no idempotency key: an attempt of unknown outcome is not repeated.
pub struct Smtp {
    config: SmtpConfig,
    from: Address,
    login: Option<(String, Hidden)>,
    tls: Option<TlsParameters>,
    hello: ClientId,
    pace: Pace,
    connections: Connections,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Smtp {
    /// Reads secret and certificates; connects to nothing yet.
    pub fn new(config: SmtpConfig) -> Result<Self, SenderConfigError> {
        let from = config
            .from
            .parse()
            .map_err(|_| SenderConfigError::setting("from", "this is not an e-mail address"))?;
        let login = match (&config.user, &config.password) {
            (Some(user), Some(password)) => Some((user.clone(), password.read()?)),
            (None, None) => None,
            _ => {
                let reason = "either both user and password or neither";
                return Err(SenderConfigError::setting("user", reason));
            }
        };
        if config.timeout_ms == 0 {
            return Err(SenderConfigError::setting("timeout_ms", "must not be 0"));
        }
        let pace = Pace::of(config.at_once, config.per_second)?;
        let local = matches!(config.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let tls = match config.tls {
            SmtpTls::None if login.is_some() && !local => {
                let reason = "a password is never sent in the clear to another machine";
                return Err(SenderConfigError::setting("tls", reason));
            }
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Implicit => Some(tls_parameters(&config)?),
        };
        let connections = Connections::new(config.at_once, IDLE);
        Ok(Self { config, from, login, tls, hello: ClientId::default(), pace, connections })
    }

    /// The same, with another time for which a connection waits for the next message; ten seconds
    /// by default.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.connections = Connections::new(self.config.at_once, idle);
        self
    }

    async fn connect(&self) -> Result<Line, SendError> {
        let server = (self.config.host.as_str(), self.config.port);
        let timeout = Some(Duration::from_millis(self.config.timeout_ms));
        let connected = match self.config.tls {
            SmtpTls::Implicit => {
                let (tls, hello) = (self.tls.clone(), &self.hello);
                AsyncSmtpConnection::connect_tokio1(server, timeout, hello, tls, None).await
            }
            SmtpTls::None | SmtpTls::Starttls => {
                // The dot leaves in a packet of its own, which is not to wait for the one before.
                let stream = TcpStream::connect(server).await;
                let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
                let stream =
                    stream.map_err(|_| SendError::busy("connecting: the connection failed"))?;
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await
            }
        };
        let mut connection = connected.map_err(|error| turned_away("connecting", &error))?;
        if self.config.tls == SmtpTls::Starttls {
            let tls = self.tls.clone().filter(|_| connection.can_starttls());
            let tls = tls.ok_or_else(|| SendError::busy("the server offers no STARTTLS"))?;
            let upgraded = connection.starttls(tls, &self.hello).await;
            upgraded.map_err(|error| turned_away("STARTTLS", &error))?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            let entered = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            // Our fault, not the address's: somebody has to correct the configuration.
            entered.map_err(|error| turned_away("signing in", &error))?;
        }
        Ok(Line::new(connection))
    }

    /// The dialogue up to the answer to the final dot, on a connection that is left in `used`. `dot`
    /// is set before the dot can leave.
    async fn deliver(
        &self,
        (from, to): (Address, Address),
        message: &[u8],
        dot: &AtomicBool,
        used: &mut Option<Line>,
    ) -> Result<Response, SendError> {
        let line = match self.connections.take().await {
            Some(line) => line,
            None => self.connect().await?,
        };
        let mut line = used.insert(line);
        let mail = |line: &Line| {
            let parameters = mail_parameters(&line.connection, &from, &to, message)?;
            Ok::<_, SendError>(Mail::new(Some(from.clone()), parameters))
        };
        let mut answer = line.say(mail(line)?).await;
        if answer.is_err() && line.wore_out() {
            // Nothing of the message had left.
            *used = None;
            line = used.insert(self.connect().await?);
            answer = line.say(mail(line)?).await;
        }
        answer.map_err(|error| not_taken("MAIL", &error))?;
        let answer = line.say(Rcpt::new(to.clone(), vec![])).await;
        answer.map_err(|error| rcpt_failed(&error))?;
        let answer = line.say(Data).await.map_err(|error| refused_or_retry("DATA", &error))?;
        if u16::from(answer.code()) != 354 {
            line.distrust();
            let code = answer.code();
            return Err(SendError::retry(format!("DATA: the server answered {code}")));
        }
        // The last byte is handed over alone: as long as it is not, the dot cannot have left.
        let (most, last) = message.split_at(message.len().saturating_sub(1));
        let pieces = [most, last].into_iter().enumerate().map(|(at, piece)| {
            dot.store(at == 1, Ordering::SeqCst);
            piece
        });
        match line.say_content(pieces).await {
            Ok(answer) if answer.code().severity == Severity::PositiveCompletion => Ok(answer),
            Ok(answer) => {
                line.distrust();
                let code = answer.code();
                Err(SendError::unknown(format!("end of message: the server answered {code}")))
            }
            Err(error) if error.status().is_some() => {
                Err(refused_or_retry("end of message", &error))
            }
            Err(error) if dot.load(Ordering::SeqCst) => {
                Err(SendError::unknown(told("no answer to the end of the message", &error)))
            }
            Err(error) => Err(not_taken("message", &error)),
        }
    }
}

#[async_trait]
impl Sender for Smtp {
    async fn send(&self, message: &Outgoing, key: &NoticeId) -> Result<Accepted, SendError> {
        let (Content::Email(document), Recipient::Email { name, address }) =
            (&message.content, &message.to)
        else {
            return Err(SendError::refused("a mail server takes e-mails to mailboxes only"));
        };
        let to: Address =
            address.parse().map_err(|_| SendError::bad_address("not an e-mail address"))?;
        let from = match &message.from.email {
            Some(own) => own
                .parse()
                .map_err(|_| SendError::refused("the creditor's address is no e-mail address"))?,
            None => self.from.clone(),
        };
        let to_mailbox = mailbox(name.as_deref(), &to);
        let bytes = compose(message, document, &from, to_mailbox, key)?;
        let dot = AtomicBool::new(false);
        let limit = Duration::from_millis(self.config.timeout_ms);
        let mut used = None;
        let attempt = self.deliver((from, to), &bytes, &dot, &mut used);
        let answer = match tokio::time::timeout(limit, attempt).await {
            Ok(ended) => ended,
            Err(_) if dot.load(Ordering::SeqCst) => {
                return Err(SendError::unknown("no answer to the end of the message in time"));
            }
            Err(_) => return Err(SendError::retry("the server did not answer in time")),
        };
        if let Some(line) = used {
            self.connections.give_back(line).await;
        }
        let gateway_id = answer?.first_line().map(clean).filter(|line| {
            // Some servers repeat the address here.
            !line.is_empty() && line.len() <= 100 && !line.contains('@')
        });
        Ok(Accepted { via: format!("smtp {}", self.config.host), gateway_id })
    }

    fn idempotent(&self) -> bool {
        false
    }

    fn pace(&self) -> Pace {
        self.pace
    }
}

fn tls_parameters(config: &SmtpConfig) -> Result<TlsParameters, SenderConfigError> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.extra_ca {
        let failed = |reason: String| SenderConfigError::Certificates {
            path: path.display().to_string(),
            reason,
        };
        let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| SenderConfigError::setting("tls", error))
}

fn mailbox(name: Option<&str>, address: &Address) -> Mailbox {
    let name = name.map(clean).filter(|name| !name.is_empty());
    Mailbox::new(name, address.clone())
}

fn compose(
    message: &Outgoing,
    document: &Document,
    from: &Address,
    to: Mailbox,
    key: &NoticeId,
) -> Result<Vec<u8>, SendError> {
    let mut builder = Message::builder()
        .message_id(Some(format!("<{key}@{}>", from.domain())))
        .date(SystemTime::from(message.date))
        .from(mailbox(Some(&message.from.name), from))
        .to(to)
        .subject(clean(&document.subject))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    if let Some(answers) = &message.from.reply_to {
        let answers: Address = answers
            .parse()
            .map_err(|_| SendError::refused("the creditor's reply address is no e-mail address"))?;
        builder = builder.reply_to(mailbox(Some(&message.from.name), &answers));
    }
    let (text, html) = (document.text.clone(), document.html.clone());
    builder
        .multipart(MultiPart::alternative_plain_html(text, html))
        .map(|message| message.formatted())
        .map_err(|_| SendError::refused("the e-mail cannot be composed"))
}

fn mail_parameters(
    connection: &AsyncSmtpConnection,
    from: &Address,
    to: &Address,
    message: &[u8],
) -> Result<Vec<MailParameter>, SendError> {
    let server = connection.server_info();
    let mut parameters = Vec::new();
    let ascii = [from, to].iter().all(|address| AsRef::<str>::as_ref(address).is_ascii());
    if !ascii {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(SendError::refused("the server takes no address with such characters"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !message.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err(SendError::refused("the server takes no 8 bit message"));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

/// Before the end of the message left: the server cannot have taken it. Some codes say that it takes
/// nothing from us just now: 421 closes the connection, 432 and 454 are what large providers say to
/// who sends too much, and 4.3.x means the server itself (RFC 3463).
fn not_taken(stage: &str, error: &SmtpError) -> SendError {
    let closes = matches!(error.status().map(u16::from), Some(421 | 432 | 454));
    match closes || enhanced(error).is_some_and(|code| code.starts_with("4.3.")) {
        true => turned_away(stage, error),
        false => SendError::retry(told(stage, error)),
    }
}

/// It takes nothing: the next message would hear the same.
fn turned_away(stage: &str, error: &SmtpError) -> SendError {
    SendError::busy(told(stage, error))
}

/// An answer of the server: 4xx for now, 5xx for good.
fn refused_or_retry(stage: &str, error: &SmtpError) -> SendError {
    if error.is_permanent() {
        SendError::refused(told(stage, error))
    } else {
        not_taken(stage, error)
    }
}

/// 5xx to RCPT refuses for good. The address is bad if the enhanced code says so (5.1.x: bad
/// mailbox or domain; 5.2.1: mailbox disabled; RFC 3463) or, without one, the plain code does.
fn rcpt_failed(error: &SmtpError) -> SendError {
    if !error.is_permanent() {
        return not_taken("RCPT", error);
    }
    let reason = told("RCPT", error);
    let address_bad = match enhanced(error) {
        Some(code) => code.starts_with("5.1.") || code == "5.2.1",
        None => matches!(error.status().map(u16::from), Some(550 | 551 | 553)),
    };
    SendError::Refused { reason, address_bad }
}

/// Stage and codes. The server's own words are left out: they may repeat the address.
fn told(stage: &str, error: &SmtpError) -> String {
    match (error.status(), enhanced(error)) {
        (Some(code), Some(enhanced)) => format!("{stage}: the server answered {code} {enhanced}"),
        (Some(code), None) => format!("{stage}: the server answered {code}"),
        _ if error.is_timeout() => format!("{stage}: timed out"),
        _ if error.is_tls() => format!("{stage}: the TLS handshake failed"),
        _ if error.is_response() => {
            format!("{stage}: the server answered nothing that can be understood")
        }
        _ => format!("{stage}: the connection failed"),
    }
}

/// The enhanced status code (RFC 3463) at the beginning of an answer: `5.1.1`.
fn enhanced(error: &SmtpError) -> Option<String> {
    error.status()?;
    let said = std::error::Error::source(error)?.to_string();
    let first = said.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let digits = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    (parts.len() == 3 && parts.iter().all(digits)).then(|| first.to_owned())
}
