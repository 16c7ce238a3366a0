//! Where a future would reach its brake, and how many messages would then wait.

use std::collections::{BTreeMap, VecDeque};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    brake::{Brake, LOOK_BACK_DAYS, Limit, Traffic, usual},
    calendar::day_in,
    policy::Rules,
};
use kulanz_store::Store;
use serde::{Deserialize, Serialize};

use crate::{Fault, brake};

/// Minutes in which a message counts against the limit of an hour.
const HOUR: i64 = 60;

/// A brake that is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// When, to the minute.
    pub at: Timestamp,
    /// The day of it, in the creditor's zone.
    pub on: Date,
    /// Which limit.
    pub limit: Limit,
    /// Messages that it lets pass.
    pub allowed: u64,
    /// Messages of that day that wait for a person from then on.
    pub waiting: u64,
}

/// What has left before a plan begins, and what is on its way.
pub(super) struct Before {
    from: Timestamp,
    zone: TimeZone,
    days: BTreeMap<Date, u64>,
    last_hour: u64,
    waiting: u64,
}

impl Before {
    /// As the store has it at `from`. A brake that is pulled counts as released then.
    pub(super) async fn of(
        store: &dyn Store,
        rules: &Rules,
        from: Timestamp,
    ) -> Result<Self, Fault> {
        let (creditor, zone) = (&rules.creditor.id, rules.creditor.zone.clone());
        let brakes = brake::read(store).await?;
        let released = brakes.get(creditor).and_then(|state| state.released.as_ref());
        let counted = brake::counted(store, creditor, &zone, from, released).await?;
        let days = brake::days_before(store, creditor, &zone, from).await?;
        let mut days: BTreeMap<Date, u64> = days.into_iter().collect();
        days.insert(day_in(from, &zone), counted.today);
        let waiting = store.queued_count(creditor.clone(), None, None).await?;
        Ok(Self { from, zone, days, last_hour: counted.last_hour, waiting })
    }

    /// Where `brake` is reached first by the messages of each minute. What waits already leaves at
    /// the beginning.
    pub(super) fn ahead(&self, brake: Brake, minutes: &BTreeMap<i64, u64>) -> Option<Stopped> {
        let first = minute(self.from);
        let mut minutes = minutes.clone();
        *minutes.entry(first).or_default() += self.waiting;
        let mut days = self.days.clone();
        let mut hour = VecDeque::from([(first, self.last_hour)]);
        let mut known = None;
        for (at, messages) in &minutes {
            let moment = Timestamp::from_second(at.saturating_mul(60)).ok()?.max(self.from);
            let day = day_in(moment, &self.zone);
            while hour.front().is_some_and(|(earlier, _)| *earlier + HOUR < *at) {
                hour.pop_front();
            }
            let usual = match known {
                Some((of, usual)) if of == day => usual,
                _ => usual_before(&days, day),
            };
            known = Some((day, usual));
            let today = days.get(&day).copied().unwrap_or(0);
            let last_hour = hour.iter().map(|(_, messages)| messages).sum();
            if let Some(nearest) = brake.nearest(&Traffic { last_hour, today, usual })
                && *messages > nearest.left()
            {
                let rest = minutes.range(at + 1..).take_while(|(later, _)| {
                    let moment = Timestamp::from_second(later.saturating_mul(60));
                    moment.is_ok_and(|moment| day_in(moment, &self.zone) == day)
                });
                let rest: u64 = rest.map(|(_, messages)| messages).sum();
                return Some(Stopped {
                    at: moment,
                    on: day,
                    limit: nearest.limit,
                    allowed: nearest.allowed,
                    waiting: messages - nearest.left() + rest,
                });
            }
            hour.push_back((*at, *messages));
            *days.entry(day).or_default() += messages;
        }
        None
    }
}

/// The minute of a moment, counted since 1970.
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn usual_before(days: &BTreeMap<Date, u64>, day: Date) -> Option<u64> {
    let first = day.checked_sub(jiff::ToSpan::days(LOOK_BACK_DAYS)).unwrap_or(Date::MIN);
    usual(days.range(first..day).map(|(_, messages)| *messages))
}
