//! Sorts out a batch before anything of it is written: which of its appends hold, which lose.
//!
//! Pure: it gets what the database knows about the accounts and inbox keys of the batch, whose
//! rows are locked, and applies the appends to that in their order. An account that has several
//! appends in a batch gets one in each round, so that within a round no row is touched twice.

use std::{collections::BTreeSet, hash::Hash};

use kulanz_domain::ids::{AccountId, NoticeId};

use crate::{
    Append, Held, OutboxChange, Outcome, QuickMap, QuickSet, RequestRow, StoreError,
    code::{InboxHash, inbox_hash},
};

/// A batch with its inbox keys hashed.
pub(super) struct Batch {
    pub(super) appends: Vec<(Append, Vec<InboxHash>)>,
}

/// What the database knows about a batch.
#[derive(Default)]
pub(super) struct Known {
    /// Number and version of each account that exists.
    pub(super) heads: QuickMap<AccountId, (i64, u64)>,
    /// Inbox keys that are taken.
    pub(super) inbox: QuickSet<InboxHash>,
    /// Requests that had begun or were answered before.
    pub(super) requests: QuickSet<[u8; 32]>,
    /// Messages of the batch's attempts that are under way still.
    pub(super) held: QuickSet<NoticeId>,
}

/// An append that holds.
pub(super) struct Holds<'b> {
    /// Its place in the batch.
    pub(super) place: usize,
    pub(super) append: &'b Append,
    pub(super) inbox: &'b [InboxHash],
    /// Whether the account is.
    pub(super) new: bool,
}

impl Holds<'_> {
    pub(super) fn version(&self) -> u64 {
        self.append.expected_version + self.append.events.len() as u64
    }
}

/// What becomes of a batch.
pub(super) struct Sorted<'b> {
    /// Outcomes of those that lost.
    pub(super) lost: Vec<(usize, Outcome)>,
    /// Those that hold, in rounds; an account has at most one in each. New accounts are in the
    /// first.
    pub(super) rounds: Vec<Vec<Holds<'b>>>,
}

impl Batch {
    pub(super) fn new(appends: Vec<Append>) -> Self {
        let hashed = |append: Append| {
            let hashes = append.inbox.iter().map(inbox_hash).collect();
            (append, hashes)
        };
        Self { appends: appends.into_iter().map(hashed).collect() }
    }

    /// The accounts, each once, in their order: everybody locks in that order.
    pub(super) fn accounts(&self) -> Vec<&AccountId> {
        let mut accounts: Vec<_> = self.appends.iter().map(|(append, _)| &append.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }

    pub(super) fn inbox(&self) -> Vec<&[u8]> {
        self.appends.iter().flat_map(|(_, keys)| keys).map(|key| &key[..]).collect()
    }

    pub(super) fn requests(&self) -> Vec<&RequestRow> {
        self.appends.iter().flat_map(|(append, _)| &append.requests).collect()
    }

    /// Attempts that have to be under way still.
    pub(super) fn held(&self) -> Vec<&Held> {
        self.appends.iter().flat_map(|(append, _)| &append.held).collect()
    }

    /// Messages that are moved.
    pub(super) fn moved(&self) -> BTreeSet<&NoticeId> {
        let changes = self.appends.iter().flat_map(|(append, _)| &append.outbox);
        let moved = changes.filter_map(|change| match change {
            OutboxChange::Move { notice, .. } => Some(notice),
            OutboxChange::Put(_) => None,
        });
        moved.collect()
    }

    /// Whether it can be written in the belief that all of it holds: each account once.
    pub(super) fn may_go_straight(&self) -> bool {
        let mut accounts = QuickSet::default();
        self.appends.iter().all(|(append, _)| accounts.insert(&append.account))
    }

    /// As [`Self::sort_out`] for a batch that [may go straight](Self::may_go_straight), before
    /// anybody has looked: what expects no version is new. `None` where an append breaks a rule,
    /// which counts only if it holds.
    pub(super) fn as_if_all_held(&self) -> Option<Sorted<'_>> {
        let mut rules = Rules::default();
        let mut round = Vec::with_capacity(self.appends.len());
        for (place, (append, inbox)) in self.appends.iter().enumerate() {
            rules.check(append).ok()?;
            let new = append.expected_version == 0;
            round.push(Holds { place, append, inbox, new });
        }
        round.sort_unstable_by(|one, other| one.append.account.cmp(&other.append.account));
        Some(Sorted { lost: Vec::new(), rounds: vec![round] })
    }

    /// # Errors
    /// [`StoreError::Misused`] where an append that holds breaks a rule of the interface.
    pub(super) fn sort_out(&self, known: &Known) -> Result<Sorted<'_>, StoreError> {
        let mut versions: QuickMap<&AccountId, u64> =
            known.heads.iter().map(|(account, (_, version))| (account, *version)).collect();
        let (mut taken, mut answered) = (known.inbox.clone(), known.requests.clone());
        let mut turns: QuickMap<&AccountId, usize> = QuickMap::default();
        let mut rules = Rules::default();
        let mut sorted = Sorted { lost: Vec::new(), rounds: Vec::new() };
        for (place, (append, inbox)) in self.appends.iter().enumerate() {
            let version = versions.entry(&append.account).or_default();
            if *version != append.expected_version {
                sorted.lost.push((place, Outcome::Conflict));
                continue;
            }
            if let Some(lost) = append.held.iter().find(|held| !known.held.contains(&held.notice)) {
                sorted.lost.push((place, Outcome::NotHeld(lost.notice.clone())));
                continue;
            }
            if let Some(index) = take_all(&mut taken, inbox) {
                let key = append.inbox[index].clone();
                sorted.lost.push((place, Outcome::AlreadyRecorded(key)));
                continue;
            }
            let requests: Vec<_> = append.requests.iter().map(|row| row.request).collect();
            if let Some(index) = take_all(&mut answered, &requests) {
                for key in inbox {
                    taken.remove(key);
                }
                sorted.lost.push((place, Outcome::AlreadyAnswered(requests[index])));
                continue;
            }
            rules.check(append)?;
            *version += append.events.len() as u64;
            let turn = turns.entry(&append.account).or_default();
            if sorted.rounds.len() <= *turn {
                sorted.rounds.push(Vec::new());
            }
            let new = *turn == 0 && !known.heads.contains_key(&append.account);
            sorted.rounds[*turn].push(Holds { place, append, inbox, new });
            *turn += 1;
        }
        for round in &mut sorted.rounds {
            round.sort_unstable_by(|one, other| one.append.account.cmp(&other.append.account));
        }
        Ok(sorted)
    }
}

