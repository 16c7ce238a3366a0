//! The lanes of a process, and what it has taken: each message has a place in a lane, and a lease,
//! until it comes to its end in whatever way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kulanz_domain::{
    fact::Channel,
    ids::{CreditorId, NoticeId},
};
use tracing::warn;

use super::lane::{Lane, Said};
use crate::{measures, senders::Senders};

/// Whose a lane is: ours for a channel, or, where `None`, that of all gateways of creditors' own.
pub(super) type LaneOf = Option<Channel>;

/// All lanes. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lanes(Arc<Inner>);

struct Inner {
    lanes: Mutex<BTreeMap<LaneOf, Lane>>,
    /// When the lease on each message that was taken was last known to be ours, by the machine's own
    /// steady time.
    held: Mutex<HashMap<NoticeId, Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lanes {
    pub(super) fn new(senders: &Senders) -> Self {
        let all = Channel::ALL.into_iter().map(Some).chain([None]);
        let lanes = all.map(|of| (of, Lane::new(senders.pace(of)))).collect();
        Self(Arc::new(Inner { lanes: Mutex::new(lanes), held: Mutex::default() }))
    }

    /// Whose lane a creditor's messages of a channel go by.
    pub(super) fn of(senders: &Senders, creditor: &CreditorId, channel: Channel) -> LaneOf {
        (!senders.is_own(creditor, channel)).then_some(channel)
    }

    fn with<T>(&self, of: LaneOf, what: impl FnOnce(&mut Lane) -> T) -> Option<T> {
        lock(&self.0.lanes).get_mut(&of).map(what)
    }

    /// How many messages may be taken for a lane; `None` while its gateway is left alone.
    pub(super) fn room(&self, of: LaneOf) -> Option<u32> {
        let room = self.with(of, |lane| lane.room(Instant::now()))??;
        Some(u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// Whether it is worth to look for more messages of any of these lanes.
    pub(super) fn want_more(&self, of: &BTreeSet<LaneOf>) -> bool {
        let now = Instant::now();
        of.iter().any(|of| self.with(*of, |lane| lane.wants_more(now)).unwrap_or(false))
    }

    /// A place for a message that was taken, its lease `begun` not later than that.
    pub(super) fn place(&self, of: LaneOf, notice: NoticeId, begun: Instant) -> Place {
        self.with(of, Lane::took);
        lock(&self.0.held).insert(notice.clone(), begun);
        Place { lanes: self.clone(), of, notice, asked: false }
    }

    /// All messages that were taken and are not at their end.
    pub(super) fn held(&self) -> Vec<NoticeId> {
        lock(&self.0.held).keys().cloned().collect()
    }

    /// The leases on these were renewed, those that are ours still.
    pub(super) fn renewed(&self, begun: Instant, renewed: impl Iterator<Item = NoticeId>) {
        let mut held = lock(&self.0.held);
        for notice in renewed {
            if let Some(at) = held.get_mut(&notice) {
                *at = begun;
            }
        }
    }
}

/// A message's place in its lane. It is free again when this is dropped.
pub(super) struct Place {
    lanes: Lanes,
    of: LaneOf,
    notice: NoticeId,
    asked: bool,
}

impl Place {
    /// Whether the lease may have run out.
    pub(super) fn is_late(&self, lease: Duration) -> bool {
        lock(&self.lanes.0.held).get(&self.notice).is_none_or(|at| at.elapsed() >= lease)
    }

    /// Whether the gateway was asked, so that it may have the message.
    pub(super) const fn was_asked(&self) -> bool {
        self.asked
    }

    /// The gateway is asked now.
    pub(super) fn asks(&mut self) {
        self.asked = true;
        self.lanes.with(self.of, |lane| lane.asks(Instant::now()));
    }

    /// The gateway answered.
    pub(super) fn answered(&self, said: Said) {
        let pause = self.lanes.with(self.of, |lane| lane.answered(Instant::now(), said)).flatten();
        if let Some(pause) = pause {
            let gateway = self.of.map_or("own", |channel| channel.name());
            measures::paused(gateway);
            warn!(gateway, seconds = pause.as_secs_f64(), "the gateway is left alone for a while");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lanes.with(self.of, |lane| lane.ended(self.asked));
        lock(&self.lanes.0.held).remove(&self.notice);
    }
}
