//! Why an event was not taken: one precise fault, told without any personal value.

use std::{borrow::Cow, fmt};

use kulanz_domain::ids::AccountId;
use serde::Serialize;

/// The kind of fault; its [`name`](Reason::name) is the `kulanz_reason` of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not JSON, not UTF-8, or nested too deeply.
    Malformed,
    /// A `type` that is none of the published ones.
    UnknownType,
    /// More bytes than [`MAX_EVENT_BYTES`](crate::MAX_EVENT_BYTES).
    TooLarge,
    /// JSON, but against a rule of the contract.
    Invalid,
    /// On another topic than the contract names for its type.
    WrongTopic,
    /// Under another key than its account.
    WrongKey,
    /// It may be well: looking at it made the program panic.
    Fault,
}

impl Reason {
    /// The word used in files and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown_type",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::WrongTopic => "wrong_topic",
            Self::WrongKey => "wrong_key",
            Self::Fault => "fault",
        }
    }
}

/// An event that breaks the contract. The first fault that is met is told; values of members are
/// never repeated, since a wrong member may hold a name or a bank account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// Kind of fault.
    pub reason: Reason,
    /// JSON pointer (RFC 6901) into the structured form of the event; empty: the event as a whole.
    pub pointer: String,
    /// What is wrong and what would be right, as a fragment in lower case.
    pub sentence: String,
    /// The CloudEvents `id`, where it could be told.
    pub event: Option<String>,
    /// The account, where the subject could be told: its key can seal the dead letter.
    pub account: Option<AccountId>,
}

impl Rejection {
    /// A fault at `pointer` of an event whose id and account are not (yet) known.
    pub fn new(reason: Reason, pointer: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self {
            reason,
            pointer: pointer.into(),
            sentence: sentence.into(),
            event: None,
            account: None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.sentence)
        } else {
            write!(f, "{}: {}", self.pointer, self.sentence)
        }
    }
}

impl std::error::Error for Rejection {}

/// A fault that was found after all members had been read, at a member of `data`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Member of `data`.
    pub member: &'static str,
    /// As in [`Rejection::sentence`].
    pub sentence: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(member: &'static str, sentence: impl Into<Cow<'static, str>>) -> Self {
        Self { member, sentence: sentence.into() }
    }
}
