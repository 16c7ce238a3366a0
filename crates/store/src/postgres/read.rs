//! Queries over streams, heads, vault, outbox and read models. One statement each, so that it
//! sees one moment, but for heads and the global order, which say how theirs agree.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use jiff::Timestamp;
use kulanz_domain::ids::{AccountId, CreditorId, NoticeId};

use super::{
    code::{all, first, moment},
    error::Failed,
    pool::{Pool, Session, step},
    recent::{Origin, Recent},
    writer::MARK,
};
use crate::{
    BookRow, ClaimRow, Head, InboxKey, NoticeRow, OutboxRow, OutboxState, Partitions, Paylink,
    Secret, Share, StoreError, StoredEvent, WorkRow,
    code::{self as rows, NoticeCount},
};

const HEADS: &str = "SELECT accounts.creditor, accounts.debtor, accounts.number,
    accounts.version, wake_at, snapshots.version AS taken_at, state,
    CASE WHEN NOT destroyed THEN wrapped END AS wrapped
    FROM unnest($1::text[], $2::text[]) AS asked(creditor, debtor)
    JOIN accounts ON accounts.creditor = asked.creditor COLLATE \"C\"
    AND accounts.debtor = asked.debtor COLLATE \"C\"
    LEFT JOIN snapshots ON snapshots.account = accounts.number
    LEFT JOIN keys ON keys.account = accounts.number";

/// The kind is that of the index on such events, which are few.
const PLACED: &str = "SELECT creditor, debtor FROM accounts JOIN
    (SELECT DISTINCT account FROM events WHERE kind = 'PlacementReleased') AS placed
    ON placed.account = accounts.number";

