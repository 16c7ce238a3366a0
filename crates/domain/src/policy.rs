//! Policies as they are evaluated: compiled from the files by the `policies` crate, nothing left
//! to look up or to parse. A policy is in force for one creditor and one currency.

mod experiment;
mod facts;

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

pub use self::{
    experiment::{Arm, ArmTaken, Experiment, MOST_EXPERIMENTS, Trials, WHOLE, place},
    facts::{FACTS, FactValue, NamedFact},
};
use crate::{
    brake::Brake,
    calendar::{Region, Span},
    contact::{ContactCap, ContactWindow},
    fact::{Channel, DebtorProfile, PayWith},
    ids::*,
    law::{Seat, interest::DayCount, rates::BaseRates},
    money::{Currency, Decimal},
};

/// Which law limits what a creditor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// Germany.
    De,
    /// Austria.
    At,
    /// Switzerland.
    Ch,
    /// No private law of ours: fines, other countries. Decency defaults still hold.
    None,
}

/// What decisions need to know of a creditor. The rest of the creditor's file is for letters.
#[derive(Debug, Clone)]
pub struct Creditor {
    /// Who.
    pub id: CreditorId,
    /// Zone in which the creditor's civil dates are meant.
    pub zone: TimeZone,
    /// Holidays at the creditor's seat.
    pub region: Region,
    /// Law.
    pub law: Law,
    /// Channels for which the creditor has a sender.
    pub channels: Vec<Channel>,
    /// Agencies that take placements.
    pub agencies: Vec<AgencyId>,
    /// Name, address and input-tax declaration are complete (§ 13a RDG).
    pub complete_for_placement: bool,
    /// Base rates of the law's country.
    pub base_rates: Arc<BaseRates>,
}

impl Creditor {
    /// Law and holidays, as default and deadlines ask for them.
    pub const fn seat(&self) -> Seat {
        Seat { law: self.law, region: self.region }
    }
}

/// A creditor with the policies in force, one a currency.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The creditor.
    pub creditor: Creditor,
    /// By currency.
    pub policies: BTreeMap<&'static str, Arc<Policy>>,
}

impl Rules {
    /// The policy for claims in `currency`.
    pub fn policy(&self, currency: Currency) -> Option<&Arc<Policy>> {
        self.policies.get(currency.code())
    }
}

/// Name, version and content of the policy that decided something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyRef {
    /// Name.
    pub name: PolicyName,
    /// Version.
    pub version: u32,
    /// First 16 hex digits of the SHA-256 over all files.
    pub hash: Arc<str>,
}

/// A policy in force.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Name, version, hash.
    pub reference: PolicyRef,
    /// For whose claims.
    pub creditor: CreditorId,
    /// In which currency.
    pub currency: Currency,
    /// Languages with texts; the first is the fallback.
    pub languages: Vec<String>,
    /// Zone of the calendar.
    pub zone: TimeZone,
    /// Holidays of the calendar.
    pub region: Region,
    /// Contacts allowed in a span of days, over all channels.
    pub cap: ContactCap,
    /// Claims below this are shown, not dunned.
    pub minimum: Decimal,
    /// One message for all claims due a step, or one each.
    pub bundle: Bundle,
    /// What interest is claimed.
    pub interest: InterestPolicy,
    /// What a claim still owes after a payment, up to this, is waived: interest that ran on while
    /// the money was on its way, above all.
    pub rest_waived: Decimal,
    /// A payment may be on its way this long after a deadline.
    pub in_flight: Span,
    /// A debtor may promise a date at most this far ahead.
    pub promise_within: Span,
    /// Claims overdue for longer when the policy first meets them wait for a person, or enter as
    /// `entry` says.
    pub meets_overdue_days: i32,
    /// Where such claims enter the ladder; absent: a person lets them in.
    pub entry: Option<Entry>,
    /// Messages of a day are spread over so many minutes from the opening of the window on, so that
    /// they do not all leave at once.
    pub spread_minutes: u32,
    /// More messages than this stop and ask; the creditor's [`Rules::brake`] counts.
    pub brake: Option<Brake>,
    /// First match wins; the last one has no condition.
    pub personas: Vec<Persona>,
    /// The ladder, lowest first.
    pub steps: Vec<Step>,
    /// What it tries on shares of the accounts; see [`Rules::of`].
    pub trials: Option<Arc<Trials>>,
    /// The arms that it is for, where it is a variant of a policy that tries something.
    pub arms: Vec<ArmTaken>,
}

/// What default interest a policy claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterestPolicy {
    /// How much.
    pub claimed: InterestClaimed,
    /// How days become a share of a year.
    pub count: DayCount,
    /// The last day, that of the payment, counts as well.
    pub last_day_counts: bool,
}

