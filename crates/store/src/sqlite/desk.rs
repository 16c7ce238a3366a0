//! What stands beside the accounts: dead letters, tokens, policies, placements, checkouts,
//! settings. Few rows, so plain statements.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    code,
    read::{all, first},
};
use crate::{
    CheckoutRow, DeadLetter, PlacementRow, PolicyRow, RequestRow, StoreError, TokenRow,
    code as rows,
};
use kulanz_domain::ids::AccountId;

pub(super) fn put_dead_letter(
    connection: &Connection,
    letter: &DeadLetter,
) -> Result<u64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letters
             (received_at, origin, reason, detail, sealed, account, open)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            code::moment(letter.received_at),
            letter.origin,
            letter.reason,
            letter.detail,
            letter.sealed,
            letter.account.as_ref().map(AccountId::to_string),
            letter.open,
        ])?;
    let number = connection.last_insert_rowid();
    u64::try_from(number).map_err(|_| StoreError::Damaged(format!("dead letter {number}")))
}

pub(super) fn dead_letters(
    connection: &Connection,
    open_only: bool,
    limit: u32,
) -> Result<Vec<DeadLetter>, StoreError> {
    let statement = if open_only {
        "SELECT * FROM dead_letters WHERE open = 1 ORDER BY number LIMIT ?1"
    } else {
        "SELECT * FROM dead_letters ORDER BY number LIMIT ?1"
    };
    all(connection, statement, [limit], rows::dead_letter)
}

pub(super) fn close_dead_letter(connection: &Connection, number: u64) -> Result<bool, StoreError> {
    let closed = connection
        .prepare_cached("UPDATE dead_letters SET open = 0 WHERE number = ?1 AND open = 1")?
        .execute([code::number(number, "dead letter")?])?;
    Ok(closed == 1)
}

pub(super) fn put_token(connection: &Connection, token: &TokenRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO tokens (token_hash, person, role, creditor, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            token.token_hash,
            token.person,
            token.role,
            token.creditor.as_ref().map(|creditor| creditor.as_str()),
            code::moment(token.created_at),
        ])?;
    Ok(())
}

pub(super) fn token(
    connection: &Connection,
    token_hash: [u8; 32],
) -> Result<Option<TokenRow>, StoreError> {
    first(connection, "SELECT * FROM tokens WHERE token_hash = ?1", [token_hash], rows::token)
}

pub(super) fn tokens(connection: &Connection) -> Result<Vec<TokenRow>, StoreError> {
    let statement = "SELECT * FROM tokens ORDER BY created_at, person, token_hash";
    all(connection, statement, [], rows::token)
}

/// The one writer does one thing after the other, so that nobody comes between.
pub(super) fn forget_requests(
    connection: &Connection,
    expired: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM requests WHERE begun_at <= ?1")?
        .execute([code::moment(expired)])?;
    Ok(())
}

pub(super) fn request(
    connection: &Connection,
    request: [u8; 32],
) -> Result<Option<RequestRow>, StoreError> {
    let statement = "SELECT * FROM requests WHERE request = ?1";
    first(connection, statement, [request], rows::request)
}

/// Keeps a request unless it is there; whether it was not.
pub(super) fn put_request(
    connection: &Connection,
    request: &RequestRow,
) -> Result<bool, StoreError> {
    let put = connection
        .prepare_cached(
            "INSERT INTO requests (request, fingerprint, begun_at, answer)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            request.request,
            request.fingerprint,
            code::moment(request.begun_at),
            request.answer,
        ])?;
    Ok(put == 1)
}

pub(super) fn begin_request(
    connection: &Connection,
    row: &RequestRow,
    expired: Timestamp,
) -> Result<Option<RequestRow>, StoreError> {
    forget_requests(connection, expired)?;
    match put_request(connection, row)? {
        true => Ok(None),
        false => request(connection, row.request),
    }
}

pub(super) fn end_request(
    connection: &Connection,
    request: [u8; 32],
    answer: Option<&[u8]>,
) -> Result<(), StoreError> {
    match answer {
        Some(answer) => connection
            .prepare_cached("UPDATE requests SET answer = ?2 WHERE request = ?1")?
            .execute(params![request, answer])?,
        None => connection
            .prepare_cached("DELETE FROM requests WHERE request = ?1")?
            .execute([request])?,
    };
    Ok(())
}