/// One look for each secret, whatever the planner believes of the tables: by a join it would as gladly
/// read all that an account has, or all that there are.
pub(super) const SECRETS_OF: &str = "SELECT asked.place, secret.slot, stamp, sealed
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY
    AS asked(place, creditor, debtor, slot, turn)
    CROSS JOIN LATERAL (SELECT number FROM accounts
        WHERE creditor = asked.creditor COLLATE \"C\" AND debtor = asked.debtor COLLATE \"C\"
        LIMIT 1) AS head
    CROSS JOIN LATERAL (SELECT slot, stamp, sealed FROM secrets
        WHERE account = head.number AND slot = asked.slot COLLATE \"C\" LIMIT 1) AS secret
    ORDER BY turn";

/// Between two versions, since more may have been appended after the heads were read.
const EVENTS_OF: &str = "SELECT events.* FROM
    unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked(account, above, upto)
    JOIN events ON events.account = asked.account
    AND events.version > asked.above AND events.version <= asked.upto
    ORDER BY events.account, events.version";

/// A head whose events are yet to come.
struct Found {
    account: AccountId,
    head: Head,
}

pub(super) async fn heads(
    pool: &Arc<Pool>,
    accounts: &[AccountId],
) -> Result<Vec<Option<Head>>, StoreError> {
    let creditors = || accounts.iter().map(|account| account.creditor.as_str()).collect::<Vec<_>>();
    let debtors = || accounts.iter().map(|account| account.debtor.as_str()).collect::<Vec<_>>();
    let found = pool.read(|| step!(HEADS, creditors(), debtors())).await?;
    let found = all(found, |row| {
        let (account, head) = (row.account()?, rows::bare_head(row)?);
        Ok((row.integer("number")?, Found { account, head }))
    })?;
    let mut found: HashMap<i64, Found> = found.into_iter().collect();
    let behind = || {
        found.iter().filter_map(|(number, found)| {
            let above = found.head.snapshot.as_ref().map_or(0, |(version, _)| *version);
            let upto = found.head.version;
            (above < upto).then_some((*number, above as i64, upto as i64))
        })
    };
    if behind().next().is_some() {
        let numbers = || behind().map(|row| row.0).collect::<Vec<_>>();
        let above = || behind().map(|row| row.1).collect::<Vec<_>>();
        let upto = || behind().map(|row| row.2).collect::<Vec<_>>();
        let events = pool.read(|| step!(EVENTS_OF, numbers(), above(), upto())).await?;
        let events = all(events, |row| {
            let number = row.integer("account")?;
            let account = found.get(&number).map(|found| found.account.clone());
            let account = account.ok_or_else(|| rows::damaged("account", number))?;
            Ok((number, rows::event(row, account)?))
        })?;
        for (number, event) in events {
            if let Some(found) = found.get_mut(&number) {
                found.head.events.push(event);
            }
        }
    }
    let found: HashMap<AccountId, Head> =
        found.into_values().map(|found| (found.account, found.head)).collect();
    Ok(accounts.iter().map(|account| found.get(account).cloned()).collect())
}

pub(super) async fn stream(
    pool: &Arc<Pool>,
    account: &AccountId,
    after: u64,
) -> Result<Vec<StoredEvent>, StoreError> {
    let after = rows::number(after, "version")?;
    let found = pool
        .read(|| {
            step!(
                "SELECT events.* FROM events WHERE account =
                 (SELECT number FROM accounts WHERE creditor = $1 AND debtor = $2)
                 AND version > $3 ORDER BY version",
                account.creditor.as_str(),
                account.debtor.as_str(),
                after,
            )
        })
        .await?;
    all(found, |row| rows::event(row, account.clone()))
}

const HANDED_OUT: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END,
    tableoid, pg_postmaster_start_time() FROM event_blocks";

/// The last block before which nothing is on its way, as far as the locks say that a writer holds
/// from before it takes a block until its transaction is visible or gone.
const HELD: &str = "SELECT min((classid::bigint & x'ffffff'::bigint) << 32 | objid::bigint)
    FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid::bigint >> 24 = $1::bigint >> 56";

const EVENTS_AFTER: &str = "SELECT events.*, creditor, debtor FROM events
    JOIN accounts ON accounts.number = events.account
    WHERE position > $1 AND position < ($2::bigint + 1) * 1000 ORDER BY position LIMIT $3";

/// Events up to the high-water mark: the last block that was handed out, or, where a writer is
/// under way, the last that was handed out before it took its own.
///
/// The order of the three questions matters. Whatever has a place up to what was handed out then
/// had its lock by then; where the lock is gone afterwards, its rows are visible to the third.
/// That is not asked where this process has written all that would be its answer.
pub(super) async fn events_after(
    pool: &Arc<Pool>,
    recent: &Recent,
    position: u64,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let position = rows::number(position, "position")?;
    let mut session = pool.lend().await?;
    match up_to_the_mark(&mut session, recent, position, limit).await {
        Err(Failed::Lost(_)) => {
            drop(session);
            Ok(up_to_the_mark(&mut *pool.lend().await?, recent, position, limit).await?)
        }
        found => Ok(found?),
    }
}

async fn up_to_the_mark(
    session: &mut Session,
    recent: &Recent,
    position: i64,
    limit: u32,
) -> Result<Vec<StoredEvent>, Failed> {
    let answers = session.all(vec![step!(HANDED_OUT), step!(HELD, MARK)]).await?;
    let mut answers = answers.iter().map(|rows| rows.first());
    let handed_out = answers.next().flatten();
    let held: Option<i64> = answers.next().flatten().and_then(|row| row.get(0));
    let (last, origin) = handed_out.map_or((0, None), |row| (row.get(0), Some(Origin::of(row, 1))));
    let mark = held.map_or(last, |held| held.min(last));
    if let Some(events) = origin.and_then(|one| recent.after(one, position, mark, limit as usize)) {
        return Ok(events);
    }
    let found = session.one(step!(EVENTS_AFTER, position, mark, i64::from(limit))).await?;
    Ok(all(found, |row| rows::event(row, row.account()?))?)
}

const RECORDED: &str = "SELECT key FROM inbox WHERE key = ANY($1::bytea[])";

const VERSIONS: &str = "SELECT accounts.creditor, accounts.debtor, version
    FROM unnest($1::text[], $2::text[]) AS asked(creditor, debtor)
    JOIN accounts ON accounts.creditor = asked.creditor COLLATE \"C\"
    AND accounts.debtor = asked.debtor COLLATE \"C\"";

pub(super) async fn recorded(pool: &Arc<Pool>, keys: &[InboxKey]) -> Result<Vec<bool>, StoreError> {
    Ok(look(pool, keys, &[]).await?.0)
}

/// Which keys were recorded, and the versions of heads: two statements that go out at once.
pub(super) async fn look(
    pool: &Arc<Pool>,
    keys: &[InboxKey],
    accounts: &[AccountId],
) -> Result<(Vec<bool>, Vec<u64>), StoreError> {
    let hashes: Vec<_> = keys.iter().map(rows::inbox_hash).collect();
    let steps = || {
        let mut steps = Vec::with_capacity(2);
        if !hashes.is_empty() {
            steps.push(step!(RECORDED, hashes.iter().map(|hash| &hash[..]).collect::<Vec<_>>()));
        }
        if !accounts.is_empty() {
            steps.push(step!(
                VERSIONS,
                accounts.iter().map(|account| account.creditor.as_str()).collect::<Vec<_>>(),
                accounts.iter().map(|account| account.debtor.as_str()).collect::<Vec<_>>(),
            ));
        }
        steps
    };
    let mut answers = pool.read_all(steps).await?.into_iter();
    let known = if hashes.is_empty() { Vec::new() } else { answers.next().unwrap_or_default() };
    let known = all(known, |row| row.bytes("key"))?;
    let known: std::collections::HashSet<Vec<u8>> = known.into_iter().collect();
    let versions =
        all(answers.next().unwrap_or_default(), |row| Ok((row.account()?, row.count("version")?)))?;
    let versions: HashMap<AccountId, u64> = versions.into_iter().collect();
    Ok((
        hashes.iter().map(|hash| known.contains(&hash[..])).collect(),
        accounts.iter().map(|account| versions.get(account).copied().unwrap_or(0)).collect(),
    ))
}

pub(super) async fn recorded_count(pool: &Arc<Pool>) -> Result<u64, StoreError> {
    let count = pool.read_widely(step!("SELECT count(*) AS count FROM inbox")).await?;
    Ok(first(count, |row| row.count("count"))?.unwrap_or(0))
}

pub(super) async fn position(pool: &Arc<Pool>) -> Result<u64, StoreError> {
    let last = step!("SELECT coalesce(max(position), 0) AS position FROM events");
    let last = pool.read_widely(last).await?;
    Ok(first(last, |row| row.count("position"))?.unwrap_or(0))
}

/// A set of partitions as a statement names it.
fn numbers(partitions: Partitions) -> Vec<i32> {
    partitions.numbers().map(i32::from).collect()
}

/// Asked whenever something was committed.
pub(super) const DUE: &str = "SELECT creditor, debtor, wake_at FROM accounts
    WHERE wake_at <= $1 ORDER BY wake_at, number LIMIT $2";

pub(super) async fn due(
    pool: &Arc<Pool>,
    until: Timestamp,
    share: Share,
    limit: u32,
) -> Result<Vec<(AccountId, Timestamp)>, StoreError> {
    let limit = i64::from(limit);
    if share.own == Partitions::ALL {
        let found = pool.read(|| step!(DUE, moment(until), limit)).await?;
        return all(found, rows::wake_up);
    }
    let own = || {
        step!(
            "SELECT creditor, debtor, wake_at FROM accounts
             WHERE wake_at <= $1 AND partition = ANY($3::int[]) ORDER BY wake_at, number LIMIT $2",
            moment(until),
            limit,
            numbers(share.own),
        )
    };
    let mut found = all(pool.read(own).await?, rows::wake_up)?;
    let others = || {
        step!(
            "SELECT creditor, debtor, wake_at FROM accounts
             WHERE wake_at <= $1 AND partition = ANY($3::int[])
             ORDER BY wake_at DESC, number DESC LIMIT $2",
            moment(share.overdue.min(until)),
            limit - found.len() as i64,
            numbers(share.own.others()),
        )
    };
    if (found.len() as i64) < limit {
        let others = all(pool.read(others).await?, rows::wake_up)?;
        found.extend(others);
    }
    Ok(found)
}

pub(super) async fn next_wake(
    pool: &Arc<Pool>,
    partitions: Partitions,
) -> Result<Option<Timestamp>, StoreError> {
    let found = pool
        .read(|| match partitions {
            Partitions::ALL => step!(
                "SELECT wake_at FROM accounts WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1"
            ),
            some => step!(
                "SELECT wake_at FROM accounts
                 WHERE wake_at IS NOT NULL AND partition = ANY($1::int[]) ORDER BY wake_at LIMIT 1",
                numbers(some),
            ),
        })
        .await?;
    first(found, |row| row.moment("wake_at"))
}

pub(super) async fn accounts(
    pool: &Arc<Pool>,
    creditor: Option<&CreditorId>,
    after: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<AccountId>, StoreError> {
    // No id is empty: empty texts stand before all of them.
    let found = match creditor {
        None => {
            let (creditor, debtor) = after
                .map_or(("", ""), |account| (account.creditor.as_str(), account.debtor.as_str()));
            pool.read(|| {
                step!(
                    "SELECT creditor, debtor FROM accounts
                     WHERE (creditor, debtor) > ($1, $2) ORDER BY creditor, debtor LIMIT $3",
                    creditor,
                    debtor,
                    i64::from(limit),
                )
            })
            .await?
        }
        Some(creditor) => {
            let debtor = match after.map(|account| (account.creditor.cmp(creditor), account)) {
                None | Some((Ordering::Less, _)) => "",
                Some((Ordering::Equal, account)) => account.debtor.as_str(),
                Some((Ordering::Greater, _)) => return Ok(Vec::new()),
            };
            pool.read(|| {
                step!(
                    "SELECT creditor, debtor FROM accounts
                     WHERE creditor = $1 AND debtor > $2 ORDER BY debtor LIMIT $3",
                    creditor.as_str(),
                    debtor,
                    i64::from(limit),
                )
            })
            .await?
        }
    };
    all(found, |row| row.account())
}

pub(super) async fn secrets(
    pool: &Arc<Pool>,
    account: &AccountId,
    slots: &[String],
) -> Result<Vec<Secret>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT slot, stamp, sealed FROM secrets WHERE account =
                 (SELECT number FROM accounts WHERE creditor = $1 AND debtor = $2)
                 AND (cardinality($3::text[]) = 0 OR slot = ANY($3))
                 ORDER BY array_position($3, slot), slot",
                account.creditor.as_str(),
                account.debtor.as_str(),
                slots.to_vec(),
            )
        })
        .await?;
    all(found, rows::secret)
}