/// How much default interest is claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InterestClaimed {
    /// None.
    None,
    /// What the law gives, or what was agreed.
    Statutory,
    /// Percent a year, and never more than the law gives or was agreed.
    Percent(Decimal),
}

impl Default for InterestPolicy {
    fn default() -> Self {
        Self { claimed: InterestClaimed::None, count: DayCount::default(), last_day_counts: true }
    }
}

/// How claims that are long overdue when a policy first meets them enter its ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Place of the step that they enter at; lower ones are passed over.
    pub step: usize,
    /// They are spread over this time, by account.
    pub over: Span,
}

/// How claims that are due at the same time share messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundle {
    /// One message for the account.
    Account,
    /// One message a claim.
    Claim,
}

/// Which language a message is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LanguageChoice {
    /// The debtor's where the policy has texts in it, else the policy's first.
    Debtor,
    /// Always this one.
    Fixed(String),
}

/// A kind of debtor, and the five things that are tuned to it.
#[derive(Debug, Clone)]
pub struct Persona {
    /// Name.
    pub name: PersonaName,
    /// Absent: always matches.
    pub when: Option<Condition>,
    /// Language.
    pub language: LanguageChoice,
    /// Tone of the texts.
    pub tone: Arc<str>,
    /// Time: the policy's window, narrowed by the persona and by the law.
    pub window: ContactWindow,
    /// Channels in order.
    pub channels: Vec<Channel>,
    /// Ways to pay in order.
    pub pay_with: Vec<PayWith>,
    /// Waits after the due date are multiplied by this.
    pub pace: Decimal,
}

/// A rung of the ladder.
#[derive(Debug, Clone)]
pub struct Step {
    /// Name.
    pub name: StepName,
    /// What it does.
    pub action: StepAction,
    /// When it is due.
    pub at: Moment,
    /// What the debtor is given to pay, counted from the sending.
    pub deadline: Option<Span>,
    /// Charged with it, as far as the law lets it.
    pub fee: Decimal,
    /// The lump sum of § 288 (5) BGB is charged with it, as far as the law lets it.
    pub lump_sum: bool,
    /// From when it happened, the shop should not deliver on account any more (Liefersperre).
    pub stop_delivery: bool,
    /// It does not happen any more so long after its day; absent: however late.
    pub expires: Option<Span>,
    /// Absent: always.
    pub when: Option<Condition>,
    /// Name of the text that it sends.
    pub text: Arc<str>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepAction {
    /// A friendly word before the due date; never after it.
    Notice,
    /// Zahlungserinnerung: no fee, does not start default.
    Reminder,
    /// Mahnung: starts default where it has not begun.
    Mahnung,
    /// An offer to pay in instalments.
    Offer {
        /// To choose from.
        plans: Vec<PlanTerms>,
    },
    /// Nothing is sent: later steps count from it, and people see where the claim stands.
    Quiet,
    /// Handing the claim to an agency.
    HandOff {
        /// To whom.
        agency: AgencyId,
        /// Who must agree.
        release: Release,
    },
}

impl StepAction {
    /// The word used in policy files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Reminder => "reminder",
            Self::Mahnung => "mahnung",
            Self::Offer { .. } => "offer",
            Self::Quiet => "nothing",
            Self::HandOff { .. } => "hand_off",
        }
    }
}

/// Who releases a placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Two different persons.
    FourEyes,
    /// One person.
    OnePerson,
    /// Nobody; the policy states its ground (Art. 22 GDPR).
    Automatic,
}

/// Terms of an instalment plan that a policy offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanTerms {
    /// Number of rates, 2 to 36, a month apart.
    pub rates: u32,
    /// Share of the first rate in percent; absent: equal rates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_percent: Option<Decimal>,
    /// No rate is below this; a plan whose rates would be is not offered.
    pub at_least: Decimal,
}

/// `anchor + span` or `anchor - span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// From where.
    pub anchor: Anchor,
    /// Before the anchor instead of after it.
    pub before: bool,
    /// How far.
    pub span: Span,
}

/// Where a moment counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The due date, as rescheduled.
    Due,
    /// The day of issue.
    Issued,
    /// The first day of default.
    Default,
    /// The day on which the gateway took the notice of the step at this place of the ladder.
    Step(usize),
}

/// A condition of a policy file, compiled to a closure over typed facts.
#[derive(Clone)]
pub struct Condition {
    /// As written.
    pub source: Arc<str>,
    /// The passing of days alone can change it.
    pub depends_on_day: bool,
    /// Reads `claim.*`.
    pub reads_claim: bool,
    /// Reads `claim.interest`, which is computed for such conditions alone.
    pub reads_interest: bool,
    eval: Holds,
    /// Absent where nobody said of which parts it is made.
    decisive: Option<Decisive>,
    /// Absent where nobody can say it without looking at each day.
    can_hold: Option<Holds>,
}

