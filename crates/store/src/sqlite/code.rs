//! How SQLite keeps what [`crate::code`] reads: moments as microseconds since 1970, days as the
//! number yyyymmdd.

use jiff::{Timestamp, civil::Date};
use rusqlite::{Row, types::FromSql};

use crate::{
    StoreError,
    code::{Columns, damaged},
};

pub(super) use crate::code::{
    InboxHash, day_number as day, inbox_hash, moment, not_before, number, state_name,
};

/// A row of a result.
pub(super) struct SqliteRow<'r, 's>(pub(super) &'r Row<'s>);

impl SqliteRow<'_, '_> {
    fn get<T: FromSql>(&self, column: &str) -> Result<T, StoreError> {
        self.0.get(column).map_err(|error| match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => damaged(column, error),
            other => other.into(),
        })
    }
}

impl Columns for SqliteRow<'_, '_> {
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
        let micros = self.integer(column)?;
        Timestamp::from_microsecond(micros).map_err(|_| damaged(column, micros))
    }

    fn moment_if_any(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.get(column)?;
        micros
            .map(|found| Timestamp::from_microsecond(found).map_err(|_| damaged(column, found)))
            .transpose()
    }

    fn day(&self, column: &str) -> Result<Date, StoreError> {
        let found = self.integer(column)?;
        crate::code::day(found).ok_or_else(|| damaged(column, found))
    }
}
