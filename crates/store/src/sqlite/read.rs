//! Queries over streams, heads, vault, outbox and read models. Each takes a connection whose
//! caller holds a transaction, so that several statements see one moment.

use std::cmp::Ordering;

use jiff::Timestamp;
use kulanz_domain::ids::{AccountId, CreditorId, NoticeId};
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::code::{self, SqliteRow};
use crate::{
    BookRow, ClaimRow, Head, InboxKey, NoticeRow, OutboxRow, OutboxState, Partitions, Paylink,
    Secret, Share, StoreError, StoredEvent, WorkRow,
    code::{self as rows, Columns, NoticeCount},
};

/// All rows of `statement`, decoded by `decode`.
pub(super) fn all<T>(
    connection: &Connection,
    statement: &str,
    params: impl Params,
    decode: impl Fn(&dyn Columns) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut prepared = connection.prepare_cached(statement)?;
    let mut rows = prepared.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(decode(&SqliteRow(row))?);
    }
    Ok(found)
}

/// The first row of `statement`, decoded by `decode`.
pub(super) fn first<T>(
    connection: &Connection,
    statement: &str,
    params: impl Params,
    decode: impl Fn(&dyn Columns) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut prepared = connection.prepare_cached(statement)?;
    let mut rows = prepared.query(params)?;
    rows.next()?.map(|row| decode(&SqliteRow(row))).transpose()
}

fn number(connection: &Connection, account: &AccountId) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT number FROM accounts WHERE creditor = ?1 AND debtor = ?2")?
        .query_row([account.creditor.as_str(), account.debtor.as_str()], |row| row.get(0))
        .optional()?)
}

pub(super) fn head(
    connection: &Connection,
    account: &AccountId,
) -> Result<Option<Head>, StoreError> {
    let found = first(
        connection,
        "SELECT accounts.number, accounts.version, wake_at, snapshots.version AS taken_at, state,
         CASE destroyed WHEN 0 THEN wrapped END AS wrapped
         FROM accounts LEFT JOIN snapshots ON snapshots.account = accounts.number
         LEFT JOIN keys ON keys.account = accounts.number
         WHERE creditor = ?1 AND debtor = ?2",
        [account.creditor.as_str(), account.debtor.as_str()],
        |row| Ok((row.integer("number")?, rows::bare_head(row)?)),
    )?;
    let Some((number, mut head)) = found else { return Ok(None) };
    let after = head.snapshot.as_ref().map_or(0, |(version, _)| *version);
    if after < head.version {
        head.events = stream_of(connection, number, account, after)?;
    }
    Ok(Some(head))
}

pub(super) fn placed(connection: &Connection) -> Result<Vec<AccountId>, StoreError> {
    all(
        connection,
        "SELECT creditor, debtor FROM accounts JOIN
         (SELECT DISTINCT account FROM events WHERE kind = 'PlacementReleased') AS placed
         ON placed.account = accounts.number",
        [],
        |row| row.account(),
    )
}

fn stream_of(
    connection: &Connection,
    number: i64,
    account: &AccountId,
    after: u64,
) -> Result<Vec<StoredEvent>, StoreError> {
    all(
        connection,
        "SELECT * FROM events WHERE account = ?1 AND version > ?2 ORDER BY version",
        [number, code::number(after, "version")?],
        |row| rows::event(row, account.clone()),
    )
}

pub(super) fn stream(
    connection: &Connection,
    account: &AccountId,
    after: u64,
) -> Result<Vec<StoredEvent>, StoreError> {
    match number(connection, account)? {
        Some(number) => stream_of(connection, number, account, after),
        None => Ok(Vec::new()),
    }
}

pub(super) fn events_after(
    connection: &Connection,
    position: u64,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    all(
        connection,
        "SELECT events.*, creditor, debtor FROM events
         JOIN accounts ON accounts.number = events.account
         WHERE position > ?1 ORDER BY position LIMIT ?2",
        params![code::number(position, "position")?, limit],
        |row| rows::event(row, row.account()?),
    )
}

pub(super) fn recorded(
    connection: &Connection,
    keys: &[InboxKey],
) -> Result<Vec<bool>, StoreError> {
    let mut known = connection.prepare_cached("SELECT 1 FROM inbox WHERE key = ?1")?;
    keys.iter().map(|key| Ok(known.exists([code::inbox_hash(key)])?)).collect()
}

pub(super) fn recorded_count(connection: &Connection) -> Result<u64, StoreError> {
    let count: i64 = connection.query_row("SELECT count(*) FROM inbox", [], |row| row.get(0))?;
    u64::try_from(count).map_err(|_| StoreError::Damaged("a negative count".to_owned()))
}

pub(super) fn position(connection: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> =
        connection.query_row("SELECT max(position) FROM events", [], |row| row.get(0))?;
    u64::try_from(last.unwrap_or(0))
        .map_err(|_| StoreError::Damaged("a negative position".to_owned()))
}

