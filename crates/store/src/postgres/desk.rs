//! What stands beside the accounts: dead letters, tokens, policies, placements, checkouts,
//! settings. Few rows, so plain statements.

use super::{
    code::{moment, text},
    pool::{Session, Step, step},
};
use crate::{
    CheckoutRow, DeadLetter, PlacementRow, PolicyRow, RequestRow, StoreError, TokenRow,
    code as rows,
};
use jiff::Timestamp;
use kulanz_domain::ids::AccountId;

pub(super) fn put_dead_letter(letter: &DeadLetter) -> Step<'_> {
    step!(
        "INSERT INTO dead_letters (received_at, origin, reason, detail, sealed, account, open)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING number",
        moment(letter.received_at),
        text(&letter.origin),
        text(&letter.reason),
        text(&letter.detail),
        &letter.sealed[..],
        letter.account.as_ref().map(AccountId::to_string),
        letter.open,
    )
}

pub(super) fn dead_letters(open_only: bool, limit: u32) -> Step<'static> {
    match open_only {
        true => step!(
            "SELECT * FROM dead_letters WHERE open ORDER BY number LIMIT $1",
            i64::from(limit)
        ),
        false => step!("SELECT * FROM dead_letters ORDER BY number LIMIT $1", i64::from(limit)),
    }
}

pub(super) fn close_dead_letter(number: u64) -> Result<Step<'static>, StoreError> {
    let number = rows::number(number, "dead letter")?;
    Ok(step!(
        "UPDATE dead_letters SET open = false WHERE number = $1 AND open RETURNING number",
        number
    ))
}

pub(super) fn put_token(token: &TokenRow) -> Step<'_> {
    step!(
        "INSERT INTO tokens (token_hash, person, role, creditor, created_at)
         VALUES ($1, $2, $3, $4, $5)",
        &token.token_hash[..],
        text(&token.person),
        text(&token.role),
        token.creditor.as_ref().map(|creditor| creditor.as_str()),
        moment(token.created_at),
    )
}

pub(super) fn token(token_hash: [u8; 32]) -> Step<'static> {
    step!("SELECT * FROM tokens WHERE token_hash = $1", token_hash.to_vec())
}

pub(super) fn tokens() -> Step<'static> {
    step!("SELECT * FROM tokens ORDER BY created_at, person, token_hash")
}

pub(super) fn forget_requests(expired: Timestamp) -> Step<'static> {
    step!("DELETE FROM requests WHERE begun_at <= $1", moment(expired))
}

/// No row comes back where it had begun.
pub(super) fn begin_request(request: &RequestRow) -> Step<'_> {
    step!(
        "INSERT INTO requests (request, fingerprint, begun_at, answer)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING request",
        &request.request[..],
        &request.fingerprint[..],
        moment(request.begun_at),
        request.answer.as_deref(),
    )
}

pub(super) fn request(request: [u8; 32]) -> Step<'static> {
    step!("SELECT * FROM requests WHERE request = $1", request.to_vec())
}

pub(super) fn end_request(request: [u8; 32], answer: Option<Vec<u8>>) -> Step<'static> {
    match answer {
        Some(answer) => {
            step!("UPDATE requests SET answer = $2 WHERE request = $1", request.to_vec(), answer)
        }
        None => step!("DELETE FROM requests WHERE request = $1", request.to_vec()),
    }
}

/// The first content of a version stays: later ones read it back instead of their own.
pub(super) fn register_policy(policy: &PolicyRow) -> Step<'_> {
    step!(
        "INSERT INTO policies (name, version, hash, sources, registered_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        text(&policy.name),
        i64::from(policy.version),
        text(&policy.hash),
        text(&policy.sources),
        moment(policy.registered_at),
    )
}

pub(super) fn policy(name: &str, version: u32) -> Step<'_> {
    step!("SELECT * FROM policies WHERE name = $1 AND version = $2", name, i64::from(version))
}

pub(super) fn put_placement(placement: &PlacementRow) -> Step<'_> {
    step!(
        "INSERT INTO placements (placement, account, agency, state, changed_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (placement) DO UPDATE SET account = excluded.account,
         agency = excluded.agency, state = excluded.state, changed_at = excluded.changed_at",
        placement.placement.as_str(),
        placement.account.to_string(),
        text(&placement.agency),
        text(&placement.state),
        moment(placement.changed_at),
    )
}

pub(super) fn placements() -> Step<'static> {
    step!("SELECT * FROM placements ORDER BY changed_at DESC, placement DESC")
}

