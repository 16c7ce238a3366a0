//! What a forecast says.

use std::collections::BTreeMap;

use jiff::civil::Date;
use kulanz_domain::{
    ids::CreditorId,
    money::{Currency, Decimal},
};
use serde::{Deserialize, Serialize};

use super::{
    cells::{DayNumber, Names, day},
    learn::amount,
    tally::{Group, Sums, Tally},
};

/// A forecast of a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whose book.
    pub creditor: CreditorId,
    /// The first day that is told.
    pub first_day: Date,
    /// Days that are told.
    pub days: u16,
    /// The seed of all chance.
    pub seed: u64,
    /// How many futures were drawn.
    pub draws: usize,
    /// Accounts of the creditor.
    pub accounts: u64,
    /// Where the history came from; absent: there is none.
    pub history: Option<History>,
    /// By currency.
    pub currencies: BTreeMap<String, Outlook>,
}

/// The history that was learnt from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The first day.
    pub first_day: Date,
    /// The last day: of the newest invoice or payment, today excluded.
    pub last_day: Date,
    /// Accounts that were looked at for it: all, or every n-th of a large book.
    pub accounts: u64,
    /// Claims that were brought in later count from their issue (`true`) or from the day on which
    /// they were recorded, since hardly any of them came paid; absent: there are none.
    pub brought_in: Option<bool>,
}

/// What is told of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// How the book stands.
    pub start: Start,
    /// What was learnt.
    pub learnt: Learnt,
    /// What would happen if nobody paid.
    pub unpaid: Unpaid,
    /// Why there is no forecast.
    pub too_little: Option<String>,
    /// The forecast.
    pub forecast: Option<Forecast>,
    /// The same way of forecasting over days that are over.
    pub calibration: Calibration,
}

/// How a book stands at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Accounts with something open.
    pub accounts: u64,
    /// Open claims that are drawn.
    pub claims: u64,
    /// What is open of them, principal and fees.
    pub open: Decimal,
    /// Claims that are not drawn since their debtors are insolvent, dead or erased.
    pub stopped_claims: u64,
    /// What is open of these.
    pub stopped: Decimal,
    /// Claims that are not drawn since they are at an agency or wait to be released to one.
    pub agency_claims: u64,
    /// What is open of these.
    pub agency: Decimal,
}

/// What was learnt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learnt {
    /// Claims with at least a day of history.
    pub claims: u64,
    /// Payments in full.
    pub paid: u64,
    /// Days on which one of them waited.
    pub claim_days: u64,
    /// By how much weeks differ, as a standard deviation in percent; what single debtors' luck
    /// explains is taken off.
    pub weeks_differ: Decimal,
    /// Weeks that say so; zero: it is assumed.
    pub weeks: usize,
    /// Steps to be played that no claim ever waited after: nothing is known of their effect.
    pub unknown_steps: Vec<String>,
}

/// What would happen if nobody paid: no chance is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpaid {
    /// Messages.
    pub messages: u64,
    /// Fees that they charge, lump sums included.
    pub fees: Decimal,
    /// Claims due to go to an agency.
    pub handoffs: u64,
    /// What is open of them.
    pub handed_over: Decimal,
}

/// Nine of ten futures lie between `low` and `high`, half of them above `middle`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Band<T> {
    /// One of twenty lies below.
    pub low: T,
    /// The median.
    pub middle: T,
    /// One of twenty lies above.
    pub high: T,
}

/// A forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// By week, each summed up from the first day on.
    pub weeks: Vec<Week>,
    /// By last step; without a name: none yet.
    pub steps: Vec<Part>,
    /// By persona of the last message; without a name: none yet.
    pub personas: Vec<Part>,
}

/// The state of a forecast at the end of a week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Week {
    /// Days since the beginning.
    pub days: u16,
    /// The last of them.
    pub last_day: Date,
    /// Money for claims paid in full, fees included.
    pub recovered: Band<Decimal>,
    /// What is open here still: neither paid, nor due to go to an agency, nor at an end otherwise.
    pub open: Band<Decimal>,
    /// What is due to go to an agency.
    pub handed_over: Band<Decimal>,
    /// What came to its end without money: cancelled, credited, given up.
    pub gone: Band<Decimal>,
    /// Claims paid in full.
    pub paid: Band<u64>,
    /// Messages.
    pub messages: Band<u64>,
    /// Fees charged.
    pub fees: Band<Decimal>,
    /// Claims due to go to an agency.
    pub handoffs: Band<u64>,
}

/// What a forecast says of one step or persona.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: Option<String>,
    /// Messages.
    pub messages: Band<u64>,
    /// Money that comes while it is the last one.
    pub recovered: Band<Decimal>,
    /// Open at the end with it as the last one.
    pub open: Band<Decimal>,
}

/// The forecast of days that are over, compared with what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Was not asked for.
    NotAsked,
    /// The history does not allow it; a sentence.
    NotPossible(String),
    /// Done.
    Done(Box<Held>),
}

/// Days that were held out: learnt on what was known before, compared with what happened on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The first held-out day.
    pub first_day: Date,
    /// How many.
    pub days: u16,
    /// Accounts that were looked at: all, or every n-th of a large book.
    pub accounts: u64,
    /// Claims that were open when the first day began.
    pub claims: u64,
    /// What was open of them.
    pub open: Decimal,
    /// Payments in full that were known then.
    pub learnt_paid: u64,
    /// The rules in force were played ahead; otherwise nobody was written to on these days, and
    /// nobody is in the forecast of them.
    pub played: bool,
    /// By week, each summed up from the first day on.
    pub weeks: Vec<HeldWeek>,
    /// Weeks whose actual sum lay within the band.
    pub inside: u64,
    /// Mean distance of the median from what happened, in percent of what was open.
    pub mean_error: Decimal,
    /// Median less what happened at the end, in percent of what was open.
    pub end_error: Decimal,
    /// Money that came on these days in parts, for claims that were not paid in full by their end:
    /// neither side counts it.
    pub in_parts: Decimal,
}

