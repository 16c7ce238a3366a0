//! The last look at messages before they leave, at many with two questions to the store.

use kulanz_domain::{
    decision::{Recheck, recheck},
    ids::{AccountId, NoticeId},
};
use tokio::task::yield_now;

use crate::{
    Engine, Fault, Loaded,
    making::{self, Opened},
    panics,
};

/// Accounts that are looked at before others get a turn.
const AT_ONCE: usize = 16;

/// A message as it was looked at.
pub struct Looked {
    /// What to do with it.
    pub rechecked: Recheck,
    /// Its account, so that the message says what is true of it; `None` where nothing is known.
    pub loaded: Option<Loaded>,
    /// Where it is to be sent: the personal data that it is made of, and it itself.
    pub opened: Opened,
}

impl Engine {
    /// Looks at messages of different accounts once more before they leave, in their order. An
    /// account that cannot be read fails alone.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails.
    pub async fn look_at(
        &self,
        messages: &[(AccountId, NoticeId)],
    ) -> Result<Vec<Result<Looked, Fault>>, Fault> {
        let accounts = messages.iter().map(|(account, _)| account.clone()).collect();
        let heads = self.store.heads(accounts).await?;
        let (mut looked, mut wanted) = (Vec::with_capacity(messages.len()), Vec::new());
        for (turn, ((account, notice), head)) in messages.iter().zip(heads).enumerate() {
            if turn % AT_ONCE == AT_ONCE - 1 {
                yield_now().await;
            }
            let look = || {
                let loaded = head.map(|head| self.loaded(account, &head)).transpose()?;
                Ok(self.look(account, notice, loaded))
            };
            let (one, slots) = match panics::caught("recheck", look).and_then(|looked| looked) {
                Ok((one, slots)) => (Ok(one), slots),
                Err(fault) => (Err(fault), Vec::new()),
            };
            looked.push(one);
            wanted.push((account.clone(), slots));
        }
        let secrets = self.store.secrets_of(wanted).await?;
        let opened = looked.into_iter().zip(messages).zip(secrets).map(|((one, of), secrets)| {
            let mut one = one?;
            if let Some(key) = one.loaded.as_ref().and_then(|loaded| loaded.key.as_ref()) {
                one.opened = making::opened(&of.0, key, secrets)?;
            }
            Ok(one)
        });
        Ok(opened.collect())
    }

    /// The look, and the slots of what the message is made of.
    fn look(
        &self,
        account: &AccountId,
        notice: &NoticeId,
        loaded: Option<Loaded>,
    ) -> (Looked, Vec<String>) {
        let (Some(loaded), Some(rules)) = (loaded, self.rules(account)) else {
            let opened = Opened::default();
            return (Looked { rechecked: Recheck::NotPending, loaded: None, opened }, Vec::new());
        };
        let rechecked = recheck(&loaded.account, &rules, notice, self.clock.now());
        let decided = loaded.account.notices.get(notice).map(|notice| &notice.decided);
        let slots = match decided.filter(|_| rechecked == Recheck::Send) {
            Some(decided) => [making::slots(decided), vec![making::slot(notice)]].concat(),
            None => Vec::new(),
        };
        (Looked { rechecked, loaded: Some(loaded), opened: Opened::default() }, slots)
    }
}