/// Whether something holds.
type Holds = Arc<dyn Fn(&Facts<'_>) -> bool + Send + Sync>;

/// Says which parts of a condition decide it.
type Decisive = Arc<dyn Fn(&Facts<'_>) -> Vec<ConditionPart> + Send + Sync>;

/// A part of a condition that decides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConditionPart {
    /// As written.
    pub part: String,
    /// Whether it holds.
    pub holds: bool,
    /// The facts that it reads, with their values.
    pub reads: Vec<NamedFact>,
}

impl Condition {
    /// A condition from its source and what it was compiled to.
    pub fn new(
        source: &str,
        depends_on_day: bool,
        reads_claim: bool,
        eval: impl Fn(&Facts<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            source: source.into(),
            depends_on_day,
            reads_claim,
            reads_interest: reads_claim,
            eval: Arc::new(eval),
            decisive: None,
            can_hold: None,
        }
    }

    /// The same, that reads `claim.interest` or does not.
    pub fn reading_interest(self, reads_interest: bool) -> Self {
        Self { reads_interest, ..self }
    }

    /// The same, able to say at once that no day makes it hold.
    pub fn with_days(self, can_hold: impl Fn(&Facts<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self { can_hold: Some(Arc::new(can_hold)), ..self }
    }

    /// Whether it may hold on some day, all else being as it is; `true` where nobody knows.
    pub fn can_hold(&self, facts: &Facts<'_>) -> bool {
        self.can_hold.as_ref().is_none_or(|can_hold| can_hold(facts))
    }

    /// The same, able to say which of its parts decide it.
    pub fn with_parts(
        self,
        decisive: impl Fn(&Facts<'_>) -> Vec<ConditionPart> + Send + Sync + 'static,
    ) -> Self {
        Self { decisive: Some(Arc::new(decisive)), ..self }
    }

    /// The parts that make it true or false: of what all have to hold, those that do not. The
    /// whole of it where its parts are not known.
    pub fn decisive(&self, facts: &Facts<'_>) -> Vec<ConditionPart> {
        match &self.decisive {
            Some(decisive) => decisive(facts),
            None => {
                let (part, holds) = (self.source.to_string(), self.holds(facts));
                vec![ConditionPart { part, holds, reads: Vec::new() }]
            }
        }
    }

    /// Whether it holds. Total: a fact that is absent makes its comparison false.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        (self.eval)(facts)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.source)
    }
}

/// What conditions can read. Names in policy files are given in each comment.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// `debtor.kind`, `.country`, `.language`, `.vulnerable`, `.attributes["…"]`.
    pub debtor: &'a DebtorProfile,
    /// `history.*`.
    pub history: History,
    /// `account.*`.
    pub account: AccountFacts,
    /// `claim.*`; absent where personas are chosen.
    pub claim: Option<ClaimFacts>,
    /// `persona`: the chosen persona's name; absent while one is being chosen.
    pub persona: Option<&'a str>,
    /// `today`, in the creditor's zone.
    pub today: Date,
}

/// How the debtor has paid so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// `history.invoices_paid`: claims settled by money.
    pub invoices_paid: u32,
    /// `history.late_share`: share of those settled after their due date, 0 to 1.
    pub late_share: Decimal,
    /// `history.average_days_late`: mean over those, early and on time count as 0.
    pub average_days_late: Decimal,
    /// `history.promises_kept`.
    pub promises_kept: u32,
    /// `history.disputes`: ever opened.
    pub disputes: u32,
}

/// The account as conditions see it, in the policy's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountFacts {
    /// `account.outstanding`: principal and fees.
    pub outstanding: Decimal,
    /// `account.open_claims`.
    pub open_claims: u32,
    /// `account.oldest_days_overdue`: of the oldest open claim, negative before it is due.
    pub oldest_days_overdue: i32,
}

/// A claim as conditions see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimFacts {
    /// `claim.outstanding`: principal and fees still owed.
    pub outstanding: Decimal,
    /// `claim.principal`: with the latest adjustment.
    pub principal: Decimal,
    /// `claim.fees`: still owed.
    pub fees: Decimal,
    /// `claim.interest`: still owed, up to that day. Zero for conditions that do not read it.
    pub interest: Decimal,
    /// `claim.days_overdue`: negative before it is due.
    pub days_overdue: i32,
    /// `claim.in_default`.
    pub in_default: bool,
    /// `claim.currency`: ISO code.
    pub currency: Currency,
}
