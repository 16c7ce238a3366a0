//! The only place that asks the machine for the time. Three clocks: the wall; one that somebody
//! sets and that ticks on or stands (demo, tests, previews); and, in a back-test, the events' own,
//! which needs nothing from here.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Tells the time to the whole engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Wall,
    Set(Arc<Mutex<Setting>>, watch::Sender<()>),
}

#[derive(Debug)]
struct Setting {
    shows: Timestamp,
    since: Option<Instant>,
}

impl Clock {
    /// The machine's own time.
    pub const fn wall() -> Self {
        Self(Kind::Wall)
    }

    /// A clock that stands at `at` until it is set or told to tick.
    pub fn standing(at: Timestamp) -> Self {
        let setting = Arc::new(Mutex::new(Setting { shows: at, since: None }));
        Self(Kind::Set(setting, watch::Sender::new(())))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::Wall => Timestamp::now(),
            Kind::Set(setting, _) => {
                let setting = setting.lock().unwrap_or_else(PoisonError::into_inner);
                let gone = setting.since.map_or(Duration::ZERO, |since| since.elapsed());
                let gone = SignedDuration::try_from(gone).unwrap_or(SignedDuration::MAX);
                setting.shows.saturating_add(gone).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Sets a standing or ticking clock to `at`; the wall's cannot be set and stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Kind::Set(setting, changed) = &self.0 {
            let mut setting = setting.lock().unwrap_or_else(PoisonError::into_inner);
            setting.shows = at;
            setting.since = setting.since.map(|_| Instant::now());
            drop(setting);
            changed.send_replace(());
        }
    }

    /// From now on a standing clock goes as fast as the wall's.
    pub fn tick(&self) {
        if let Kind::Set(setting, changed) = &self.0 {
            let mut setting = setting.lock().unwrap_or_else(PoisonError::into_inner);
            setting.since.get_or_insert_with(Instant::now);
            drop(setting);
            changed.send_replace(());
        }
    }

    /// Waits until the clock shows `at`, however it comes to that; at most `limit` of real time.
    pub async fn wait_until(&self, at: Timestamp, limit: Duration) {
        let left = at.duration_since(self.now());
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO).min(limit);
        match &self.0 {
            Kind::Wall => tokio::time::sleep(left).await,
            Kind::Set(_, changed) => {
                let mut changed = changed.subscribe();
                let _ = tokio::time::timeout(left, changed.changed()).await;
            }
        }
    }
}
