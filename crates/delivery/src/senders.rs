//! Senders: what takes a finished message to a mail server or gateway and says how that ended.
//!
//! The three ways to fail differ in what may be done next, so they are told apart with care:
//! refused for good, certainly not taken, and outcome unknown because bytes may have left. No
//! error, `Debug` output or log line names the recipient or quotes what a server said, since
//! servers like to repeat addresses.

mod secret;
mod sms_gateway;
mod smtp;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, NoticeId, StepName},
};
use thiserror::Error;

pub use self::{
    secret::Secret,
    sms_gateway::{SmsGateway, SmsGatewayConfig, default_body},
    smtp::{Smtp, SmtpConfig, SmtpTls},
};
use crate::render::Content;

/// A finished message on its way out.
#[derive(Clone)]
pub struct Outgoing {
    /// Whose.
    pub account: AccountId,
    /// Step of the ladder; `None` for answers to a debtor's own request.
    pub step: Option<StepName>,
    /// To whom.
    pub to: Recipient,
    /// In whose name.
    pub from: Origin,
    /// What.
    pub content: Content,
    /// The creditor's reference, for the gateway's records and bills; never the debtor's name.
    pub reference: String,
    /// The time that the message bears.
    pub date: Timestamp,
}

/// Where a message goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A mailbox.
    Email {
        /// Name shown beside the address, where known.
        name: Option<String>,
        /// Address.
        address: String,
    },
    /// A mobile number in E.164 form, `+49151…`.
    Mobile(String),
}

/// In whose name a message goes. What is `None` is taken from the sender's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The creditor's name.
    pub name: String,
    /// The creditor's own sending address.
    pub email: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Sender shown on a mobile.
    pub sms: Option<String>,
}

/// A gateway took the message: from here on the step has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What took it, such as `smtp mail.example` or `outbox page`.
    pub via: String,
    /// The gateway's own id, to match its receipts by.
    pub gateway_id: Option<String>,
}

/// How an attempt failed. `reason` is free of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// Refused for good and not taken: the message is undeliverable by this channel.
    #[error("refused: {reason}")]
    Refused {
        /// What was said.
        reason: String,
        /// The address itself is bad and is not to be used again; otherwise it may still be good.
        address_bad: bool,
    },
    /// Certainly not taken, or taken at most once under the same key: try again later.
    #[error("not taken: {reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// The gateway asked to wait at least this long.
        after: Option<Duration>,
        /// It may have been taken: whatever comes later, it is not told as not sent.
        may_have_left: bool,
        /// It has nothing to do with this message: the gateway is away or has enough, and others
        /// would hear the same. None is given to it for `after`, or for a while.
        busy: bool,
    },
    /// Bytes may have left and no answer came: it may have been delivered. Never sent again by
    /// itself.
    #[error("outcome unknown: {reason}")]
    Unknown {
        /// What happened.
        reason: String,
    },
}

impl SendError {
    fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None, may_have_left: false, busy: false }
    }

    /// The gateway takes nothing from anybody just now.
    fn busy(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None, may_have_left: false, busy: true }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), address_bad: false }
    }

    fn bad_address(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), address_bad: true }
    }

    fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}

/// What is wrong with a sender's configuration.
#[derive(Debug, Error)]
pub enum SenderConfigError {
    /// A secret cannot be read.
    #[error("the secret in {place} cannot be read: {reason}")]
    Secret {
        /// `environment variable NAME` or `file PATH`.
        place: String,
        /// Why.
        reason: String,
    },
    /// A file with certificates cannot be used.
    #[error("the certificates in {path} cannot be used: {reason}")]
    Certificates {
        /// File.
        path: String,
        /// Why.
        reason: String,
    },
    /// A setting does not make sense.
    #[error("{setting}: {reason}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl SenderConfigError {
    fn setting(setting: &'static str, reason: impl fmt::Display) -> Self {
        Self::Setting { setting, reason: reason.to_string() }
    }
}

/// TLS of this process is done by ring: whoever builds an HTTP client calls this before.
pub fn use_ring() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
}