/// Takes all of `keys`, or none and tells the place of one that was taken before.
fn take_all<K: Copy + Eq + Hash>(taken: &mut QuickSet<K>, keys: &[K]) -> Option<usize> {
    for (index, key) in keys.iter().enumerate() {
        if !taken.insert(*key) {
            for earlier in &keys[..index] {
                taken.remove(earlier);
            }
            return Some(index);
        }
    }
    None
}

/// Rules that hold across the appends of a batch and need no database to see.
#[derive(Default)]
struct Rules<'b> {
    put: QuickSet<&'b NoticeId>,
    moved: QuickSet<&'b NoticeId>,
    links: QuickSet<[u8; 32]>,
}

impl<'b> Rules<'b> {
    fn check(&mut self, append: &'b Append) -> Result<(), StoreError> {
        let account = &append.account;
        for change in &append.outbox {
            match change {
                OutboxChange::Move { notice, .. } => {
                    self.moved.insert(notice);
                }
                OutboxChange::Put(row) if row.account != *account => {
                    return misused(format!(
                        "message {} of {} came with {account}",
                        row.notice, row.account
                    ));
                }
                // The move would find the message that is only put after it.
                OutboxChange::Put(row) if self.moved.contains(&row.notice) => {
                    return misused(format!("there is no message {}", row.notice));
                }
                OutboxChange::Put(row) => {
                    if !self.put.insert(&row.notice) {
                        return misused(format!("message {} exists", row.notice));
                    }
                }
            }
        }
        for link in &append.paylinks {
            if link.account != *account {
                return misused(format!("a paylink of {} came with {account}", link.account));
            }
            if !self.links.insert(link.token_hash) {
                return misused("the paylink exists".to_owned());
            }
        }
        Ok(())
    }
}

fn misused(what: String) -> Result<(), StoreError> {
    Err(StoreError::Misused(what))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::rows::{append, key, message};

    fn places(sorted: &Sorted<'_>) -> Vec<Vec<usize>> {
        let rounds = sorted.rounds.iter();
        rounds.map(|round| round.iter().map(|holds| holds.place).collect()).collect()
    }

    #[test]
    fn an_account_has_one_append_a_round_and_rounds_are_in_the_order_of_accounts() {
        let batch = Batch::new(vec![
            append("shop/d2", 0, &["1"]),
            append("shop/d1", 3, &["4"]),
            append("shop/d2", 1, &["2"]),
            append("shop/d2", 1, &["lost"]),
            append("shop/d2", 2, &[]),
        ]);
        let heads = [("shop/d1".parse().unwrap(), (7, 3))].into_iter().collect();
        let sorted = batch.sort_out(&Known { heads, ..Known::default() }).unwrap();
        assert_eq!(places(&sorted), [vec![1, 0], vec![2], vec![4]]);
        assert_eq!(sorted.lost, [(3, Outcome::Conflict)]);
        let new: Vec<bool> = sorted.rounds.iter().flatten().map(|holds| holds.new).collect();
        assert_eq!(new, [false, true, false, false]);
    }

    #[test]
    fn what_a_loser_brought_is_free_for_those_after_it() {
        let with = |id, keys: &[&str]| Append {
            inbox: keys.iter().map(|id| key("bank", id)).collect(),
            ..append(id, 0, &["1"])
        };
        let batch = Batch::new(vec![
            with("shop/d1", &["1", "known"]),
            with("shop/d2", &["1", "2"]),
            with("shop/d3", &["2"]),
        ]);
        let inbox = [inbox_hash(&key("bank", "known"))].into_iter().collect();
        let sorted = batch.sort_out(&Known { inbox, ..Known::default() }).unwrap();
        assert_eq!(places(&sorted), [vec![1]]);
        let told: Vec<_> = sorted.lost.iter().map(|(place, _)| *place).collect();
        assert_eq!(told, [0, 2]);
    }

    #[test]
    fn only_who_holds_is_asked_for_the_rules() {
        let put = |id, version| {
            let at = jiff::Timestamp::UNIX_EPOCH;
            let outbox = vec![OutboxChange::Put(message(id, "N-1", at))];
            Append { outbox, ..append(id, version, &["1"]) }
        };
        let twice = Batch::new(vec![put("shop/d1", 0), put("shop/d2", 0)]);
        assert!(matches!(twice.sort_out(&Known::default()), Err(StoreError::Misused(_))));
        let once = Batch::new(vec![put("shop/d1", 9), put("shop/d2", 0)]);
        assert_eq!(places(&once.sort_out(&Known::default()).unwrap()), [vec![1]]);
    }
}
