//! What an explanation tells. The names of its members are those of `--json` and stay.

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use crate::{
    account::{DeliveryStop, PlacementState},
    contact::ContactCap,
    decision::{Finding, Foreseen, HandoffDraft, PutOff, QuietStep, WaitReason},
    event::{ChannelGap, NoticeDecided},
    fact::Channel,
    ids::*,
    law::{DefaultGround, FeeGuard, interest::DayCount},
    money::{Currency, Decimal},
    overrides::Override,
    policy::{ArmTaken, ConditionPart, InterestClaimed, NamedFact, PolicyRef},
};

/// A decision with all that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The moment.
    pub at: Timestamp,
    /// Its day in the creditor's zone.
    pub today: Date,
    /// What is due at it.
    pub due: Option<Due>,
    /// What stops the whole account.
    pub blocked: Option<Finding>,
    /// Why things wait, as the decision found it.
    pub findings: Vec<Finding>,
    /// The next moment at which time alone can change anything; absent where something is due.
    pub next_look: Option<Timestamp>,
    /// The next thing that happens if nobody says anything.
    pub next: Option<Foreseen>,
    /// Deliveries on account are stopped.
    pub delivery_stop: Option<DeliveryStop>,
    /// What persons decided differently, as far as it holds.
    pub overrides: Vec<Override>,
    /// By currency.
    pub currencies: Vec<CurrencyExplained>,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// A message.
    Notice(Box<NoticeDecided>),
    /// A handoff.
    Handoff(HandoffDraft),
    /// A step that sends nothing.
    Quiet(QuietStep),
}

/// An account's claims in one currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurrencyExplained {
    /// Which.
    pub currency: Currency,
    /// Policy in force; absent where there is none.
    pub policy: Option<PolicyRef>,
    /// Arms of its experiments that the account is in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arms: Vec<ArmTaken>,
    /// Owed, all parts.
    pub open: Decimal,
    /// Money that waits on the account.
    pub unallocated: Decimal,
    /// What conditions can read of the account.
    pub facts: Vec<NamedFact>,
    /// Top down.
    pub personas: Vec<PersonaExplained>,
    /// When and how the chosen persona may be contacted.
    pub contact: Option<ContactExplained>,
    /// Claims of which something is open.
    pub claims: Vec<ClaimExplained>,
}

/// A persona that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PersonaExplained {
    /// Name.
    pub persona: PersonaName,
    /// Its condition; absent: it always matches.
    pub when: Option<String>,
    /// Whether it matches, whoever stands before it.
    pub matches: bool,
    /// The first that does.
    pub chosen: bool,
    /// What decided that.
    pub because: Vec<ConditionPart>,
    /// The override that chose it, whatever its condition.
    pub chosen_by: Option<OverrideId>,
}

/// What the law and the policy leave of the time for contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContactExplained {
    /// Zone of the debtor, as far as it is known.
    pub zone: String,
    /// Hours of the day.
    pub hours_today: Option<String>,
    /// The window is open.
    pub open: bool,
    /// When one more contact is possible, window and caps considered; absent: not within 60 days.
    pub next_possible: Option<Timestamp>,
    /// Caps, the policy's first, then the law's.
    pub caps: Vec<CapExplained>,
    /// The channel that serves now.
    pub channel: Option<Channel>,
    /// Those before it, and why they cannot.
    pub passed_over: Vec<(Channel, ChannelGap)>,
}

/// A contact cap with what counts towards it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CapExplained {
    /// `policy` or `law`.
    pub of: &'static str,
    /// How many in how long.
    pub at_most: ContactCap,
    /// Contacts within that time, by anybody.
    pub counted: Vec<Timestamp>,
    /// Until when no further one is allowed.
    pub until: Option<Timestamp>,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClaimExplained {
    /// Which.
    pub invoice: InvoiceId,
    /// Day by which to pay, as rescheduled.
    pub due_on: Date,
    /// The first day on which it is late: the day after, rolled.
    pub late_from: Date,
    /// Owed, all parts.
    pub open: Decimal,
    /// What conditions can read of the claim.
    pub facts: Vec<NamedFact>,
    /// What stops it.
    pub blocked: Option<Finding>,
    /// The ladder, lowest first.
    pub steps: Vec<StepExplained>,
    /// Steps that happened and that this version of the policy does not have.
    pub former_steps: Vec<Happened>,
    /// Default, once there is a ground.
    pub default: Option<DefaultExplained>,
    /// Interest, where any is claimed.
    pub interest: Option<InterestExplained>,
    /// Last day on which the creditor can act; absent where no end is known.
    pub limitation_act_by: Option<Date>,
}