/// How much is given to a gateway, by each process that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages that are on their way at the same time.
    pub at_once: u16,
    /// Messages within any second; `None`: as many as it takes.
    pub per_second: Option<NonZeroU32>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { at_once: 64, per_second: None }
    }
}

impl Pace {
    /// As in a gateway's configuration, where 0 is an oversight.
    fn of(at_once: u16, per_second: Option<u32>) -> Result<Self, SenderConfigError> {
        if at_once == 0 {
            return Err(SenderConfigError::setting("at_once", "must not be 0"));
        }
        let per_second = match per_second.map(NonZeroU32::new) {
            Some(None) => {
                let reason = "must not be 0; leave it out for no limit";
                return Err(SenderConfigError::setting("per_second", reason));
            }
            given => given.flatten(),
        };
        Ok(Self { at_once, per_second })
    }
}

/// Takes messages to where they are delivered from.
#[async_trait]
pub trait Sender: Send + Sync {
    /// One attempt. `key` is the same for all attempts of a notice.
    async fn send(&self, message: &Outgoing, key: &NoticeId) -> Result<Accepted, SendError>;

    /// Whether a second attempt under the same key is certain not to be a second message.
    fn idempotent(&self) -> bool;

    /// How much it is given.
    fn pace(&self) -> Pace {
        Pace::default()
    }
}

/// What takes the messages of each channel, and those of creditors that have a gateway of their own.
#[derive(Default)]
pub struct Senders {
    ours: BTreeMap<Channel, Arc<dyn Sender>>,
    own: HashMap<(CreditorId, Channel), Arc<dyn Sender>>,
}

impl Senders {
    /// Has `sender` take what `creditor` says by this channel, instead of ours.
    pub fn set_own(&mut self, creditor: CreditorId, channel: Channel, sender: Arc<dyn Sender>) {
        self.own.insert((creditor, channel), sender);
    }

    /// What takes the messages of a creditor by a channel.
    pub fn of(&self, creditor: &CreditorId, channel: Channel) -> Option<&Arc<dyn Sender>> {
        self.own.get(&(creditor.clone(), channel)).or_else(|| self.ours.get(&channel))
    }

    /// Whether a creditor has a gateway of its own for a channel.
    pub(crate) fn is_own(&self, creditor: &CreditorId, channel: Channel) -> bool {
        self.own.contains_key(&(creditor.clone(), channel))
    }

    /// How much is given to ours for a channel, or, without one, to gateways of creditors' own.
    pub(crate) fn pace(&self, channel: Option<Channel>) -> Pace {
        let sender = match channel {
            Some(channel) => self.ours.get(&channel),
            None => self.own.values().next(),
        };
        sender.map_or_else(Pace::default, |sender| sender.pace())
    }

    /// What takes the messages of a creditor by a channel, where it is ours.
    pub fn ours(&self, creditor: &CreditorId, channel: Channel) -> Option<&Arc<dyn Sender>> {
        self.ours.get(&channel).filter(|_| !self.is_own(creditor, channel))
    }
}

impl From<BTreeMap<Channel, Arc<dyn Sender>>> for Senders {
    fn from(ours: BTreeMap<Channel, Arc<dyn Sender>>) -> Self {
        Self { ours, own: HashMap::new() }
    }
}

/// Stands in where no gateway is configured: the message can be read on the outbox page and goes
/// nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutboxPage;

#[async_trait]
impl Sender for OutboxPage {
    async fn send(&self, _: &Outgoing, _: &NoticeId) -> Result<Accepted, SendError> {
        Ok(Accepted { via: "outbox page".to_owned(), gateway_id: None })
    }

    fn idempotent(&self) -> bool {
        true
    }
}

impl fmt::Debug for Outgoing {
    /// Without recipient and content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("to", &self.to).field("date", &self.date).finish()
    }
}

impl fmt::Debug for Recipient {
    /// The kind alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email { .. } => "Email(…)",
            Self::Mobile(_) => "Mobile(…)",
        })
    }
}
