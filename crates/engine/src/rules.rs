//! The rules that an engine decides by.

use std::{collections::HashMap, sync::Arc};

use kulanz_domain::{
    ids::{AccountId, CreditorId},
    policy::Rules,
};

/// Rules of all creditors, replaceable while the engine runs.
#[derive(Debug, Clone, Default)]
pub struct SharedRules(Arc<std::sync::RwLock<HashMap<CreditorId, Arc<Rules>>>>);

impl SharedRules {
    /// The rules of each creditor.
    pub fn new(rules: HashMap<CreditorId, Arc<Rules>>) -> Self {
        Self(Arc::new(std::sync::RwLock::new(rules)))
    }

    /// The rules as they hold for one account: by the arms that it is in.
    pub fn of(&self, account: &AccountId) -> Option<Arc<Rules>> {
        self.get(&account.creditor).map(|rules| rules.of(account))
    }

    /// The rules of one, as they are for accounts outside of all experiments.
    pub fn get(&self, creditor: &CreditorId) -> Option<Arc<Rules>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(creditor).cloned()
    }
}
