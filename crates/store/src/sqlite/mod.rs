//! The store on SQLite: one file, one thread that writes, a few that read.
//!
//! All writes pass through one thread, so that there is nothing to lock and positions are handed
//! out in the order in which they become visible. Commits that wait at the same time share a
//! transaction, and with it the wait for the disk. Readers see the last commit (WAL) and never
//! wait for the writer. What this does not do: serve several processes at once as writers; the
//! folder is locked for one. Others may read beside it ([`SqliteStore::open_read_only`]).

mod bare;
mod code;
mod desk;
mod lease;
mod queue;
mod read;
mod schema;
mod sending;
mod sql;
mod taking;
#[cfg(test)]
mod tests;
mod threads;
mod transfer;
mod views;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, NoticeId, StepName},
};
use rusqlite::{Connection, ErrorCode, ffi};

pub use bare::bare_insert;

use crate::{
    Append, BookRow, CheckoutRow, ClaimRow, DeadLetter, Head, InboxKey, Lease, NoticeRow,
    OutboxRow, OutboxState, Outcome, Partitions, Paylink, PlacementRow, PolicyRow, RequestRow,
    Secret, Share, Store, StoreError, StoredEvent, TokenRow, Views, WorkRow,
};
use lease::Leases;
use threads::{Readers, WriterThread};
use writer::{Batch, Writer};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error();
        // Where the index of the log cannot grow, SQLite reports a failed write of shared memory.
        let full = code.is_some_and(|found| {
            found.code == ErrorCode::DiskFull || found.extended_code == ffi::SQLITE_IOERR_SHMSIZE
        });
        match error {
            error if full => Self::Full(error.into()),
            // Without the statement, which may be all of the schema.
            rusqlite::Error::SqlInputError { msg, .. } => Self::Backend(msg.into()),
            error => Self::Backend(error.into()),
        }
    }
}

/// A store in a folder, or in memory. Dropping it waits for writes under way and frees the
/// folder.
pub struct SqliteStore {
    // Readers end first, so that the writer's last connection can fold the log into the file.
    readers: Option<Readers>,
    writer: Option<WriterThread>,
    leases: Leases,
}

