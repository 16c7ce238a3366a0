//! Which rules are served. Several instances on the same data must not decide by different ones:
//! they would undo each other's wake-ups, and what a debtor hears would be a matter of chance. So
//! whoever starts to serve last says by which rules, and whoever has others decides nothing any
//! more. It goes on to record facts, whose accounts wake whoever has the rules that count.

use std::sync::{Arc, PoisonError, RwLock};

use kulanz_store::Store;
use tokio::sync::watch;

use crate::{Engine, Fault};

/// Where it is kept by which rules accounts are decided.
const KEY: &str = "rules_in_service";

/// The rules of an engine, and whether they are those that count. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    own: Arc<RwLock<Option<String>>>,
    outdated: watch::Sender<bool>,
}

impl Serving {
    pub(crate) fn new() -> Self {
        Self { own: Arc::default(), outdated: watch::Sender::new(false) }
    }

    /// Whether decisions may be made: always where the data are nobody else's, and for an engine
    /// that never said by which rules.
    pub(crate) async fn is_in_force(&self, store: &dyn Store) -> Result<bool, Fault> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(own) = own.filter(|_| store.is_shared()) else { return Ok(true) };
        let holds = store.meta(KEY.to_owned()).await? == Some(own);
        self.outdated.send_if_modified(|outdated| {
            let changed = *outdated == holds;
            *outdated = !holds;
            changed
        });
        Ok(holds)
    }
}

impl Engine {
    /// From now on accounts are decided by these `rules`, a fingerprint of them, and by no
    /// others; whether others were in service before.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails.
    pub async fn serve_rules(&self, rules: &str) -> Result<bool, Fault> {
        let before = self.store.meta(KEY.to_owned()).await?;
        self.store.put_meta(KEY.to_owned(), Some(rules.to_owned())).await?;
        let mut own = self.serving.own.write().unwrap_or_else(PoisonError::into_inner);
        *own = Some(rules.to_owned());
        Ok(before.is_some_and(|before| before != rules))
    }

    /// Whether the rules that are served are this engine's; where not, it has to be started anew.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails.
    pub async fn is_in_force(&self) -> Result<bool, Fault> {
        self.serving.is_in_force(&*self.store).await
    }

    /// Shows `true` once another instance serves other rules.
    pub fn outdated(&self) -> watch::Receiver<bool> {
        self.serving.outdated.subscribe()
    }
}
