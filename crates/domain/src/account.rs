//! Debitorenkonto: one debtor at one creditor, with all claims between them; the aggregate.
//!
//! State is the facts as told and what we decided. [`Account::apply`] copies fields and never
//! refuses; all rules are in [`command`](crate::command) and [`decision`](crate::decision).
//! What is owed is not state: the [`Book`](crate::book::Book) computes it from the facts.

mod apply;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    accrual::InterestTerms,
    book::Kept,
    calendar::day_in,
    claim::Claim,
    event::*,
    fact::*,
    ids::*,
    law::{self, rates::BaseRates},
    money::{Currency, Decimal, Money, cut},
    overrides::Override,
    placed::PlacementNow,
    policy::{PolicyRef, Release},
};

/// One account. `Default` is an account of which nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Latest master data by stamp.
    pub debtor: Option<(Stamp, DebtorProfile)>,
    /// Insolvency opened on.
    pub insolvent_on: Option<Date>,
    /// Died on.
    pub deceased_on: Option<Date>,
    /// Key destroyed at.
    pub erased_at: Option<Timestamp>,
    /// Holds, ended ones included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<HoldId, Hold>,
    /// Claims. In boxes, as payments and notices are: a map keeps room for more of them than there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<InvoiceId, Box<Claim>>,
    /// Payments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payments: BTreeMap<PaymentId, Box<Payment>>,
    /// Messages of ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notices: BTreeMap<NoticeId, Box<Notice>>,
    /// Messages of other senders that are counted already.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reported: BTreeSet<NoticeId>,
    /// Messages that came back before any word of them, as another sender's may.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub came_back: BTreeSet<NoticeId>,
    /// When the debtor was last contacted by anybody, in time; the latest only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Timestamp>,
    /// Channels whose address bounced, or that the debtor stopped, since the last master data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dead_channels: BTreeMap<Channel, ChannelGap>,
    /// Promises.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub promises: BTreeMap<PromiseId, Promise>,
    /// Plans.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<PlanId, Plan>,
    /// Placements, asked for or released.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub placements: BTreeMap<PlacementId, Placement>,
    /// Deliveries on account are stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_stop: Option<DeliveryStop>,
    /// Claims that are open again since money went back, which no step can tell the debtor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub untold: BTreeMap<InvoiceId, Untold>,
    /// What persons decided differently, in the order in which they did, ended ones included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Policies that looked at it, with the first moment of each name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub met: BTreeMap<PolicyName, (Timestamp, PolicyRef)>,
    /// Terms of interest, in time; none where no policy claims any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interest: Vec<InterestTerms>,
    /// Base rates as far as they were needed so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_rates: Option<Arc<BaseRates>>,
    /// What the last [`Command::Decide`](crate::Command) said of the next one; not part of the
    /// state.
    #[serde(skip)]
    pub wake: Option<Timestamp>,
    /// The books as they were last computed; not part of the state.
    #[serde(skip)]
    pub(crate) books: Kept,
}

/// Mahnsperre.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Beginning, once known.
    pub placed: Option<HoldPlaced>,
    /// Ended, and not placed again since.
    pub released: bool,
    /// Asked for by a debtor who cannot pay, and over before anybody had answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
    /// When it last ended; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
}

impl Hold {
    /// An end counts for what was placed by then, in whichever order the two are told.
    fn weigh(&mut self) {
        let placed_at = self.placed.as_ref().and_then(|placed| placed.at);
        if let Some((placed_at, released_at)) = placed_at.zip(self.released_at) {
            self.released = placed_at <= released_at;
        }
    }
}

impl HoldPlaced {
    /// Of several beginnings told of one hold the greatest counts: the latest, then the longest.
    fn rank(&self) -> impl Ord + '_ {
        (self.on, self.at, self.until.is_none(), self.until, &self.invoice, self.owner.as_str())
    }
}

/// The beginning of a hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldPlaced {
    /// `None`: the whole account.
    pub invoice: Option<InvoiceId>,
    /// Who looks after it.
    pub owner: String,
    /// Last day.
    pub until: Option<Date>,
    /// Day of placing.
    pub on: Date,
    /// Moment of placing; absent where only the day is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Liefersperre.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStop {
    /// First day.
    pub since: Date,
    /// Claims that cause it, each with the step that does.
    pub claims: Vec<(InvoiceId, StepName)>,
}

