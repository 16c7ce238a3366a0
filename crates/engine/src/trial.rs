//! What came of a policy's experiments, from the log: accounts enrolled in each arm, the money that
//! came in, the days until it did, and how sure one can be of a difference.
//!
//! The unit is the account. It is enrolled on the first day on which a claim of it is overdue while
//! the policy that it has met runs the experiment. That day is the same in either arm, which the day
//! of the first message is not: whoever is written to in the evening may have paid at noon. What is
//! counted, by which formulas, and what none of it promises is in `docs/experiments.md`.
//!
//! The store is only read, also beside a server that works on it.

mod enrolment;
mod statistics;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account, AccountEvent,
    calendar::day_in,
    ids::{AccountId, CreditorId, ExperimentName, PolicyName},
    law::Seat,
    money::{Currency, Decimal},
    policy::{Arm, ArmTaken, PolicyRef},
};
use kulanz_store::Store;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;

pub use self::statistics::{Estimate, LEAST, Median};
use self::{
    enrolment::Unit,
    statistics::{Curve, Measured, Spell, share},
};
use crate::{Fault, replay};

/// Events that are read at once.
const EVENTS: u32 = 5_000;
/// Accounts that are read at once.
const ACCOUNTS: usize = 500;

/// A policy looked at an account: the arms that it was in from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Met {
    at: Timestamp,
    policy: PolicyRef,
    arms: Vec<ArmTaken>,
}

/// Accounts that are or were in an arm of any experiment.
#[derive(Debug, Default)]
pub struct Enrolled {
    accounts: BTreeMap<AccountId, Vec<Met>>,
    /// Versions that these accounts have met.
    pub policies: BTreeSet<(CreditorId, PolicyName, u32)>,
}

/// What has to be known of a policy beside the log.
#[derive(Debug, Clone)]
pub struct Known {
    /// Of its claims.
    pub currency: Currency,
    /// Of its creditor.
    pub seat: Seat,
    /// In which the creditor's days begin.
    pub zone: TimeZone,
}

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// The moment up to which the log tells; its day is not over and does not count.
    pub now: Timestamp,
    /// Days after the enrolment within which money counts.
    pub days: u16,
    /// This experiment alone.
    pub experiment: Option<ExperimentName>,
}

/// Looks through the log for accounts in arms. `progress` hears the positions that were passed.
///
/// # Errors
/// What the store says, and an event that cannot be read.
pub async fn enrolled(
    store: &dyn Store,
    creditor: Option<&CreditorId>,
    progress: impl Fn(u64),
) -> Result<Enrolled, Fault> {
    let mut found = Enrolled::default();
    let mut position = 0;
    loop {
        let events = store.events_after(position, EVENTS).await?;
        let Some(last) = events.last() else { return Ok(found) };
        progress(last.position - position);
        position = last.position;
        for stored in events {
            let ours = creditor.is_none_or(|creditor| *creditor == stored.account.creditor);
            if stored.kind != "PolicyMet" || !ours {
                continue;
            }
            let AccountEvent::PolicyMet { policy, at, arms } =
                serde_json::from_str(&stored.payload)?
            else {
                continue;
            };
            // Before the first arm there is nothing to compare.
            if arms.is_empty() && !found.accounts.contains_key(&stored.account) {
                continue;
            }
            let creditor = stored.account.creditor.clone();
            found.policies.insert((creditor, policy.name.clone(), policy.version));
            found.accounts.entry(stored.account).or_default().push(Met { at, policy, arms });
        }
    }
}

/// Tells the experiments, by creditor, policy and name. `known` says of each of
/// [`Enrolled::policies`] what the log does not.
///
/// # Errors
/// What the store says, and a stored account that cannot be read.
pub async fn reports(
    store: &dyn Store,
    enrolled: &Enrolled,
    known: &BTreeMap<(CreditorId, PolicyName, u32), Known>,
    options: &Options,
    progress: impl Fn(usize),
) -> Result<Vec<Report>, Fault> {
    let mut units: BTreeMap<Key, Drawn> = BTreeMap::new();
    let all: Vec<&AccountId> = enrolled.accounts.keys().collect();
    for page in all.chunks(ACCOUNTS) {
        let ids: Vec<AccountId> = page.iter().map(|id| (*id).clone()).collect();
        let heads = store.heads(ids.clone()).await?;
        for (id, head) in ids.iter().zip(heads) {
            let (Some(head), Some(met)) = (head, enrolled.accounts.get(id)) else { continue };
            enrol(id, &replay(&head)?, met, known, options, &mut units);
        }
        progress(page.len());
    }
    let reports = units.into_iter().map(|(key, drawn)| Report::of(key, &drawn, options));
    Ok(reports.collect())
}

/// Creditor, policy, experiment.
type Key = (CreditorId, PolicyName, ExperimentName);

/// The units of one experiment.
struct Drawn {
    currency: Currency,
    as_of: Date,
    versions: BTreeSet<u32>,
    units: Vec<Unit>,
}

