//! Rebuilding the read side from the events, account by account, resumable.

use kulanz_domain::{Account, ids::AccountId};
use kulanz_store::Store;

use crate::{Fault, births, replay, views};

const AT_ONCE: u32 = 500;
const CHECKPOINT: &str = "rebuild/after";

/// What a rebuild found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Accounts whose rows were written again.
    pub accounts: u64,
    /// Accounts whose snapshot says something else than their events.
    pub wrong_snapshots: Vec<AccountId>,
}

/// Replays each account from its first event and replaces its rows. Goes on after the account
/// at which an earlier, interrupted rebuild stopped. Days of birth are opened again by whoever opens
/// the data next, see [`Engine::read_births`](crate::Engine::read_births). `progress` hears how many are done.
pub async fn rebuild(store: &dyn Store, progress: impl Fn(u64)) -> Result<Rebuilt, Fault> {
    let mut rebuilt = Rebuilt::default();
    let mut after: Option<AccountId> = match store.meta(CHECKPOINT.to_owned()).await? {
        Some(text) => Some(text.parse().map_err(|e| Fault::Other(format!("checkpoint: {e}")))?),
        None => None,
    };
    loop {
        let page = store.accounts(None, after.clone(), AT_ONCE).await?;
        let Some(last) = page.last().cloned() else { break };
        let heads = store.heads(page.clone()).await?;
        for (id, head) in page.into_iter().zip(heads) {
            let mut account = Account::default();
            for event in store.stream(id.clone(), 0).await? {
                account.apply_event(&serde_json::from_str(&event.payload)?);
            }
            if let Some(head) = head
                && replay(&head)? != account
            {
                rebuilt.wrong_snapshots.push(id.clone());
            }
            store.replace_views(id.clone(), views::all(&id, &account)).await?;
            rebuilt.accounts += 1;
            progress(rebuilt.accounts);
        }
        store.put_meta(CHECKPOINT.to_owned(), Some(last.to_string())).await?;
        after = Some(last);
    }
    store.put_meta(CHECKPOINT.to_owned(), None).await?;
    store.put_meta(births::READ.to_owned(), None).await?;
    Ok(rebuilt)
}