/// Why a claim waits for a person to tell the debtor that it is open again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// What had paid it, and went back or counts elsewhere.
    pub payment: PaymentId,
    /// Since when it waits.
    pub since: Date,
}

/// A payment with what became of it, in either order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// The money, once it came: what counts of it. See [`by_agency`](Self::by_agency).
    pub received: Option<Received>,
    /// What an agency told of it. Where the agency holds the money its word counts, else that of
    /// the bank, whichever comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_agency: Option<Box<ByAgency>>,
    /// What the bank or the shop told of money that counts as the agency says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booked: Option<Box<Received>>,
    /// What went back by way of the bank, in time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Returned>,
    /// Day and amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunded: Vec<(Date, Money)>,
    /// Orders several assignments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<Box<Stamp>>,
    /// Belongs to another account since.
    pub assigned_to: Option<AccountId>,
    /// All accounts that it was ever assigned to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub assigned_ever: BTreeSet<AccountId>,
    /// Claim that a person assigned it to.
    pub assigned_claim: Option<InvoiceId>,
    /// What else is known of assignments; a snapshot of before may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignments: Option<Box<Assignments>>,
    /// How it is used, by the latest allocation event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocated: Vec<Allocation>,
}

/// How it came to be known where a payment belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignments {
    /// When we learnt of the latest word; absent where that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// Those that a later one took the place of, by stamp.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Assigned>,
}

/// Where a payment belonged until a later word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Orders several.
    pub stamp: Stamp,
    /// Another account; `None`: this one.
    pub to: Option<AccountId>,
    /// Claim there.
    pub invoice: Option<InvoiceId>,
    /// When we learnt of it; absent where that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
}

/// Money of a payment that went back: a returned debit, a chargeback. Snapshots once held it as a
/// list of the first three; both forms are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Returned {
    /// Day.
    pub on: Date,
    /// `None`: all of the payment.
    pub amount: Option<Decimal>,
    /// What the bank charged for it, whoever bears it.
    pub fee: Option<Decimal>,
    /// ISO 20022 code or `other`; empty where a snapshot of before did not keep it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When we learnt of it; absent where only the day is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
}

impl Returned {
    /// What of the bank's fee the debtor bears.
    pub fn charged(&self) -> Option<Decimal> {
        self.fee.filter(|_| law::debtor_bears_return(&self.reason))
    }
}

/// An agency's word of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByAgency {
    /// Its day.
    pub on: Date,
    /// Gross.
    pub amount: Money,
    /// `false`: the agency holds the money.
    pub paid_to_creditor: bool,
}

/// How money came that an agency told of.
pub const AGENCY: &str = "agency";

/// The money of a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Booking day.
    pub booked_on: Date,
    /// Gross.
    pub amount: Money,
    /// Transfer, card …
    pub method: String,
    /// The debtor's designation.
    pub invoice: Option<InvoiceId>,
}

/// How far the books look: as if nothing had gone back, or been assigned, later than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AsOf {
    /// What goes back on a later day does not count.
    pub back_by: Date,
    /// Nor does an assignment of this moment or a later one.
    pub assigned_before: Timestamp,
}

impl AsOf {
    /// All that is known.
    pub const NOW: Self = Self { back_by: Date::MAX, assigned_before: Timestamp::MAX };
}

impl Payment {
    /// Booking day and what is left of it after returns and refunds; `None` where it is not
    /// there, in another currency, gone elsewhere, or nothing is left.
    pub fn net(&self, currency: Currency) -> Option<(Date, Decimal)> {
        self.net_as_of(currency, AsOf::NOW)
    }

    /// [`net`](Self::net) as if nothing had gone back, or been assigned, after a moment.
    pub(crate) fn net_as_of(&self, currency: Currency, as_of: AsOf) -> Option<(Date, Decimal)> {
        let received = self.received.as_ref()?;
        if received.amount.currency != currency || self.assignment(as_of).0.is_some() {
            return None;
        }
        let day = as_of.back_by;
        let gross = received.amount.amount;
        let returned = self.returned.iter().filter(|one| one.on <= day);
        let returned: Decimal =
            returned.map(|one| one.amount.map_or(gross, |part| cut(part, currency))).sum();
        let refunded: Decimal = self
            .refunded
            .iter()
            .filter(|(on, money)| money.currency == currency && *on <= day)
            .map(|(_, money)| money.amount)
            .sum();
        let net = gross - returned - refunded;
        (net > Decimal::ZERO).then_some((received.booked_on, net))
    }

