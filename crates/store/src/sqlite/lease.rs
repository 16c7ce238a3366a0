//! Leases within the one process that has the folder: they need not outlast it, and its own
//! monotonic time is their clock.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Who has which lease, and until when.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<String, (String, Instant)>>);

impl Leases {
    /// Takes or renews `name`; whether `holder` has it then.
    pub(super) fn take(&self, name: String, holder: String, seconds: u32) -> bool {
        let now = Instant::now();
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.get(&name).is_some_and(|(other, until)| *other != holder && now < *until) {
            return false;
        }
        leases.insert(name, (holder, now + Duration::from_secs(u64::from(seconds))));
        true
    }
}
