//! Words and amounts of a placement.
//!
//! Words such as the ground of default are listed here again, so that a change inside of Kulanz
//! cannot change what agencies have built upon.

use std::{borrow::Cow, fmt};

use kulanz_domain::{
    account::Standing,
    event::Suppression,
    fact::{Channel, DebtorKind, DisputeOutcome, Supply},
    law::DefaultGround,
    money::{Currency, Decimal, decimals},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// Schema of every identifier.
pub(super) struct Id;

impl JsonSchema for Id {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" })
    }
}

/// Schema of a currency.
pub(super) struct Code;

impl JsonSchema for Code {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$" })
    }
}

/// An exact amount, at least zero, written with all decimals of its currency: `35.00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(Decimal);

impl Amount {
    /// `amount` with as many decimals as `currency` has.
    pub fn new(amount: Decimal, currency: Currency) -> Self {
        let mut shown = amount;
        shown.rescale(decimals(currency).unwrap_or(2).max(amount.normalize().scale()));
        Self(shown)
    }

    /// The number.
    pub const fn value(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An exact amount with all decimals of its currency, such as 35.00.",
            "type": "string",
            "pattern": "^(0|[1-9][0-9]*)([.][0-9]{1,4})?$",
        })
    }
}

/// Whether consumer protection applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Verbraucher, § 13 BGB.
    Consumer,
    /// Unternehmer, § 14 BGB.
    Business,
}

impl Kind {
    /// The word in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Business => "business",
        }
    }
}

impl From<DebtorKind> for Kind {
    fn from(kind: DebtorKind) -> Self {
        match kind {
            DebtorKind::Consumer => Self::Consumer,
            DebtorKind::Business => Self::Business,
        }
    }
}

/// What a claim is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// Payment for goods or services (Entgeltforderung).
    GoodsServices,
    /// Anything else: damages, fines, repayments.
    Other,
}

impl From<Supply> for Ground {
    fn from(supply: Supply) -> Self {
        match supply {
            Supply::GoodsServices => Self::GoodsServices,
            Supply::Other => Self::Other,
        }
    }
}

/// Kinds of fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostKind {
    /// A notice to the debtor.
    Notice,
    /// What the bank charged for a returned payment.
    ReturnedPayment,
    /// The lump sum against businesses (§ 288 (5) BGB).
    LumpSum,
}

/// Why a debtor is in default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefaultWord {
    /// The creditor declared it: refusal, served order (§ 286 (2) no. 3, 4 BGB).
    Declared,
    /// A calendar date was agreed (§ 286 (2) no. 1 BGB).
    AgreedDate,
    /// 30 days after due date and receipt (§ 286 (3) BGB).
    ThirtyDays,
    /// A notice after the due date (§ 286 (1) BGB).
    Notice,
}

impl DefaultWord {
    /// The word in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::AgreedDate => "agreed_date",
            Self::ThirtyDays => "thirty_days",
            Self::Notice => "notice",
        }
    }
}

impl From<DefaultGround> for DefaultWord {
    fn from(ground: DefaultGround) -> Self {
        match ground {
            DefaultGround::Declared => Self::Declared,
            DefaultGround::AgreedDate => Self::AgreedDate,
            DefaultGround::ThirtyDays => Self::ThirtyDays,
            DefaultGround::Notice => Self::Notice,
        }
    }
}

/// A way to reach a debtor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelWord {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
    /// Paper by post.
    Letter,
}

impl From<Channel> for ChannelWord {
    fn from(channel: Channel) -> Self {
        match channel {
            Channel::Email => Self::Email,
            Channel::Sms => Self::Sms,
            Channel::Letter => Self::Letter,
        }
    }
}

/// What is known about a message's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A gateway took it; nothing more was heard.
    AcceptedByGateway,
    /// The gateway says that it arrived.
    Delivered,
    /// It came back: it does not count as sent.
    Bounced,
    /// Nobody knows whether it left: it does not count as sent.
    Unknown,
    /// Another system sent it and says so.
    ReportedBySender,
}

/// How a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DisputeWord {
    /// Not decided.
    Open,
    /// The debtor was right.
    Upheld,
    /// The debtor was wrong.
    Rejected,
    /// A part remains owed.
    Partly,
}

/// How an arrangement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StandingWord {
    /// Runs.
    Open,
    /// Done as agreed.
    Kept,
    /// Not done.
    Broken,
}

impl From<Standing> for StandingWord {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Open => Self::Open,
            Standing::Kept => Self::Kept,
            Standing::Broken => Self::Broken,
        }
    }
}

/// Why a placement has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecallReason {
    /// Nothing is owed any more, or the creditor holds the money for it.
    Paid,
    /// The amounts changed.
    AmountsChanged,
    /// The debtor disagrees.
    Disputed,
    /// Nobody is to write to the debtor.
    OnHold,
    /// A promise or a plan runs.
    Arranged,
    /// Insolvency was opened.
    Insolvent,
    /// The debtor died.
    Deceased,
    /// A minor made the contract: whether it binds them is not known.
    MadeByMinor,
    /// The debtor's data was erased: erase it too.
    Erased,
    /// The creditor wants it back.
    Creditor,
}

impl From<Suppression> for RecallReason {
    fn from(reason: Suppression) -> Self {
        match reason {
            Suppression::Paid | Suppression::CreditCovers => Self::Paid,
            Suppression::AmountsChanged => Self::AmountsChanged,
            Suppression::Disputed => Self::Disputed,
            Suppression::OnHold => Self::OnHold,
            Suppression::Promised | Suppression::Planned => Self::Arranged,
            Suppression::Insolvent => Self::Insolvent,
            Suppression::Deceased => Self::Deceased,
            Suppression::MadeByMinor => Self::MadeByMinor,
            Suppression::Erased => Self::Erased,
            Suppression::ChannelGone
            | Suppression::Placed
            | Suppression::Person
            | Suppression::Braked
            | Suppression::ConditionFalse
            | Suppression::WentBack
            | Suppression::TimeBarred => Self::Creditor,
        }
    }
}

impl From<DisputeOutcome> for DisputeWord {
    fn from(outcome: DisputeOutcome) -> Self {
        match outcome {
            DisputeOutcome::Upheld => Self::Upheld,
            DisputeOutcome::Rejected => Self::Rejected,
            DisputeOutcome::Partly => Self::Partly,
        }
    }
}
