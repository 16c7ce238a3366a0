//! What a fact about a payment means for other accounts than the one that it is told on.

use jiff::Timestamp;
use kulanz_store::InboxKey;

use super::{Keys, Ledger, touched::Touched};
use crate::{Incoming, Receipt, assigned};

impl Ledger {
    /// Tells the accounts that a payment belongs to, or did, of the fact about it, in the same
    /// transaction, unless they know; `None`: that went well, or there is nothing to tell.
    pub(super) async fn forward(
        &self,
        item: &Incoming,
        now: Timestamp,
        keys: &mut Keys,
        dirty: &mut Touched,
    ) -> Option<Receipt> {
        assigned::payment_of(&item.fact)?;
        let hearers = {
            let desk = self.desk.lock();
            assigned::hearers(desk.account(&item.account)?, &item.fact, &item.stamp)
        };
        if hearers.is_empty() {
            return None;
        }
        let source = format!("kulanz:assigned/{}", item.account);
        for to in hearers {
            if self.desk.lock().is_spoilt(&to) {
                // Told with the next batch: this one is known to lose it.
                continue;
            }
            let id = format!("{}#{}>{to}", item.key.source, item.key.id);
            let key = InboxKey { source: source.clone(), id: id.clone() };
            match self.known(&key, &to, keys, dirty).await {
                Ok(false) => {}
                Ok(true) => continue,
                Err(fault) => return Some(Receipt::Faulted(fault.to_string())),
            }
            if !self.desk.lock().is_hot(&to)
                && let Err(fault) = self.warm(vec![to.clone()]).await
            {
                return Some(Receipt::Faulted(fault.to_string()));
            }
            let facts = {
                let desk = self.desk.lock();
                let theirs = assigned::payment_of(&item.fact)
                    .and_then(|payment| desk.account(&to)?.payments.get(payment));
                let account = desk.account(&item.account)?;
                assigned::told(account, &item.fact, &to, theirs.map(|one| &**one))
            };
            for (number, fact) in facts.into_iter().enumerate() {
                let id = if number == 0 { id.clone() } else { format!("{id}/{number}") };
                let (stamp, recorded_at, trace) =
                    (item.stamp.clone(), item.recorded_at, item.trace);
                let (key, secrets) = (InboxKey { source: source.clone(), id }, Vec::new());
                let account = to.clone();
                let copy = Incoming { key, account, stamp, fact, secrets, recorded_at, trace };
                match Box::pin(self.record(&copy, now, keys, dirty)).await {
                    Receipt::Accepted | Receipt::Duplicate => {}
                    other => return Some(other),
                }
            }
        }
        None
    }
}
