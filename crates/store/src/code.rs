//! How values stand in columns, and back, in whichever store. What does not read back is damaged
//! data.

mod rows;

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, DebtorId},
    money::{self, Currency},
};
use sha2::{Digest, Sha256};

pub(crate) use rows::*;

use crate::{InboxKey, OutboxState, StoreError};

/// What an inbound event leaves in the inbox.
pub(crate) type InboxHash = [u8; 16];

/// Half of a SHA-256: no two events meet by accident in the life of any installation, and one
/// who could make two of the same `source` meet may as well send nothing.
pub(crate) fn inbox_hash(key: &InboxKey) -> InboxHash {
    let mut hasher = Sha256::new();
    hasher.update((key.source.len() as u64).to_le_bytes());
    hasher.update(&key.source);
    hasher.update(&key.id);
    let full = hasher.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

/// Creditors with a queued message whose time has come by `$1`, with its channel: from one to the
/// next, so that it costs the same however many messages wait. Each look ends with the first row: a
/// `min()` does so only where the planner believes that there are many, and PostgreSQL's plan is made
/// while there are few.
pub(crate) const DUE_QUEUES: &str = "
    WITH RECURSIVE next(creditor) AS (
        SELECT (SELECT of_creditor FROM outbox WHERE state = 'queued' ORDER BY of_creditor LIMIT 1)
        UNION ALL
        SELECT (SELECT of_creditor FROM outbox WHERE state = 'queued'
                AND of_creditor > next.creditor ORDER BY of_creditor LIMIT 1)
        FROM next WHERE next.creditor IS NOT NULL)
    SELECT next.creditor AS creditor, kind.channel AS channel FROM next, (
        SELECT 'email' AS channel UNION ALL SELECT 'letter' UNION ALL SELECT 'sms') AS kind
    WHERE (SELECT next_at FROM outbox WHERE state = 'queued' AND of_creditor = next.creditor
        AND channel = kind.channel ORDER BY of_creditor, channel, next_at LIMIT 1) <= $1
    ORDER BY next.creditor, kind.channel";

/// The day of the number yyyymmdd.
pub(crate) fn day(number: i64) -> Option<Date> {
    let (year, rest) = (number.div_euclid(10_000), number.rem_euclid(10_000));
    let (month, day) = (i8::try_from(rest / 100).ok()?, i8::try_from(rest % 100).ok()?);
    Date::new(i16::try_from(year).ok()?, month, day).ok()
}

/// The number yyyymmdd.
pub(crate) fn day_number(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// Microseconds, rounded down.
pub(crate) fn moment(at: Timestamp) -> i64 {
    clamped(at.as_nanosecond().div_euclid(1000))
}

/// Microseconds, rounded up: whoever waits for it is never too early.
pub(crate) fn not_before(at: Timestamp) -> i64 {
    clamped(-(-at.as_nanosecond()).div_euclid(1000))
}

fn clamped(micros: i128) -> i64 {
    let last = Timestamp::MAX.as_microsecond();
    i64::try_from(micros).unwrap_or(last).min(last)
}

pub(crate) fn number(value: u64, what: &str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Misused(format!("{what} {value} is too large")))
}

pub(crate) const fn state_name(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Queued => "queued",
        OutboxState::Sending => "sending",
        OutboxState::Sent => "sent",
        OutboxState::Suppressed => "suppressed",
        OutboxState::Parked => "parked",
        OutboxState::Unknown => "unknown",
    }
}

pub(crate) fn damaged(column: &str, found: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("column {column} holds {found}"))
}

/// Columns of a row by name, as a store has them. What is made of them is the same in each.
pub(crate) trait Columns {
    fn integer(&self, column: &str) -> Result<i64, StoreError>;
    fn flag(&self, column: &str) -> Result<bool, StoreError>;
    fn text(&self, column: &str) -> Result<String, StoreError>;
    fn text_if_any(&self, column: &str) -> Result<Option<String>, StoreError>;
    fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError>;
    fn bytes_if_any(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError>;
    fn moment(&self, column: &str) -> Result<Timestamp, StoreError>;
    fn moment_if_any(&self, column: &str) -> Result<Option<Timestamp>, StoreError>;
    fn day(&self, column: &str) -> Result<Date, StoreError>;
}

impl dyn Columns + '_ {
    pub(crate) fn count(&self, column: &str) -> Result<u64, StoreError> {
        let found = self.integer(column)?;
        u64::try_from(found).map_err(|_| damaged(column, found))
    }

    pub(crate) fn small(&self, column: &str) -> Result<u32, StoreError> {
        let found = self.integer(column)?;
        u32::try_from(found).map_err(|_| damaged(column, found))
    }

    pub(crate) fn account(&self) -> Result<AccountId, StoreError> {
        let (creditor, debtor) = (self.text("creditor")?, self.text("debtor")?);
        Ok(AccountId::new(
            CreditorId::new(&creditor).map_err(|error| damaged("creditor", error))?,
            DebtorId::new(&debtor).map_err(|error| damaged("debtor", error))?,
        ))
    }

    /// An id or another type that reads itself from text.
    pub(crate) fn parsed<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        self.text(column)?.parse().map_err(|error| damaged(column, error))
    }

    pub(crate) fn parsed_if_any<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text = self.text_if_any(column)?;
        text.map(|text| text.parse().map_err(|error| damaged(column, error))).transpose()
    }

    pub(crate) fn currency(&self, column: &str) -> Result<Currency, StoreError> {
        money::currency(&self.text(column)?).map_err(|error| damaged(column, error))
    }

    pub(crate) fn channel(&self) -> Result<Channel, StoreError> {
        let name = self.text("channel")?;
        Channel::ALL
            .into_iter()
            .find(|channel| channel.name() == name)
            .ok_or_else(|| damaged("channel", name))
    }

    pub(crate) fn outbox_state(&self) -> Result<OutboxState, StoreError> {
        let name = self.text("state")?;
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

    pub(crate) fn hash(&self, column: &str) -> Result<[u8; 32], StoreError> {
        let bytes = self.bytes(column)?;
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