fn enrol(
    id: &AccountId,
    account: &Account,
    met: &[Met],
    known: &BTreeMap<(CreditorId, PolicyName, u32), Known>,
    options: &Options,
    units: &mut BTreeMap<Key, Drawn>,
) {
    let of =
        |met: &Met| known.get(&(id.creditor.clone(), met.policy.name.clone(), met.policy.version));
    let tried: BTreeSet<(&PolicyName, &ExperimentName)> = met
        .iter()
        .flat_map(|met| met.arms.iter().map(|taken| (&met.policy.name, &taken.experiment)))
        .filter(|(_, name)| options.experiment.as_ref().is_none_or(|asked| asked == *name))
        .collect();
    for (policy, experiment) in tried {
        let ran = |met: &&Met| {
            met.policy.name == *policy && met.arms.iter().any(|one| one.experiment == *experiment)
        };
        let Some(facts) = met.iter().find(ran).and_then(of) else { continue };
        // Whatever else was in force for these claims ended it.
        let same = |met: &&Met| of(met).is_some_and(|other| other.currency == facts.currency);
        let spans = enrolment::spans(met.iter().filter(same).map(|met| {
            let mut arms = met.arms.iter().filter(|_| met.policy.name == *policy);
            let taken = arms.find(|one| one.experiment == *experiment);
            (day_in(met.at, &facts.zone), taken.map(|one| one.arm))
        }));
        let as_of = day_in(options.now, &facts.zone);
        let key = (id.creditor.clone(), policy.clone(), experiment.clone());
        let drawn = units.entry(key).or_insert_with(|| Drawn {
            currency: facts.currency,
            as_of,
            versions: BTreeSet::new(),
            units: Vec::new(),
        });
        drawn.versions.extend(met.iter().filter(ran).map(|met| met.policy.version));
        let look = enrolment::Look { account, facts, experiment, as_of, days: options.days };
        drawn.units.extend(look.unit(&spans));
    }
}

/// What came of one experiment.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whose.
    pub creditor: CreditorId,
    /// Of which policy.
    pub policy: PolicyName,
    /// Versions that ran it, as far as accounts met them.
    pub versions: Vec<u32>,
    /// Which.
    pub experiment: ExperimentName,
    /// Of all amounts.
    pub currency: Currency,
    /// The first day that does not count any more.
    pub as_of: Date,
    /// Days within which money counts.
    pub days: u16,
    /// The first and the last day on which an account was enrolled.
    pub enrolled: Option<(Date, Date)>,
    /// Accounts that came into the other arm after they were enrolled: they count where they began.
    pub moved: u64,
    /// On whom it was tried.
    pub treated: ArmReport,
    /// Compared with them.
    pub control: ArmReport,
    /// Treated less control: recovered share.
    pub share_difference: Option<Estimate>,
    /// Treated less control: days to pay.
    pub days_difference: Option<Estimate>,
}

/// One arm.
#[derive(Debug, Clone, Serialize)]
pub struct ArmReport {
    /// Accounts enrolled.
    pub accounts: u64,
    /// Claims overdue on the day of the enrolment.
    pub claims: u64,
    /// Principal open of them on that day.
    pub open: Decimal,
    /// Messages sent under the experiment, within the days after the enrolment.
    pub messages: u64,
    /// Accounts whose days are over: the recovered share is theirs.
    pub followed: u64,
    /// What was open of those.
    pub followed_open: Decimal,
    /// What came in of it within the days, and was not returned.
    pub recovered: Decimal,
    /// Recovered of what was open.
    pub share: Option<Estimate>,
    /// Accounts that have paid all of it by now.
    pub paid: u64,
    /// Mean days until all is paid, where longer than the days counts as so many. Absent where
    /// nobody could be looked at for so long.
    pub mean_days: Option<Estimate>,
    /// The day by which half have paid; absent where fewer have.
    pub median_days: Option<Median>,
    /// The share that has not paid, at the end of each day from the enrolment on.
    pub unpaid: Vec<f64>,
}

impl Report {
    fn of((creditor, policy, experiment): Key, drawn: &Drawn, options: &Options) -> Self {
        let (treated, share, mean) = ArmReport::of(drawn, Arm::Treated, options.days);
        let (control, other_share, other_mean) = ArmReport::of(drawn, Arm::Control, options.days);
        let less = |one: Option<Measured>, other: Option<Measured>| Some(one?.less(&other?).told());
        let days = drawn.units.iter().map(|unit| unit.on);
        Self {
            creditor,
            policy,
            versions: drawn.versions.iter().copied().collect(),
            experiment,
            currency: drawn.currency,
            as_of: drawn.as_of,
            days: options.days,
            enrolled: days.clone().min().zip(days.max()),
            moved: drawn.units.iter().filter(|unit| unit.moved).count() as u64,
            treated,
            control,
            share_difference: less(share, other_share),
            days_difference: less(mean, other_mean),
        }
    }
}

impl ArmReport {
    fn of(drawn: &Drawn, arm: Arm, days: u16) -> (Self, Option<Measured>, Option<Measured>) {
        let units: Vec<&Unit> = drawn.units.iter().filter(|unit| unit.arm == arm).collect();
        let followed: Vec<&&Unit> = units.iter().filter(|unit| unit.followed).collect();
        let float = |amount: Decimal| amount.to_f64().unwrap_or(0.0);
        let money: Vec<(f64, f64)> =
            followed.iter().map(|unit| (float(unit.open), float(unit.recovered))).collect();
        let spells: Vec<Spell> = units
            .iter()
            .filter(|unit| unit.looked)
            .map(|unit| Spell { days: unit.days, ended: unit.paid })
            .collect();
        let (share, curve) = (share(&money), Curve::of(&spells));
        let mean = curve.mean(u32::from(days));
        let report = Self {
            accounts: units.len() as u64,
            claims: units.iter().map(|unit| unit.claims).sum(),
            open: units.iter().map(|unit| unit.open).sum(),
            messages: units.iter().map(|unit| unit.messages).sum(),
            followed: followed.len() as u64,
            followed_open: followed.iter().map(|unit| unit.open).sum(),
            recovered: followed.iter().map(|unit| unit.recovered).sum(),
            share: share.map(|share| share.told_as_share()),
            paid: units.iter().filter(|unit| unit.paid).count() as u64,
            mean_days: mean.map(|mean| mean.told()),
            median_days: curve.median(),
            unpaid: curve.left(u32::from(days)),
        };
        (report, share, mean)
    }
}

#[cfg(test)]
mod tests;