/// The first content of a version stays: later ones read it back instead of their own.
pub(super) fn register_policy(
    connection: &Connection,
    policy: &PolicyRow,
) -> Result<PolicyRow, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO policies (name, version, hash, sources, registered_at)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            policy.name,
            policy.version,
            policy.hash,
            policy.sources,
            code::moment(policy.registered_at),
        ])?;
    self::policy(connection, &policy.name, policy.version)?
        .ok_or_else(|| StoreError::Damaged(format!("policy {} is not kept", policy.name)))
}

pub(super) fn policy(
    connection: &Connection,
    name: &str,
    version: u32,
) -> Result<Option<PolicyRow>, StoreError> {
    let statement = "SELECT * FROM policies WHERE name = ?1 AND version = ?2";
    first(connection, statement, params![name, version], rows::policy)
}

pub(super) fn put_placement(
    connection: &Connection,
    placement: &PlacementRow,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO placements (placement, account, agency, state, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET account = excluded.account, agency = excluded.agency,
             state = excluded.state, changed_at = excluded.changed_at",
        )?
        .execute(params![
            placement.placement.as_str(),
            placement.account.to_string(),
            placement.agency,
            placement.state,
            code::moment(placement.changed_at),
        ])?;
    Ok(())
}

pub(super) fn placements(connection: &Connection) -> Result<Vec<PlacementRow>, StoreError> {
    let statement = "SELECT * FROM placements ORDER BY changed_at DESC, placement DESC";
    all(connection, statement, [], rows::placement)
}

pub(super) fn put_checkout(
    connection: &Connection,
    checkout: &CheckoutRow,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO checkouts
             (checkout, account, provider, amount, currency, state, created_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET account = excluded.account,
             provider = excluded.provider, amount = excluded.amount,
             currency = excluded.currency, state = excluded.state,
             created_at = excluded.created_at, changed_at = excluded.changed_at",
        )?
        .execute(params![
            checkout.checkout,
            checkout.account.to_string(),
            checkout.provider,
            checkout.amount,
            checkout.currency.code(),
            checkout.state,
            code::moment(checkout.created_at),
            code::moment(checkout.changed_at),
        ])?;
    Ok(())
}

pub(super) fn checkouts(
    connection: &Connection,
    account: &AccountId,
) -> Result<Vec<CheckoutRow>, StoreError> {
    all(
        connection,
        "SELECT * FROM checkouts WHERE account = ?1 ORDER BY created_at DESC, checkout DESC",
        [account.to_string()],
        rows::checkout,
    )
}

pub(super) fn checkout(
    connection: &Connection,
    checkout: &str,
) -> Result<Option<CheckoutRow>, StoreError> {
    first(connection, "SELECT * FROM checkouts WHERE checkout = ?1", [checkout], rows::checkout)
}

pub(super) fn meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

pub(super) fn put_meta(
    connection: &Connection,
    key: &str,
    value: Option<&str>,
) -> Result<(), StoreError> {
    match value {
        Some(value) => connection
            .prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
            )?
            .execute([key, value])?,
        None => connection.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?,
    };
    Ok(())
}

/// What is wrong with the file or between its tables; empty where nothing is.
pub(super) fn check(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut wrong: Vec<String> = Vec::new();
    let mut integrity = connection.prepare("PRAGMA integrity_check")?;
    let mut rows = integrity.query([])?;
    while let Some(row) = rows.next()? {
        let found: String = row.get(0)?;
        if found != "ok" {
            wrong.push(found);
        }
    }
    for (what, statement) in [
        (
            "version differs from the number of events",
            "SELECT creditor || '/' || debtor AS name FROM accounts LEFT JOIN
             (SELECT account, count(*) AS events, max(version) AS last FROM events
              GROUP BY account) ON account = number
             WHERE version <> coalesce(events, 0) OR version <> coalesce(last, 0)",
        ),
        (
            "events without an account",
            "SELECT DISTINCT 'number ' || account AS name FROM events
             WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE number = account)",
        ),
        (
            "snapshot beyond the last event",
            "SELECT creditor || '/' || debtor AS name FROM snapshots
             JOIN accounts ON number = account WHERE snapshots.version > accounts.version",
        ),
        (
            "secrets without a key",
            "SELECT DISTINCT creditor || '/' || debtor AS name FROM secrets
             JOIN accounts ON number = secrets.account
             WHERE NOT EXISTS
             (SELECT 1 FROM keys WHERE keys.account = number AND destroyed = 0)",
        ),
        (
            "messages without an account",
            "SELECT notice AS name FROM outbox
             WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE number = account)",
        ),
    ] {
        let found: Vec<String> = all(connection, statement, [], |row| row.text("name"))?;
        wrong.extend(found.into_iter().map(|name| format!("{what}: {name}")));
    }
    Ok(wrong)
}