pub(super) async fn secrets_of(
    pool: &Arc<Pool>,
    wanted: &[(AccountId, Vec<String>)],
) -> Result<Vec<Vec<Secret>>, StoreError> {
    let asked = || {
        let places = wanted.iter().enumerate();
        places.flat_map(|(place, (id, slots))| slots.iter().map(move |slot| (place, id, slot)))
    };
    let rows = pool
        .read(|| {
            step!(
                SECRETS_OF,
                asked().map(|(place, ..)| place as i64).collect::<Vec<_>>(),
                asked().map(|(_, id, _)| id.creditor.as_str()).collect::<Vec<_>>(),
                asked().map(|(_, id, _)| id.debtor.as_str()).collect::<Vec<_>>(),
                asked().map(|(.., slot)| slot.as_str()).collect::<Vec<_>>(),
            )
        })
        .await?;
    let mut found = vec![Vec::new(); wanted.len()];
    for (place, secret) in all(rows, |row| Ok((row.count("place")?, rows::secret(row)?)))? {
        if let Some(found) = usize::try_from(place).ok().and_then(|place| found.get_mut(place)) {
            found.push(secret);
        }
    }
    Ok(found)
}

pub(super) async fn placed(pool: &Arc<Pool>) -> Result<Vec<AccountId>, StoreError> {
    all(pool.read(|| step!(PLACED)).await?, |row| row.account())
}

