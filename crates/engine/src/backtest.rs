//! Back-tests: what a policy would have done over a history, by the same rules that serve.
//!
//! Pure in memory. Accounts do not depend on each other, so each is played through on its own, by
//! the events' own clock, over all cores; the result does not depend on how many there are. A
//! gateway that always accepts stands in for delivery: what is decided is sent at that moment.
//! Facts are taken as told at their `time`: a history does not say when we would have heard.

mod course;
mod play;
mod summary;
mod timeline;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        mpsc::{channel, sync_channel},
    },
    thread,
};

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    calendar::day_in,
    fact::{Fact, Stamp},
    ids::AccountId,
    policy::Rules,
};
use sha2::{Digest, Sha256};

pub use course::{Course, Figures, Stage};
pub use summary::{Summary, Totals};
pub use timeline::Timeline;

use crate::{SharedRules, UNMATCHED};
use play::Player;

/// Accounts that a thread takes at once.
const ACCOUNTS_AT_ONCE: usize = 64;
/// Chunks that wait to be decoded.
const CHUNKS_AHEAD: usize = 4;

/// One fact of a history.
#[derive(Debug)]
pub struct Told {
    key: [u8; 16],
    account: AccountId,
    stamp: Stamp,
    fact: Fact,
}

impl Told {
    /// What the event `id` of `source` told of `account`.
    pub fn new(source: &str, id: &str, account: AccountId, stamp: Stamp, fact: Fact) -> Self {
        let length = u64::try_from(source.len()).unwrap_or(u64::MAX);
        let hash = Sha256::new_with_prefix(length.to_be_bytes())
            .chain_update(source)
            .chain_update(id)
            .finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&hash[..16]);
        Self { key, account, stamp, fact }
    }
}

/// A fact of an account, in the order of the file.
#[derive(Debug, Clone)]
struct Entry {
    stamp: Stamp,
    fact: Fact,
    /// Told by the unmatched account rather than by the history.
    forwarded: bool,
}

/// Facts to be played, by account. An event that comes twice counts once.
#[derive(Debug, Clone, Default)]
pub struct History {
    places: HashMap<AccountId, usize>,
    accounts: Vec<Vec<Entry>>,
    seen: HashSet<[u8; 16]>,
    duplicates: u64,
}

/// What to play.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Last day, in each creditor's zone; `None`: the day of the last event.
    pub until: Option<Date>,
    /// Threads to use; `None`: as many as there are cores.
    pub threads: Option<usize>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The books and what was done.
    pub summary: Summary,
    /// What happened when.
    pub timeline: Timeline,
    /// The course of each claim, where it was asked for.
    pub figures: Option<Figures>,
    /// Facts that contradict others, or whose creditor nobody knows; by account, then in time.
    pub rejected: Vec<Rejected>,
    /// Events that came again.
    pub duplicates: u64,
    /// Events after the last day, which were not played.
    pub later: u64,
}

/// A fact that could not be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Whose.
    pub account: AccountId,
    /// The event, `source#id`.
    pub event: String,
    /// Why.
    pub reason: String,
}

impl History {
    /// Adds a fact. The order of adding is the order of facts of the same moment.
    pub fn add(&mut self, told: Told) {
        if !self.seen.insert(told.key) {
            self.duplicates += 1;
            return;
        }
        let entry = Entry { stamp: told.stamp, fact: told.fact, forwarded: false };
        let next = self.accounts.len();
        let place = *self.places.entry(told.account).or_insert(next);
        match self.accounts.get_mut(place) {
            Some(entries) => entries.push(entry),
            None => self.accounts.push(vec![entry]),
        }
    }

