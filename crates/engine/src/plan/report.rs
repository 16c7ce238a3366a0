//! What a plan says: both futures in totals, and how they differ. The JSON of `policy plan` has
//! these members; amounts are decimal strings.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    brake::Brake,
    event::NoticeDecided,
    fact::Channel,
    ids::{AccountId, AgencyId, InvoiceId, PersonaName, StepName},
    money::Decimal,
};
use serde::{Deserialize, Serialize};

use super::Stopped;

/// The two futures of a book and their differences.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Accounts of the creditor.
    pub accounts: u64,
    /// Those with something open: they were played.
    pub open: u64,
    /// Accounts for which anything differs.
    pub affected: u64,
    /// Under the rules in force.
    pub in_force: Side,
    /// Under the rules with the candidate.
    pub candidate: Side,
    /// By step: how the steps of claims compare.
    pub steps: BTreeMap<StepName, StepChanges>,
    /// By what differs: steps of claims that are in both futures.
    pub aspects: BTreeMap<Aspect, u64>,
    /// Steps of claims that only the candidate brings.
    pub new: Listed,
    /// Steps of claims that only the rules in force bring.
    pub gone: Listed,
    /// Steps of claims that both bring, in another way.
    pub changed: Listed,
    /// Accounts whose open interest differs at the end.
    pub interest_differs: u64,
    /// By the last step that happened: open claims of which the candidate's ladder does not know
    /// that step. They begin at its lowest step.
    pub unknown_steps: BTreeMap<StepName, u64>,
}

/// One future in totals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Messages.
    pub messages: u64,
    /// Accounts that get at least one.
    pub people: u64,
    /// Messages by step and channel.
    pub notices: BTreeMap<StepName, BTreeMap<Channel, u64>>,
    /// Messages by persona.
    pub personas: BTreeMap<PersonaName, u64>,
    /// Messages by day, in the creditor's zone.
    pub days: BTreeMap<Date, u64>,
    /// Messages by the text that they send: see [`text_name`].
    pub texts: BTreeMap<String, u64>,
    /// Claims that take a step, handoffs included.
    pub claims: BTreeMap<StepName, u64>,
    /// Claims that become due to go to an agency.
    pub handoffs: BTreeMap<AgencyId, u64>,
    /// Accounts to which deliveries on account are stopped at the end.
    #[serde(default)]
    pub delivery_stops: u64,
    /// By ISO 4217 code.
    pub money: BTreeMap<String, Asked>,
    /// Steps of claims that something stood in the way of, by what it was.
    pub hindered: BTreeMap<Hindrance, u64>,
    /// The creditor's brake; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brake: Option<Brake>,
    /// Where the brake would be reached first; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Messages by minute since 1970, until the brake was looked at.
    #[serde(skip)]
    pub(super) minutes: BTreeMap<i64, u64>,
}

/// Money in one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// What the messages ask for together, their own fees included. A claim that is in three
    /// messages counts three times.
    pub asked: Decimal,
    /// Fees that the messages charge.
    pub fees: Decimal,
    /// Lump sums that the messages charge (§ 288 (5) BGB).
    pub lump_sums: Decimal,
    /// Interest that is open at the end.
    pub interest: Decimal,
    /// Open on claims that become due to go to an agency.
    pub handed_over: Decimal,
}

/// What stood in the way of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hindrance {
    /// As many contacts as allowed were made: the message moved.
    ContactCap,
    /// The contact window was closed on its day: the message moved.
    Window,
    /// The law lowered the fee.
    FeeLowered,
    /// The law gives no lump sum for the claim.
    LumpSumRefused,
    /// No handoff before default.
    NotInDefault,
    /// The claim is barred.
    TimeBarred,
    /// Fields of § 13a RDG are missing for the agency.
    FieldsMissing,
    /// The claim was old when the policy met it: a person lets it in.
    HeldBack,
    /// Below the policy's minimum.
    BelowMinimum,
    /// No channel reaches the debtor.
    NoChannel,
}

/// How the steps of claims compare.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChanges {
    /// The same in all.
    pub same: u64,
    /// Only with the candidate.
    pub new: u64,
    /// Only with the rules in force.
    pub gone: u64,
    /// On an earlier day.
    pub earlier: Moved,
    /// On a later day.
    pub later: Moved,
    /// Different in any way, another day included.
    pub changed: u64,
}

/// Steps of claims on another day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// How many.
    pub claims: u64,
    /// By how many days together.
    pub days: u64,
}

/// In what a step differs that is in both futures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the words say it
pub enum Aspect {
    Earlier,
    Later,
    /// Another hour of the same day.
    Hour,
    Channel,
    Persona,
    Language,
    Tone,
    /// Another text.
    Text,
    /// The same text in other words.
    Wording,
    Fee,
    LumpSum,
    Deadline,
    /// Other ways to pay, or in another order.
    PayWith,
    /// Other instalments are offered.
    Plans,
    Agency,
}

