//! The yardstick of the import benchmark: a bare loop over prepared statements.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, Statement, params};

use super::{code, schema, sql, views::ViewWriter};
use crate::{Append, KeyChange, StoreError, Wake};

/// Appends in a transaction.
const TOGETHER: usize = 1_000;

/// Inserts the rows of `appends` (in order; outbox and paylinks aside, which an import does not
/// have) into a new database in `folder`, with the same tables, settings and statements as the
/// store but no check, thread, channel or answer. How long the loop took, commits included,
/// opening and closing not.
///
/// # Errors
/// As the store's own; [`StoreError::InUse`] where the folder is held.
pub fn bare_insert(folder: &Path, appends: &[Append]) -> Result<Duration, StoreError> {
    std::fs::create_dir_all(folder).map_err(|error| StoreError::Backend(error.into()))?;
    let lock = schema::lock(folder)?;
    let connection = schema::writer(&folder.join(schema::FILE))?;
    let mut rows = Rows::new(&connection)?;
    let begun = Instant::now();
    for batch in appends.chunks(TOGETHER) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for append in batch {
            rows.insert(append)?;
        }
        connection.execute_batch("COMMIT")?;
    }
    let took = begun.elapsed();
    drop(lock);
    Ok(took)
}

struct Rows<'c> {
    connection: &'c Connection,
    numbers: HashMap<String, i64>,
    views: ViewWriter<'c>,
    new_head: Statement<'c>,
    move_head: Statement<'c>,
    move_head_and_wake: Statement<'c>,
    add_event: Statement<'c>,
    put_snapshot: Statement<'c>,
    remember: Statement<'c>,
    create_key: Statement<'c>,
    put_secret: Statement<'c>,
}

impl<'c> Rows<'c> {
    fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            numbers: HashMap::new(),
            views: ViewWriter::new(connection)?,
            new_head: connection.prepare(sql::NEW_HEAD)?,
            move_head: connection.prepare(sql::MOVE_HEAD)?,
            move_head_and_wake: connection.prepare(sql::MOVE_HEAD_AND_WAKE)?,
            add_event: connection.prepare(sql::ADD_EVENT)?,
            put_snapshot: connection.prepare(sql::PUT_SNAPSHOT)?,
            remember: connection.prepare("INSERT INTO inbox (key) VALUES (?1)")?,
            create_key: connection.prepare(sql::CREATE_KEY)?,
            put_secret: connection.prepare(sql::PUT_SECRET)?,
        })
    }

    fn insert(&mut self, append: &Append) -> Result<(), StoreError> {
        let before = code::number(append.expected_version, "version")?;
        let version = before + append.events.len() as i64;
        let account = self.head(append, version)?;
        for (version, event) in (before + 1..).zip(&append.events) {
            let at = code::moment(event.recorded_at);
            let row = params![account, version, event.kind, event.payload, at, event.cause];
            self.add_event.execute(row)?;
        }
        if let Some(state) = &append.snapshot {
            self.put_snapshot.execute(params![account, version, state])?;
        }
        for key in &append.inbox {
            self.remember.execute([code::inbox_hash(key)])?;
        }
        if let KeyChange::Create(wrapped) = &append.key {
            self.create_key.execute(params![account, wrapped])?;
        }
        for secret in &append.secrets {
            let row = params![account, secret.slot, secret.stamp, secret.sealed];
            self.put_secret.execute(row)?;
        }
        match &append.views {
            Some(views) if before > 0 => self.views.update(account, views),
            Some(views) => self.views.insert(account, views),
            None => Ok(()),
        }
    }

    fn head(&mut self, append: &Append, version: i64) -> Result<i64, StoreError> {
        let wake_at = match append.wake {
            Wake::At(at) => Some(code::not_before(at)),
            Wake::Keep | Wake::Never => None,
        };
        let name = append.account.to_string();
        if let Some(account) = self.numbers.get(&name) {
            match append.wake {
                Wake::Keep => self.move_head.execute(params![account, version])?,
                Wake::At(_) | Wake::Never => {
                    self.move_head_and_wake.execute(params![account, version, wake_at])?
                }
            };
            return Ok(*account);
        }
        self.new_head.execute(params![
            append.account.creditor.as_str(),
            append.account.debtor.as_str(),
            append.partition,
            version,
            wake_at,
        ])?;
        let account = self.connection.last_insert_rowid();
        self.numbers.insert(name, account);
        Ok(account)
    }
}