    /// Adds what `decode` makes of `chunks`, in their order. Reads on this thread and decodes on
    /// others, one a core unless `threads` says otherwise.
    ///
    /// # Errors
    /// The first error that `chunks` gives; what came before it was added.
    pub fn gather<C: Send, E>(
        &mut self,
        threads: Option<usize>,
        chunks: impl Iterator<Item = Result<C, E>>,
        decode: impl Fn(C) -> Vec<Told> + Sync,
    ) -> Result<(), E> {
        let (give, take) = sync_channel::<(u64, C)>(CHUNKS_AHEAD);
        let (done, decoded) = channel::<(u64, Vec<Told>)>();
        let take = Mutex::new(take);
        thread::scope(|scope| {
            for _ in 0..cores(threads) {
                let (take, decode, done) = (&take, &decode, done.clone());
                scope.spawn(move || {
                    loop {
                        let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((number, chunk)) = next else { return };
                        if done.send((number, decode(chunk))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(done);
            scope.spawn(|| {
                let mut early = BTreeMap::new();
                let mut number = 0;
                for (found, told) in decoded {
                    early.insert(found, told);
                    while let Some(told) = early.remove(&number) {
                        told.into_iter().for_each(|one| self.add(one));
                        number += 1;
                    }
                }
            });
            for (number, chunk) in (0..).zip(chunks) {
                if give.send((number, chunk?)).is_err() {
                    break; // a decoder panicked; the scope passes that on
                }
            }
            drop(give);
            Ok(())
        })
    }

    /// Events that were added, without those that came twice.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Plays the history through by `rules`. `progress` hears how many events were played since
    /// it last heard.
    pub fn play(
        self,
        rules: &SharedRules,
        options: &Options,
        progress: impl Fn(usize) + Sync,
    ) -> Outcome {
        self.play_as(rules, options, false, progress)
    }

    /// As [`play`](Self::play), and keeps the course of each claim, to be compared with that of
    /// another policy.
    pub fn play_courses(
        self,
        rules: &SharedRules,
        options: &Options,
        progress: impl Fn(usize) + Sync,
    ) -> Outcome {
        self.play_as(rules, options, true, progress)
    }

    fn play_as(
        self,
        rules: &SharedRules,
        options: &Options,
        courses: bool,
        progress: impl Fn(usize) + Sync,
    ) -> Outcome {
        let moments = self.accounts.iter().flatten().map(|entry| entry.stamp.at);
        let last = moments.max().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut accounts: BTreeMap<AccountId, Vec<Entry>> = BTreeMap::new();
        let mut places: Vec<(AccountId, usize)> = self.places.into_iter().collect();
        places.sort_unstable_by_key(|(_, place)| *place);
        for ((id, _), entries) in places.into_iter().zip(self.accounts) {
            accounts.insert(id, entries);
        }
        drop(self.seen);
        let playing = Playing { rules, last, until: options.until, courses };
        let mut whole = playing.play_unmatched(&mut accounts);
        let queue = Mutex::new(accounts.into_iter().zip(whole.next_rank..));
        let take = || -> Vec<((AccountId, Vec<Entry>), u32)> {
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.by_ref().take(ACCOUNTS_AT_ONCE).collect()
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores(options.threads))
                .map(|_| {
                    scope.spawn(|| {
                        let mut part = playing.part();
                        loop {
                            let taken = take();
                            if taken.is_empty() {
                                return part;
                            }
                            let mut count = 0;
                            for ((id, entries), rank) in taken {
                                count += entries.len();
                                playing.play(&id, entries, rank, &mut part);
                            }
                            progress(count);
                        }
                    })
                })
                .collect();
            for worker in workers {
                match worker.join() {
                    Ok(part) => whole.merge(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        whole.rejected.sort_by_key(|(rank, _)| *rank);
        Outcome {
            summary: whole.summary,
            timeline: whole.timeline.sorted(),
            figures: whole.figures,
            rejected: whole.rejected.into_iter().map(|(_, rejected)| rejected).collect(),
            duplicates: self.duplicates,
            later: whole.later,
        }
    }
}

pub(crate) fn cores(threads: Option<usize>) -> usize {
    let all = || thread::available_parallelism().map_or(1, usize::from);
    threads.unwrap_or_else(all).max(1)
}

/// What one thread has played.
#[derive(Default)]
struct Part {
    summary: Summary,
    timeline: Timeline,
    figures: Option<Figures>,
    rejected: Vec<(u32, Rejected)>,
    later: u64,
    next_rank: u32,
}

impl Part {
    fn merge(&mut self, other: Self) {
        self.summary.merge(other.summary);
        self.timeline.append(other.timeline);
        if let (Some(figures), Some(more)) = (&mut self.figures, other.figures) {
            figures.merge(more);
        }
        self.rejected.extend(other.rejected);
        self.later += other.later;
    }
}

/// What is the same for all accounts.
struct Playing<'a> {
    rules: &'a SharedRules,
    last: Timestamp,
    until: Option<Date>,
    courses: bool,
}

impl Playing<'_> {
    fn part(&self) -> Part {
        Part { figures: self.courses.then(Figures::default), ..Part::default() }
    }

    /// The first moment that is not played any more.
    fn end(&self, rules: &Rules) -> Timestamp {
        let zone = &rules.creditor.zone;
        let day = self.until.unwrap_or_else(|| day_in(self.last, zone));
        let after = day.tomorrow().and_then(|day| day.to_zoned(zone.clone()));
        after.map_or(Timestamp::MAX, |start| start.timestamp())
    }

    /// Plays the accounts on which payments of unknown debtors wait, first and alone: what was
    /// assigned of them is told to the accounts that it belongs to, at the same moment.
    fn play_unmatched(&self, accounts: &mut BTreeMap<AccountId, Vec<Entry>>) -> Part {
        let mut part = self.part();
        let unmatched = accounts.keys().filter(|id| id.debtor.as_str() == UNMATCHED);
        let unmatched: Vec<AccountId> = unmatched.cloned().collect();
        for id in unmatched {
            let Some(entries) = accounts.remove(&id) else { continue };
            let rank = part.next_rank;
            part.next_rank += 1;
            for (to, entry) in self.play(&id, entries, rank, &mut part) {
                if to.debtor.as_str() == UNMATCHED {
                    let reason = "a payment cannot be assigned to another unmatched account";
                    let (event, reason) = (entry.stamp.id, reason.to_owned());
                    part.rejected.push((rank, Rejected { account: to, event, reason }));
                    continue;
                }
                accounts.entry(to).or_default().push(entry);
            }
        }
        part
    }

    /// Plays one account through; what it tells to others.
    fn play(
        &self,
        id: &AccountId,
        mut entries: Vec<Entry>,
        rank: u32,
        part: &mut Part,
    ) -> Vec<(AccountId, Entry)> {
        let Some(rules) = self.rules.of(id) else {
            let reason = format!("there is no file for the creditor {}", id.creditor);
            part.rejected.extend(entries.into_iter().map(|entry| {
                let (event, reason) = (entry.stamp.id, reason.clone());
                (rank, Rejected { account: id.clone(), event, reason })
            }));
            return Vec::new();
        };
        let end = self.end(&rules);
        entries.sort_by_key(|entry| entry.stamp.at); // stable: then as in the file
        let played = entries.partition_point(|entry| entry.stamp.at < end);
        part.later += u64::try_from(entries.len() - played).unwrap_or(u64::MAX);
        entries.truncate(played);
        Player::new(id, rules, rank, part).play(entries, end)
    }
}

#[cfg(test)]
mod tests;
