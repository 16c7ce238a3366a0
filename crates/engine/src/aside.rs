//! What is done past an account that cannot be asked any more: it makes the program panic, or cannot be
//! read. A message of it is put aside, of which its row alone says so; and it can be erased.

use kulanz_domain::{AccountEvent, Command, ids::AccountId};
use kulanz_store::{Append, Head, Held, KeyChange, NewEvent, OutboxChange, Outcome, Wake};

use crate::{Engine, Fault, panics, partition, replay};

/// How often it is done anew because somebody changed the account at the same time.
const TRIES: u32 = 20;

impl Engine {
    /// Moves the row of a message past its account, by whoever has it: the account's log and state
    /// stay as they are. For what the account can be told there are commands.
    ///
    /// # Errors
    /// [`Fault::Overtaken`] where another one has the message by now.
    pub async fn put_aside(
        &self,
        account: &AccountId,
        held: Held,
        change: OutboxChange,
    ) -> Result<(), Fault> {
        self.past(account, |_| {
            let (outbox, held) = (vec![change.clone()], vec![held.clone()]);
            Ok(Append { outbox, held, ..nothing(account) })
        })
        .await
    }

    /// Erases an account past its rules and its books, where [`Command::Erase`] fails by a fault that
    /// [is the account's](Fault::is_the_accounts): key, secrets and paylinks go as ever, and its log
    /// says so. Its placements are called back if as much can be made of it. The read side stays as it
    /// was, and whoever has a message of it finds out that it is erased, or cannot be read.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails, [`Fault::Conflict`] where others keep changing it.
    pub async fn erase_aside(&self, account: &AccountId, cause: &str) -> Result<(), Fault> {
        let at = self.clock.now();
        self.past(account, |head| {
            let events = panics::caught("erasures", || erased(head, &Command::Erase { at }));
            let events = events.ok().flatten();
            let events = events.unwrap_or_else(|| vec![AccountEvent::AccountErased { at }]);
            let recorded = events.iter().map(|event| {
                let (kind, payload) = (event.kind(), serde_json::to_string(event)?);
                Ok(NewEvent { kind, payload, recorded_at: at, cause: cause.to_owned() })
            });
            let (wake, key) = (Wake::Never, KeyChange::Destroy);
            let events = recorded.collect::<Result<_, Fault>>()?;
            Ok(Append { events, wake, key, ..nothing(account) })
        })
        .await
    }

    /// Commits what is made of the account as the store has it. Of an account of which nothing is
    /// known there is nothing to do.
    async fn past(
        &self,
        account: &AccountId,
        make: impl Fn(&Head) -> Result<Append, Fault>,
    ) -> Result<(), Fault> {
        for _ in 0..TRIES {
            let heads = self.store.heads(vec![account.clone()]).await?;
            let Some(head) = heads.into_iter().flatten().next() else { return Ok(()) };
            let append = Append { expected_version: head.version, ..make(&head)? };
            match self.store.commit(vec![append]).await?.pop() {
                Some(Outcome::Conflict) => {}
                Some(Outcome::NotHeld(_)) => return Err(Fault::Overtaken),
                _ => return Ok(()),
            }
        }
        Err(Fault::Conflict)
    }
}

/// What the account itself says to its erasure; `None` where it cannot be read.
fn erased(head: &Head, command: &Command) -> Option<Vec<AccountEvent>> {
    Some(replay(head).ok()?.execute(command).ok()?.events)
}

fn nothing(account: &AccountId) -> Append {
    Append {
        partition: partition(account),
        account: account.clone(),
        expected_version: 0,
        events: Vec::new(),
        snapshot: None,
        wake: Wake::Keep,
        inbox: Vec::new(),
        requests: Vec::new(),
        key: KeyChange::Keep,
        secrets: Vec::new(),
        forgets: Vec::new(),
        outbox: Vec::new(),
        held: Vec::new(),
        paylinks: Vec::new(),
        views: None,
    }
}