pub(super) async fn erasures(pool: &Arc<Pool>) -> Result<Vec<AccountId>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT creditor, debtor FROM erasures JOIN accounts ON number = account
                 ORDER BY creditor, debtor"
            )
        })
        .await?;
    all(found, |row| row.account())
}

pub(super) async fn outbox(
    pool: &Arc<Pool>,
    state: Option<OutboxState>,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    let limit = i64::from(limit);
    let step = || match state {
        Some(OutboxState::Queued) => step!(
            "SELECT outbox.*, creditor, debtor FROM outbox
             JOIN accounts ON accounts.number = outbox.account
             WHERE state = 'queued' ORDER BY outbox.number DESC LIMIT $1",
            limit,
        ),
        Some(state) => step!(
            "SELECT outbox.*, creditor, debtor FROM outbox
             JOIN accounts ON accounts.number = outbox.account
             WHERE state = $1 AND state <> 'queued' ORDER BY outbox.number DESC LIMIT $2",
            rows::state_name(state),
            limit,
        ),
        None => step!(
            "SELECT outbox.*, creditor, debtor FROM outbox
             JOIN accounts ON accounts.number = outbox.account
             ORDER BY outbox.number DESC LIMIT $1",
            limit,
        ),
    };
    let found = match state {
        // No index has them in this order: how to get them depends on how many wait.
        Some(OutboxState::Queued) => pool.read_widely(step()).await?,
        _ => pool.read(step).await?,
    };
    all(found, rows::outbox_row)
}

pub(super) async fn message(
    pool: &Arc<Pool>,
    notice: &NoticeId,
) -> Result<Option<OutboxRow>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT outbox.*, creditor, debtor FROM outbox
                 JOIN accounts ON accounts.number = outbox.account WHERE notice = $1",
                notice.as_str(),
            )
        })
        .await?;
    first(found, rows::outbox_row)
}

