//! One account from its first event to the end, by the events' own clock.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{
    Account, AccountEvent, Refusal,
    account::Payment,
    calendar::day_in,
    course::Course,
    ids::{AccountId, PaymentId},
    policy::Rules,
};

use super::{Entry, Figures, Part, Rejected, Summary, course::Stages, timeline::Rows};
use crate::{UNMATCHED, assigned, desk::account_hash};

/// Plays one account.
pub(super) struct Player<'a> {
    id: &'a AccountId,
    rules: Arc<Rules>,
    rank: u32,
    summary: &'a mut Summary,
    rejected: &'a mut Vec<(u32, Rejected)>,
    rows: Rows<'a>,
    /// The courses of the account's claims, where they are asked for.
    stages: Option<Stages>,
    figures: Option<&'a mut Figures>,
    course: Course,
    /// What other accounts have been told of payments.
    told: BTreeMap<(AccountId, PaymentId), Payment>,
    others: Vec<(AccountId, Entry)>,
}

impl<'a> Player<'a> {
    pub(super) fn new(id: &'a AccountId, rules: Arc<Rules>, rank: u32, part: &'a mut Part) -> Self {
        let seed = account_hash(id) + "-";
        Self {
            id,
            course: Course::new(id.clone(), Arc::clone(&rules), seed),
            rules,
            rank,
            summary: &mut part.summary,
            rejected: &mut part.rejected,
            rows: part.timeline.of(rank, id),
            stages: part.figures.as_ref().map(|_| Stages::default()),
            figures: part.figures.as_mut(),
            told: BTreeMap::new(),
            others: Vec::new(),
        }
    }

    /// Plays `entries`, sorted by time, and the wake-ups between and after them that are before
    /// `end`; what other accounts are to be told.
    pub(super) fn play(mut self, entries: Vec<Entry>, end: Timestamp) -> Vec<(AccountId, Entry)> {
        let mut wake = None;
        let mut entries = entries.into_iter().peekable();
        while let Some(at) = entries.peek().map(|entry| entry.stamp.at) {
            self.wake_until(wake, at);
            while let Some(entry) = entries.next_if(|entry| entry.stamp.at == at) {
                self.record(entry);
            }
            wake = self.decide(at);
        }
        self.wake_until(wake, end);
        if self.course.version() > 0 {
            let last = end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end);
            let on = day_in(last, &self.rules.creditor.zone);
            self.summary.add(self.id, self.course.account(), on);
            if let (Some(figures), Some(stages)) = (self.figures.as_mut(), self.stages.take()) {
                figures.add(self.id, self.course.account(), stages, on);
            }
        }
        self.rows.finish();
        self.others
    }

    /// Takes the wake-ups that are before `end`.
    fn wake_until(&mut self, mut wake: Option<Timestamp>, end: Timestamp) {
        while let Some(at) = wake.filter(|at| *at < end) {
            wake = self.decide(at);
        }
    }

    fn record(&mut self, entry: Entry) {
        let Entry { stamp, fact, forwarded } = entry;
        // Only the unmatched account tells others of its facts.
        let kept = (self.id.debtor.as_str() == UNMATCHED).then(|| (stamp.clone(), fact.clone()));
        let event = stamp.id.clone();
        let mut heard = hear(&mut self.rows, &mut self.stages, stamp.at, &self.rules);
        let recorded = self.course.record(fact, stamp, &mut heard);
        drop(heard);
        match recorded {
            Ok(()) => self.summary.events += u64::from(!forwarded),
            Err(refusal) => return self.refused(event, &refusal),
        }
        let Some((stamp, fact)) = kept else { return };
        let Some(payment) = assigned::payment_of(&fact) else { return };
        for to in assigned::hearers(self.course.account(), &fact, &stamp) {
            let theirs = self.told.entry((to.clone(), payment.clone())).or_default();
            for fact in assigned::told(self.course.account(), &fact, &to, Some(theirs)) {
                assigned::heard(theirs, &fact, &to);
                let entry = Entry { stamp: stamp.clone(), fact, forwarded: true };
                self.others.push((to.clone(), entry));
            }
        }
    }

    /// Does all that is due at `now`; when to look again.
    fn decide(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut heard = hear(&mut self.rows, &mut self.stages, now, &self.rules);
        let decided = self.course.decide(now, &mut heard);
        drop(heard);
        match decided {
            Ok(wake) => wake,
            Err(refusal) => {
                self.refused(format!("wake-up at {now}"), &refusal);
                None
            }
        }
    }

    fn refused(&mut self, event: String, refusal: &Refusal) {
        let rejected = Rejected { account: self.id.clone(), event, reason: refusal.to_string() };
        self.rejected.push((self.rank, rejected));
    }
}

/// Writes down what happens at a moment: a row each, and the courses of the claims where they are
/// asked for.
fn hear<'r>(
    rows: &'r mut Rows<'_>,
    stages: &'r mut Option<Stages>,
    at: Timestamp,
    rules: &Rules,
) -> impl FnMut(&Account, &[AccountEvent]) {
    let day = stages.as_ref().map(|_| day_in(at, &rules.creditor.zone));
    move |account, events| {
        for event in events {
            if let (Some(stages), Some(day)) = (stages.as_mut(), day) {
                stages.event(day, account, event);
            }
            rows.event(at, account, event);
        }
    }
}
