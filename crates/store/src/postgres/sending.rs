//! Who sends which message, by the server's clock: those of the instances may differ.
//!
//! Whoever waits for messages while it has others locked, a batch or who renews leases, locks them in
//! the order of their ids: two that each have what the other one wants would stand for a second.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{CreditorId, NoticeId},
};

use super::{
    code::{moment, text},
    pool::{Step, step},
};
use crate::{Held, Lease};

/// Queued messages that are due become `Sending`; only then are they handed out.
pub(super) fn take<'v>(
    queue: &'v (CreditorId, Channel),
    now: Timestamp,
    limit: u32,
    lease: &'v Lease,
) -> Step<'v> {
    // What another one takes at this moment is passed over.
    step!(
        "WITH due AS (
             SELECT number FROM outbox WHERE state = 'queued' AND of_creditor = $5
             AND channel = $6 AND next_at <= $1 ORDER BY next_at, number LIMIT $2 FOR UPDATE SKIP LOCKED
         ), taken AS (
             UPDATE outbox SET state = 'sending', attempts = attempts + 1, changed_at = $1,
             holder = $3, leased_until = clock_timestamp() + $4::bigint * interval '1 second'
             FROM due WHERE outbox.number = due.number RETURNING outbox.*
         )
         SELECT taken.*, creditor, debtor FROM taken JOIN accounts ON accounts.number = account
         ORDER BY next_at, taken.number",
        moment(now),
        i64::from(limit),
        text(&lease.holder),
        i64::from(lease.seconds),
        queue.0.as_str(),
        queue.1.name(),
    )
}

/// Messages that nobody goes on with.
pub(super) fn take_abandoned<'v>(limit: u32, lease: &'v Lease, but: &'v [NoticeId]) -> Step<'v> {
    step!(
        "WITH abandoned AS (
             SELECT number FROM outbox WHERE state = 'sending' AND (holder IS NULL OR holder = $2
             OR leased_until IS NULL OR leased_until <= clock_timestamp())
             AND NOT (holder IS NOT DISTINCT FROM $2 AND notice = ANY($4::text[]))
             ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED
         ), taken AS (
             UPDATE outbox SET holder = $2,
             leased_until = clock_timestamp() + $3::bigint * interval '1 second'
             FROM abandoned WHERE outbox.number = abandoned.number RETURNING outbox.*
         )
         SELECT taken.*, creditor, debtor FROM taken JOIN accounts ON accounts.number = account
         ORDER BY taken.number",
        i64::from(limit),
        text(&lease.holder),
        i64::from(lease.seconds),
        but.iter().map(|notice| notice.as_str()).collect::<Vec<_>>(),
    )
}

/// Answers with the messages that are still the holder's.
pub(super) fn renew<'v>(notices: &'v [NoticeId], lease: &'v Lease) -> Step<'v> {
    step!(
        "WITH ours AS (
             SELECT number FROM unnest($1::text[]) AS asked(notice)
             JOIN outbox ON outbox.notice = asked.notice COLLATE \"C\"
             WHERE state = 'sending' AND holder = $2
             ORDER BY outbox.notice FOR NO KEY UPDATE OF outbox
         )
         UPDATE outbox SET leased_until = clock_timestamp() + $3::bigint * interval '1 second'
         FROM ours WHERE outbox.number = ours.number RETURNING outbox.notice",
        notices.iter().map(|notice| notice.as_str()).collect::<Vec<_>>(),
        text(&lease.holder),
        i64::from(lease.seconds),
    )
}

/// Locks the messages of a batch until the transaction ends: those that have to be under way or wait
/// still, which others cannot take then, and those that it moves besides. Answers with all that are
/// there as they have to be, `held` where something was asked.
pub(super) fn lock<'v>(held: &[&'v Held], moved: &BTreeSet<&'v NoticeId>) -> Step<'v> {
    let mut asked: BTreeMap<_, _> = moved.iter().map(|notice| (notice.as_str(), None)).collect();
    asked.extend(held.iter().map(|held| (held.notice.as_str(), Some(*held))));
    let holder = |held: &&'v Held| held.holder.as_deref().map(text);
    step!(
        "SELECT outbox.notice, asked.attempts IS NOT NULL AS held
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS asked(notice, holder, attempts)
         JOIN outbox ON outbox.notice = asked.notice COLLATE \"C\"
         WHERE asked.attempts IS NULL OR (outbox.attempts = asked.attempts
         AND CASE WHEN asked.holder IS NULL THEN state = 'queued'
         ELSE state = 'sending' AND outbox.holder = asked.holder END)
         ORDER BY outbox.notice FOR UPDATE OF outbox",
        asked.keys().copied().collect::<Vec<_>>(),
        asked.values().map(|held| held.as_ref().and_then(holder)).collect::<Vec<_>>(),
        asked.values().map(|held| held.map(|held| i64::from(held.attempt))).collect::<Vec<_>>(),
    )
}