    /// Whether `word` of it is the agency's.
    pub(crate) fn is_agencys(&self, word: &Received) -> bool {
        let told = self.by_agency.as_ref();
        word.method == AGENCY
            && told.is_some_and(|told| (told.on, told.amount) == (word.booked_on, word.amount))
    }

    /// What the bank or the shop told of it.
    pub fn by_bank(&self) -> Option<&Received> {
        self.booked.as_deref().or(self.received.as_ref().filter(|word| !self.is_agencys(word)))
    }

    /// What an agency and the bank say where that differs: nobody knows yet what is right. Over once
    /// it was said later where the payment belongs, or as much went back as one of them says less.
    pub fn disagreement(&self) -> Option<(Money, Money)> {
        let told = (self.by_agency.as_deref()?, self.by_bank()?);
        let (agency, bank) = (told.0.amount, told.1.amount);
        let both_by = told.0.on.max(told.1.booked_on);
        let assigned = self.assigned.as_ref().map(|stamp| day_in(stamp.at, &TimeZone::UTC));
        let looked_at = assigned.is_some_and(|day| day >= both_by);
        let other = if self.booked.is_some() { bank } else { agency };
        let net = self.net(other.currency).map(|(_, net)| net);
        let open = agency != bank && !looked_at && net != Some(other.amount);
        open.then_some((agency, bank))
    }

    /// The claim that the debtor, or a person in their stead, meant.
    pub fn designation(&self) -> Option<&InvoiceId> {
        self.designation_as_of(AsOf::NOW)
    }

    /// [`designation`](Self::designation) as if nothing had been assigned from a moment on.
    pub(crate) fn designation_as_of(&self, as_of: AsOf) -> Option<&InvoiceId> {
        let told = self.received.as_ref().and_then(|received| received.invoice.as_ref());
        self.assignment(as_of).1.or(told)
    }

    /// The other account that it belonged to, and the claim that it was assigned to.
    fn assignment(&self, as_of: AsOf) -> (Option<&AccountId>, Option<&InvoiceId>) {
        let counts = |stamp: &Stamp| stamp.at < as_of.assigned_before;
        if self.assigned.as_deref().is_none_or(counts) {
            return (self.assigned_to.as_ref(), self.assigned_claim.as_ref());
        }
        let mut earlier = self.assigned_earlier().iter().rev();
        let earlier = earlier.find(|one| counts(&one.stamp));
        earlier.map_or((None, None), |one| (one.to.as_ref(), one.invoice.as_ref()))
    }

    /// The greatest stamp counts; the others are kept.
    fn assign(&mut self, told: Assigned) {
        let all = self.assignments.get_or_insert_default();
        let earlier = match self.assigned.as_deref() {
            Some(latest) if *latest > told.stamp => Some(told),
            Some(latest) if *latest == told.stamp => None,
            _ => {
                let (to, invoice) = (self.assigned_to.take(), self.assigned_claim.take());
                (self.assigned_to, self.assigned_claim) = (told.to, told.invoice);
                let told_at = mem::replace(&mut all.told_at, told.told_at);
                let stamp = self.assigned.replace(Box::new(told.stamp));
                stamp.map(|stamp| Assigned { stamp: *stamp, to, invoice, told_at })
            }
        };
        if let Some(earlier) = earlier {
            let place = |one: &Assigned| one.stamp.cmp(&earlier.stamp);
            if let Err(at) = all.earlier.binary_search_by(place) {
                all.earlier.insert(at, earlier);
            }
        }
        self.assignments.take_if(|all| **all == Assignments::default());
    }

    fn assigned_earlier(&self) -> &[Assigned] {
        self.assignments.as_ref().map_or(&[], |all| &all.earlier)
    }

    /// When it was said where it belongs, and when we learnt of that, each time that it was said.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (Timestamp, Option<Timestamp>)> + '_ {
        let earlier = self.assigned_earlier().iter().map(|one| (one.stamp.at, one.told_at));
        let told_at = self.assignments.as_ref().and_then(|all| all.told_at);
        let latest = self.assigned.as_ref().map(|stamp| (stamp.at, told_at));
        earlier.chain(latest)
    }

    /// Day and amount of what the bank charged for returns and the debtor bears, in the payment's
    /// currency.
    pub fn return_fees(&self, currency: Currency) -> impl Iterator<Item = (Date, Decimal)> + '_ {
        let same = self.assigned_to.is_none()
            && self.received.as_ref().is_some_and(|r| r.amount.currency == currency);
        let returned = self.returned.iter().filter(move |_| same);
        returned.filter_map(move |one| Some((one.on, cut(one.charged()?, currency))))
    }
}

