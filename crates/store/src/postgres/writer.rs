//! Writes batches: one transaction each, four times to the server and back. A batch is tried in the
//! belief that nobody is in its way: its heads are moved from the versions that it expects, in the
//! order of the accounts, its inbox keys are put, its messages locked, and places in the global order
//! taken; then all other rows go out at once, a statement a table; then COMMIT. Where a head was not
//! as expected, a key was there or an attempt is another's, nothing of it counts and the batch is
//! sorted out: the heads are locked first and say, with the keys that are taken, who loses.

use std::{mem, time::Duration};

use kulanz_domain::ids::{AccountId, NoticeId};
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

use super::{
    batch::{Batch, Holds, Known, Sorted},
    error::Failed,
    pool::{Pool, Session, Step, step},
    recent::{Origin, Recent},
    rows::{self, Round},
    sending,
};
use crate::{Append, Outcome, QuickMap, QuickSet, StoreError};
use std::sync::Arc;

/// How often a batch is begun again because another one was in the way. Each time that one has
/// committed, and is seen.
const ATTEMPTS: u32 = 8;

/// Positions in a block, as the migration says.
pub(super) const BLOCK: i64 = 1000;

/// Namespace of the advisory locks that hold the high-water mark.
pub(super) const MARK: i64 = 0x4b << 56;

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

const LOCK_HEADS: &str = "SELECT number, accounts.creditor, accounts.debtor, version
    FROM unnest($1::text[], $2::text[]) AS asked(creditor, debtor)
    JOIN accounts ON accounts.creditor = asked.creditor COLLATE \"C\"
    AND accounts.debtor = asked.debtor COLLATE \"C\"
    ORDER BY accounts.creditor, accounts.debtor FOR UPDATE OF accounts";

const TAKEN: &str = "SELECT key FROM inbox WHERE key = ANY($1::bytea[])";

const ANSWERED: &str = "SELECT request FROM requests WHERE request = ANY($1::bytea[])";

/// While this is held, no reader passes the last block that was handed out before it: whatever
/// this transaction appends comes after that.
const HOLD_MARK: &str = "SELECT pg_advisory_xact_lock_shared($1 |
    (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM event_blocks))";

const BLOCKS: &str = "SELECT nextval('event_blocks') FROM generate_series(1, $1::bigint)";

/// The number of the transaction, and where its positions come from.
const WHO: &str = "SELECT pg_current_xact_id()::text, tableoid, pg_postmaster_start_time()
    FROM event_blocks";

const WHAT_BECAME: &str = "SELECT pg_xact_status($1::text::xid8)";

/// Writes a batch; what became of each append, in their order.
pub(super) async fn commit(
    pool: &Arc<Pool>,
    recent: &Recent,
    appends: Vec<Append>,
) -> Result<Vec<Outcome>, StoreError> {
    let batch = Batch::new(appends);
    let mut attempt = 1;
    let mut in_the_way = !batch.may_go_straight();
    loop {
        let mut session = pool.lend().await?;
        let prepared = match in_the_way {
            false => straight(&mut session, &batch).await,
            true => prepare(&mut session, &batch).await.map(Some),
        };
        in_the_way = true;
        let ready = match prepared {
            Ok(Some(ready)) => ready,
            Ok(None) => {
                session.roll_back().await;
                continue;
            }
            Err(failed) => {
                session.roll_back().await;
                drop(session);
                match failed {
                    // Nothing was written, so that all can be done again.
                    Failed::Raced(_) | Failed::Lost(_) if attempt < ATTEMPTS => attempt += 1,
                    failed => return Err(failed.into()),
                }
                continue;
            }
        };
        match session.commit().await {
            Ok(()) => {
                if let Some(transaction) = ready.transaction {
                    recent.keep(transaction.origin, batch.appends, &ready.positions);
                }
                return Ok(ready.outcomes);
            }
            Err(failed) => {
                drop(session);
                match what_became(pool, ready.transaction, failed).await? {
                    true => return Ok(ready.outcomes),
                    false if attempt < ATTEMPTS => attempt += 1,
                    false => {
                        return Err(StoreError::Backend("a batch was undone each time".into()));
                    }
                }
            }
        }
    }
}

/// A transaction that lacks only its COMMIT.
struct Ready {
    outcomes: Vec<Outcome>,
    /// Positions of the events of each append that holds, by its place.
    positions: QuickMap<usize, Vec<i64>>,
    transaction: Option<Transaction>,
}

/// What the server calls a transaction, and where its positions come from.
struct Transaction {
    number: String,
    origin: Origin,
}

impl Transaction {
    fn of(rows: Option<Vec<Row>>) -> Option<Self> {
        let rows = rows?;
        let row = rows.first()?;
        Some(Self { number: row.get(0), origin: Origin::of(row, 1) })
    }
}

