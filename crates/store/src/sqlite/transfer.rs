//! Reads all that is kept, table by table, to be moved elsewhere.

use rusqlite::types::ValueRef;
use tokio::sync::mpsc;

use super::SqliteStore;
use crate::{
    StoreError,
    code::damaged,
    transfer::{Cell, TABLES, Table},
};

/// Rows that are handed over at once.
const CHUNK: usize = 2000;

impl SqliteStore {
    /// How many rows the tables have, in their order.
    pub(crate) async fn counts(&self) -> Result<Vec<u64>, StoreError> {
        self.read(|connection| {
            let count = |table: &Table| {
                let counted = format!("SELECT count(*) FROM {}", table.name);
                let count: i64 = connection.query_row(&counted, [], |row| row.get(0))?;
                Ok(count.unsigned_abs())
            };
            TABLES.iter().map(count).collect()
        })
        .await
    }

    /// Hands over all rows of a table.
    pub(crate) async fn rows_of(
        &self,
        table: &'static Table,
        to: mpsc::Sender<Vec<Vec<Cell>>>,
    ) -> Result<(), StoreError> {
        self.read(move |connection| {
            let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            let all = format!("SELECT {} FROM {}", columns.join(", "), table.name);
            let mut all = connection.prepare(&all)?;
            let mut rows = all.query([])?;
            let mut chunk = Vec::with_capacity(CHUNK);
            while let Some(row) = rows.next()? {
                let cells = columns.iter().enumerate().map(|(at, column)| {
                    cell(row.get_ref(at)?).ok_or_else(|| damaged(column, "a number with a point"))
                });
                chunk.push(cells.collect::<Result<Vec<Cell>, StoreError>>()?);
                // Who takes them may have failed, and tells of it itself.
                if chunk.len() == CHUNK && to.blocking_send(std::mem::take(&mut chunk)).is_err() {
                    return Ok(());
                }
            }
            to.blocking_send(chunk).ok();
            Ok(())
        })
        .await
    }

    /// The greatest number that a dead letter ever had.
    pub(crate) async fn last_dead_letter(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence
                WHERE name = 'dead_letters'";
            Ok(connection.query_row(last, [], |row| row.get(0))?)
        })
        .await
    }
}

fn cell(value: ValueRef<'_>) -> Option<Cell> {
    Some(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Number(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).ok()?),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return None,
    })
}