pub(super) async fn paylink(
    pool: &Arc<Pool>,
    token_hash: [u8; 32],
) -> Result<Option<Paylink>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT paylinks.*, creditor, debtor FROM paylinks
                 JOIN accounts ON number = account WHERE token_hash = $1",
                token_hash.to_vec(),
            )
        })
        .await?;
    first(found, rows::paylink)
}

/// In one statement, so that accounts and sums are of one moment.
pub(super) async fn book(
    pool: &Arc<Pool>,
    creditor: Option<&CreditorId>,
) -> Result<(u64, Vec<BookRow>), StoreError> {
    let found = pool
        .read_widely(step!(
            "WITH own AS MATERIALIZED (
                     SELECT number FROM accounts WHERE $1::text IS NULL OR creditor = $1
                 ), sums AS (
                     SELECT currency, sum(principal)::bigint AS principal,
                     sum(paid)::bigint AS paid, sum(credited)::bigint AS credited,
                     sum(unallocated)::bigint AS unallocated,
                     sum(outstanding)::bigint AS outstanding, sum(fees)::bigint AS fees,
                     sum(claims)::bigint AS claims, sum(open_claims)::bigint AS open_claims
                     FROM books JOIN own ON number = account GROUP BY currency
                 )
                 SELECT (SELECT count(*) FROM own) AS accounts, sums.*
                 FROM (VALUES (1)) AS always LEFT JOIN sums ON true ORDER BY currency",
            creditor.map(|creditor| creditor.as_str().to_owned()),
        ))
        .await?;
    let found = all(found, |row| {
        let book = row.text_if_any("currency")?.map(|_| rows::book(row)).transpose()?;
        Ok((row.count("accounts")?, book))
    })?;
    let accounts = found.first().map_or(0, |row| row.0);
    Ok((accounts, found.into_iter().filter_map(|row| row.1).collect()))
}

pub(super) async fn claims(
    pool: &Arc<Pool>,
    account: &AccountId,
) -> Result<Vec<ClaimRow>, StoreError> {
    let found = pool
        .read(|| {
            step!(
                "SELECT * FROM claims WHERE account =
                 (SELECT number FROM accounts WHERE creditor = $1 AND debtor = $2)
                 ORDER BY due_on, invoice",
                account.creditor.as_str(),
                account.debtor.as_str(),
            )
        })
        .await?;
    all(found, rows::claim)
}

pub(super) async fn notices(
    pool: &Arc<Pool>,
    account: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<(AccountId, NoticeRow)>, StoreError> {
    let limit = i64::from(limit);
    let found = pool
        .read(|| match account {
            None => step!(
                "SELECT notices.*, creditor, debtor FROM notices
                 JOIN accounts ON number = account
                 ORDER BY decided_at DESC, account DESC, notice DESC LIMIT $1",
                limit,
            ),
            Some(account) => step!(
                "SELECT notices.*, creditor, debtor FROM notices
                 JOIN accounts ON number = account WHERE creditor = $1 AND debtor = $2
                 ORDER BY decided_at DESC, notice DESC LIMIT $3",
                account.creditor.as_str(),
                account.debtor.as_str(),
                limit,
            ),
        })
        .await?;
    all(found, rows::notice)
}

pub(super) async fn notice_counts(
    pool: &Arc<Pool>,
    creditor: Option<&CreditorId>,
) -> Result<Vec<NoticeCount>, StoreError> {
    let found = pool
        .read_widely(step!(
            "SELECT step, channel, persona, state, count(*) AS notices FROM notices
                 WHERE $1::text IS NULL
                 OR account IN (SELECT number FROM accounts WHERE creditor = $1)
                 GROUP BY step, channel, persona, state
                 ORDER BY step NULLS FIRST, channel, persona NULLS FIRST, state",
            creditor.map(|creditor| creditor.as_str().to_owned()),
        ))
        .await?;
    all(found, rows::notice_count)
}

pub(super) async fn work(
    pool: &Arc<Pool>,
    list: Option<&str>,
    limit: u32,
) -> Result<Vec<(AccountId, WorkRow)>, StoreError> {
    let limit = i64::from(limit);
    let found = pool
        .read(|| match list {
            Some(list) => step!(
                "SELECT work.*, creditor, debtor FROM work JOIN accounts ON number = account
                 WHERE list = $1 ORDER BY since, account, item LIMIT $2",
                list.to_owned(),
                limit,
            ),
            None => step!(
                "SELECT work.*, creditor, debtor FROM work JOIN accounts ON number = account
                 ORDER BY since, account, list, item LIMIT $1",
                limit,
            ),
        })
        .await?;
    all(found, rows::work)
}