/// A message of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// As decided.
    pub decided: NoticeDecided,
    /// Where it stands.
    pub state: NoticeState,
    /// When the gateway took it.
    pub sent_at: Option<Timestamp>,
    /// What the debtor was told to pay by.
    pub deadline: Option<Date>,
    /// Claims for which it asked for too much: principal told, and owed on that day.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wrong: BTreeMap<InvoiceId, (Decimal, Decimal)>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// On its way to the gateway.
    Decided,
    /// Taken by the gateway.
    Sent,
    /// The gateway says that it arrived.
    Delivered,
    /// Came back.
    Bounced,
    /// Not sent since the account changed.
    Suppressed,
    /// Not delivered after the last try.
    Parked,
    /// Nobody knows whether it left.
    Unknown,
    /// A person decided that it was not sent.
    Discarded,
}

impl NoticeState {
    /// The word for the read side.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Suppressed => "suppressed",
            Self::Parked => "parked",
            Self::Unknown => "unknown",
            Self::Discarded => "discarded",
        }
    }
}

/// How an arrangement with the debtor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Runs.
    Open,
    /// Done as agreed.
    Kept,
    /// Not done.
    Broken,
}

/// Zahlungszusage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// Last day.
    pub until: Date,
    /// What was open then.
    pub open: Vec<Money>,
    /// Day of the promise.
    pub on: Date,
    /// How it stands.
    pub standing: Standing,
    /// Day on which it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
}

/// Ratenplan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Claims in it.
    pub claims: Vec<InvoiceId>,
    /// Currency.
    pub currency: Currency,
    /// Rates in order.
    pub rates: Vec<Rate>,
    /// Day of the agreement.
    pub on: Date,
    /// How it stands.
    pub standing: Standing,
    /// Day on which it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_on: Option<Date>,
}

/// Abgabe an Inkasso.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Placement {
    /// To whom.
    pub agency: AgencyId,
    /// Claims.
    pub claims: Vec<InvoiceId>,
    /// Step that made it due.
    pub step: StepName,
    /// Policy that made it due.
    pub policy: PolicyRef,
    /// Who must agree.
    pub release: Release,
    /// Fields that are not there yet.
    pub missing: Vec<String>,
    /// Who agreed so far.
    pub approved_by: BTreeSet<String>,
    /// Where it stands.
    pub state: PlacementState,
    /// What went out, claim, principal, fees.
    pub amounts: Vec<(InvoiceId, Decimal, Decimal)>,
    /// Interest that went out with it, and the day up to which it was counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interest: Vec<(InvoiceId, Decimal, Date)>,
    /// By the books of the moment at which it went out; snapshots of before may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_out: Option<Box<PlacementNow>>,
    /// The agency's last word.
    pub agency_state: Option<String>,
}

/// Where a placement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlacementState {
    /// Waits for persons, or for fields.
    Due,
    /// Out of the house.
    Released,
    /// Did not go out.
    Withdrawn,
    /// Called back.
    Recalled,
    /// The agency refused it.
    Rejected,
    /// The agency is done.
    Closed,
}

impl Account {
    /// Currencies of the issued claims and of the money that came, in the order of their codes.
    pub fn currencies(&self) -> Vec<Currency> {
        if let Some(known) = self.currencies_of_books() {
            return known;
        }
        let claims = self.claims.values().filter_map(|claim| claim.currency());
        let money = self.payments.values().filter_map(|p| Some(p.received.as_ref()?.amount));
        let mut all: Vec<Currency> = Vec::with_capacity(1);
        for currency in claims.chain(money.map(|money| money.currency)) {
            if !all.contains(&currency) {
                all.push(currency);
            }
        }
        all.sort_unstable_by_key(|currency| currency.code());
        all
    }

    /// What decisions may know of the debtor, once told.
    pub fn profile(&self) -> Option<&DebtorProfile> {
        self.debtor.as_ref().map(|(_, profile)| profile)
    }

    /// Whether the debtor is a minor on `day`, or may be: to the end of the month in which they come
    /// of age.
    pub fn is_minor(&self, day: Date) -> bool {
        self.profile().and_then(|debtor| debtor.minor_until).is_some_and(|until| day < until)
    }
}