/// A batch of which every append holds; `None` where one does not.
async fn straight(session: &mut Session, batch: &Batch) -> Result<Option<Ready>, Failed> {
    session.begin(BEGIN).await?;
    let Some(sorted) = batch.as_if_all_held() else { return Ok(None) };
    let round = sorted.rounds.first().map_or(&[][..], Vec::as_slice);
    let (new, moved): (Vec<_>, Vec<_>) = round.iter().partition(|holds| holds.new);
    let mut steps = vec![step!(WHO), rows::move_heads(&moved), rows::new_heads(&new)];
    steps.push(rows::remember(batch.inbox()));
    let requests = batch.requests();
    if !requests.is_empty() {
        steps.push(rows::answer(requests));
    }
    let held = batch.held();
    let messages = steps.len();
    if !held.is_empty() {
        steps.push(sending::lock(&held, &batch.moved()));
    }
    let wanted = blocks(&sorted);
    if wanted > 0 {
        // Only now: readers wait from here on.
        steps.push(step!(HOLD_MARK, MARK));
        steps.push(step!(BLOCKS, wanted));
    }
    let mut answers = session.all(steps).await?;
    if !held.is_empty() {
        let still = still_held(mem::take(&mut answers[messages]))?;
        if !held.iter().all(|held| still.contains(&held.notice)) {
            return Ok(None);
        }
    }
    let mut answers = answers.into_iter();
    let transaction = Transaction::of(answers.next());
    let mut known = Known::default();
    for wanted in [moved.len(), new.len()] {
        let heads = answers.next().unwrap_or_default();
        if heads.len() != wanted {
            return Ok(None);
        }
        add_heads(&mut known, heads)?;
    }
    let blocks = answers.next_back().filter(|_| wanted > 0).unwrap_or_default();
    let blocks: Vec<i64> = blocks.iter().map(|row| row.get(0)).collect();
    let (positions, outcomes) = places(&batch.appends, &sorted, &blocks);
    let round = Round::new(round, &known.heads, &positions)?;
    write_rows(session, round.steps_after_heads()).await?;
    Ok(Some(Ready { outcomes, positions, transaction }))
}

/// Blocks of positions for the events of a batch.
fn blocks(sorted: &Sorted<'_>) -> i64 {
    let events: usize = sorted.rounds.iter().flatten().map(|holds| holds.append.events.len()).sum();
    (events as u64).div_ceil(BLOCK.unsigned_abs()) as i64
}

