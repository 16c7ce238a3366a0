//! Maps by what is looked up many times for each event: ids, and hashes that are random already.
//!
//! Those who choose the ids are shops and agencies that have a token, and the hash has a seed of its
//! own: what the standard library's spends on keys from strangers is not needed.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash},
};

use foldhash::{fast::RandomState, quality::FixedState};

/// A map with a quick hash; made by `default()`.
pub type QuickMap<K, V> = HashMap<K, V, RandomState>;

/// A set with a quick hash; made by `default()`.
pub type QuickSet<K> = HashSet<K, RandomState>;

/// A hash by which something is known again as long as the program runs.
pub fn quick_hash(of: &impl Hash) -> u64 {
    FixedState::with_seed(0).hash_one(of)
}
