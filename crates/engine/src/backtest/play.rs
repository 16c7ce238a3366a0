//! One account from its first event to the end, by the events' own clock.

use std::{collections::HashSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{
    Account, AccountEvent, Command, Refusal,
    calendar::day_in,
    fact::Fact,
    ids::{AccountId, NoticeId, PaymentId},
    policy::Rules,
};

use super::{Entry, Figures, Part, Rejected, Summary, course::Stages, timeline::Rows};
use crate::{
    UNMATCHED,
    desk::{account_hash, assigned},
};

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
    account: Account,
    /// Number of events so far, as the account's version in a store.
    version: u64,
    /// What ids are made of: the account's hash and `-`, for a decision its version as well.
    seed: String,
    hash_len: usize,
    /// Payments that other accounts have been told of.
    told: HashSet<PaymentId>,
    others: Vec<(AccountId, Entry)>,
}

impl<'a> Player<'a> {
    pub(super) fn new(id: &'a AccountId, rules: Arc<Rules>, rank: u32, part: &'a mut Part) -> Self {
        let seed = account_hash(id) + "-";
        Self {
            id,
            rules,
            rank,
            summary: &mut part.summary,
            rejected: &mut part.rejected,
            rows: part.timeline.of(rank, id),
            stages: part.figures.as_ref().map(|_| Stages::default()),
            figures: part.figures.as_mut(),
            account: Account::default(),
            version: 0,
            hash_len: seed.len(),
            seed,
            told: HashSet::new(),
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
        if self.version > 0 {
            let last = end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end);
            let on = day_in(last, &self.rules.creditor.zone);
            self.summary.add(self.id, &self.account, on);
            if let (Some(figures), Some(stages)) = (self.figures.as_mut(), self.stages.take()) {
                figures.add(self.id, &self.account, stages, on);
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
        let at = stamp.at;
        let command = Command::Record {
            at,
            stamp,
            fact,
            account: self.id.clone(),
            rules: Arc::clone(&self.rules),
        };
        let result = self.execute(at, &command);
        let Command::Record { stamp, fact, .. } = command else { return };
        match result {
            Ok(()) => self.summary.events += u64::from(!forwarded),
            Err(refusal) => {
                let (account, event) = (self.id.clone(), stamp.id);
                let rejected = Rejected { account, event, reason: refusal.to_string() };
                self.rejected.push((self.rank, rejected));
                return;
            }
        }
        if self.id.debtor.as_str() == UNMATCHED
            && let Some((to, fact)) = assigned(&self.account, &fact)
        {
            let again = match &fact {
                Fact::PaymentReceived { payment, .. } => !self.told.insert(payment.clone()),
                _ => false,
            };
            if !again {
                self.others.push((to, Entry { stamp, fact, forwarded: true }));
            }
        }
    }

    /// Does all that is due at `now`; when to look again.
    fn decide(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.account.claims.is_empty() {
            return None;
        }
        loop {
            self.seed.truncate(self.hash_len);
            self.seed.push_str(&self.version.to_string());
            let rules = Arc::clone(&self.rules);
            let command = Command::Decide { rules, now, seed: self.seed.as_str().into() };
            let executed = match self.account.execute(&command) {
                Ok(executed) => executed,
                Err(refusal) => {
                    self.refused(now, &refusal);
                    return None;
                }
            };
            let decided: Vec<NoticeId> = executed
                .events
                .iter()
                .filter_map(|event| match event {
                    AccountEvent::NoticeDecided(decided) => Some(decided.notice.clone()),
                    _ => None,
                })
                .collect();
            self.took_place(now, &executed.events);
            if decided.is_empty() {
                // A wake-up that is not in the future would be taken again at once, for ever.
                let soonest = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
                return executed.wake.map(|at| at.max(soonest)).filter(|at| *at > now);
            }
            for notice in decided {
                let rules = Arc::clone(&self.rules);
                let sent = Command::ConfirmSent { notice, at: now, rules };
                if let Err(refusal) = self.execute(now, &sent) {
                    self.refused(now, &refusal);
                }
            }
        }
    }

    fn refused(&mut self, now: Timestamp, refusal: &Refusal) {
        let (account, event) = (self.id.clone(), format!("wake-up at {now}"));
        let rejected = Rejected { account, event, reason: refusal.to_string() };
        self.rejected.push((self.rank, rejected));
    }

    fn execute(&mut self, at: Timestamp, command: &Command) -> Result<(), Refusal> {
        let executed = self.account.execute(command)?;
        self.took_place(at, &executed.events);
        Ok(())
    }

    fn took_place(&mut self, at: Timestamp, events: &[AccountEvent]) {
        self.version += u64::try_from(events.len()).unwrap_or(u64::MAX);
        for event in events {
            if let Some(stages) = &mut self.stages {
                stages.event(day_in(at, &self.rules.creditor.zone), &self.account, event);
            }
            self.rows.event(at, &self.account, event);
        }
    }
}