pub(super) fn put_checkout(checkout: &CheckoutRow) -> Step<'_> {
    step!(
        "INSERT INTO checkouts
         (checkout, account, provider, amount, currency, state, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (checkout) DO UPDATE SET account = excluded.account,
         provider = excluded.provider, amount = excluded.amount, currency = excluded.currency,
         state = excluded.state, created_at = excluded.created_at,
         changed_at = excluded.changed_at",
        text(&checkout.checkout),
        checkout.account.to_string(),
        text(&checkout.provider),
        checkout.amount,
        checkout.currency.code(),
        text(&checkout.state),
        moment(checkout.created_at),
        moment(checkout.changed_at),
    )
}

pub(super) fn checkouts(account: &AccountId) -> Step<'static> {
    step!(
        "SELECT * FROM checkouts WHERE account = $1 ORDER BY created_at DESC, checkout DESC",
        account.to_string()
    )
}

pub(super) fn checkout(checkout: &str) -> Step<'_> {
    step!("SELECT * FROM checkouts WHERE checkout = $1", text(checkout))
}

pub(super) fn meta(key: &str) -> Step<'_> {
    step!("SELECT value FROM meta WHERE key = $1", text(key))
}

pub(super) fn put_meta<'v>(key: &'v str, value: Option<&'v str>) -> Step<'v> {
    match value {
        Some(value) => step!(
            "INSERT INTO meta (key, value) VALUES ($1, $2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            text(key),
            text(value),
        ),
        None => step!("DELETE FROM meta WHERE key = $1", text(key)),
    }
}

/// One row where the setting was `expected`, and is `value` now.
pub(super) fn swap_meta<'v>(
    key: &'v str,
    expected: Option<&'v str>,
    value: Option<&'v str>,
) -> Step<'v> {
    match (expected, value) {
        (None, None) => step!("SELECT 1 WHERE NOT EXISTS (SELECT FROM meta WHERE key = $1)", key),
        (None, Some(value)) => step!(
            "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING key",
            text(key),
            text(value),
        ),
        (Some(expected), None) => step!(
            "DELETE FROM meta WHERE key = $1 AND value = $2 RETURNING key",
            text(key),
            text(expected),
        ),
        (Some(expected), Some(value)) => step!(
            "UPDATE meta SET value = $3 WHERE key = $1 AND value = $2 RETURNING key",
            text(key),
            text(expected),
            text(value),
        ),
    }
}

/// One row where the lease is the holder's then. Whoever has it is waited for while they change
/// it, and looked at after that.
pub(super) fn lease<'v>(name: &'v str, holder: &'v str, seconds: u32) -> Step<'v> {
    step!(
        "INSERT INTO leases (name, holder, until)
         VALUES ($1, $2, clock_timestamp() + $3::bigint * interval '1 second')
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,
         until = clock_timestamp() + $3::bigint * interval '1 second'
         WHERE leases.holder = excluded.holder OR leases.until <= clock_timestamp()
         RETURNING name",
        text(name),
        text(holder),
        i64::from(seconds),
    )
}

/// What is wrong between the tables, or with how the server keeps them; empty where nothing is.
pub(super) async fn check(session: &mut Session) -> Result<Vec<String>, StoreError> {
    let mut wrong: Vec<String> = Vec::new();
    for (what, statement) in [
        (
            "the server loses commits when it crashes: set it to on",
            "SELECT name FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes') AND setting <> 'on'",
        ),
        (
            "version differs from the number of events",
            "SELECT creditor || '/' || debtor AS name FROM accounts LEFT JOIN
             (SELECT account, count(*) AS events, max(version) AS last FROM events
              GROUP BY account) AS counted ON account = number
             WHERE version <> coalesce(events, 0) OR version <> coalesce(last, 0)",
        ),
        (
            "events without an account",
            "SELECT DISTINCT 'number ' || account AS name FROM events
             WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE number = account)",
        ),
        (
            "position of several events",
            "SELECT position::text AS name FROM events GROUP BY position HAVING count(*) > 1",
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
             (SELECT 1 FROM keys WHERE keys.account = number AND NOT destroyed)",
        ),
        (
            "messages without an account",
            "SELECT notice AS name FROM outbox
             WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE accounts.number = account)",
        ),
    ] {
        let found = session.one(step!(statement)).await?;
        let found = super::code::all(found, |row| row.text("name"))?;
        wrong.extend(found.into_iter().map(|name| format!("{what}: {name}")));
    }
    Ok(wrong)
}
