//! Takes over all that another store keeps, table by table, in one transaction.

use std::{future::Future, pin::Pin, sync::LazyLock, time::Duration};

use jiff::Timestamp;
use tokio::time::timeout;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

use super::{
    PostgresStore,
    code::without_nul,
    config::unusable,
    desk,
    error::{Failed, timed_out},
    pool::{Lent, Value, step},
};
use crate::{
    StoreError,
    code::{self, damaged},
    transfer::{Cell, Kind, TABLES, Table},
};

/// Whether anything is kept.
static ANYTHING: LazyLock<String> = LazyLock::new(|| {
    let some = |table: &Table| format!("EXISTS (SELECT FROM {})", table.name);
    format!("SELECT {}", TABLES.iter().map(some).collect::<Vec<_>>().join(" OR "))
});

/// Numbers go on after those that were taken over; the block of the last position counts as
/// handed out.
const GO_ON: &str = "SELECT
    setval('event_blocks', (SELECT greatest(1, max(position) / 1000) FROM events)),
    setval(pg_get_serial_sequence('accounts', 'number'), (SELECT max(number) FROM accounts)),
    setval(pg_get_serial_sequence('outbox', 'number'), (SELECT max(number) FROM outbox)),
    setval(pg_get_serial_sequence('dead_letters', 'number'), nullif($1::bigint, 0))";

/// A transaction that takes over. Dropped before its end it leaves nothing behind.
pub(crate) struct Taking {
    session: Lent,
    patience: Duration,
}

impl PostgresStore {
    /// Begins to take over.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] where anything is kept already.
    pub(crate) async fn take_over(&self) -> Result<Taking, StoreError> {
        let mut session = self.writing().await?;
        session.begin_unhurried().await?;
        let anything = session.one(step!(ANYTHING.as_str())).await?;
        if anything.first().is_none_or(|row| row.get(0)) {
            let place = self.pool.config().place();
            return Err(unusable(format!(
                "there are data in {place} already: name an empty one, or drop it and make it anew"
            )));
        }
        Ok(Taking { session, patience: self.pool.config().patience })
    }
}

impl Taking {
    /// Begins to fill a table.
    pub(crate) async fn table(&mut self, table: &'static Table) -> Result<Filling, StoreError> {
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let copy = format!("COPY {} ({}) FROM STDIN BINARY", table.name, columns.join(", "));
        let types: Vec<Type> = table.columns.iter().map(|(_, kind)| kind.type_there()).collect();
        let writer = Box::pin(self.session.copy_in(&copy, &types).await?);
        Ok(Filling { table, writer, patience: self.patience })
    }

    /// Has numbers go on after those that were taken over; what is wrong with the whole.
    pub(crate) async fn go_on_after(
        &mut self,
        last_dead_letter: i64,
    ) -> Result<Vec<String>, StoreError> {
        self.session.one(step!(GO_ON, last_dead_letter)).await?;
        desk::check(&mut self.session).await
    }

    /// All of it is durable on return.
    pub(crate) async fn end(mut self) -> Result<(), StoreError> {
        Ok(self.session.commit().await?)
    }
}

/// A table that is being filled.
pub(crate) struct Filling {
    table: &'static Table,
    writer: Pin<Box<BinaryCopyInWriter>>,
    patience: Duration,
}

impl Filling {
    pub(crate) async fn put(&mut self, rows: Vec<Vec<Cell>>) -> Result<(), StoreError> {
        let columns = self.table.columns;
        let writer = &mut self.writer;
        in_time(self.patience, async {
            for row in rows {
                let values = columns.iter().zip(row);
                let values = values.map(|((name, kind), cell)| value(name, *kind, cell));
                let values = values.collect::<Result<Vec<Value<'static>>, StoreError>>()?;
                let values: Vec<&(dyn ToSql + Sync)> =
                    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
                writer.as_mut().write(&values).await.map_err(Failed::from)?;
            }
            Ok(())
        })
        .await
    }

    /// How many rows were written.
    pub(crate) async fn end(mut self) -> Result<u64, StoreError> {
        in_time(self.patience, async {
            Ok(self.writer.as_mut().finish().await.map_err(Failed::from)?)
        })
        .await
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| Err(timed_out("copying rows into the database", patience));
    timeout(patience, work).await.unwrap_or_else(late)
}

impl Kind {
    pub(super) const fn type_there(self) -> Type {
        match self {
            Self::Number => Type::INT8,
            Self::Small => Type::INT4,
            Self::Text => Type::TEXT,
            Self::Bytes | Self::Key => Type::BYTEA,
            Self::Moment => Type::TIMESTAMPTZ,
            Self::Day => Type::DATE,
            Self::Flag => Type::BOOL,
        }
    }
}

/// A value as it stands in SQLite, as one of the column's type here.
fn value(column: &str, kind: Kind, cell: Cell) -> Result<Value<'static>, StoreError> {
    Ok(match (kind, cell) {
        (Kind::Number, Cell::Null) => Box::new(None::<i64>),
        (Kind::Number, Cell::Number(number)) => Box::new(number),
        (Kind::Small, Cell::Number(number)) => {
            Box::new(i32::try_from(number).map_err(|_| damaged(column, number))?)
        }
        (Kind::Text, Cell::Null) => Box::new(None::<String>),
        (Kind::Text, Cell::Text(text)) => Box::new(without_nul(text)),
        (Kind::Bytes, Cell::Null) => Box::new(None::<Vec<u8>>),
        (Kind::Bytes, Cell::Bytes(bytes)) => Box::new(bytes),
        (Kind::Key, Cell::Bytes(mut key)) => {
            if key.iter().all(|byte| *byte == 0) {
                key.clear();
            }
            Box::new(key)
        }
        (Kind::Moment, Cell::Null) => Box::new(None::<Timestamp>),
        (Kind::Moment, Cell::Number(micros)) => {
            Box::new(Timestamp::from_microsecond(micros).map_err(|_| damaged(column, micros))?)
        }
        (Kind::Day, Cell::Number(day)) => {
            Box::new(code::day(day).ok_or_else(|| damaged(column, day))?)
        }
        (Kind::Flag, Cell::Number(flag)) => Box::new(flag != 0),
        (_, other) => return Err(damaged(column, format!("{other:?}"))),
    })
}