impl SqliteStore {
    /// Opens `folder` (made where it does not exist) for this process alone.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it, [`StoreError::Newer`] where a newer
    /// release wrote it, [`StoreError::Full`] where there is no space for an empty one.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::Backend(error.into()))?;
        let lock = schema::lock(folder)?;
        let file = folder.join(schema::FILE);
        let connection = schema::writer(&file)?;
        let writer = WriterThread::start(connection, Some(lock))?;
        let readers = Readers::start(&file)?;
        Ok(Self { readers: Some(readers), writer: Some(writer), leases: Leases::default() })
    }

    /// Opens `folder` for reading, also while another process writes to it. Everything that
    /// writes answers [`StoreError::ReadOnly`].
    ///
    /// # Errors
    /// [`StoreError::Backend`] where there is nothing to open, [`StoreError::Newer`] and
    /// [`StoreError::Older`] where another release wrote it.
    pub fn open_read_only(folder: &Path) -> Result<Self, StoreError> {
        let readers = Readers::start(&folder.join(schema::FILE))?;
        Ok(Self { readers: Some(readers), writer: None, leases: Leases::default() })
    }

    /// Copies the database in `folder` to a new `file`, as of one moment, also while another process
    /// writes to it: what was committed by then, and nothing that an erasure overwrote.
    ///
    /// # Errors
    /// As [`open_read_only`](Self::open_read_only); [`StoreError::Backend`] where `file` is there
    /// already; [`StoreError::Full`] where there is no space. What was begun of `file` then stays.
    pub fn copy_to(folder: &Path, file: &Path) -> Result<(), StoreError> {
        let connection = schema::reader(&folder.join(schema::FILE))?;
        let name = file.to_str().ok_or_else(|| {
            StoreError::Misused(format!("{} is no name for a database", file.display()))
        })?;
        // Opened for reading alone; this forbids the copy too.
        connection.pragma_update(None, "query_only", false)?;
        connection.execute("VACUUM INTO ?1", [name])?;
        // The copy is made without waiting for the disk; it is no copy before that.
        let done = std::fs::File::open(file).and_then(|copy| copy.sync_all());
        done.map_err(|error| StoreError::Backend(error.into()))
    }

    /// An empty store whose rows go with it, for tests and trials.
    ///
    /// # Errors
    /// [`StoreError::Backend`] where a thread cannot be started.
    pub fn in_memory() -> Result<Self, StoreError> {
        let writer = WriterThread::start(schema::memory()?, None)?;
        Ok(Self { readers: None, writer: Some(writer), leases: Leases::default() })
    }

    /// Runs `work` on a reader, in a transaction of its own.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.readers {
            Some(readers) => readers.run(work).await,
            None => self.write(|writer| work(writer.connection)).await,
        }
    }

    /// Runs `work` on the writer, in a transaction of its own.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        writer.run(|writer| writer.transaction(work)).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        writer.commit(Batch::new(batch)).await
    }

    async fn heads(&self, accounts: Vec<AccountId>) -> Result<Vec<Option<Head>>, StoreError> {
        self.read(move |connection| {
            accounts.iter().map(|account| read::head(connection, account)).collect()
        })
        .await
    }

    async fn placed(&self) -> Result<Vec<AccountId>, StoreError> {
        self.read(read::placed).await
    }

    async fn recorded(&self, keys: Vec<InboxKey>) -> Result<Vec<bool>, StoreError> {
        self.read(move |connection| read::recorded(connection, &keys)).await
    }

    async fn recorded_count(&self) -> Result<u64, StoreError> {
        self.read(read::recorded_count).await
    }

    async fn position(&self) -> Result<u64, StoreError> {
        self.read(read::position).await
    }

    async fn stream(&self, account: AccountId, after: u64) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |connection| read::stream(connection, &account, after)).await
    }

    async fn events_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.read(move |connection| read::events_after(connection, position, limit)).await
    }

    async fn due(
        &self,
        until: Timestamp,
        share: Share,
        limit: u32,
    ) -> Result<Vec<(AccountId, Timestamp)>, StoreError> {
        self.read(move |connection| read::due(connection, until, share, limit)).await
    }

    async fn next_wake(&self, partitions: Partitions) -> Result<Option<Timestamp>, StoreError> {
        self.read(move |connection| read::next_wake(connection, partitions)).await
    }

    async fn look(
        &self,
        keys: Vec<InboxKey>,
        accounts: Vec<AccountId>,
    ) -> Result<(Vec<bool>, Vec<u64>), StoreError> {
        self.read(move |connection| {
            Ok((read::recorded(connection, &keys)?, read::versions(connection, &accounts)?))
        })
        .await
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn accounts(
        &self,
        creditor: Option<CreditorId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError> {
        self.read(move |connection| {
            read::accounts(connection, creditor.as_ref(), after.as_ref(), limit)
        })
        .await
    }

    async fn secrets(
        &self,
        account: AccountId,
        slots: Vec<String>,
    ) -> Result<Vec<Secret>, StoreError> {
        self.read(move |connection| read::secrets(connection, &account, &slots)).await
    }

    async fn secrets_of(
        &self,
        wanted: Vec<(AccountId, Vec<String>)>,
    ) -> Result<Vec<Vec<Secret>>, StoreError> {
        let of =
            |connection: &_, (account, slots): &(AccountId, Vec<String>)| match slots.is_empty() {
                true => Ok(Vec::new()),
                false => read::secrets(connection, account, slots),
            };
        self.read(move |connection| wanted.iter().map(|one| of(connection, one)).collect()).await
    }

    async fn take_outbox(
        &self,
        queue: (CreditorId, Channel),
        now: Timestamp,
        limit: u32,
        lease: Lease,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.write(move |writer| sending::take(writer.connection, &queue, now, limit, &lease)).await
    }

    async fn due_queues(&self, now: Timestamp) -> Result<Vec<(CreditorId, Channel)>, StoreError> {
        self.read(move |connection| queue::due_queues(connection, now)).await
    }

    async fn departures(
        &self,
        creditor: CreditorId,
        decided_after: Option<Timestamp>,
        spans: Vec<(Timestamp, Timestamp)>,
    ) -> Result<Vec<u64>, StoreError> {
        self.read(move |connection| queue::departures(connection, &creditor, decided_after, &spans))
            .await
    }

    async fn queued_count(
        &self,
        creditor: CreditorId,
        decided_until: Option<Timestamp>,
        due: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        self.read(move |connection| queue::count(connection, &creditor, decided_until, due)).await
    }

    async fn queued(
        &self,
        creditor: CreditorId,
        limit: u32,
    ) -> Result<Vec<(OutboxRow, Option<String>)>, StoreError> {
        self.read(move |connection| queue::queued(connection, &creditor, limit)).await
    }

    async fn take_abandoned(
        &self,
        limit: u32,
        lease: Lease,
        but: Vec<NoticeId>,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.write(move |writer| sending::take_abandoned(writer.connection, limit, &lease, &but))
            .await
    }

    async fn renew_lease(
        &self,
        notices: Vec<NoticeId>,
        lease: Lease,
    ) -> Result<Vec<bool>, StoreError> {
        self.write(move |writer| sending::renew(writer.connection, &notices, &lease)).await
    }

    async fn outbox(
        &self,
        state: Option<OutboxState>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(move |connection| read::outbox(connection, state, limit)).await
    }

    async fn outbox_row(&self, notice: NoticeId) -> Result<Option<OutboxRow>, StoreError> {
        self.read(move |connection| read::message(connection, &notice)).await
    }

    async fn erasures(&self) -> Result<Vec<AccountId>, StoreError> {
        self.read(read::erasures).await
    }

    async fn paylink(&self, token_hash: [u8; 32]) -> Result<Option<Paylink>, StoreError> {
        self.read(move |connection| read::paylink(connection, token_hash)).await
    }

    async fn book(&self, creditor: Option<CreditorId>) -> Result<(u64, Vec<BookRow>), StoreError> {
        self.read(move |connection| read::book(connection, creditor.as_ref())).await
    }

    async fn claims(&self, account: AccountId) -> Result<Vec<ClaimRow>, StoreError> {
        self.read(move |connection| read::claims(connection, &account)).await
    }

    async fn notices(
        &self,
        account: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, NoticeRow)>, StoreError> {
        self.read(move |connection| read::notices(connection, account.as_ref(), limit)).await
    }

    async fn notice_counts(
        &self,
        creditor: Option<CreditorId>,
    ) -> Result<Vec<(Option<StepName>, Channel, Option<String>, String, u64)>, StoreError> {
        self.read(move |connection| read::notice_counts(connection, creditor.as_ref())).await
    }

    async fn work(
        &self,
        list: Option<String>,
        limit: u32,
    ) -> Result<Vec<(AccountId, WorkRow)>, StoreError> {
        self.read(move |connection| read::work(connection, list.as_deref(), limit)).await
    }

    async fn replace_views(&self, account: AccountId, views: Views) -> Result<(), StoreError> {
        self.write(move |writer| writer.replace_views(&account, &views)).await
    }

    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<Vec<u64>, StoreError> {
        self.write(move |writer| {
            letters.iter().map(|letter| desk::put_dead_letter(writer.connection, letter)).collect()
        })
        .await
    }

    async fn dead_letters(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        self.read(move |connection| desk::dead_letters(connection, open_only, limit)).await
    }

    async fn close_dead_letter(&self, number: u64) -> Result<bool, StoreError> {
        self.write(move |writer| desk::close_dead_letter(writer.connection, number)).await
    }

    async fn put_token(&self, token: TokenRow) -> Result<(), StoreError> {
        self.write(move |writer| desk::put_token(writer.connection, &token)).await
    }

    async fn token(&self, token_hash: [u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        self.read(move |connection| desk::token(connection, token_hash)).await
    }

    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.read(desk::tokens).await
    }

    async fn request(
        &self,
        request: [u8; 32],
        expired: Timestamp,
    ) -> Result<Option<RequestRow>, StoreError> {
        self.write(move |writer| {
            desk::forget_requests(writer.connection, expired)?;
            desk::request(writer.connection, request)
        })
        .await
    }

    async fn begin_request(
        &self,
        request: RequestRow,
        expired: Timestamp,
    ) -> Result<Option<RequestRow>, StoreError> {
        self.write(move |writer| desk::begin_request(writer.connection, &request, expired)).await
    }

    async fn end_request(
        &self,
        request: [u8; 32],
        answer: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.write(move |writer| desk::end_request(writer.connection, request, answer.as_deref()))
            .await
    }

    async fn register_policy(&self, policy: PolicyRow) -> Result<PolicyRow, StoreError> {
        self.write(move |writer| desk::register_policy(writer.connection, &policy)).await
    }

    async fn policy(&self, name: String, version: u32) -> Result<Option<PolicyRow>, StoreError> {
        self.read(move |connection| desk::policy(connection, &name, version)).await
    }

    async fn put_placement(&self, placement: PlacementRow) -> Result<(), StoreError> {
        self.write(move |writer| desk::put_placement(writer.connection, &placement)).await
    }

    async fn placements(&self) -> Result<Vec<PlacementRow>, StoreError> {
        self.read(desk::placements).await
    }

    async fn put_checkout(&self, checkout: CheckoutRow) -> Result<(), StoreError> {
        self.write(move |writer| desk::put_checkout(writer.connection, &checkout)).await
    }

    async fn checkouts(&self, account: AccountId) -> Result<Vec<CheckoutRow>, StoreError> {
        self.read(move |connection| desk::checkouts(connection, &account)).await
    }

    async fn checkout(&self, checkout: String) -> Result<Option<CheckoutRow>, StoreError> {
        self.read(move |connection| desk::checkout(connection, &checkout)).await
    }

    async fn meta(&self, key: String) -> Result<Option<String>, StoreError> {
        self.read(move |connection| desk::meta(connection, &key)).await
    }

    async fn put_meta(&self, key: String, value: Option<String>) -> Result<(), StoreError> {
        self.write(move |writer| desk::put_meta(writer.connection, &key, value.as_deref())).await
    }

    async fn swap_meta(
        &self,
        key: String,
        expected: Option<String>,
        value: Option<String>,
    ) -> Result<bool, StoreError> {
        self.write(move |writer| {
            let is_so = desk::meta(writer.connection, &key)? == expected;
            if is_so {
                desk::put_meta(writer.connection, &key, value.as_deref())?;
            }
            Ok(is_so)
        })
        .await
    }

    async fn lease(&self, name: String, holder: String, seconds: u32) -> Result<bool, StoreError> {
        if self.writer.is_none() {
            return Err(StoreError::ReadOnly);
        }
        Ok(self.leases.take(name, holder, seconds))
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        if let Some(writer) = &self.writer {
            writer.run(|writer| threads::fold_log(writer.connection)).await?;
        }
        self.read(desk::check).await
    }
}
