//! Moves all that an embedded store keeps into a PostgreSQL database, or back: table by table, row by
//! row, in one transaction of the database. Numbers of accounts, positions of events and with them whatever follows the
//! log stay what they are.

use std::path::Path;

use tokio::sync::mpsc;

use crate::{
    Store, StoreError,
    postgres::{PostgresConfig, PostgresStore},
    sqlite::SqliteStore,
};

/// How a column's values stand in SQLite, and what they are in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `bigint`.
    Number,
    /// `integer`.
    Small,
    /// `text`.
    Text,
    /// `bytea`.
    Bytes,
    /// Microseconds since 1970; `timestamptz`.
    Moment,
    /// The number yyyymmdd; `date`.
    Day,
    /// 0 or 1; `boolean`.
    Flag,
    /// Bytes, all of them zero once destroyed; `bytea`, then empty.
    Key,
}

/// A value as it stands in SQLite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A table with its columns.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

use Kind::{Bytes, Day, Flag, Key, Moment, Number, Small, Text};

/// All that is kept: every table that both have, with every column.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "accounts",
        columns: &[
            ("number", Number),
            ("creditor", Text),
            ("debtor", Text),
            ("partition", Small),
            ("version", Number),
            ("wake_at", Moment),
        ],
    },
    Table {
        name: "events",
        columns: &[
            ("position", Number),
            ("account", Number),
            ("version", Number),
            ("kind", Text),
            ("payload", Text),
            ("recorded_at", Moment),
            ("cause", Text),
        ],
    },
    Table {
        name: "snapshots",
        columns: &[("account", Number), ("version", Number), ("state", Bytes)],
    },
    Table { name: "inbox", columns: &[("key", Bytes)] },
    Table { name: "keys", columns: &[("account", Number), ("wrapped", Key), ("destroyed", Flag)] },
    Table { name: "erasures", columns: &[("account", Number), ("version", Number)] },
    Table {
        name: "secrets",
        columns: &[("account", Number), ("slot", Text), ("stamp", Text), ("sealed", Bytes)],
    },
    Table {
        name: "outbox",
        columns: &[
            ("number", Number),
            ("notice", Text),
            ("account", Number),
            ("channel", Text),
            ("step", Text),
            ("state", Text),
            ("attempts", Number),
            ("next_at", Moment),
            ("decided_at", Moment),
            ("changed_at", Moment),
            ("detail", Text),
            ("of_creditor", Text),
            ("holder", Text),
            ("leased_until", Moment),
            ("traceparent", Text),
        ],
    },
    Table {
        name: "paylinks",
        columns: &[
            ("token_hash", Bytes),
            ("account", Number),
            ("notice", Text),
            ("created_at", Moment),
            ("expires_at", Moment),
        ],
    },
    Table {
        name: "books",
        columns: &[
            ("account", Number),
            ("currency", Text),
            ("principal", Number),
            ("paid", Number),
            ("credited", Number),
            ("unallocated", Number),
            ("outstanding", Number),
            ("fees", Number),
            ("claims", Number),
            ("open_claims", Number),
        ],
    },
    Table {
        name: "claims",
        columns: &[
            ("account", Number),
            ("invoice", Text),
            ("currency", Text),
            ("issued_on", Day),
            ("due_on", Day),
            ("principal", Number),
            ("outstanding", Number),
            ("fees", Number),
            ("step", Text),
            ("state", Text),
        ],
    },
    Table {
        name: "notices",
        columns: &[
            ("account", Number),
            ("notice", Text),
            ("step", Text),
            ("persona", Text),
            ("channel", Text),
            ("state", Text),
            ("decided_at", Moment),
            ("sent_at", Moment),
        ],
    },
    Table {
        name: "work",
        columns: &[
            ("account", Number),
            ("list", Text),
            ("item", Text),
            ("since", Moment),
            ("detail", Text),
        ],
    },
    Table {
        name: "dead_letters",
        columns: &[
            ("number", Number),
            ("received_at", Moment),
            ("origin", Text),
            ("reason", Text),
            ("detail", Text),
            ("sealed", Bytes),
            ("account", Text),
            ("open", Flag),
        ],
    },
    Table {
        name: "tokens",
        columns: &[
            ("token_hash", Bytes),
            ("person", Text),
            ("role", Text),
            ("creditor", Text),
            ("created_at", Moment),
        ],
    },
    Table {
        name: "policies",
        columns: &[
            ("name", Text),
            ("version", Number),
            ("hash", Text),
            ("sources", Text),
            ("registered_at", Moment),
        ],
    },
    Table {
        name: "placements",
        columns: &[
            ("placement", Text),
            ("account", Text),
            ("agency", Text),
            ("state", Text),
            ("changed_at", Moment),
        ],
    },
    Table {
        name: "checkouts",
        columns: &[
            ("checkout", Text),
            ("account", Text),
            ("provider", Text),
            ("amount", Number),
            ("currency", Text),
            ("state", Text),
            ("created_at", Moment),
            ("changed_at", Moment),
        ],
    },
    Table { name: "meta", columns: &[("key", Text), ("value", Text)] },
    Table {
        name: "requests",
        columns: &[
            ("request", Bytes),
            ("fingerprint", Bytes),
            ("begun_at", Moment),
            ("answer", Bytes),
        ],
    },
];

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Accounts.
    pub accounts: u64,
    /// Events of their logs.
    pub events: u64,
    /// Rows of all tables.
    pub rows: u64,
}

