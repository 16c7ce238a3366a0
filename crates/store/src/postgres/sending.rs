//! Who sends which message, by the server's clock: those of the instances may differ.

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
        "UPDATE outbox SET leased_until = clock_timestamp() + $3::bigint * interval '1 second'
         FROM unnest($1::text[]) AS asked(notice)
         WHERE outbox.notice = asked.notice COLLATE \"C\" AND state = 'sending' AND holder = $2
         RETURNING outbox.notice",
        notices.iter().map(|notice| notice.as_str()).collect::<Vec<_>>(),
        text(&lease.holder),
        i64::from(lease.seconds),
    )
}

/// Answers with the messages whose attempts are under way still, and keeps others from taking
/// them over until the transaction ends.
pub(super) fn held<'v>(held: &[&'v Held]) -> Step<'v> {
    step!(
        "SELECT outbox.notice FROM unnest($1::text[], $2::text[], $3::bigint[])
         AS asked(notice, holder, attempts)
         JOIN outbox ON outbox.notice = asked.notice COLLATE \"C\"
         AND outbox.holder = asked.holder AND outbox.attempts = asked.attempts
         WHERE state = 'sending' ORDER BY outbox.notice FOR UPDATE OF outbox",
        held.iter().map(|one| one.notice.as_str()).collect::<Vec<_>>(),
        held.iter().map(|one| text(&one.holder)).collect::<Vec<_>>(),
        held.iter().map(|one| i64::from(one.attempt)).collect::<Vec<_>>(),
    )
}
