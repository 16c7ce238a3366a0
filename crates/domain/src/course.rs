//! One account played by the clock of its own facts: each at its moment, the wake-ups in between,
//! and a gateway that takes every message at the moment at which it was decided.
//!
//! Back-tests and the stories of a policy go this way, through the same commands that serve.

use std::{fmt::Write as _, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::{
    account::Account,
    command::{Command, Refusal},
    event::AccountEvent,
    fact::{Fact, Stamp},
    ids::{AccountId, NoticeId},
    policy::Rules,
};

/// An account on its way.
#[derive(Debug, Clone)]
pub struct Course {
    id: AccountId,
    rules: Arc<Rules>,
    account: Account,
    /// Number of events so far, as the account's version in a store.
    version: u64,
    /// What ids are made of: a beginning of the caller's and, for a decision, the version.
    seed: String,
    begins: usize,
}

impl Course {
    /// An account of which nothing is known. Ids of notices and placements are made of `seed`, 20
    /// characters at most with the number of events, which holds the account apart from others.
    pub fn new(id: AccountId, rules: Arc<Rules>, seed: String) -> Self {
        let begins = seed.len();
        Self { id, rules, account: Account::default(), version: 0, seed, begins }
    }

    /// The account as it stands.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// How many events there were.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Records a fact at its own moment; `heard` is given what came of it.
    ///
    /// # Errors
    /// The fact contradicts what is on the account.
    pub fn record(
        &mut self,
        fact: Fact,
        stamp: Stamp,
        heard: &mut impl FnMut(&Account, &[AccountEvent]),
    ) -> Result<(), Refusal> {
        let (account, rules) = (self.id.clone(), Arc::clone(&self.rules));
        let at = stamp.at;
        self.execute(&Command::Record { fact, stamp, at, account, rules }, heard)
    }

    /// Executes any other command, of a person for instance.
    ///
    /// # Errors
    /// What the command may not do.
    pub fn execute(
        &mut self,
        command: &Command,
        heard: &mut impl FnMut(&Account, &[AccountEvent]),
    ) -> Result<(), Refusal> {
        let executed = self.account.execute(command)?;
        self.version += u64::try_from(executed.events.len()).unwrap_or(u64::MAX);
        heard(&self.account, &executed.events);
        Ok(())
    }

    /// Does all that is due at `now`, one message after the other; when to look again, which is
    /// after `now`.
    ///
    /// # Errors
    /// A command that refuses; nothing more is done then.
    pub fn decide(
        &mut self,
        now: Timestamp,
        heard: &mut impl FnMut(&Account, &[AccountEvent]),
    ) -> Result<Option<Timestamp>, Refusal> {
        if self.account.claims.is_empty() {
            return Ok(None);
        }
        loop {
            self.seed.truncate(self.begins);
            // Writing to a String cannot fail.
            let _ = write!(self.seed, "{}", self.version);
            let (rules, seed) = (Arc::clone(&self.rules), self.seed.as_str().into());
            let executed = self.account.execute(&Command::Decide { rules, now, seed })?;
            self.version += u64::try_from(executed.events.len()).unwrap_or(u64::MAX);
            heard(&self.account, &executed.events);
            let decided: Vec<NoticeId> = executed
                .events
                .into_iter()
                .filter_map(|event| match event {
                    AccountEvent::NoticeDecided(decided) => Some(decided.notice),
                    _ => None,
                })
                .collect();
            if decided.is_empty() {
                // A wake-up that is not in the future would be taken again at once, for ever.
                let soonest = now.saturating_add(SignedDuration::from_secs(1)).unwrap_or(now);
                return Ok(executed.wake.map(|at| at.max(soonest)).filter(|at| *at > now));
            }
            for notice in decided {
                let rules = Arc::clone(&self.rules);
                self.execute(&Command::ConfirmSent { notice, at: now, rules }, heard)?;
            }
        }
    }
}