/// Moves what the embedded store in `folder` keeps into the database of `config`, which has to be
/// empty; both are this process's alone for the while. `told` hears of how many rows, and of how
/// many of them are done. The folder is left as it is: whoever works on it afterwards would
/// contact debtors a second time.
///
/// # Errors
/// As [`SqliteStore::open`] and [`PostgresStore::open_alone`]; [`StoreError::Damaged`] where the
/// embedded data do not agree with themselves, or the moved ones with them;
/// [`StoreError::Unusable`] where there are data in the database. Nothing of them is there then,
/// but for [`StoreError::Unreachable`]: the connection may have broken when all was written.
pub async fn transfer(
    folder: &Path,
    config: PostgresConfig,
    told: impl Fn(u64, u64),
) -> Result<Moved, StoreError> {
    let from = SqliteStore::open(folder)?;
    sound("the embedded data", from.check().await?)?;
    let to = PostgresStore::open_alone(config).await?;
    let counts = from.counts().await?;
    let (mut done, all) = (0, counts.iter().sum());
    told(done, all);
    let mut taking = to.take_over().await?;
    for (table, count) in TABLES.iter().zip(&counts) {
        let mut into = taking.table(table).await?;
        let (sender, mut rows) = mpsc::channel::<Vec<Vec<Cell>>>(2);
        let write = async {
            while let Some(some) = rows.recv().await {
                done += some.len() as u64;
                into.put(some).await?;
                told(done, all);
            }
            into.end().await
        };
        let ((), written) = tokio::try_join!(from.rows_of(table, sender), write)?;
        if written != *count {
            let what = format!("{written} rows of {count} in {}", table.name);
            return Err(StoreError::Damaged(format!("not all came over: {what}")));
        }
    }
    let wrong = taking.go_on_after(from.last_dead_letter().await?).await?;
    sound("the moved data", wrong)?;
    taking.end().await?;
    let of = |name| {
        let counted = TABLES.iter().zip(&counts).find(|(table, _)| table.name == name);
        counted.map_or(0, |(_, count)| *count)
    };
    Ok(Moved { accounts: of("accounts"), events: of("events"), rows: all })
}

/// Copies what the database of `config` keeps into `folder`, where nothing is yet, as of one moment;
/// the database is this process's alone for the while. On return the copy is durable, and the
/// database as it was: it is given up by [`Left::for_good`], once the copy is where it is to be.
///
/// # Errors
/// As [`PostgresStore::open_alone`] and [`SqliteStore::open`]; [`StoreError::Damaged`] where the
/// data do not agree with themselves, or the copied ones with them. The database is as it was, and
/// what is in the folder is of no use.
pub async fn leave(
    config: PostgresConfig,
    folder: &Path,
    told: impl Fn(u64, u64),
) -> Result<Left, StoreError> {
    let from = PostgresStore::open_alone(config).await?;
    let mut leaving = from.leave().await?;
    sound("the data in the database", leaving.check().await?)?;
    let counts = leaving.counts().await?;
    let (mut done, all) = (0, counts.iter().sum());
    if all == 0 {
        return Err(StoreError::Unusable(
            "there are no data in it: nothing can be moved".to_owned(),
        ));
    }
    told(done, all);
    let to = SqliteStore::open(folder)?;
    for (table, count) in TABLES.iter().zip(&counts) {
        let (sender, mut rows) = mpsc::channel::<Vec<Vec<Cell>>>(2);
        let mut written = 0;
        let write = async {
            while let Some(some) = rows.recv().await {
                written += some.len() as u64;
                to.put_rows(table, some).await?;
                told(done + written, all);
            }
            Ok(())
        };
        tokio::try_join!(leaving.rows_of(table, sender), write)?;
        if written != *count {
            let what = format!("{written} rows of {count} in {}", table.name);
            return Err(StoreError::Damaged(format!("not all came over: {what}")));
        }
        done += written;
    }
    to.go_on_after(leaving.last_dead_letter().await?).await?;
    leaving.end().await?;
    sound("the copied data", to.check().await?)?;
    if to.counts().await? != counts {
        return Err(StoreError::Damaged("not all came over".to_owned()));
    }
    let of = |name| {
        let counted = TABLES.iter().zip(&counts).find(|(table, _)| table.name == name);
        counted.map_or(0, |(_, count)| *count)
    };
    let moved = Moved { accounts: of("accounts"), events: of("events"), rows: all };
    Ok(Left { from, moved })
}

/// A database whose data were copied, and that is still held.
pub struct Left {
    from: PostgresStore,
    /// What was copied.
    pub moved: Moved,
}

impl Left {
    /// Gives the database up: whoever opens it from now on is refused and told that its data are at
    /// `place`. Nothing of it is deleted.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] where it does not answer: it may be given up or not.
    pub async fn for_good(self, place: &str) -> Result<Moved, StoreError> {
        self.from.left_for(place).await?;
        Ok(self.moved)
    }
}

fn sound(which: &str, faults: Vec<String>) -> Result<(), StoreError> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Damaged(format!("{which}: {}", faults.join("; ")))),
    }
}
