//! Decides for the accounts of a batch.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kulanz_domain::{Command, ids::AccountId, policy::Rules};
use kulanz_store::Wake;
use tracing::{error, warn};

use super::{Ledger, Touched, touched::Traces};
use crate::{ExecuteError, Fault, measures};

/// After so long a decision that went wrong is tried again.
const LATER: SignedDuration = SignedDuration::from_hours(1);

impl Ledger {
    /// Decides for every account that something happened to, or leaves that to who serves.
    pub(super) async fn decide_dirty(
        &mut self,
        dirty: &mut Touched,
        now: Timestamp,
        deciding: bool,
    ) {
        let Touched { accounts, traces } = dirty;
        let mut order: Vec<&AccountId> = accounts.iter().collect();
        order.sort_unstable();
        if deciding {
            measures::decided(order.len());
        }
        for account in order {
            if self.desk.lock().is_spoilt(account) {
                continue;
            }
            let wake = match self.wake_of(account, now, deciding, traces).await {
                Ok(wake) => wake,
                Err(fault) => {
                    error!(%account, %fault, "a decision went wrong; it is tried again in an hour");
                    self.desk.lock().spoil(account);
                    self.decide_later(account, now);
                    continue;
                }
            };
            if let Err(fault) = self.desk.lock().wake(account, wake) {
                error!(%account, %fault, "a wake-up was not set");
            }
        }
    }

    /// Puts off the decisions for an account.
    pub(super) fn decide_later(&mut self, account: &AccountId, now: Timestamp) {
        self.later.retain(|_, until| *until > now);
        let until = now.saturating_add(LATER).unwrap_or(Timestamp::MAX);
        self.later.insert(account.clone(), until);
    }

    /// Decides for an account, unless nothing is to be decided or it is not ours to do, or not now.
    async fn wake_of(
        &self,
        account: &AccountId,
        now: Timestamp,
        deciding: bool,
        traces: &mut Traces,
    ) -> Result<Wake, Fault> {
        let decidable = self.desk.lock().account(account).is_some_and(|a| !a.claims.is_empty());
        let Some(rules) = self.rules.of(account).filter(|_| decidable) else {
            return Ok(Wake::Never);
        };
        if !deciding {
            return Ok(Wake::At(now));
        }
        match self.later.get(account) {
            Some(until) if *until > now => Ok(Wake::At(*until)),
            _ => self.decide(account, rules, now, traces).await,
        }
    }

    async fn decide(
        &self,
        account: &AccountId,
        rules: Arc<Rules>,
        now: Timestamp,
        traces: &mut Traces,
    ) -> Result<Wake, Fault> {
        let seed: Arc<str> = self.desk.lock().seed(account).into();
        let command = Command::Decide { rules, now, seed };
        let decision = traces.decision(account);
        self.desk.lock().trace = decision.as_ref().and_then(|decision| decision.context);
        let done = self.run_command(account, command, "wake-up".to_owned(), now).await;
        self.desk.lock().trace = None;
        match done {
            Ok(kinds) => {
                if let Some(decision) = decision {
                    decision.end(&kinds);
                }
            }
            Err(ExecuteError::Failed(fault)) => return Err(fault),
            Err(ExecuteError::Refused(refusal)) => {
                warn!(%account, %refusal, "a decision was refused");
                return Ok(Wake::Never);
            }
        }
        let wake = self.desk.lock().account(account).and_then(|account| account.wake);
        // A wake-up that is not in the future would be taken again at once, for ever.
        let soonest = now.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now);
        Ok(wake.map_or(Wake::Never, |at| Wake::At(at.max(soonest))))
    }
}
