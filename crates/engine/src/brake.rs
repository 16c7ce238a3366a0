//! The brake at work: whether messages of a creditor may leave, and what a person decides when it
//! was pulled. The limits and their arithmetic are in `kulanz_domain::brake`.
//!
//! What is used of a limit is counted from the store's messages, never from memory, so that a
//! restart forgets nothing. A brake that is **pulled** is kept with the data and stays pulled until
//! a person releases it: time alone does not, and a message that waits has not happened to its
//! account. What a person released leaves whatever the limits say and does not count against them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use kulanz_domain::{
    brake::{Brake, Spans, Traffic, Used, usual},
    ids::CreditorId,
    policy::Rules,
};
use kulanz_store::Store;
use serde::{Deserialize, Serialize};

mod discard;

pub use discard::{Discarded, discard};

use crate::{Engine, Fault};

/// Where the data keep it.
const KEY: &str = "brakes";
/// What was counted is trusted for so long, should nothing else ask for a fresh count.
const TRUSTED: SignedDuration = SignedDuration::from_secs(60);
/// Only this part of what is left is given out between two counts: of several instances that send
/// at the same time, none can overlook the others by much. What each of them took is on its way in
/// the store and counts at the next count of any; so the overshoot is at most what the other
/// instances took between a count and the takes that rest on it, each at most its own part.
const PART: u64 = 8;
/// As many are given out however little is left of a limit.
const LEAST: u64 = 16;
/// How often a change is tried again that somebody else was faster with.
const TRIES: usize = 100;

/// For how long the key of an order is known: longer than it is answered again.
const KNOWN: SignedDuration = SignedDuration::from_hours(48);

/// What the data know of brakes, by creditor; those that were never pulled are absent.
pub type Brakes = BTreeMap<CreditorId, State>;

/// A creditor's brake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Messages wait for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Pulled>,
    /// When it was released last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Released>,
    /// Orders that came with a key and took effect: the same one again does nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ordered: Vec<Ordered>,
}

/// An order to release, known by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Its key.
    pub key: String,
    /// When it took effect.
    pub at: Timestamp,
    /// How many messages that was about.
    pub messages: u64,
}

/// Who orders something, when, and by which key: the same key again changes nothing, and tells what
/// the first one did.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The person.
    pub person: &'a str,
    /// When.
    pub at: Timestamp,
    /// The key, where it came with one.
    pub key: Option<&'a str>,
}

/// Why messages wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// Since when.
    pub at: Timestamp,
    /// The limit that was reached.
    pub by: Used,
    /// The usual number of messages a day then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<u64>,
    /// How many messages were queued then, those included whose time had not come.
    pub waiting: u64,
    /// What a person let through meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_through: Option<LetThrough>,
}

/// Some messages that may leave although the brake stays pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetThrough {
    /// Since when.
    pub at: Timestamp,
    /// Who said so last.
    pub by: String,
    /// How many together.
    pub messages: u64,
    /// How many had left at that very moment already.
    pub before: u64,
}

/// The end of a pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// When. Messages decided until then are free; what was decided later counts from nothing.
    pub at: Timestamp,
    /// Who said so.
    pub by: String,
    /// How many messages were queued then.
    pub messages: u64,
}

/// A creditor's brake as people look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Whose.
    pub creditor: CreditorId,
    /// The limits of the policies in force; absent: none.
    pub limits: Option<Brake>,
    /// What is used of each limit that can be told.
    pub used: Vec<Used>,
    /// The usual number of messages a day; absent while too few days are known.
    pub usual: Option<u64>,
    /// Why messages wait; absent: they do not.
    pub pulled: Option<Pulled>,
    /// Messages of those let through that may still leave.
    pub may_leave: u64,
    /// When it was released last.
    pub released: Option<Released>,
    /// Queued messages.
    pub waiting: u64,
}

/// What the data know of brakes.
///
/// # Errors
/// What the store says, or a form that this release does not know.
pub async fn read(store: &dyn Store) -> Result<Brakes, Fault> {
    Ok(match store.meta(KEY.to_owned()).await? {
        Some(text) => serde_json::from_str(&text)?,
        None => Brakes::new(),
    })
}

/// Changes a creditor's brake on top of whatever others change at the same time. Where `change`
/// gives an error, nothing is written.
async fn change<T, E>(
    store: &dyn Store,
    creditor: &CreditorId,
    change: impl Fn(&mut State) -> Result<T, E>,
) -> Result<Result<T, E>, Fault> {
    for _ in 0..TRIES {
        let old = store.meta(KEY.to_owned()).await?;
        let mut brakes: Brakes = match &old {
            Some(text) => serde_json::from_str(text)?,
            None => Brakes::new(),
        };
        let done = match change(brakes.entry(creditor.clone()).or_default()) {
            Ok(done) => done,
            Err(refused) => return Ok(Err(refused)),
        };
        if store.swap_meta(KEY.to_owned(), old, Some(serde_json::to_string(&brakes)?)).await? {
            return Ok(Ok(done));
        }
    }
    Err(Fault::Conflict)
}