/// A week of a calibration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldWeek {
    /// Days since the beginning.
    pub days: u16,
    /// The last of them.
    pub last_day: Date,
    /// What was predicted.
    pub predicted: Band<Decimal>,
    /// What happened.
    pub actual: Decimal,
    /// It lies within the band.
    pub inside: bool,
}

impl Forecast {
    /// Puts the steps into the order of a ladder: none yet, its own, then those that it has not.
    pub(super) fn order_steps(&mut self, place: impl Fn(&str) -> Option<usize>) {
        let rank = |part: &Part| part.name.as_deref().map(|name| place(name).unwrap_or(usize::MAX));
        self.steps.sort_by_key(rank);
    }
}

/// Days after which a curve is told: each week, and the end.
pub(super) fn marks(days: usize) -> Vec<usize> {
    let mut marks: Vec<usize> = (1..=days / 7).map(|week| week * 7).collect();
    if marks.last() != Some(&days) && days > 0 {
        marks.push(days);
    }
    marks
}

/// The day before the one that is `days` after `first`.
pub(super) fn last_of(first: DayNumber, days: usize) -> Date {
    day(first + DayNumber::try_from(days).unwrap_or(DayNumber::MAX) - 1)
}

/// The band of some values.
pub(super) fn band(mut values: Vec<i64>) -> Band<i64> {
    values.sort_unstable();
    let at = |twentieths: usize| {
        let last = values.len().saturating_sub(1);
        values.get((last * twentieths + 10) / 20).copied().unwrap_or(0)
    };
    Band { low: at(1), middle: at(10), high: at(19) }
}

fn money(band: Band<i64>, currency: Currency) -> Band<Decimal> {
    let Band { low, middle, high } = band;
    Band {
        low: amount(low, currency),
        middle: amount(middle, currency),
        high: amount(high, currency),
    }
}

fn count(band: Band<i64>) -> Band<u64> {
    let Band { low, middle, high } = band;
    Band { low: whole(low), middle: whole(middle), high: whole(high) }
}

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

impl Tally {
    /// The running sums after each mark, by replicate.
    pub fn running(&self) -> Vec<(usize, Vec<Sums>)> {
        let mut running = vec![Sums::default(); self.replicates];
        let marks = marks(self.days);
        let mut told = Vec::with_capacity(marks.len());
        for day in 0..self.days {
            let row = &self.sums[day * self.replicates..(day + 1) * self.replicates];
            running.iter_mut().zip(row).for_each(|(sum, more)| sum.add(more));
            if marks.contains(&(day + 1)) {
                told.push((day + 1, running.clone()));
            }
        }
        told
    }

    /// The forecast that it makes.
    pub fn forecast(&self, first: DayNumber, names: &Names, currency: Currency) -> Forecast {
        let week = |(days, sums): (usize, Vec<Sums>)| {
            let of = |what: &dyn Fn(&Sums) -> i64| band(sums.iter().map(what).collect());
            let still =
                |sums: &Sums| self.owed + sums.fees - sums.recovered - sums.handed - sums.gone;
            Week {
                days: u16::try_from(days).unwrap_or(u16::MAX),
                last_day: last_of(first, days),
                recovered: money(of(&|sums| sums.recovered), currency),
                open: money(of(&still), currency),
                handed_over: money(of(&|sums| sums.handed), currency),
                gone: money(of(&|sums| sums.gone), currency),
                paid: count(of(&|sums| sums.paid)),
                messages: count(of(&|sums| sums.messages)),
                fees: money(of(&|sums| sums.fees), currency),
                handoffs: count(of(&|sums| sums.handoffs)),
            }
        };
        let part = |name: Option<String>, groups: &[Group]| {
            let of = |what: fn(&Group) -> i64| band(groups.iter().map(what).collect());
            Part {
                name,
                messages: count(of(|group| group.messages)),
                recovered: money(of(|group| group.recovered), currency),
                open: money(of(|group| group.open), currency),
            }
        };
        let steps = self.steps.iter();
        let personas = self.personas.iter();
        Forecast {
            weeks: self.running().into_iter().map(week).collect(),
            steps: steps.map(|(at, groups)| part(names.step_name(*at), groups)).collect(),
            personas: personas.map(|(at, groups)| part(names.persona_name(*at), groups)).collect(),
        }
    }

    /// How the book stands at the beginning.
    pub fn start(&self, currency: Currency) -> Start {
        let [(stopped_claims, stopped), (agency_claims, agency)] = self.aside;
        Start {
            accounts: whole(self.accounts),
            claims: whole(self.claims),
            open: amount(self.owed, currency),
            stopped_claims: whole(stopped_claims),
            stopped: amount(stopped, currency),
            agency_claims: whole(agency_claims),
            agency: amount(agency, currency),
        }
    }

    /// What would happen if nobody paid.
    pub fn if_unpaid(&self, currency: Currency) -> Unpaid {
        Unpaid {
            messages: whole(self.unpaid.messages),
            fees: amount(self.unpaid.fees, currency),
            handoffs: whole(self.unpaid.handoffs),
            handed_over: amount(self.unpaid.handed, currency),
        }
    }
}
