//! What waits in the outbox and what left it, creditor by creditor.

use jiff::Timestamp;
use kulanz_domain::{fact::Channel, ids::CreditorId};
use rusqlite::{Connection, params};

use super::{
    code,
    read::{all, first},
};
use crate::{OutboxRow, StoreError, code as rows, code::DUE_QUEUES};

pub(super) fn due_queues(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<(CreditorId, Channel)>, StoreError> {
    all(connection, DUE_QUEUES, [code::moment(now)], rows::queue)
}

pub(super) fn departures(
    connection: &Connection,
    creditor: &CreditorId,
    decided_after: Option<Timestamp>,
    spans: &[(Timestamp, Timestamp)],
) -> Result<Vec<u64>, StoreError> {
    let after = decided_after.map(code::moment);
    let count = |(from, until): &(Timestamp, Timestamp)| {
        let found = first(
            connection,
            "SELECT count(*) AS messages FROM outbox INDEXED BY outbox_left
             WHERE state IN ('sending', 'sent', 'unknown') AND of_creditor = ?1
             AND changed_at >= ?2 AND changed_at < ?3 AND step IS NOT NULL
             AND (?4 IS NULL OR decided_at > ?4)",
            params![creditor.as_str(), code::moment(*from), code::moment(*until), after],
            |row| row.count("messages"),
        )?;
        Ok(found.unwrap_or(0))
    };
    spans.iter().map(count).collect()
}

pub(super) fn count(
    connection: &Connection,
    creditor: &CreditorId,
    decided_until: Option<Timestamp>,
    due: Option<Timestamp>,
) -> Result<u64, StoreError> {
    let found = first(
        connection,
        "SELECT count(*) AS messages FROM outbox INDEXED BY outbox_queue
         WHERE state = 'queued' AND of_creditor = ?1
         AND (?2 IS NULL OR decided_at <= ?2) AND (?3 IS NULL OR next_at <= ?3)",
        params![creditor.as_str(), decided_until.map(code::moment), due.map(code::moment)],
        |row| row.count("messages"),
    )?;
    Ok(found.unwrap_or(0))
}

pub(super) fn queued(
    connection: &Connection,
    creditor: &CreditorId,
    limit: u32,
) -> Result<Vec<(OutboxRow, Option<String>)>, StoreError> {
    all(
        connection,
        "SELECT outbox.*, creditor, debtor, persona FROM outbox INDEXED BY outbox_queue
         JOIN accounts ON accounts.number = outbox.account
         LEFT JOIN notices ON notices.account = outbox.account AND notices.notice = outbox.notice
         WHERE outbox.state = 'queued' AND of_creditor = ?1
         ORDER BY outbox.next_at, outbox.number LIMIT ?2",
        params![creditor.as_str(), limit],
        rows::queued_row,
    )
}
