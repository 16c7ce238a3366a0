//! What the larger events carry, and why something decided came to its end.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    calendar::Span,
    fact::*,
    ids::*,
    money::{Currency, Decimal},
    policy::{ArmTaken, PlanTerms, PolicyRef},
};

/// A part of a payment used for a part of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Allocation {
    /// Claim.
    pub invoice: InvoiceId,
    /// Part of it.
    pub part: Part,
    /// Amount in the payment's currency.
    pub amount: Decimal,
}

/// A rate of an instalment plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rate {
    /// Last day.
    pub due_on: Date,
    /// Amount.
    pub amount: Decimal,
}

/// A message as decided, with all that it was based on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoticeDecided {
    /// Id, also the idempotency key at the gateway.
    pub notice: NoticeId,
    /// Policy in force.
    pub policy: PolicyRef,
    /// Arms of its experiments that the account was in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmTaken>,
    /// The highest step among the claims: its text is sent.
    pub step: StepName,
    /// What that step does: `reminder`, `mahnung` …
    pub kind: String,
    /// Name of the text.
    pub text: String,
    /// Persona and the condition that matched.
    pub persona: PersonaName,
    /// Source of the persona's condition; absent: the one that always matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona_because: Option<String>,
    /// Language.
    pub language: String,
    /// Tone.
    pub tone: String,
    /// Channel.
    pub channel: Channel,
    /// Channels that stood before it and why they could not serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<(Channel, ChannelGap)>,
    /// Ways to pay in order.
    pub pay_with: Vec<PayWith>,
    /// Currency of all amounts.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub currency: Currency,
    /// Claims with what was open, each with its own step.
    pub claims: Vec<NoticeClaim>,
    /// Fee that the sending charges, on which claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<(InvoiceId, Decimal)>,
    /// Lump sums that the sending charges, by claim (§ 288 (5) BGB).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lump_sums: Vec<(InvoiceId, Decimal)>,
    /// The day up to which the interest of its claims was counted; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest_to: Option<Date>,
    /// How long the debtor is given, counted from the sending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// What persons decided differently for the account or the claims, as far as it bears on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideId>,
    /// Plans that it offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanTerms>,
    /// The day on which it could have gone first, where that had passed: after an outage above
    /// all. An account gets one message at most on a day on which one of them is late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_since: Option<Date>,
    /// When it was decided.
    pub at: Timestamp,
}

/// A claim in a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NoticeClaim {
    /// Claim.
    pub invoice: InvoiceId,
    /// The step it takes.
    pub step: StepName,
    /// Principal open at the decision.
    pub principal: Decimal,
    /// Fees open at the decision, without the one of this notice.
    pub fees: Decimal,
    /// Interest open at the decision.
    #[serde(default, skip_serializing_if = "Decimal::is_zero")]
    pub interest: Decimal,
    /// Sending it starts default, which has not begun otherwise (§ 286 (1) BGB).
    #[serde(default, skip_serializing_if = "is_false")]
    pub starts_default: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Why a channel could not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChannelGap {
    /// No address on file.
    NoAddress,
    /// The debtor does not want it.
    NoConsent,
    /// The address bounced.
    Bounced,
    /// The creditor has no sender for it.
    NotOffered,
}

/// Why something decided did not go out, or came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// Nothing is owed any more.
    Paid,
    /// Other amounts are open, or due on another day, than the message would say.
    AmountsChanged,
    /// Disputed.
    Disputed,
    /// On hold.
    OnHold,
    /// A promise runs.
    Promised,
    /// A plan runs.
    Planned,
    /// Insolvent.
    Insolvent,
    /// Deceased.
    Deceased,
    /// The address or the consent is gone.
    ChannelGone,
    /// Credit on the account covers it.
    CreditCovers,
    /// The account was erased.
    Erased,
    /// The claim went to an agency.
    Placed,
    /// A person stopped it.
    Person,
    /// The claim is barred (§ 214 BGB).
    TimeBarred,
    /// A person discarded it while the brake held it back; the ladder decides again.
    Braked,
    /// The condition of its step does not hold any more.
    ConditionFalse,
    /// Money that had paid a part went back or was assigned elsewhere, and the debtor has not been
    /// told since what is open.
    WentBack,
    /// A minor made the contract, and nobody has seen that it binds them (§ 108 BGB).
    MadeByMinor,
}

/// What a fee is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FeeKind {
    /// What a reminder costs.
    #[default]
    Reminder,
    /// The lump sum against businesses (§ 288 (5) BGB).
    LumpSum,
}

impl FeeKind {
    /// The usual one.
    pub const fn is_reminder(&self) -> bool {
        matches!(self, Self::Reminder)
    }
}

/// Why a fee is not owed after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FeeReversal {
    /// The claim had been paid before the fee was charged.
    PaidBefore,
    /// The message did not reach its address.
    NotDelivered,
    /// The claim was cancelled.
    Cancelled,
    /// Credit notes, a correction or a dispute left nothing of the claim.
    NeverOwed,
    /// It was charged to a business that turned out to be a consumer, who does not owe so much.
    Consumer,
    /// A plan of the claim ran when it was charged, by what became known later.
    Planned,
}