async fn write_rows(session: &mut Session, steps: Vec<rows::Checked<'_>>) -> Result<(), Failed> {
    let (steps, expected): (Vec<Step<'_>>, Vec<_>) = steps.into_iter().unzip();
    let answers = session.all(steps).await?;
    for (rows, expected) in answers.iter().zip(expected) {
        if let Some((count, wrong)) = expected
            && rows.len() != count
        {
            return Err(StoreError::Misused(wrong).into());
        }
    }
    Ok(())
}

async fn prepare(session: &mut Session, batch: &Batch) -> Result<Ready, Failed> {
    session.begin(BEGIN).await?;
    let mut known = look(session, batch).await?;
    let sorted = batch.sort_out(&known)?;
    let first = sorted.rounds.first().map_or(&[][..], Vec::as_slice);
    let mut steps = vec![step!(WHO)];
    let new: Vec<&Holds<'_>> = first.iter().filter(|holds| holds.new).collect();
    if !new.is_empty() {
        steps.push(rows::new_heads(&new));
    }
    let wanted = blocks(&sorted);
    if wanted > 0 {
        steps.push(step!(HOLD_MARK, MARK));
        steps.push(step!(BLOCKS, wanted));
    }
    let mut answers = session.all(steps).await?.into_iter();
    let transaction = Transaction::of(answers.next());
    if !new.is_empty() {
        add_heads(&mut known, answers.next().unwrap_or_default())?;
    }
    let blocks: Vec<i64> = match wanted {
        0 => Vec::new(),
        _ => answers.nth(1).unwrap_or_default().iter().map(|row| row.get(0)).collect(),
    };
    let (positions, outcomes) = places(&batch.appends, &sorted, &blocks);
    for round in &sorted.rounds {
        let round = Round::new(round, &known.heads, &positions)?;
        write_rows(session, round.steps()).await?;
    }
    Ok(Ready { outcomes, positions, transaction })
}

/// Locks the accounts of the batch, and reads what else decides who loses.
async fn look(session: &mut Session, batch: &Batch) -> Result<Known, Failed> {
    let accounts = batch.accounts();
    let creditors: Vec<&str> = accounts.iter().map(|account| account.creditor.as_str()).collect();
    let debtors: Vec<&str> = accounts.iter().map(|account| account.debtor.as_str()).collect();
    let keys = batch.inbox();
    let mut steps = vec![step!(LOCK_HEADS, creditors, debtors)];
    let (some_keys, held) = (!keys.is_empty(), batch.held());
    if some_keys {
        steps.push(step!(TAKEN, keys));
    }
    let requests: Vec<&[u8]> = batch.requests().iter().map(|row| &row.request[..]).collect();
    let some_requests = !requests.is_empty();
    if some_requests {
        steps.push(step!(ANSWERED, requests));
    }
    let moved = batch.moved();
    if !held.is_empty() || !moved.is_empty() {
        steps.push(sending::lock(&held, &moved));
    }
    let mut answers = session.all(steps).await?.into_iter();
    let mut known = Known::default();
    add_heads(&mut known, answers.next().unwrap_or_default())?;
    let taken = if some_keys { answers.next() } else { None };
    let answered = if some_requests { answers.next() } else { None };
    known.held = still_held(answers.next().unwrap_or_default())?;
    for row in taken.unwrap_or_default() {
        let key: &[u8] = row.get(0);
        let key = key.try_into().map_err(|_| StoreError::Damaged("an inbox key".to_owned()))?;
        known.inbox.insert(key);
    }
    for row in answered.unwrap_or_default() {
        let request: &[u8] = row.get(0);
        let request =
            request.try_into().map_err(|_| StoreError::Damaged("a request".to_owned()))?;
        known.requests.insert(request);
    }
    Ok(known)
}

/// Of the messages of a batch, which are locked, those that are as they have to be.
fn still_held(mut locked: Vec<Row>) -> Result<QuickSet<NoticeId>, StoreError> {
    locked.retain(|row| row.get("held"));
    Ok(super::code::all(locked, |row| row.parsed("notice"))?.into_iter().collect())
}

fn add_heads(known: &mut Known, rows: Vec<Row>) -> Result<(), StoreError> {
    let heads = super::code::all(rows, |row| {
        Ok((row.account()?, (row.integer("number")?, row.count("version")?)))
    })?;
    known.heads.extend(heads);
    Ok(())
}

/// The first position of each append that holds, by its place, and all outcomes. Positions rise
/// in the order of the batch.
fn places(
    appends: &[(Append, Vec<crate::code::InboxHash>)],
    sorted: &Sorted<'_>,
    blocks: &[i64],
) -> (QuickMap<usize, Vec<i64>>, Vec<Outcome>) {
    let mut free = blocks.iter().flat_map(|block| {
        let first = block * BLOCK;
        first..first + BLOCK
    });
    let mut outcomes = vec![Outcome::Committed { last_position: 0 }; appends.len()];
    for (place, outcome) in &sorted.lost {
        outcomes[*place] = outcome.clone();
    }
    let mut positions = QuickMap::default();
    for (place, (append, _)) in appends.iter().enumerate() {
        if let Outcome::Committed { last_position } = &mut outcomes[place] {
            let own: Vec<i64> = free.by_ref().take(append.events.len()).collect();
            *last_position = own.last().map_or(0, |last| last.unsigned_abs());
            positions.insert(place, own);
        }
    }
    (positions, outcomes)
}

/// Whether a transaction took effect whose COMMIT was sent and not answered: the server knows,
/// once it is there again, and once it has noticed that nobody is at the other end.
async fn what_became(
    pool: &Arc<Pool>,
    transaction: Option<Transaction>,
    failed: Failed,
) -> Result<bool, StoreError> {
    let Failed::Lost(lost) = failed else { return Err(failed.into()) };
    let Some(transaction) = transaction else { return Err(unknown(lost)) };
    let until = Instant::now() + pool.config().patience;
    loop {
        let answer = match pool.lend().await {
            Ok(mut session) => session
                .one(step!(WHAT_BECAME, transaction.number.clone()))
                .await
                .map_err(Into::into),
            Err(error) => Err(error),
        };
        let status: Option<String> = match &answer {
            Ok(rows) => rows.first().and_then(|row| row.get(0)),
            Err(StoreError::Unreachable(..)) => None,
            Err(_) => return Err(unknown(lost)),
        };
        match status.as_deref() {
            Some("committed") => return Ok(true),
            Some("aborted") => return Ok(false),
            _ if Instant::now() >= until => return Err(unknown(lost)),
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}

fn unknown(lost: StoreError) -> StoreError {
    StoreError::Unreachable(
        "the connection was lost while a batch was committed, which may have taken effect"
            .to_owned(),
        lost.into(),
    )
}

/// The account's number, for statements that write beside the batches.
pub(super) fn number(account: &AccountId) -> Step<'_> {
    step!(
        "SELECT number FROM accounts WHERE creditor = $1 AND debtor = $2",
        account.creditor.as_str(),
        account.debtor.as_str(),
    )
}