/// Does what `by` orders, unless it was done under the same key before; the messages that it is about.
async fn ordered(
    store: &dyn Store,
    creditor: &CreditorId,
    by: By<'_>,
    messages: u64,
    order: impl Fn(&mut State) -> Result<(), NotPulled>,
) -> Result<Result<u64, NotPulled>, Fault> {
    let oldest = by.at.saturating_sub(KNOWN).unwrap_or(Timestamp::MIN);
    change(store, creditor, |state| {
        let known = state.ordered.iter().find(|known| Some(known.key.as_str()) == by.key);
        if let Some(known) = known {
            return Ok(known.messages);
        }
        order(state)?;
        state.ordered.retain(|known| known.at >= oldest);
        let (at, key) = (by.at, by.key.map(ToOwned::to_owned));
        state.ordered.extend(key.map(|key| Ordered { key, at, messages }));
        Ok(messages)
    })
    .await
}

/// The brake is not pulled: there is nothing to release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotPulled;

/// Ends a pull: whatever was decided by then may leave. How many messages that are at most.
///
/// # Errors
/// A fault of the store; inside, [`NotPulled`].
pub async fn release(
    store: &dyn Store,
    creditor: &CreditorId,
    by: By<'_>,
) -> Result<Result<u64, NotPulled>, Fault> {
    let messages = store.queued_count(creditor.clone(), Some(by.at), None).await?;
    ordered(store, creditor, by, messages, |state| {
        state.pulled.take().ok_or(NotPulled)?;
        let person = by.person.to_owned();
        state.released = Some(Released { at: by.at, by: person, messages });
        Ok(())
    })
    .await
}

/// Lets so many `messages` leave; the brake stays pulled for the others. Those that are suppressed
/// on their way do not count.
///
/// # Errors
/// A fault of the store; inside, [`NotPulled`].
pub async fn let_through(
    store: &dyn Store,
    creditor: &CreditorId,
    by: By<'_>,
    messages: u64,
) -> Result<Result<u64, NotPulled>, Fault> {
    let (left, now) = (left_since(store, creditor, by.at).await?, by.at);
    ordered(store, creditor, by, messages, |state| {
        let pulled = state.pulled.as_mut().ok_or(NotPulled)?;
        let by = by.person.to_owned();
        pulled.let_through = Some(match pulled.let_through.take() {
            Some(known) => {
                LetThrough { by, messages: known.messages.saturating_add(messages), ..known }
            }
            None => LetThrough { at: now, by, messages, before: left },
        });
        Ok(())
    })
    .await
}

async fn left_since(store: &dyn Store, creditor: &CreditorId, at: Timestamp) -> Result<u64, Fault> {
    let left = store.departures(creditor.clone(), None, vec![(at, Timestamp::MAX)]).await?;
    Ok(left.iter().sum())
}

/// Of the messages let through those that may still leave.
async fn may_leave(
    store: &dyn Store,
    creditor: &CreditorId,
    pulled: &Pulled,
) -> Result<u64, Fault> {
    let Some(through) = &pulled.let_through else { return Ok(0) };
    let left = left_since(store, creditor, through.at).await?;
    Ok(through.messages.saturating_sub(left.saturating_sub(through.before)))
}

