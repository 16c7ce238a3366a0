//! What waits in the outbox and what left it, creditor by creditor.

use std::sync::Arc;

use jiff::Timestamp;
use kulanz_domain::{fact::Channel, ids::CreditorId};

use super::{
    code::{all, first, moment},
    pool::{Pool, step},
};
use crate::{OutboxRow, StoreError, code as rows, code::DUE_QUEUES};

pub(super) async fn due_queues(
    pool: &Arc<Pool>,
    now: Timestamp,
) -> Result<Vec<(CreditorId, Channel)>, StoreError> {
    let found = pool.read(|| step!(DUE_QUEUES, moment(now))).await?;
    all(found, rows::queue)
}

pub(super) async fn departures(
    pool: &Arc<Pool>,
    creditor: &CreditorId,
    decided_after: Option<Timestamp>,
    spans: &[(Timestamp, Timestamp)],
) -> Result<Vec<u64>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT (SELECT count(*) FROM outbox
                     WHERE state IN ('sending', 'sent', 'unknown') AND of_creditor = $1
                     AND changed_at >= span.since AND changed_at < span.until
                     AND step IS NOT NULL AND ($4::timestamptz IS NULL OR decided_at > $4)
                 ) AS messages
                 FROM unnest($2::timestamptz[], $3::timestamptz[])
                 WITH ORDINALITY AS span(since, until, place) ORDER BY place",
                creditor.as_str(),
                spans.iter().map(|span| moment(span.0)).collect::<Vec<_>>(),
                spans.iter().map(|span| moment(span.1)).collect::<Vec<_>>(),
                decided_after.map(moment),
            )
        })
        .await?;
    all(found, |row| row.count("messages"))
}

pub(super) async fn count(
    pool: &Arc<Pool>,
    creditor: &CreditorId,
    decided_until: Option<Timestamp>,
    due: Option<Timestamp>,
) -> Result<u64, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT count(*) AS messages FROM outbox
                 WHERE state = 'queued' AND of_creditor = $1
                 AND ($2::timestamptz IS NULL OR decided_at <= $2)
                 AND ($3::timestamptz IS NULL OR next_at <= $3)",
                creditor.as_str(),
                decided_until.map(moment),
                due.map(moment),
            )
        })
        .await?;
    Ok(first(found, |row| row.count("messages"))?.unwrap_or(0))
}

pub(super) async fn queued(
    pool: &Arc<Pool>,
    creditor: &CreditorId,
    limit: u32,
) -> Result<Vec<(OutboxRow, Option<String>)>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT outbox.*, creditor, debtor, persona FROM outbox
                 JOIN accounts ON accounts.number = outbox.account
                 LEFT JOIN notices ON notices.account = outbox.account
                 AND notices.notice = outbox.notice
                 WHERE outbox.state = 'queued' AND of_creditor = $1
                 ORDER BY outbox.next_at, outbox.number LIMIT $2",
                creditor.as_str(),
                i64::from(limit),
            )
        })
        .await?;
    all(found, rows::queued_row)
}