/// A step of the ladder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepExplained {
    /// Name.
    pub step: StepName,
    /// What it does: `reminder`, `mahnung` …
    pub kind: &'static str,
    /// When it comes, as in the policy: `reminder + 10d`.
    pub when_due: String,
    /// The day that it counts from; absent while that is not known, and where it was skipped.
    pub counted_from: Option<Date>,
    /// The first day on which it comes, as far as that is known.
    pub not_before: Option<Date>,
    /// What put that day off beyond what the policy counts.
    pub put_off_by: Option<PutOff>,
    /// Where it stands.
    pub state: StepState,
    /// Its condition, as of now.
    pub condition: Option<ConditionExplained>,
    /// What it would charge.
    pub fee: Option<FeeExplained>,
}

/// Where a step stands with a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    /// It happened.
    Happened(Happened),
    /// The claim is on its way to, or with, an agency by this step.
    HandedOver {
        /// Placement.
        placement: PlacementId,
        /// Where that stands.
        placement_state: PlacementState,
    },
    /// It is due now.
    Due,
    /// It would be due; something stops the claim or the account.
    Blocked {
        /// What.
        reason: WaitReason,
        /// Until when; absent: until something is told.
        until: Option<Timestamp>,
    },
    /// It does not come now.
    Waits {
        /// Why.
        reason: WaitReason,
        /// Until when; absent: until something is told.
        until: Option<Timestamp>,
    },
    /// A later step happened without it, or the claim entered above it: it does not come any more.
    Skipped,
    /// A step before it comes first.
    Later,
}

/// A step that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Happened {
    /// Which.
    pub step: StepName,
    /// When the gateway took it.
    pub at: Timestamp,
    /// With which notice; absent: it sent nothing.
    pub notice: Option<NoticeId>,
    /// By which channel; absent for another sender's.
    pub channel: Option<Channel>,
    /// Persona at that time; absent for another sender's.
    pub persona: Option<PersonaName>,
    /// Why that persona.
    pub persona_because: Option<String>,
    /// Policy that decided it; absent for another sender's.
    pub policy: Option<PolicyRef>,
    /// That was another policy, or another version, than the one in force.
    pub other_policy: bool,
    /// What the debtor was told to pay by.
    pub deadline: Option<Date>,
}

/// A condition and what decides it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConditionExplained {
    /// As written.
    pub when: String,
    /// Whether it holds.
    pub holds: bool,
    /// What decided that.
    pub because: Vec<ConditionPart>,
}

/// What a step would charge, by what is known now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeeExplained {
    /// What the policy asks.
    pub asked: Decimal,
    /// What it may ask.
    pub allowed: Decimal,
    /// What limits it.
    pub limited_by: Option<FeeLimit>,
}

/// What limits a fee.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeLimit {
    /// The law.
    Law(FeeGuard),
    /// The lump sum of § 288 (5) BGB was charged: reminders beside it cost nothing.
    LumpSum,
    /// A person said that nothing is charged.
    Override,
}

/// Default of a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefaultExplained {
    /// First day.
    pub from: Date,
    /// That day has come.
    pub begun: bool,
    /// Why.
    pub ground: DefaultGround,
    /// The notice that brought it about.
    pub notice: Option<NoticeId>,
}

/// Interest of a claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InterestExplained {
    /// What the terms in force claim.
    pub claimed: InterestClaimed,
    /// How days become a share of a year.
    pub count: DayCount,
    /// Percent a year of the latest days counted; absent while none runs.
    pub percent: Option<Decimal>,
    /// The base rate in it.
    pub base_percent: Option<Decimal>,
    /// Owed so far.
    pub owed: Decimal,
    /// The last day counted.
    pub to: Option<Date>,
}