/// Messages of a creditor on each of the days from which the usual is taken, oldest first.
///
/// # Errors
/// What the store says.
pub async fn days_before(
    store: &dyn Store,
    creditor: &CreditorId,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<(Date, u64)>, Fault> {
    let days = Spans::at(now, zone).days_before(zone);
    let spans = days.iter().map(|(_, from, until)| (*from, *until)).collect();
    let counted = store.departures(creditor.clone(), None, spans).await?;
    Ok(days.into_iter().map(|(day, ..)| day).zip(counted).collect())
}

/// What has left and counts: since the last release only what was decided after it.
///
/// # Errors
/// What the store says.
pub async fn counted(
    store: &dyn Store,
    creditor: &CreditorId,
    zone: &TimeZone,
    now: Timestamp,
    released: Option<&Released>,
) -> Result<Traffic, Fault> {
    let spans = Spans::at(now, zone);
    let since = vec![(spans.hour, Timestamp::MAX), (spans.day, Timestamp::MAX)];
    let after = released.map(|released| released.at);
    let left = store.departures(creditor.clone(), after, since).await?;
    let count = |at: usize| left.get(at).copied().unwrap_or(0);
    Ok(Traffic { last_hour: count(0), today: count(1), usual: None })
}

/// A creditor's brake with its figures.
///
/// # Errors
/// What the store says.
pub async fn view(
    store: &dyn Store,
    rules: &Rules,
    brakes: &Brakes,
    now: Timestamp,
) -> Result<View, Fault> {
    let (creditor, zone) = (&rules.creditor.id, &rules.creditor.zone);
    let State { pulled, released, .. } = brakes.get(creditor).cloned().unwrap_or_default();
    let days = days_before(store, creditor, zone, now).await?;
    let usual = usual(days.into_iter().map(|(_, messages)| messages));
    let counted = counted(store, creditor, zone, now, released.as_ref()).await?;
    let limits = rules.brake();
    let traffic = Traffic { usual, ..counted };
    let may_leave = match &pulled {
        Some(pulled) => may_leave(store, creditor, pulled).await?,
        None => 0,
    };
    Ok(View {
        creditor: creditor.clone(),
        used: limits.map(|limits| limits.used(&traffic)).unwrap_or_default(),
        limits,
        usual,
        pulled,
        may_leave,
        released,
        waiting: store.queued_count(creditor.clone(), None, None).await?,
    })
}

/// Says how many messages of a creditor may be taken, and pulls the brake where none may. One for
/// each process that sends.
#[derive(Debug, Default)]
pub struct Gate {
    given: Mutex<HashMap<CreditorId, Given>>,
    /// The usual changes with the day alone.
    usual: Mutex<HashMap<CreditorId, (Date, Option<u64>)>>,
}

/// What a count let pass, and how long that may be relied upon.
#[derive(Debug, Clone)]
struct Given {
    left: u64,
    at: Timestamp,
    released: Option<Timestamp>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// How many messages of `creditor`, of whom some are due, may be taken at `now`. `brakes` is
    /// what the data say just now.
    ///
    /// # Errors
    /// What the store says.
    pub async fn room(
        &self,
        engine: &Engine,
        brakes: &Brakes,
        creditor: &CreditorId,
        now: Timestamp,
    ) -> Result<u32, Fault> {
        let at_most = |room: u64| u32::try_from(room).unwrap_or(u32::MAX);
        let store = &**engine.store();
        let state = brakes.get(creditor);
        if let Some(pulled) = state.and_then(|state| state.pulled.as_ref()) {
            lock(&self.given).remove(creditor);
            // Others count at this moment too: a few at once, so that few too many leave.
            return Ok(at_most(may_leave(store, creditor, pulled).await?.min(LEAST)));
        }
        let Some(rules) = engine.creditor_rules(creditor) else { return Ok(u32::MAX) };
        let Some(brake) = rules.brake() else { return Ok(u32::MAX) };
        let released = state.and_then(|state| state.released.as_ref());
        let released_at = released.map(|released| released.at);
        if let Some(given) = lock(&self.given).get(creditor)
            && given.left > 0
            && given.released == released_at
            && (SignedDuration::ZERO..TRUSTED).contains(&now.duration_since(given.at))
        {
            return Ok(at_most(given.left));
        }
        let zone = &rules.creditor.zone;
        let usual = self.usual(store, creditor, zone, now).await?;
        let counted = counted(store, creditor, zone, now, released).await?;
        let Some(nearest) = brake.nearest(&Traffic { usual, ..counted }) else {
            return Ok(u32::MAX);
        };
        let free = match released_at {
            Some(at) => store.queued_count(creditor.clone(), Some(at), Some(now)).await?,
            None => 0,
        };
        let room = nearest.left().saturating_add(free);
        if room == 0 {
            pull(store, creditor, now, (nearest, usual), released_at).await?;
            return Ok(0);
        }
        let left = room.min((room / PART).max(LEAST));
        let given = Given { left, at: now, released: released_at };
        lock(&self.given).insert(creditor.clone(), given);
        Ok(at_most(left))
    }

    /// So many messages were taken.
    pub fn took(&self, creditor: &CreditorId, messages: usize) {
        if let Some(given) = lock(&self.given).get_mut(creditor) {
            let messages = u64::try_from(messages).unwrap_or(u64::MAX);
            given.left = given.left.saturating_sub(messages);
        }
    }

    async fn usual(
        &self,
        store: &dyn Store,
        creditor: &CreditorId,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Option<u64>, Fault> {
        let today = Spans::at(now, zone).today;
        let known = lock(&self.usual).get(creditor).copied();
        if let Some((_, known)) = known.filter(|(day, _)| *day == today) {
            return Ok(known);
        }
        let days = days_before(store, creditor, zone, now).await?;
        let found = usual(days.into_iter().map(|(_, messages)| messages));
        lock(&self.usual).insert(creditor.clone(), (today, found));
        Ok(found)
    }
}

/// Keeps with the data that messages wait for a person. Nothing where somebody else has, or has
/// released it meanwhile.
async fn pull(
    store: &dyn Store,
    creditor: &CreditorId,
    now: Timestamp,
    (by, usual): (Used, Option<u64>),
    released: Option<Timestamp>,
) -> Result<(), Fault> {
    let waiting = store.queued_count(creditor.clone(), None, None).await?;
    let pulled = change(store, creditor, |state| {
        let same = state.released.as_ref().map(|released| released.at) == released;
        if state.pulled.is_some() || !same {
            return Err(());
        }
        state.pulled = Some(Pulled { at: now, by, usual, waiting, let_through: None });
        Ok(())
    })
    .await?;
    if pulled.is_ok() {
        let (limit, allowed) = (by.limit.name(), by.allowed);
        tracing::warn!(
            %creditor, limit, allowed, waiting,
            "the brake is pulled: messages wait until a person has looked (`kulanz brake`)"
        );
    }
    Ok(())
}
