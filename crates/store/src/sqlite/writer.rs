//! The one connection that writes: appends, and transactions of any other kind.

use kulanz_domain::ids::AccountId;
use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::{
    code::{self, InboxHash},
    desk, sending, sql,
    views::ViewWriter,
};
use crate::{
    Append, KeyChange, NewEvent, OutboxChange, OutboxRow, Outcome, Paylink, Secret, StoreError,
    Views, Wake,
};

/// A batch with its inbox keys hashed, which the caller's thread does.
pub(super) struct Batch {
    appends: Vec<(Append, Vec<InboxHash>)>,
}

impl Batch {
    pub(super) fn new(appends: Vec<Append>) -> Self {
        let hashed = |append: Append| {
            let hashes = append.inbox.iter().map(code::inbox_hash).collect();
            (append, hashes)
        };
        Self { appends: appends.into_iter().map(hashed).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.appends.len()
    }

    pub(super) fn erases(&self) -> bool {
        self.appends.iter().any(|(append, _)| append.key == KeyChange::Destroy)
    }
}

struct HeadRow {
    number: i64,
    version: i64,
    wake_at: Option<i64>,
}

/// The writing connection with the statements of its hot path.
pub(super) struct Writer<'c> {
    pub(super) connection: &'c Connection,
    views: ViewWriter<'c>,
    find_head: Statement<'c>,
    new_head: Statement<'c>,
    move_head: Statement<'c>,
    move_head_and_wake: Statement<'c>,
    add_event: Statement<'c>,
    put_snapshot: Statement<'c>,
    remember: Statement<'c>,
    forget: Statement<'c>,
    create_key: Statement<'c>,
    put_secret: Statement<'c>,
}

