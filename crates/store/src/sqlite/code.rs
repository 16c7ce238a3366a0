//! How values stand in columns, and back. Whatever does not read back is damaged data.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, DebtorId},
    money::{self, Currency},
};
use rusqlite::{Row, types::FromSql};
use sha2::{Digest, Sha256};

use crate::{InboxKey, OutboxState, StoreError};

/// What an inbound event leaves in the inbox.
pub(super) type InboxHash = [u8; 16];

/// Half of a SHA-256: no two events meet by accident in the life of any installation, and one
/// who could make two of the same `source` meet may as well send nothing.
pub(super) fn inbox_hash(key: &InboxKey) -> InboxHash {
    let mut hasher = Sha256::new();
    hasher.update((key.source.len() as u64).to_le_bytes());
    hasher.update(&key.source);
    hasher.update(&key.id);
    let full = hasher.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

/// Microseconds, rounded down.
pub(super) fn moment(at: Timestamp) -> i64 {
    clamped(at.as_nanosecond().div_euclid(1000))
}

/// Microseconds, rounded up: whoever waits for it is never too early.
pub(super) fn not_before(at: Timestamp) -> i64 {
    clamped(-(-at.as_nanosecond()).div_euclid(1000))
}

fn clamped(micros: i128) -> i64 {
    let last = Timestamp::MAX.as_microsecond();
    i64::try_from(micros).unwrap_or(last).min(last)
}

/// The number yyyymmdd.
pub(super) fn day(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

pub(super) fn number(value: u64, what: &str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Misused(format!("{what} {value} is too large")))
}

pub(super) const fn state_name(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Queued => "queued",
        OutboxState::Sending => "sending",
        OutboxState::Sent => "sent",
        OutboxState::Suppressed => "suppressed",
        OutboxState::Parked => "parked",
        OutboxState::Unknown => "unknown",
    }
}

fn damaged(column: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("column {column} holds {found}"))
}

/// Columns of a row by name, decoded.
pub(super) struct Columns<'r, 's>(pub(super) &'r Row<'s>);

impl Columns<'_, '_> {
    pub(super) fn get<T: FromSql>(&self, column: &str) -> Result<T, StoreError> {
        self.0.get(column).map_err(|error| match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => damaged(column, error),
            other => other.into(),
        })
    }

    pub(super) fn count(&self, column: &str) -> Result<u64, StoreError> {
        let found: i64 = self.get(column)?;
        u64::try_from(found).map_err(|_| damaged(column, found))
    }

    pub(super) fn account(&self) -> Result<AccountId, StoreError> {
        let (creditor, debtor): (String, String) = (self.get("creditor")?, self.get("debtor")?);
        Ok(AccountId::new(
            CreditorId::new(&creditor).map_err(|error| damaged("creditor", error))?,
            DebtorId::new(&debtor).map_err(|error| damaged("debtor", error))?,
        ))
    }

    /// An id or another type that reads itself from text.
    pub(super) fn parsed<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text: String = self.get(column)?;
        text.parse().map_err(|error| damaged(column, error))
    }

    pub(super) fn parsed_if_any<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|error| damaged(column, error))).transpose()
    }

    pub(super) fn moment(&self, column: &str) -> Result<Timestamp, StoreError> {
        let micros: i64 = self.get(column)?;
        Timestamp::from_microsecond(micros).map_err(|_| damaged(column, micros))
    }

    pub(super) fn moment_if_any(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.get(column)?;
        micros
            .map(|found| Timestamp::from_microsecond(found).map_err(|_| damaged(column, found)))
            .transpose()
    }

    pub(super) fn day(&self, column: &str) -> Result<Date, StoreError> {
        let found: i64 = self.get(column)?;
        let (year, rest) = (found.div_euclid(10_000), found.rem_euclid(10_000));
        i16::try_from(year)
            .ok()
            .zip(i8::try_from(rest / 100).ok())
            .zip(i8::try_from(rest % 100).ok())
            .and_then(|((year, month), day)| Date::new(year, month, day).ok())
            .ok_or_else(|| damaged(column, found))
    }

    pub(super) fn currency(&self, column: &str) -> Result<Currency, StoreError> {
        let code: String = self.get(column)?;
        money::currency(&code).map_err(|error| damaged(column, error))
    }

    pub(super) fn channel(&self) -> Result<Channel, StoreError> {
        let name: String = self.get("channel")?;
        Channel::ALL
            .into_iter()
            .find(|channel| channel.name() == name)
            .ok_or_else(|| damaged("channel", name))
    }

    pub(super) fn outbox_state(&self) -> Result<OutboxState, StoreError> {
        let name: String = self.get("state")?;
        [
            OutboxState::Queued,
            OutboxState::Sending,
            OutboxState::Sent,
            OutboxState::Suppressed,
            OutboxState::Parked,
            OutboxState::Unknown,
        ]
        .into_iter()
        .find(|state| state_name(*state) == name)
        .ok_or_else(|| damaged("state", name))
    }

    pub(super) fn hash(&self, column: &str) -> Result<[u8; 32], StoreError> {
        let bytes: Vec<u8> = self.get(column)?;
        bytes.try_into().map_err(|found: Vec<u8>| damaged(column, format!("{} bytes", found.len())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn source_and_id_do_not_run_into_each_other() {
        let key = |source: &str, id: &str| {
            inbox_hash(&InboxKey { source: source.to_owned(), id: id.to_owned() })
        };
        assert_ne!(key("shop", "1"), key("sho", "p1"));
        assert_ne!(key("shop#1", "2"), key("shop", "1#2"));
        assert_eq!(key("shop", "1"), key("shop", "1"));
    }

    #[test]
    fn a_wake_up_is_never_rounded_to_an_earlier_moment() {
        let at = Timestamp::from_nanosecond(1_500).unwrap();
        assert_eq!((moment(at), not_before(at)), (1, 2));
        let before_1970 = Timestamp::from_nanosecond(-1_500).unwrap();
        assert_eq!((moment(before_1970), not_before(before_1970)), (-2, -1));
        assert_eq!(not_before(Timestamp::MAX), Timestamp::MAX.as_microsecond());
    }
}
