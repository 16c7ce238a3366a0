//! Whether there was room for what was to be written last.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// For how long a failure counts where nobody tries to write any more: whoever keeps requests away
/// from an instance that has no room must get to know that it has some again.
const COUNTS: Duration = Duration::from_secs(30);

/// When a batch last found no room, unless one was written since. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room(Arc<Mutex<Option<Instant>>>);

impl Room {
    /// A batch was written, or found no room.
    pub(crate) fn found(&self, room: bool) {
        let full = (!room).then(Instant::now);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = full;
    }

    pub(crate) fn is_missing(&self) -> bool {
        let full = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        full.is_some_and(|full| full.elapsed() < COUNTS)
    }
}

#[test]
fn room_is_missing_until_something_was_written() {
    let room = Room::default();
    assert!(!room.is_missing());
    room.found(false);
    assert!(room.is_missing());
    room.clone().found(true);
    assert!(!room.is_missing());
}
