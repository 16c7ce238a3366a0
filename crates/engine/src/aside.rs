//! Puts a message aside whose account cannot be asked any more: it makes the program panic, or
//! cannot be read. Then nothing can be told to the account, and the message's row alone says so.

use kulanz_domain::ids::AccountId;
use kulanz_store::{Append, Held, KeyChange, OutboxChange, Outcome, Wake};

use crate::{Engine, Fault, partition};

/// How often the row is moved anew because somebody changed the account at the same time.
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
        for _ in 0..TRIES {
            let heads = self.store.heads(vec![account.clone()]).await?;
            let head = heads.into_iter().flatten().next();
            let append = Append {
                partition: partition(account),
                account: account.clone(),
                expected_version: head.map_or(0, |head| head.version),
                events: Vec::new(),
                snapshot: None,
                wake: Wake::Keep,
                inbox: Vec::new(),
                requests: Vec::new(),
                key: KeyChange::Keep,
                secrets: Vec::new(),
                forgets: Vec::new(),
                outbox: vec![change.clone()],
                held: vec![held.clone()],
                paylinks: Vec::new(),
                views: None,
            };
            match self.store.commit(vec![append]).await?.pop() {
                Some(Outcome::Conflict) => {}
                Some(Outcome::NotHeld(_)) => return Err(Fault::Overtaken),
                _ => return Ok(()),
            }
        }
        Err(Fault::Conflict)
    }
}