/// Versions of the heads of `accounts`, 0 where there is none.
pub(super) fn versions(
    connection: &Connection,
    accounts: &[AccountId],
) -> Result<Vec<u64>, StoreError> {
    let mut find = connection
        .prepare_cached("SELECT version FROM accounts WHERE creditor = ?1 AND debtor = ?2")?;
    let mut versions = Vec::with_capacity(accounts.len());
    for account in accounts {
        let key = params![account.creditor.as_str(), account.debtor.as_str()];
        let found: Option<i64> = find.query_row(key, |row| row.get(0)).optional()?;
        versions.push(found.map_or(0, i64::unsigned_abs));
    }
    Ok(versions)
}

/// A set of partitions as a statement names it.
fn numbers(partitions: Partitions) -> String {
    let numbers: Vec<String> = partitions.numbers().map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

pub(super) fn due(
    connection: &Connection,
    until: Timestamp,
    share: Share,
    limit: u32,
) -> Result<Vec<(AccountId, Timestamp)>, StoreError> {
    if share.own == Partitions::ALL {
        return all(
            connection,
            "SELECT creditor, debtor, wake_at FROM accounts
             WHERE wake_at <= ?1 ORDER BY wake_at, number LIMIT ?2",
            params![code::moment(until), limit],
            rows::wake_up,
        );
    }
    let mut found = all(
        connection,
        "SELECT creditor, debtor, wake_at FROM accounts
         WHERE wake_at <= ?1 AND partition IN (SELECT value FROM json_each(?3))
         ORDER BY wake_at, number LIMIT ?2",
        params![code::moment(until), limit, numbers(share.own)],
        rows::wake_up,
    )?;
    found.extend(all(
        connection,
        "SELECT creditor, debtor, wake_at FROM accounts
         WHERE wake_at <= ?1 AND partition IN (SELECT value FROM json_each(?3))
         ORDER BY wake_at DESC, number DESC LIMIT ?2",
        params![
            code::moment(share.overdue.min(until)),
            limit.saturating_sub(found.len() as u32),
            numbers(share.own.others())
        ],
        rows::wake_up,
    )?);
    Ok(found)
}

pub(super) fn next_wake(
    connection: &Connection,
    partitions: Partitions,
) -> Result<Option<Timestamp>, StoreError> {
    if partitions == Partitions::ALL {
        return first(
            connection,
            "SELECT wake_at FROM accounts WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1",
            [],
            |row| row.moment("wake_at"),
        );
    }
    first(
        connection,
        "SELECT wake_at FROM accounts
         WHERE wake_at IS NOT NULL AND partition IN (SELECT value FROM json_each(?1))
         ORDER BY wake_at LIMIT 1",
        [numbers(partitions)],
        |row| row.moment("wake_at"),
    )
}

pub(super) fn accounts(
    connection: &Connection,
    creditor: Option<&CreditorId>,
    after: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<AccountId>, StoreError> {
    // No id is empty: empty texts stand before all of them.
    let Some(creditor) = creditor else {
        let (after_creditor, after_debtor) =
            after.map_or(("", ""), |account| (account.creditor.as_str(), account.debtor.as_str()));
        return all(
            connection,
            "SELECT creditor, debtor FROM accounts
             WHERE (creditor, debtor) > (?1, ?2) ORDER BY creditor, debtor LIMIT ?3",
            params![after_creditor, after_debtor, limit],
            |row| row.account(),
        );
    };
    let after_debtor = match after.map(|account| (account.creditor.cmp(creditor), account)) {
        None | Some((Ordering::Less, _)) => "",
        Some((Ordering::Equal, account)) => account.debtor.as_str(),
        Some((Ordering::Greater, _)) => return Ok(Vec::new()),
    };
    all(
        connection,
        "SELECT creditor, debtor FROM accounts
         WHERE creditor = ?1 AND debtor > ?2 ORDER BY debtor LIMIT ?3",
        params![creditor.as_str(), after_debtor, limit],
        |row| row.account(),
    )
}

pub(super) fn secrets(
    connection: &Connection,
    account: &AccountId,
    slots: &[String],
) -> Result<Vec<Secret>, StoreError> {
    let Some(number) = number(connection, account)? else { return Ok(Vec::new()) };
    if slots.is_empty() {
        let statement = "SELECT * FROM secrets WHERE account = ?1 ORDER BY slot";
        return all(connection, statement, [number], rows::secret);
    }
    let one = "SELECT * FROM secrets WHERE account = ?1 AND slot = ?2";
    let mut found = Vec::with_capacity(slots.len());
    for slot in slots {
        found.extend(first(connection, one, params![number, slot], rows::secret)?);
    }
    Ok(found)
}

pub(super) fn erasures(connection: &Connection) -> Result<Vec<AccountId>, StoreError> {
    all(
        connection,
        "SELECT creditor, debtor FROM erasures JOIN accounts ON number = account
         ORDER BY creditor, debtor",
        [],
        |row| row.account(),
    )
}

pub(super) fn outbox(
    connection: &Connection,
    state: Option<OutboxState>,
    limit: u32,
) -> Result<Vec<OutboxRow>, StoreError> {
    match state {
        Some(state) => all(
            connection,
            "SELECT outbox.*, creditor, debtor FROM outbox
             JOIN accounts ON accounts.number = outbox.account
             WHERE state = ?1 ORDER BY outbox.number DESC LIMIT ?2",
            params![code::state_name(state), limit],
            rows::outbox_row,
        ),
        None => all(
            connection,
            "SELECT outbox.*, creditor, debtor FROM outbox
             JOIN accounts ON accounts.number = outbox.account
             ORDER BY outbox.number DESC LIMIT ?1",
            [limit],
            rows::outbox_row,
        ),
    }
}

pub(super) fn message(
    connection: &Connection,
    notice: &NoticeId,
) -> Result<Option<OutboxRow>, StoreError> {
    first(
        connection,
        "SELECT outbox.*, creditor, debtor FROM outbox
         JOIN accounts ON accounts.number = outbox.account WHERE notice = ?1",
        [notice.as_str()],
        rows::outbox_row,
    )
}

pub(super) fn paylink(
    connection: &Connection,
    token_hash: [u8; 32],
) -> Result<Option<Paylink>, StoreError> {
    first(
        connection,
        "SELECT paylinks.*, creditor, debtor FROM paylinks
         JOIN accounts ON number = account WHERE token_hash = ?1",
        [token_hash],
        rows::paylink,
    )
}

pub(super) fn book(
    connection: &Connection,
    creditor: Option<&CreditorId>,
) -> Result<(u64, Vec<BookRow>), StoreError> {
    const SUMS: &str = "currency, sum(principal) AS principal, sum(paid) AS paid,
        sum(credited) AS credited, sum(unallocated) AS unallocated,
        sum(outstanding) AS outstanding, sum(fees) AS fees, sum(claims) AS claims,
        sum(open_claims) AS open_claims";
    let count = |row: &dyn Columns| row.count("accounts");
    let (accounts, rows) = match creditor {
        Some(creditor) => (
            first(
                connection,
                "SELECT count(*) AS accounts FROM accounts WHERE creditor = ?1",
                [creditor.as_str()],
                count,
            )?,
            all(
                connection,
                &format!(
                    "SELECT {SUMS} FROM books WHERE account IN
                     (SELECT number FROM accounts WHERE creditor = ?1)
                     GROUP BY currency ORDER BY currency"
                ),
                [creditor.as_str()],
                rows::book,
            )?,
        ),
        None => (
            first(connection, "SELECT count(*) AS accounts FROM accounts", [], count)?,
            all(
                connection,
                &format!("SELECT {SUMS} FROM books GROUP BY currency ORDER BY currency"),
                [],
                rows::book,
            )?,
        ),
    };
    Ok((accounts.unwrap_or(0), rows))
}

pub(super) fn claims(
    connection: &Connection,
    account: &AccountId,
) -> Result<Vec<ClaimRow>, StoreError> {
    let Some(number) = number(connection, account)? else { return Ok(Vec::new()) };
    let statement = "SELECT * FROM claims WHERE account = ?1 ORDER BY due_on, invoice";
    all(connection, statement, [number], rows::claim)
}

pub(super) fn notices(
    connection: &Connection,
    account: Option<&AccountId>,
    limit: u32,
) -> Result<Vec<(AccountId, NoticeRow)>, StoreError> {
    let Some(account) = account else {
        return all(
            connection,
            "SELECT notices.*, creditor, debtor FROM notices JOIN accounts ON number = account
             ORDER BY decided_at DESC, account DESC, notice DESC LIMIT ?1",
            [limit],
            rows::notice,
        );
    };
    let Some(number) = number(connection, account)? else { return Ok(Vec::new()) };
    all(
        connection,
        "SELECT notices.*, creditor, debtor FROM notices JOIN accounts ON number = account
         WHERE account = ?1 ORDER BY +decided_at DESC, notice DESC LIMIT ?2",
        params![number, limit],
        rows::notice,
    )
}

pub(super) fn notice_counts(
    connection: &Connection,
    creditor: Option<&CreditorId>,
) -> Result<Vec<NoticeCount>, StoreError> {
    let by = "GROUP BY step, channel, persona, state ORDER BY step, channel, persona, state";
    let what = "SELECT step, channel, persona, state, count(*) AS notices FROM notices";
    match creditor {
        Some(creditor) => all(
            connection,
            &format!(
                "{what} WHERE account IN (SELECT number FROM accounts WHERE creditor = ?1) {by}"
            ),
            [creditor.as_str()],
            rows::notice_count,
        ),
        None => all(connection, &format!("{what} {by}"), [], rows::notice_count),
    }
}

pub(super) fn work(
    connection: &Connection,
    list: Option<&str>,
    limit: u32,
) -> Result<Vec<(AccountId, WorkRow)>, StoreError> {
    match list {
        Some(list) => all(
            connection,
            "SELECT work.*, creditor, debtor FROM work JOIN accounts ON number = account
             WHERE list = ?1 ORDER BY since, account, item LIMIT ?2",
            params![list, limit],
            rows::work,
        ),
        None => all(
            connection,
            "SELECT work.*, creditor, debtor FROM work JOIN accounts ON number = account
             ORDER BY since, account, list, item LIMIT ?1",
            [limit],
            rows::work,
        ),
    }
}
