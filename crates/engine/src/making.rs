//! Messages are made as they are decided, and lie in the outbox with the decision: written in the
//! same transaction, from the account as the decision left it. Whoever sends one later looks
//! whether all that it was made of is still so (see [`Of`]), and makes it anew where it is not.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use kulanz_domain::{
    Account,
    event::NoticeDecided,
    ids::{AccountId, NoticeId},
    policy::Rules,
};
use kulanz_store::{Append, Paylink, QuickMap, Secret, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::warn;

use crate::{Engine, Fault, SharedRules, desk, panics, vault::AccountKey};

/// Messages made before others get a turn.
const AT_ONCE: usize = 16;

/// What a message says, made in a place that knows texts and letterheads.
pub trait Maker: Send + Sync + 'static {
    /// The message, to be kept sealed in [`slot`], and the paylink that it carries. `None` where it
    /// cannot be made: whoever is to send it finds out why, and says so.
    fn make(&self, decided: &Decided<'_>) -> Option<(Vec<u8>, Paylink)>;
}

/// A message that was decided, and all that it is made of.
#[derive(Debug)]
pub struct Decided<'a> {
    /// Whose.
    pub id: &'a AccountId,
    /// As the decision left it.
    pub account: &'a Account,
    /// The decision.
    pub notice: &'a NoticeDecided,
    /// What holds for the account.
    pub rules: &'a Rules,
    /// When it is made.
    pub at: Timestamp,
    /// Personal data by slot.
    pub data: &'a BTreeMap<String, Value>,
    /// What it rests on.
    pub of: Of,
}

/// What a message was made of, without saying it: as long as this is the same, so is the message,
/// but for the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    /// Version of the account.
    pub version: u64,
    /// Stamps of the personal data, by slot.
    pub stamps: BTreeMap<String, String>,
}

/// Where a message is kept.
pub fn slot(notice: &NoticeId) -> String {
    format!("notice/{notice}")
}

/// Where the personal data are that a message needs.
pub fn slots(notice: &NoticeDecided) -> Vec<String> {
    let about = notice.claims.iter().map(|claim| format!("invoice/{}", claim.invoice));
    std::iter::once("debtor".to_owned()).chain(about).collect()
}

/// Personal data of an account by slot.
#[derive(Default)]
pub struct Opened {
    /// What was sealed.
    pub data: BTreeMap<String, Value>,
    /// The stamp of each.
    pub stamps: BTreeMap<String, String>,
}

pub(crate) fn opened(
    id: &AccountId,
    key: &AccountKey,
    secrets: impl IntoIterator<Item = Secret>,
) -> Result<Opened, Fault> {
    let Opened { mut data, mut stamps } = Opened::default();
    for secret in secrets {
        let plain = key.open_json(id, &secret.slot, &secret.sealed)?;
        data.insert(secret.slot.clone(), serde_json::from_slice(&plain)?);
        stamps.insert(secret.slot, secret.stamp);
    }
    Ok(Opened { data, stamps })
}

/// Who makes messages; nobody until somebody is named.
pub(crate) type Making = Arc<OnceLock<Arc<dyn Maker>>>;

/// An account whose batch decides messages.
pub(crate) struct Due {
    pub(crate) id: AccountId,
    pub(crate) account: Box<Account>,
    pub(crate) version: u64,
    pub(crate) notices: Vec<NoticeId>,
    pub(crate) key: AccountKey,
    /// What the batch seals of it.
    pub(crate) secrets: Vec<Secret>,
}

/// Messages of a batch, sealed, with their paylinks.
#[derive(Default)]
pub(crate) struct Made(QuickMap<AccountId, (Vec<Secret>, Vec<Paylink>)>);

impl Made {
    /// Puts them where their decisions are.
    pub(crate) fn put_into(mut self, appends: &mut [Append]) {
        for append in appends {
            if let Some((secrets, paylinks)) = self.0.remove(&append.account) {
                append.secrets.extend(secrets);
                append.paylinks.extend(paylinks);
            }
        }
    }
}

