//! Gives all that is kept away, table by table, as of one moment; after that the database says that
//! its data are elsewhere, and is worked on no more.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt;
use jiff::{Timestamp, civil::Date};
use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::{binary_copy::BinaryCopyOutRow, types::FromSql};

use super::{
    PostgresStore,
    config::unusable,
    desk,
    error::{Failed, timed_out},
    pool::{Lent, Session, step},
};
use crate::{
    StoreError, code,
    transfer::{Cell, Kind, TABLES, Table},
};

/// Rows that are handed over at once.
const CHUNK: usize = 2000;

/// Where the data went, among the settings.
const LEFT_FOR: &str = "left_for";

const LAST_DEAD_LETTER: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END
    FROM dead_letters_number_seq";

/// All that is kept, as of one moment.
pub(crate) struct Leaving {
    session: Lent,
    patience: Duration,
}

impl PostgresStore {
    /// Begins to give all of it away. It has to be this process's alone.
    pub(crate) async fn leave(&self) -> Result<Leaving, StoreError> {
        let mut session = self.writing().await?;
        session.begin_reading_all().await?;
        Ok(Leaving { session, patience: self.pool.config().patience })
    }

    /// From now on nobody works on this database any more: its data are at `place`. Durable on
    /// return.
    pub(crate) async fn left_for(&self, place: &str) -> Result<(), StoreError> {
        self.writing().await?.one(desk::put_meta(LEFT_FOR, Some(place))).await?;
        Ok(())
    }
}

/// Refuses a database whose data were moved elsewhere: whoever worked on it would contact debtors a
/// second time.
pub(super) async fn not_left(session: &mut Session) -> Result<(), StoreError> {
    let rows = session.one(desk::meta(LEFT_FOR)).await?;
    let Some(place) = rows.first().map(|row| row.get::<_, String>(0)) else { return Ok(()) };
    Err(unusable(format!(
        "its data were moved to {place}: take `database` out of kulanz.yaml and serve those. Only \
         where they are lost, and nobody ever served them, may this one be gone on with: DELETE \
         FROM kulanz.meta WHERE key = '{LEFT_FOR}'"
    )))
}

impl Leaving {
    /// What is wrong with it.
    pub(crate) async fn check(&mut self) -> Result<Vec<String>, StoreError> {
        desk::check(&mut self.session).await
    }

    /// How many rows the tables have, in their order.
    pub(crate) async fn counts(&mut self) -> Result<Vec<u64>, StoreError> {
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            counts.push(self.count(table).await?);
        }
        Ok(counts)
    }

    async fn count(&mut self, table: &Table) -> Result<u64, StoreError> {
        let counted = format!("COPY (SELECT count(*) FROM {}) TO STDOUT BINARY", table.name);
        let rows = self.session.copy_out(&counted, &[Kind::Number.type_there()]).await?;
        let row = in_time(self.patience, pin!(rows).next()).await?;
        let count: i64 = row.transpose().map_err(Failed::from)?.map_or(0, |row| row.get(0));
        Ok(count.unsigned_abs())
    }

    /// Hands over all rows of a table.
    pub(crate) async fn rows_of(
        &mut self,
        table: &'static Table,
        to: mpsc::Sender<Vec<Vec<Cell>>>,
    ) -> Result<(), StoreError> {
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let all =
            format!("COPY (SELECT {} FROM {}) TO STDOUT BINARY", columns.join(", "), table.name);
        let types: Vec<_> = table.columns.iter().map(|(_, kind)| kind.type_there()).collect();
        let mut rows = pin!(self.session.copy_out(&all, &types).await?);
        let mut chunk = Vec::with_capacity(CHUNK);
        while let Some(row) = in_time(self.patience, rows.next()).await? {
            let row = row.map_err(Failed::from)?;
            let kinds = table.columns.iter().enumerate();
            let cells = kinds.map(|(at, (_, kind))| cell(&row, at, *kind));
            chunk.push(cells.collect::<Result<Vec<Cell>, _>>().map_err(Failed::from)?);
            // Who takes them may have failed, and tells of it itself.
            if chunk.len() == CHUNK && to.send(std::mem::take(&mut chunk)).await.is_err() {
                return Ok(());
            }
        }
        to.send(chunk).await.ok();
        Ok(())
    }

    /// The greatest number that a dead letter ever had.
    pub(crate) async fn last_dead_letter(&mut self) -> Result<i64, StoreError> {
        let rows = self.session.one(step!(LAST_DEAD_LETTER)).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Ends the reading; nothing was changed.
    pub(crate) async fn end(mut self) -> Result<(), StoreError> {
        Ok(self.session.commit().await?)
    }
}

async fn in_time<T>(patience: Duration, row: impl Future<Output = T>) -> Result<T, StoreError> {
    timeout(patience, row).await.map_err(|_| timed_out("copying rows from the database", patience))
}

/// A value as it stands in SQLite.
fn cell(row: &BinaryCopyOutRow, at: usize, kind: Kind) -> Result<Cell, tokio_postgres::Error> {
    fn get<'r, T: FromSql<'r>>(
        row: &'r BinaryCopyOutRow,
        at: usize,
        cell: impl FnOnce(T) -> Cell,
    ) -> Result<Cell, tokio_postgres::Error> {
        Ok(row.try_get::<Option<T>>(at)?.map_or(Cell::Null, cell))
    }
    match kind {
        Kind::Number => get(row, at, Cell::Number),
        Kind::Small => get(row, at, |number: i32| Cell::Number(number.into())),
        Kind::Text => get(row, at, Cell::Text),
        Kind::Bytes | Kind::Key => get(row, at, Cell::Bytes),
        Kind::Moment => get(row, at, |moment: Timestamp| Cell::Number(code::moment(moment))),
        Kind::Day => get(row, at, |day: Date| Cell::Number(code::day_number(day))),
        Kind::Flag => get(row, at, |flag: bool| Cell::Number(flag.into())),
    }
}
