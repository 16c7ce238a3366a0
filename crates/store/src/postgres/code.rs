//! How PostgreSQL keeps what [`crate::code`] reads, in its own types: `timestamptz`, `date`,
//! `bigint`, `boolean`, `bytea`.

use std::borrow::Cow;

use jiff::{Timestamp, civil::Date};
use tokio_postgres::{Row, types::FromSql};

use crate::{
    StoreError,
    code::{self, Columns, damaged},
};

/// To the microsecond, rounded down.
pub(super) fn moment(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(code::moment(at)).unwrap_or(at)
}

/// To the microsecond, rounded up: whoever waits for it is never too early.
pub(super) fn not_before(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(code::not_before(at)).unwrap_or(at)
}

/// A text as the server can keep it: it knows no NUL, and a stranger's event must not be able to
/// stop the batch that it is in.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// As [`text`] keeps it.
pub(super) fn without_nul(whole: String) -> String {
    match text(&whole) {
        Cow::Borrowed(_) => whole,
        Cow::Owned(without) => without,
    }
}

/// A row of a result.
pub(super) struct PostgresRow(pub(super) Row);

impl PostgresRow {
    fn get<'r, T: FromSql<'r>>(&'r self, column: &str) -> Result<T, StoreError> {
        self.0.try_get(column).map_err(|error| damaged(column, super::config::said(&error)))
    }
}

impl Columns for PostgresRow {
    fn integer(&self, column: &str) -> Result<i64, StoreError> {
        self.get(column)
    }

    fn flag(&self, column: &str) -> Result<bool, StoreError> {
        self.get(column)
    }

    fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    fn text_if_any(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    fn bytes_if_any(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(column)
    }

    fn moment(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.get(column)
    }

    fn moment_if_any(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.get(column)
    }

    fn day(&self, column: &str) -> Result<Date, StoreError> {
        self.get(column)
    }
}

/// Decodes `rows`, each by `decode`.
pub(super) fn all<T>(
    rows: Vec<Row>,
    decode: impl Fn(&dyn Columns) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    rows.into_iter().map(|row| decode(&PostgresRow(row))).collect()
}

/// Decodes the first of `rows`.
pub(super) fn first<T>(
    rows: Vec<Row>,
    decode: impl Fn(&dyn Columns) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    rows.into_iter().next().map(|row| decode(&PostgresRow(row))).transpose()
}
