//! Takes over all that another store keeps, table by table, into a folder that nobody works on yet.

use rusqlite::{ToSql, params_from_iter, types::ToSqlOutput};

use super::SqliteStore;
use crate::{
    StoreError,
    transfer::{Cell, Table},
};

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => rusqlite::types::Null.into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Bytes(bytes) => bytes.as_slice().into(),
        })
    }
}

impl SqliteStore {
    /// Puts rows into a table.
    pub(crate) async fn put_rows(
        &self,
        table: &'static Table,
        rows: Vec<Vec<Cell>>,
    ) -> Result<(), StoreError> {
        self.write(move |writer| {
            let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            let places = vec!["?"; columns.len()].join(", ");
            let put =
                format!("INSERT INTO {} ({}) VALUES ({places})", table.name, columns.join(", "));
            let mut put = writer.connection.prepare_cached(&put)?;
            for row in rows {
                put.execute(params_from_iter(row))?;
            }
            Ok(())
        })
        .await
    }

    /// Has numbers go on after those that were taken over.
    pub(crate) async fn go_on_after(&self, last_dead_letter: i64) -> Result<(), StoreError> {
        self.write(move |writer| {
            let sequence = "DELETE FROM sqlite_sequence WHERE name = 'dead_letters'";
            writer.connection.execute(sequence, [])?;
            let sequence = "INSERT INTO sqlite_sequence (name, seq) VALUES ('dead_letters', ?1)";
            writer.connection.execute(sequence, [last_dead_letter])?;
            Ok(())
        })
        .await
    }
}