impl<'c> Writer<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            connection,
            views: ViewWriter::new(connection)?,
            find_head: connection.prepare(sql::FIND_HEAD)?,
            new_head: connection.prepare(sql::NEW_HEAD)?,
            move_head: connection.prepare(sql::MOVE_HEAD)?,
            move_head_and_wake: connection.prepare(sql::MOVE_HEAD_AND_WAKE)?,
            add_event: connection.prepare(sql::ADD_EVENT)?,
            put_snapshot: connection.prepare(sql::PUT_SNAPSHOT)?,
            remember: connection.prepare(sql::REMEMBER)?,
            forget: connection.prepare(sql::FORGET)?,
            create_key: connection.prepare(sql::CREATE_KEY)?,
            put_secret: connection.prepare(sql::PUT_SECRET)?,
        })
    }

    /// Runs `work` in a transaction: durable where it returns `Ok`, else nothing happened.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let done = work(self).and_then(|value| {
            self.connection.execute_batch("COMMIT")?;
            Ok(value)
        });
        // Where the disk is full, SQLite may have rolled back by itself.
        if done.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        done
    }

    /// Writes several batches in one transaction, which costs one wait for the disk. Where that
    /// fails, each is tried alone, so that no caller pays for another's mistake.
    pub(super) fn commit_all(
        &mut self,
        batches: &[Batch],
    ) -> Vec<Result<Vec<Outcome>, StoreError>> {
        let together = self.transaction(|writer| {
            batches.iter().map(|batch| writer.batch(batch)).collect::<Result<Vec<_>, _>>()
        });
        match together {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if batches.len() == 1 => vec![Err(error)],
            Err(_) => {
                batches.iter().map(|batch| self.transaction(|writer| writer.batch(batch))).collect()
            }
        }
    }

    /// Replaces all views of an account that exists.
    pub(super) fn replace_views(
        &mut self,
        account: &AccountId,
        views: &Views,
    ) -> Result<(), StoreError> {
        let head = self
            .find(account)?
            .ok_or_else(|| StoreError::Misused(format!("there is no account {account}")))?;
        self.views.replace(head.number, views)
    }

    fn batch(&mut self, batch: &Batch) -> Result<Vec<Outcome>, StoreError> {
        batch.appends.iter().map(|(append, inbox)| self.append(append, inbox)).collect()
    }

    /// Nothing is written before all that can turn an append away has been looked at, so that
    /// no savepoint is needed.
    fn append(&mut self, append: &Append, inbox: &[InboxHash]) -> Result<Outcome, StoreError> {
        let head = self.find(&append.account)?;
        let before = head.as_ref().map_or(0, |head| head.version);
        if u64::try_from(before) != Ok(append.expected_version) {
            return Ok(Outcome::Conflict);
        }
        for held in &append.held {
            if !sending::is_held(self.connection, held)? {
                return Ok(Outcome::NotHeld(held.notice.clone()));
            }
        }
        if let Some(seen) = self.remember_all(inbox)? {
            return Ok(Outcome::AlreadyRecorded(append.inbox[seen].clone()));
        }
        if let Some(seen) = self.answer_all(append)? {
            for hash in inbox {
                self.forget.execute([hash])?;
            }
            return Ok(Outcome::AlreadyAnswered(seen));
        }
        let version = before + append.events.len() as i64;
        let new = head.is_none();
        let account = match head {
            Some(head) => self.move_head(&head, version, append.wake)?,
            None => self.new_head(append, version)?,
        };
        let last_position = self.add_events(account, before, &append.events)?;
        if let Some(state) = &append.snapshot {
            self.put_snapshot.execute(params![account, version, state])?;
        }
        if let KeyChange::Create(wrapped) = &append.key {
            self.put_key(account, append, wrapped)?;
        }
        for secret in &append.secrets {
            self.put_secret(account, secret)?;
        }
        for slot in &append.forgets {
            self.connection.prepare_cached(sql::FORGET_SECRET)?.execute(params![account, slot])?;
        }
        for change in &append.outbox {
            self.change_outbox(account, &append.account, change)?;
        }
        for link in &append.paylinks {
            self.put_paylink(account, &append.account, link)?;
        }
        match &append.views {
            Some(views) if new => self.views.insert(account, views)?,
            Some(views) => self.views.update(account, views)?,
            None => {}
        }
        // Last, so that nothing which came with it survives.
        if append.key == KeyChange::Destroy {
            self.erase(account, version)?;
        }
        Ok(Outcome::Committed { last_position })
    }

    fn find(&mut self, account: &AccountId) -> Result<Option<HeadRow>, StoreError> {
        let key = params![account.creditor.as_str(), account.debtor.as_str()];
        let head = self.find_head.query_row(key, |row| {
            Ok(HeadRow { number: row.get(0)?, version: row.get(1)?, wake_at: row.get(2)? })
        });
        Ok(head.optional()?)
    }

    /// Remembers all of `inbox`, or none and the index of one that was known.
    fn remember_all(&mut self, inbox: &[InboxHash]) -> Result<Option<usize>, StoreError> {
        for (index, hash) in inbox.iter().enumerate() {
            if self.remember.execute([hash])? == 0 {
                for earlier in &inbox[..index] {
                    self.forget.execute([earlier])?;
                }
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Keeps all requests of an append with their answers, or none and names one that was there.
    fn answer_all(&mut self, append: &Append) -> Result<Option<[u8; 32]>, StoreError> {
        for (index, row) in append.requests.iter().enumerate() {
            if !desk::put_request(self.connection, row)? {
                for earlier in &append.requests[..index] {
                    desk::end_request(self.connection, earlier.request, None)?;
                }
                return Ok(Some(row.request));
            }
        }
        Ok(None)
    }

    fn new_head(&mut self, append: &Append, version: i64) -> Result<i64, StoreError> {
        let wake_at = match append.wake {
            Wake::At(at) => Some(code::not_before(at)),
            Wake::Keep | Wake::Never => None,
        };
        self.new_head.execute(params![
            append.account.creditor.as_str(),
            append.account.debtor.as_str(),
            append.partition,
            version,
            wake_at,
        ])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Leaves the index of wake-ups alone where the wake-up stays.
    fn move_head(&mut self, head: &HeadRow, version: i64, wake: Wake) -> Result<i64, StoreError> {
        let wake_at = match wake {
            Wake::Keep => head.wake_at,
            Wake::At(at) => Some(code::not_before(at)),
            Wake::Never => None,
        };
        if wake_at != head.wake_at {
            self.move_head_and_wake.execute(params![head.number, version, wake_at])?;
        } else if version != head.version {
            self.move_head.execute(params![head.number, version])?;
        }
        Ok(head.number)
    }

    fn add_events(
        &mut self,
        account: i64,
        before: i64,
        events: &[NewEvent],
    ) -> Result<u64, StoreError> {
        for (version, event) in (before + 1..).zip(events) {
            self.add_event.execute(params![
                account,
                version,
                event.kind,
                event.payload,
                code::moment(event.recorded_at),
                event.cause,
            ])?;
        }
        if events.is_empty() {
            return Ok(0);
        }
        let last = self.connection.last_insert_rowid();
        u64::try_from(last).map_err(|_| StoreError::Damaged(format!("event position {last}")))
    }

    fn put_key(&mut self, account: i64, append: &Append, wrapped: &[u8]) -> Result<(), StoreError> {
        if self.create_key.execute(params![account, wrapped])? == 0 {
            return Err(StoreError::Misused(format!("{} has a key already", append.account)));
        }
        Ok(())
    }

    fn put_secret(&mut self, account: i64, secret: &Secret) -> Result<(), StoreError> {
        let Secret { slot, stamp, sealed } = secret;
        self.put_secret.execute(params![account, slot, stamp, sealed])?;
        Ok(())
    }

    fn change_outbox(
        &mut self,
        number: i64,
        account: &AccountId,
        change: &OutboxChange,
    ) -> Result<(), StoreError> {
        match change {
            OutboxChange::Put(row) if row.account != *account => Err(StoreError::Misused(format!(
                "message {} of {} came with {account}",
                row.notice, row.account
            ))),
            OutboxChange::Put(row) => self.put_message(number, row),
            OutboxChange::Move { notice, state, next_at, changed_at, detail } => {
                let moved = self.connection.prepare_cached(sql::MOVE_MESSAGE)?.execute(params![
                    notice.as_str(),
                    code::state_name(*state),
                    code::not_before(*next_at),
                    code::moment(*changed_at),
                    detail,
                ])?;
                match moved {
                    0 => Err(StoreError::Misused(format!("there is no message {notice}"))),
                    _ => Ok(()),
                }
            }
        }
    }

    fn put_message(&mut self, account: i64, row: &OutboxRow) -> Result<(), StoreError> {
        let put = self.connection.prepare_cached(sql::PUT_MESSAGE)?.execute(params![
            row.notice.as_str(),
            account,
            row.channel.name(),
            row.step.as_ref().map(|step| step.as_str()),
            code::state_name(row.state),
            row.attempts,
            code::not_before(row.next_at),
            code::moment(row.decided_at),
            code::moment(row.changed_at),
            row.detail,
            row.account.creditor.as_str(),
            row.traceparent,
        ])?;
        match put {
            0 => Err(StoreError::Misused(format!("message {} exists", row.notice))),
            _ => Ok(()),
        }
    }

    fn put_paylink(
        &mut self,
        number: i64,
        account: &AccountId,
        link: &Paylink,
    ) -> Result<(), StoreError> {
        if link.account != *account {
            let message = format!("a paylink of {} came with {account}", link.account);
            return Err(StoreError::Misused(message));
        }
        self.connection.prepare_cached(sql::PUT_PAYLINK)?.execute(params![
            link.token_hash,
            number,
            link.notice.as_ref().map(|notice| notice.as_str()),
            code::moment(link.created_at),
            code::moment(link.expires_at),
        ])?;
        Ok(())
    }

    fn erase(&mut self, account: i64, version: i64) -> Result<(), StoreError> {
        for statement in [
            "UPDATE keys SET wrapped = zeroblob(length(wrapped)), destroyed = 1 WHERE account = ?1",
            "DELETE FROM secrets WHERE account = ?1",
            "DELETE FROM paylinks WHERE account = ?1",
        ] {
            self.connection.prepare_cached(statement)?.execute([account])?;
        }
        self.connection
            .prepare_cached(
                "INSERT INTO erasures (account, version) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET version = excluded.version",
            )?
            .execute([account, version])?;
        Ok(())
    }
}
