//! Opening a database file: settings of the connection, migrations, the lock on the folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;

/// The database within the data folder.
pub(super) const FILE: &str = "kulanz.db";

/// Migrations in order; the number of those applied is `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_first.sql"),
    include_str!("../../migrations/sqlite/0002_brake.sql"),
    include_str!("../../migrations/sqlite/0003_requests.sql"),
    include_str!("../../migrations/sqlite/0004_leased_messages.sql"),
    include_str!("../../migrations/sqlite/0005_traced_messages.sql"),
    include_str!("../../migrations/sqlite/0006_placed.sql"),
    include_str!("../../migrations/sqlite/0007_lanes.sql"),
];

/// How long a statement waits for another process that reads or writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Durable at each commit, even where the power fails. The log may grow to 128 MiB before it is
/// written back, because pages that many batches touch are then written back once.
const WRITER: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 32768;
    PRAGMA journal_size_limit = 134217728;
    PRAGMA cache_size = -65536;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = OFF;
    PRAGMA secure_delete = ON;
";

const READER: &str = "
    PRAGMA cache_size = -16384;
    PRAGMA temp_store = MEMORY;
    PRAGMA query_only = ON;
";

/// A connection that writes; the schema is brought up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    prepare_writer(&connection)?;
    Ok(connection)
}

/// A connection whose data live in memory and go with it.
pub(super) fn memory() -> Result<Connection, StoreError> {
    let connection = Connection::open_in_memory()?;
    prepare_writer(&connection)?;
    Ok(connection)
}

/// A connection that reads beside the writer, of this process or another.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch(READER)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Refuses data of another release than this one's.
pub(super) fn check_version(connection: &Connection) -> Result<(), StoreError> {
    let (found, known) = (version(connection)?, known());
    match found {
        found if found > known => Err(StoreError::Newer { found, known }),
        found if found < known => Err(StoreError::Older { found, known }),
        _ => Ok(()),
    }
}

/// Takes the folder for this process alone; free again when the file is dropped, or the process
/// ends in whatever way.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))
        .map_err(|error| StoreError::Backend(error.into()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(StoreError::Backend(error.into())),
    }
}

fn prepare_writer(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(PATIENCE)?;
    // Before anything is written: a file keeps the page size that it began with.
    connection.execute_batch("PRAGMA page_size = 4096;")?;
    let found = version(connection)?;
    if found > known() {
        return Err(StoreError::Newer { found, known: known() });
    }
    connection.execute_batch(WRITER)?;
    connection.set_prepared_statement_cache_capacity(64);
    for (applied, migration) in (found..).zip(MIGRATIONS.iter().skip(found as usize)) {
        let after = applied + 1;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;\n{migration}\nPRAGMA user_version = {after};\nCOMMIT;"
        ))?;
    }
    // The folder is this process's: who took them is gone.
    connection.execute_batch("UPDATE outbox SET leased_until = NULL WHERE state = 'sending'")?;
    Ok(())
}

fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

const fn known() -> u32 {
    MIGRATIONS.len() as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_table_and_column_is_explained_in_the_line_above_it() {
        for migration in MIGRATIONS {
            let lines: Vec<&str> = migration.lines().map(str::trim).collect();
            for pair in lines.windows(2) {
                let opens = pair[1].starts_with("CREATE TABLE");
                let column = pair[1].split_whitespace().nth(1).is_some_and(|word| {
                    matches!(word.trim_end_matches(','), "INTEGER" | "TEXT" | "BLOB")
                });
                if opens || column {
                    assert!(pair[0].starts_with("--"), "not explained: {}", pair[1]);
                }
            }
        }
    }

    #[test]
    fn an_event_can_be_neither_changed_nor_deleted() {
        let connection = memory().unwrap();
        connection
            .execute_batch(
                "INSERT INTO events (account, version, kind, payload, recorded_at, cause)
                 VALUES (1, 1, 'K', '{}', 0, 'c')",
            )
            .unwrap();
        for wrong in ["UPDATE events SET payload = '[]'", "DELETE FROM events"] {
            let refused = connection.execute_batch(wrong).unwrap_err().to_string();
            assert!(refused.contains("events are not"), "{refused}");
        }
    }

    #[test]
    fn messages_of_the_first_release_get_their_creditor() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(&format!(
                "{}
                 INSERT INTO accounts (number, creditor, debtor, partition, version)
                 VALUES (1, 'shop', 'd1', 7, 1), (2, 'mill', 'd1', 7, 1);
                 INSERT INTO outbox (notice, account, channel, state, attempts, next_at,
                 decided_at, changed_at) VALUES ('N-1', 2, 'email', 'queued', 0, 0, 0, 0),
                 ('N-2', 1, 'email', 'sent', 1, 0, 0, 0);
                 PRAGMA user_version = 1;",
                MIGRATIONS[0]
            ))
            .unwrap();
        prepare_writer(&connection).unwrap();
        let mut rows =
            connection.prepare("SELECT of_creditor FROM outbox ORDER BY notice").unwrap();
        let names = rows.query_map([], |row| row.get(0)).unwrap();
        assert_eq!(names.collect::<Result<Vec<String>, _>>().unwrap(), ["mill", "shop"]);
        check_version(&connection).unwrap();
    }

    #[test]
    fn what_messages_said_that_were_never_sent_goes_with_the_seventh_migration() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&MIGRATIONS[..6].concat()).unwrap();
        let rows = [
            ("N-paid", "suppressed", 1, "Paid"),
            ("N-braked", "suppressed", 0, "Braked"),
            ("N-tried", "suppressed", 1, "Braked"),
            ("N-bounced", "suppressed", 1, "bounced: the gateway answered 410"),
            ("N-unknown", "suppressed", 1, "discarded by ada"),
            ("N-sent", "sent", 1, ""),
        ];
        for (notice, state, attempts, detail) in rows {
            let put = "INSERT INTO outbox (notice, account, channel, state, attempts, next_at,
                 decided_at, changed_at, detail) VALUES (?1, 1, 'email', ?2, ?3, 0, 0, 0, ?4)";
            connection.execute(put, (notice, state, attempts, detail)).unwrap();
            for account in [1, 2] {
                let seal = "INSERT INTO secrets VALUES (?1, 'notice/' || ?2, '1', x'00')";
                connection.execute(seal, (account, notice)).unwrap();
            }
        }
        connection.execute_batch("PRAGMA user_version = 6").unwrap();
        prepare_writer(&connection).unwrap();
        let kept = |account: i64| {
            let kept = "SELECT slot FROM secrets WHERE account = ?1 ORDER BY slot";
            let mut kept = connection.prepare(kept).unwrap();
            let slots = kept.query_map([account], |row| row.get(0)).unwrap();
            slots.collect::<Result<Vec<String>, _>>().unwrap()
        };
        assert_eq!(
            kept(1),
            ["notice/N-bounced", "notice/N-sent", "notice/N-tried", "notice/N-unknown"]
        );
        assert_eq!(kept(2).len(), rows.len());
    }

    #[test]
    fn data_of_a_newer_release_are_refused_and_not_touched() {
        let connection = memory().unwrap();
        connection.execute_batch("PRAGMA user_version = 99").unwrap();
        let refused = prepare_writer(&connection);
        assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })));
        assert!(matches!(check_version(&connection), Err(StoreError::Newer { .. })));
        connection.execute_batch("PRAGMA user_version = 0").unwrap();
        assert!(matches!(check_version(&connection), Err(StoreError::Older { found: 0, .. })));
    }
}