impl Engine {
    /// From now on messages are made by `maker` as they are decided. The first one who is named
    /// stays.
    pub fn make_by(&self, maker: Arc<dyn Maker>) {
        let _ = self.making.set(maker);
    }
}

/// Begins to make the messages of a batch, at once or, where it `waits`, when it is waited for.
pub(crate) fn begin(
    maker: Option<&Arc<dyn Maker>>,
    store: Arc<dyn Store>,
    rules: SharedRules,
    due: Vec<Due>,
    at: Timestamp,
    waits: bool,
) -> Pin<Box<dyn Future<Output = Made> + Send>> {
    let Some(maker) = maker.filter(|_| !due.is_empty()) else {
        return Box::pin(async { Made::default() });
    };
    let making = make(Arc::clone(maker), store, rules, due, at);
    if waits {
        return Box::pin(making);
    }
    let begun = tokio::spawn(making);
    Box::pin(async { begun.await.unwrap_or_default() })
}

/// Makes messages. What other batches seal of their accounts has to be durable. Where that fails
/// they are made as they leave.
async fn make(
    maker: Arc<dyn Maker>,
    store: Arc<dyn Store>,
    rules: SharedRules,
    due: Vec<Due>,
    at: Timestamp,
) -> Made {
    let notices = |due: &Due| -> Vec<NoticeDecided> {
        let known = due.notices.iter().filter_map(|notice| due.account.notices.get(notice));
        known.map(|notice| notice.decided.clone()).collect()
    };
    let with_rules = |due: Due| Some((notices(&due), rules.of(&due.id)?, due));
    let due: Vec<_> = due.into_iter().filter_map(with_rules).collect();
    let wanted = due.iter().map(|(notices, _, due)| {
        let mut wanted: Vec<String> = notices.iter().flat_map(slots).collect();
        wanted.sort_unstable();
        wanted.dedup();
        (due.id.clone(), wanted)
    });
    let stored = match store.secrets_of(wanted.collect()).await {
        Ok(stored) => stored,
        Err(error) => {
            warn!(%error, "messages are made as they leave");
            return Made::default();
        }
    };
    let mut made = QuickMap::default();
    for (turn, ((notices, rules, due), stored)) in due.into_iter().zip(stored).enumerate() {
        if turn % AT_ONCE == AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        // Whoever sends it finds out that it cannot be made, and puts it aside.
        let make = || make_for(&*maker, &due, &notices, &rules, at, stored);
        match panics::caught("making", make).and_then(|made| made) {
            Ok(of_it) => drop(made.insert(due.id, of_it)),
            Err(fault) => warn!(account = %due.id, %fault, "messages are made as they leave"),
        }
    }
    Made(made)
}

fn make_for(
    maker: &dyn Maker,
    due: &Due,
    notices: &[NoticeDecided],
    rules: &Rules,
    at: Timestamp,
    mut stored: Vec<Secret>,
) -> Result<(Vec<Secret>, Vec<Paylink>), Fault> {
    for own in &due.secrets {
        match stored.iter_mut().find(|stored| stored.slot == own.slot) {
            Some(stored) if own.stamp >= stored.stamp => *stored = own.clone(),
            Some(_) => {}
            None => stored.push(own.clone()),
        }
    }
    let Opened { data, stamps } = opened(&due.id, &due.key, stored)?;
    let (mut secrets, mut paylinks) = (Vec::new(), Vec::new());
    for notice in notices {
        let names = slots(notice);
        let of_it = stamps.iter().filter(|(slot, _)| names.contains(slot));
        let of = Of {
            version: due.version,
            stamps: of_it.map(|(slot, stamp)| (slot.clone(), stamp.clone())).collect(),
        };
        let (id, account, data) = (&due.id, &*due.account, &data);
        let made = maker.make(&Decided { id, account, notice, rules, at, data, of });
        if let Some((plain, paylink)) = made {
            let slot = slot(&notice.notice);
            let sealed = due.key.seal_json(id, &slot, &plain)?;
            secrets.push(Secret { slot, stamp: desk::stamp_of(at), sealed });
            paylinks.push(paylink);
        }
    }
    Ok((secrets, paylinks))
}
