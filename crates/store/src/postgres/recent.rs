//! The newest events of the log that this process wrote itself. Whoever follows the log is mostly
//! a moment behind who writes it: those events need not be read again.
//!
//! They are kept by blocks of positions, of which each belongs to one batch, and handed out up to
//! the same high-water mark as those of the database, as far as no block is missing: one that
//! another process wrote, that was given up, or that was let go of is looked for in the database.

use std::{
    collections::BTreeMap,
    mem::size_of,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    code::{moment, without_nul},
    writer::BLOCK,
};
use crate::{Append, QuickMap, StoredEvent, code::InboxHash};

/// What is kept at most, in bytes of memory: more than a follower of a busy log is behind.
const MOST: usize = 16 << 20;

/// Where a position comes from: the sequence of blocks and the run of the server. After a restore
/// or a failover the same position may be another event's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    sequence: u32,
    running_since: Timestamp,
}

impl Origin {
    /// From the columns `tableoid, pg_postmaster_start_time()` of `event_blocks`, the first of
    /// which is number `at`.
    pub(super) fn of(row: &Row, at: usize) -> Self {
        Self { sequence: row.get(at), running_since: row.get(at + 1) }
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Recent(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    origin: Option<Origin>,
    /// By number, with their size.
    blocks: BTreeMap<i64, (Arc<[StoredEvent]>, usize)>,
    /// Of all of them.
    size: usize,
    /// What was kept since somebody last asked; `None` where nobody does.
    unread: Option<usize>,
}

impl Recent {
    /// Keeps what a batch has written. `positions` are those of its appends, by their place.
    pub(super) fn keep(
        &self,
        origin: Origin,
        appends: Vec<(Append, Vec<InboxHash>)>,
        positions: &QuickMap<usize, Vec<i64>>,
    ) {
        if self.lock().unread.is_none() {
            return;
        }
        let mut blocks: BTreeMap<i64, Vec<StoredEvent>> = BTreeMap::new();
        for (place, (append, _)) in appends.into_iter().enumerate() {
            let (versions, at) = (append.expected_version + 1.., positions.get(&place));
            let at = at.map_or(&[][..], Vec::as_slice);
            for ((at, version), event) in at.iter().zip(versions).zip(append.events) {
                blocks.entry(at / BLOCK).or_default().push(StoredEvent {
                    position: at.unsigned_abs(),
                    account: append.account.clone(),
                    version,
                    kind: event.kind.to_owned(),
                    payload: without_nul(event.payload),
                    recorded_at: moment(event.recorded_at),
                    cause: without_nul(event.cause),
                });
            }
        }
        self.lock().put(origin, blocks);
    }

    /// At most `limit` events after `position` up to the block `mark`, as the database has them;
    /// `None` where it has to be asked.
    pub(super) fn after(
        &self,
        origin: Origin,
        position: i64,
        mark: i64,
        limit: usize,
    ) -> Option<Vec<StoredEvent>> {
        let blocks = self.lock().run_from(origin, position, mark, limit)?;
        let after = position.unsigned_abs();
        let events = blocks.iter().flat_map(|block| block.iter());
        Some(events.filter(|event| event.position > after).take(limit).cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, origin: Origin, blocks: BTreeMap<i64, Vec<StoredEvent>>) {
        if self.origin != Some(origin) {
            self.forget();
            self.origin = Some(origin);
        }
        for (number, events) in blocks {
            let size = events.iter().map(size).sum();
            if let Some(unread) = &mut self.unread {
                *unread += size;
            }
            self.size += size;
            self.blocks.insert(number, (events.into(), size));
        }
        while self.size > MOST
            && let Some((_, (_, size))) = self.blocks.pop_first()
        {
            self.size -= size;
        }
        if self.unread.is_some_and(|unread| unread > MOST) {
            self.forget();
            self.unread = None;
        }
    }

    /// The blocks from that of `position` on, none of which is missing in between.
    fn run_from(
        &mut self,
        origin: Origin,
        position: i64,
        mark: i64,
        limit: usize,
    ) -> Option<Vec<Arc<[StoredEvent]>>> {
        self.unread = Some(0);
        if self.origin != Some(origin) {
            return None;
        }
        let (mut run, mut found) = (Vec::new(), 0);
        for number in position / BLOCK..=mark {
            let Some((block, _)) = self.blocks.get(&number) else {
                return (found > 0).then_some(run);
            };
            let last = block.last().map_or(0, |event| event.position);
            if last > position.unsigned_abs() {
                run.push(Arc::clone(block));
                found += block.iter().filter(|one| one.position > position.unsigned_abs()).count();
            }
            if found >= limit {
                break;
            }
        }
        Some(run)
    }

    fn forget(&mut self) {
        self.blocks.clear();
        self.size = 0;
    }
}

/// About what an event takes of memory.
fn size(event: &StoredEvent) -> usize {
    size_of::<StoredEvent>()
        + event.account.creditor.as_str().len()
        + event.account.debtor.as_str().len()
        + event.kind.len()
        + event.payload.len()
        + event.cause.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::rows::append;

    fn origin() -> Origin {
        Origin { sequence: 1, running_since: Timestamp::UNIX_EPOCH }
    }

    /// A batch of one event of so many bytes, at the first place of its block.
    fn keep(recent: &Recent, block: i64, bytes: usize) {
        let batch = vec![(append("shop/d1", 0, &["x".repeat(bytes).as_str()]), Vec::new())];
        recent.keep(origin(), batch, &[(0, vec![block * BLOCK])].into_iter().collect());
    }

    fn positions(recent: &Recent, position: i64, mark: i64) -> Option<Vec<u64>> {
        let events = recent.after(origin(), position, mark, 9)?;
        Some(events.iter().map(|event| event.position).collect())
    }

    #[test]
    fn what_nobody_follows_is_not_kept() {
        let recent = Recent::default();
        keep(&recent, 1, 1);
        assert_eq!(positions(&recent, 1_000, 1), None);
        keep(&recent, 2, 1);
        keep(&recent, 3, 1);
        assert_eq!(positions(&recent, 2_000, 3), Some(vec![3_000]));
        // Nobody came for as much as there is room for.
        for block in 4..8 {
            keep(&recent, block, MOST / 3);
        }
        assert_eq!(recent.lock().size, 0);
        assert_eq!(positions(&recent, 7_000, 7), None);
    }

    #[test]
    fn what_is_oldest_goes_where_there_is_no_room() {
        let recent = Recent::default();
        for block in 1..=5 {
            assert!(positions(&recent, block * BLOCK, block).is_none_or(|found| found.is_empty()));
            keep(&recent, block, MOST / 4);
        }
        assert!(recent.lock().size <= MOST);
        assert_eq!(positions(&recent, 1_000, 5), None);
        assert_eq!(positions(&recent, 3_000, 5), Some(vec![4_000, 5_000]));
    }

    #[test]
    fn nothing_beyond_the_mark_or_a_block_that_is_missing_is_handed_out() {
        let recent = Recent::default();
        assert_eq!(positions(&recent, 0, 0), None);
        for block in [1, 2, 4] {
            keep(&recent, block, 1);
        }
        assert_eq!(positions(&recent, 1_000, 1), Some(Vec::new()));
        assert_eq!(positions(&recent, 999, 2), None, "the block before may have more");
        assert_eq!(positions(&recent, 1_000, 4), Some(vec![2_000]));
        assert_eq!(positions(&recent, 2_000, 4), None);
        assert_eq!(positions(&recent, 4_000, 4), Some(Vec::new()));
        let restored = Origin { sequence: 2, ..origin() };
        assert_eq!(recent.after(restored, 1_000, 2, 9), None);
    }
}