/// A list that names some and counts all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// All of them.
    pub count: u64,
    /// The first by account, claim and step.
    pub named: Vec<Line>,
}

/// A step of a claim that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whose.
    pub account: AccountId,
    /// Claim.
    pub claim: InvoiceId,
    /// Step.
    pub step: StepName,
    /// Under the rules in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<Moment>,
    /// With the candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Moment>,
    /// In what they differ, where both are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aspects: Vec<Aspect>,
}

/// When and how a step happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The day of it, in the creditor's zone.
    pub on: Date,
    /// Absent: a handoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Absent: a handoff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<PersonaName>,
    /// The text that is sent: see [`text_name`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What this claim is charged with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Decimal>,
    /// The agency that gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<AgencyId>,
}

/// `mahnung.de.warm.email`: a template's file name without its ending.
pub fn text_name(notice: &NoticeDecided) -> String {
    let NoticeDecided { text, language, tone, channel, .. } = notice;
    format!("{text}.{language}.{tone}.{}", channel.name())
}

/// Adds `more` to what `map` has of `key`.
pub(super) fn count<K: Ord + Clone>(map: &mut BTreeMap<K, u64>, key: &K, more: u64) {
    match map.get_mut(key) {
        Some(known) => *known += more,
        None => drop(map.insert(key.clone(), more)),
    }
}

fn sum<K: Ord + Clone>(map: &mut BTreeMap<K, u64>, other: &BTreeMap<K, u64>) {
    other.iter().for_each(|(key, more)| count(map, key, *more));
}

impl Report {
    /// Nobody gets anything else than without the candidate.
    pub const fn is_empty(&self) -> bool {
        self.affected == 0
    }

    /// Adds a report over other accounts; each list names at most `list` claims.
    pub(super) fn merge(&mut self, other: Self, list: usize) {
        self.accounts += other.accounts;
        self.open += other.open;
        self.affected += other.affected;
        self.interest_differs += other.interest_differs;
        self.in_force.merge(&other.in_force);
        self.candidate.merge(&other.candidate);
        for (step, more) in &other.steps {
            self.steps.entry(step.clone()).or_default().merge(more);
        }
        sum(&mut self.aspects, &other.aspects);
        sum(&mut self.unknown_steps, &other.unknown_steps);
        for (mine, theirs) in [
            (&mut self.new, other.new),
            (&mut self.gone, other.gone),
            (&mut self.changed, other.changed),
        ] {
            mine.count += theirs.count;
            mine.named.extend(theirs.named);
            mine.named.sort_by(|a, b| a.place().cmp(&b.place()));
            mine.named.truncate(list);
        }
    }

    /// Amounts as they are written: two results over one book print the same.
    pub(super) fn finish(&mut self) {
        for asked in self.in_force.money.values_mut().chain(self.candidate.money.values_mut()) {
            for amount in asked.amounts() {
                let scale = amount.normalize().scale().max(2);
                amount.rescale(scale);
            }
        }
    }
}

impl Line {
    fn place(&self) -> (&AccountId, &InvoiceId, &StepName) {
        (&self.account, &self.claim, &self.step)
    }
}

impl StepChanges {
    fn merge(&mut self, other: &Self) {
        self.same += other.same;
        self.new += other.new;
        self.gone += other.gone;
        self.changed += other.changed;
        for (mine, theirs) in [(&mut self.earlier, other.earlier), (&mut self.later, other.later)] {
            mine.claims += theirs.claims;
            mine.days += theirs.days;
        }
    }
}

impl Asked {
    fn amounts(&mut self) -> [&mut Decimal; 5] {
        let Self { asked, fees, lump_sums, interest, handed_over } = self;
        [asked, fees, lump_sums, interest, handed_over]
    }
}

impl Side {
    fn merge(&mut self, other: &Self) {
        self.messages += other.messages;
        self.people += other.people;
        self.delivery_stops += other.delivery_stops;
        for (step, channels) in &other.notices {
            sum(self.notices.entry(step.clone()).or_default(), channels);
        }
        sum(&mut self.personas, &other.personas);
        sum(&mut self.days, &other.days);
        sum(&mut self.minutes, &other.minutes);
        sum(&mut self.texts, &other.texts);
        sum(&mut self.claims, &other.claims);
        sum(&mut self.handoffs, &other.handoffs);
        sum(&mut self.hindered, &other.hindered);
        for (code, more) in &other.money {
            let mut more = more.clone();
            let known = self.money.entry(code.clone()).or_default();
            for (sum, more) in known.amounts().into_iter().zip(more.amounts()) {
                *sum += *more;
            }
        }
    }
}
