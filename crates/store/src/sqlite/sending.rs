//! Who sends which message. One process has the folder, so that leases matter only between its
//! own parts; they are kept as everywhere, so that all stores do the same.

use std::collections::HashSet;

use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{CreditorId, NoticeId},
};
use rusqlite::{Connection, params};

use super::code::{self, SqliteRow};
use crate::{Held, Lease, OutboxRow, StoreError};

/// The machine's time, as the database tells it.
const NOW: &str = "CAST(unixepoch('subsec') * 1000000 AS INTEGER)";

/// Queued messages that are due become `Sending`; only then are they handed out.
pub(super) fn take(
    connection: &Connection,
    queue: &(CreditorId, Channel),
    now: Timestamp,
    limit: u32,
    lease: &Lease,
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut due = connection.prepare_cached(
        // The planner would rather read all that is queued, however much of it waits.
        "SELECT number FROM outbox INDEXED BY outbox_queue
         WHERE state = 'queued' AND of_creditor = ?3 AND channel = ?4 AND next_at <= ?1
         ORDER BY next_at, number LIMIT ?2",
    )?;
    let numbers = due
        .query_map(params![code::moment(now), limit, queue.0.as_str(), queue.1.name()], |row| {
            row.get(0)
        })?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut take = connection.prepare_cached(&format!(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, changed_at = ?2,
         holder = ?3, leased_until = {NOW} + ?4 WHERE number = ?1"
    ))?;
    for number in &numbers {
        take.execute(params![number, code::moment(now), lease.holder, micros(lease)])?;
    }
    read(connection, &numbers)
}

/// Messages that nobody goes on with.
pub(super) fn take_abandoned(
    connection: &Connection,
    limit: u32,
    lease: &Lease,
    but: &[NoticeId],
) -> Result<Vec<OutboxRow>, StoreError> {
    let mut left = connection.prepare_cached(&format!(
        "SELECT number, notice, coalesce(holder = ?1, false) FROM outbox WHERE state = 'sending'
         AND (holder IS NULL OR holder = ?1 OR leased_until IS NULL OR leased_until <= {NOW})
         ORDER BY number"
    ))?;
    let kept: HashSet<&str> = but.iter().map(NoticeId::as_str).collect();
    let (mut numbers, mut rows) = (Vec::new(), left.query([&lease.holder])?);
    while numbers.len() < limit as usize
        && let Some(row) = rows.next()?
    {
        let (notice, own): (String, bool) = (row.get(1)?, row.get(2)?);
        if !own || !kept.contains(notice.as_str()) {
            numbers.push(row.get(0)?);
        }
    }
    drop(rows);
    let mut take = connection.prepare_cached(&format!(
        "UPDATE outbox SET holder = ?2, leased_until = {NOW} + ?3 WHERE number = ?1"
    ))?;
    for number in &numbers {
        take.execute(params![number, lease.holder, micros(lease)])?;
    }
    read(connection, &numbers)
}

/// Whether each of `notices` is still the holder's.
pub(super) fn renew(
    connection: &Connection,
    notices: &[NoticeId],
    lease: &Lease,
) -> Result<Vec<bool>, StoreError> {
    let mut renew = connection.prepare_cached(&format!(
        "UPDATE outbox SET leased_until = {NOW} + ?3
         WHERE notice = ?1 AND state = 'sending' AND holder = ?2"
    ))?;
    let renewed = notices.iter().map(|notice| {
        Ok(renew.execute(params![notice.as_str(), lease.holder, micros(lease)])? > 0)
    });
    renewed.collect()
}

/// Whether an attempt is under way still, or a message waits as it did.
pub(super) fn is_held(connection: &Connection, held: &Held) -> Result<bool, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT 1 FROM outbox WHERE notice = ?1 AND attempts = ?3
         AND CASE WHEN ?2 IS NULL THEN state = 'queued' ELSE state = 'sending' AND holder = ?2 END",
    )?;
    Ok(find.exists(params![held.notice.as_str(), held.holder, held.attempt])?)
}

fn micros(lease: &Lease) -> i64 {
    i64::from(lease.seconds) * 1_000_000
}

fn read(connection: &Connection, numbers: &[i64]) -> Result<Vec<OutboxRow>, StoreError> {
    let mut read = connection.prepare_cached(
        "SELECT outbox.*, creditor, debtor FROM outbox
         JOIN accounts ON accounts.number = outbox.account WHERE outbox.number = ?1",
    )?;
    let mut taken = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut rows = read.query([number])?;
        if let Some(row) = rows.next()? {
            taken.push(crate::code::outbox_row(&SqliteRow(row))?);
        }
    }
    Ok(taken)
}
