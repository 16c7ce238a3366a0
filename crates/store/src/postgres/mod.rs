//! The store on PostgreSQL: the schema `kulanz` of a database, over a few connections.
//!
//! A batch is one transaction (`writer.rs`). Batches of several writers may run at once: each
//! locks its accounts, the version decides, and whoever was second learns so. Places in the global
//! order are handed out in blocks before they are visible, so that readers of that order stand
//! behind a high-water mark (`read.rs`). Whatever is asked of the server has a limit
//! of time; a connection that is lost is made again when the next one is needed.
//!
//! Several processes may work on the same data ([`PostgresStore::open_shared`]); what needs them for
//! itself says so ([`PostgresStore::open_alone`]), and the two keep each other out.

mod batch;
mod code;
mod config;
mod desk;
mod error;
mod leaving;
mod pool;
mod queue;
mod read;
mod recent;
mod rows;
mod schema;
mod sending;
#[cfg(test)]
mod tests;
mod tls;
mod transfer;
mod views;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, NoticeId, StepName},
};
use tokio::sync::Mutex;

pub use config::PostgresConfig;

use crate::{
    Append, BookRow, CheckoutRow, ClaimRow, DeadLetter, Head, InboxKey, Lease, NoticeRow,
    OutboxRow, OutboxState, Outcome, Partitions, Paylink, PlacementRow, PolicyRow, RequestRow,
    Secret, Share, Store, StoreError, StoredEvent, TokenRow, Views, WorkRow, code as decode,
};
use code::{all, first};
use pool::{Lent, Pool, Session, step};
use recent::Recent;
use schema::Hold;

/// A store in a database.
pub struct PostgresStore {
    pool: Arc<Pool>,
    recent: Recent,
    may_write: bool,
    /// Says for as long as its connection lasts who may be here besides.
    lock: Option<(Hold, Mutex<Session>)>,
}

impl PostgresStore {
    /// Opens a database beside others that write to it, without a word to them: for trials. Its
    /// schema is brought up to date.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with what to do, where the server refuses the user or a right is
    /// missing; [`StoreError::Unreachable`] where it does not answer; [`StoreError::Newer`] where
    /// a newer release wrote it.
    pub async fn open(config: PostgresConfig) -> Result<Self, StoreError> {
        Self::prepared(config, None).await
    }

    /// As [`Self::open`], to work on it with others that do so.
    ///
    /// # Errors
    /// Also [`StoreError::InUse`] where another process has it for itself alone, and
    /// [`StoreError::Unusable`] where its schema has to be changed while others work on it.
    pub async fn open_shared(config: PostgresConfig) -> Result<Self, StoreError> {
        let lock = schema::shared(&config).await?;
        Self::prepared(config, Some((Hold::Shared, Mutex::new(lock)))).await
    }

    /// As [`Self::open`], for this process alone.
    ///
    /// # Errors
    /// Also [`StoreError::InUse`] where another process works on it.
    pub async fn open_alone(config: PostgresConfig) -> Result<Self, StoreError> {
        let lock = schema::hold(&config, Hold::Alone).await?;
        Self::prepared(config, Some((Hold::Alone, Mutex::new(lock)))).await
    }

    /// Whether a process works on the database.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn is_served(config: &PostgresConfig) -> Result<bool, StoreError> {
        schema::is_served(config).await
    }

    /// Opens a database for reading, also while a server works on it. Everything that writes
    /// answers [`StoreError::ReadOnly`].
    ///
    /// # Errors
    /// As [`Self::open`], and [`StoreError::Older`] where an older release wrote it.
    pub async fn open_read_only(config: PostgresConfig) -> Result<Self, StoreError> {
        let mut session = Session::open(&config, true).await?;
        schema::check_server(&mut session).await?;
        schema::check_version(&mut session).await?;
        leaving::not_left(&mut session).await?;
        let pool = Pool::new(config, true, session);
        Ok(Self { pool, recent: Recent::default(), may_write: false, lock: None })
    }

    async fn prepared(
        config: PostgresConfig,
        lock: Option<(Hold, Mutex<Session>)>,
    ) -> Result<Self, StoreError> {
        let mut session = Session::open(&config, false).await?;
        schema::check_server(&mut session).await?;
        schema::migrate(&mut session, &config).await?;
        leaving::not_left(&mut session).await?;
        let pool = Pool::new(config, false, session);
        Ok(Self { pool, recent: Recent::default(), may_write: true, lock })
    }

    /// Refuses where nothing may be written, or another process has the data for itself by now:
    /// the lock went with a lost connection, and this one was slower to take it again.
    async fn may_write(&self) -> Result<(), StoreError> {
        if !self.may_write {
            return Err(StoreError::ReadOnly);
        }
        if let Some((hold, session)) = &self.lock {
            let mut session = session.lock().await;
            if session.is_closed() {
                let mut again = schema::hold(self.pool.config(), *hold).await?;
                // A newer release may have been there in between, or the data have left.
                schema::check_version(&mut again).await?;
                leaving::not_left(&mut again).await?;
                *session = again;
            }
        }
        Ok(())
    }

    async fn writing(&self) -> Result<Lent, StoreError> {
        self.may_write().await?;
        self.pool.lend().await
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
        self.may_write().await?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        writer::commit(&self.pool, &self.recent, batch).await
    }

    async fn heads(&self, accounts: Vec<AccountId>) -> Result<Vec<Option<Head>>, StoreError> {
        read::heads(&self.pool, &accounts).await
    }

    async fn placed(&self) -> Result<Vec<AccountId>, StoreError> {
        read::placed(&self.pool).await
    }

    async fn recorded(&self, keys: Vec<InboxKey>) -> Result<Vec<bool>, StoreError> {
        read::recorded(&self.pool, &keys).await
    }

    async fn recorded_count(&self) -> Result<u64, StoreError> {
        read::recorded_count(&self.pool).await
    }

    async fn position(&self) -> Result<u64, StoreError> {
        read::position(&self.pool).await
    }

    async fn stream(&self, account: AccountId, after: u64) -> Result<Vec<StoredEvent>, StoreError> {
        read::stream(&self.pool, &account, after).await
    }

    async fn events_after(
        &self,
        position: u64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        read::events_after(&self.pool, &self.recent, position, limit).await
    }

    async fn due(
        &self,
        until: Timestamp,
        share: Share,
        limit: u32,
    ) -> Result<Vec<(AccountId, Timestamp)>, StoreError> {
        read::due(&self.pool, until, share, limit).await
    }

    async fn next_wake(&self, partitions: Partitions) -> Result<Option<Timestamp>, StoreError> {
        if partitions == Partitions::NONE {
            return Ok(None);
        }
        read::next_wake(&self.pool, partitions).await
    }

    async fn look(
        &self,
        keys: Vec<InboxKey>,
        accounts: Vec<AccountId>,
    ) -> Result<(Vec<bool>, Vec<u64>), StoreError> {
        if keys.is_empty() && accounts.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        read::look(&self.pool, &keys, &accounts).await
    }

    fn is_shared(&self) -> bool {
        !matches!(self.lock, Some((Hold::Alone, _)))
    }

    async fn accounts(
        &self,
        creditor: Option<CreditorId>,
        after: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>, StoreError> {
        read::accounts(&self.pool, creditor.as_ref(), after.as_ref(), limit).await
    }

    async fn secrets(
        &self,
        account: AccountId,
        slots: Vec<String>,
    ) -> Result<Vec<Secret>, StoreError> {
        read::secrets(&self.pool, &account, &slots).await
    }

    async fn secrets_of(
        &self,
        wanted: Vec<(AccountId, Vec<String>)>,
    ) -> Result<Vec<Vec<Secret>>, StoreError> {
        read::secrets_of(&self.pool, &wanted).await
    }

    async fn take_outbox(
        &self,
        queue: (CreditorId, Channel),
        now: Timestamp,
        limit: u32,
        lease: Lease,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let taken = self.writing().await?.one(sending::take(&queue, now, limit, &lease)).await?;
        all(taken, decode::outbox_row)
    }

    async fn due_queues(&self, now: Timestamp) -> Result<Vec<(CreditorId, Channel)>, StoreError> {
        queue::due_queues(&self.pool, now).await
    }

    async fn departures(
        &self,
        creditor: CreditorId,
        decided_after: Option<Timestamp>,
        spans: Vec<(Timestamp, Timestamp)>,
    ) -> Result<Vec<u64>, StoreError> {
        queue::departures(&self.pool, &creditor, decided_after, &spans).await
    }

    async fn queued_count(
        &self,
        creditor: CreditorId,
        decided_until: Option<Timestamp>,
        due: Option<Timestamp>,
    ) -> Result<u64, StoreError> {
        queue::count(&self.pool, &creditor, decided_until, due).await
    }

    async fn queued(
        &self,
        creditor: CreditorId,
        limit: u32,
    ) -> Result<Vec<(OutboxRow, Option<String>)>, StoreError> {
        queue::queued(&self.pool, &creditor, limit).await
    }

    async fn take_abandoned(
        &self,
        limit: u32,
        lease: Lease,
        but: Vec<NoticeId>,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let taken = self.writing().await?.one(sending::take_abandoned(limit, &lease, &but)).await?;
        all(taken, decode::outbox_row)
    }

    async fn renew_lease(
        &self,
        notices: Vec<NoticeId>,
        lease: Lease,
    ) -> Result<Vec<bool>, StoreError> {
        let renewed = self.writing().await?.one(sending::renew(&notices, &lease)).await?;
        let renewed: Vec<NoticeId> = all(renewed, |row| row.parsed("notice"))?;
        Ok(notices.iter().map(|notice| renewed.contains(notice)).collect())
    }

    async fn outbox(
        &self,
        state: Option<OutboxState>,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        read::outbox(&self.pool, state, limit).await
    }

    async fn outbox_row(&self, notice: NoticeId) -> Result<Option<OutboxRow>, StoreError> {
        read::message(&self.pool, &notice).await
    }

    async fn erasures(&self) -> Result<Vec<AccountId>, StoreError> {
        read::erasures(&self.pool).await
    }

    async fn paylink(&self, token_hash: [u8; 32]) -> Result<Option<Paylink>, StoreError> {
        read::paylink(&self.pool, token_hash).await
    }

    async fn book(&self, creditor: Option<CreditorId>) -> Result<(u64, Vec<BookRow>), StoreError> {
        read::book(&self.pool, creditor.as_ref()).await
    }

    async fn claims(&self, account: AccountId) -> Result<Vec<ClaimRow>, StoreError> {
        read::claims(&self.pool, &account).await
    }

    async fn notices(
        &self,
        account: Option<AccountId>,
        limit: u32,
    ) -> Result<Vec<(AccountId, NoticeRow)>, StoreError> {
        read::notices(&self.pool, account.as_ref(), limit).await
    }

    async fn notice_counts(
        &self,
        creditor: Option<CreditorId>,
    ) -> Result<Vec<(Option<StepName>, Channel, Option<String>, String, u64)>, StoreError> {
        read::notice_counts(&self.pool, creditor.as_ref()).await
    }

    async fn work(
        &self,
        list: Option<String>,
        limit: u32,
    ) -> Result<Vec<(AccountId, WorkRow)>, StoreError> {
        read::work(&self.pool, list.as_deref(), limit).await
    }

    async fn replace_views(&self, account: AccountId, views: Views) -> Result<(), StoreError> {
        let mut session = self.writing().await?;
        let number = session.one(writer::number(&account)).await?;
        let number = first(number, |row| row.integer("number"))?
            .ok_or_else(|| StoreError::Misused(format!("there is no account {account}")))?;
        let mut rows = views::ViewRows::default();
        rows.add(number, &views, true);
        let mut steps: Vec<_> = views::CLEAR.map(|sql| step!(sql, number)).into();
        steps.extend(rows.steps());
        session.begin("BEGIN").await?;
        if let Err(failed) = session.all(steps).await {
            session.roll_back().await;
            return Err(failed.into());
        }
        Ok(session.commit().await?)
    }

    async fn put_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<Vec<u64>, StoreError> {
        let mut session = self.writing().await?;
        session.begin("BEGIN").await?;
        let mut numbers = Vec::with_capacity(letters.len());
        for letter in &letters {
            match session.one(desk::put_dead_letter(letter)).await {
                Ok(number) => numbers.extend(first(number, |row| row.count("number"))?),
                Err(failed) => {
                    session.roll_back().await;
                    return Err(failed.into());
                }
            }
        }
        session.commit().await?;
        Ok(numbers)
    }

    async fn dead_letters(
        &self,
        open_only: bool,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        all(self.pool.read(|| desk::dead_letters(open_only, limit)).await?, decode::dead_letter)
    }

    async fn close_dead_letter(&self, number: u64) -> Result<bool, StoreError> {
        let step = desk::close_dead_letter(number)?;
        Ok(!self.writing().await?.one(step).await?.is_empty())
    }

    async fn put_token(&self, token: TokenRow) -> Result<(), StoreError> {
        self.writing().await?.one(desk::put_token(&token)).await?;
        Ok(())
    }

    async fn token(&self, token_hash: [u8; 32]) -> Result<Option<TokenRow>, StoreError> {
        first(self.pool.read(|| desk::token(token_hash)).await?, decode::token)
    }

    async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        all(self.pool.read(desk::tokens).await?, decode::token)
    }

    async fn request(
        &self,
        request: [u8; 32],
        expired: Timestamp,
    ) -> Result<Option<RequestRow>, StoreError> {
        let mut session = self.writing().await?;
        session.one(desk::forget_requests(expired)).await?;
        first(session.one(desk::request(request)).await?, decode::request)
    }

    async fn begin_request(
        &self,
        request: RequestRow,
        expired: Timestamp,
    ) -> Result<Option<RequestRow>, StoreError> {
        let mut session = self.writing().await?;
        session.one(desk::forget_requests(expired)).await?;
        // Who began it may forget it again before it is looked at.
        loop {
            if !session.one(desk::begin_request(&request)).await?.is_empty() {
                return Ok(None);
            }
            let kept = first(session.one(desk::request(request.request)).await?, decode::request)?;
            if kept.is_some() {
                return Ok(kept);
            }
        }
    }

    async fn end_request(
        &self,
        request: [u8; 32],
        answer: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.writing().await?.one(desk::end_request(request, answer)).await?;
        Ok(())
    }

    async fn register_policy(&self, policy: PolicyRow) -> Result<PolicyRow, StoreError> {
        let mut session = self.writing().await?;
        session.one(desk::register_policy(&policy)).await?;
        let kept = session.one(desk::policy(&policy.name, policy.version)).await?;
        first(kept, decode::policy)?
            .ok_or_else(|| StoreError::Damaged(format!("policy {} is not kept", policy.name)))
    }

    async fn policy(&self, name: String, version: u32) -> Result<Option<PolicyRow>, StoreError> {
        first(self.pool.read(|| desk::policy(&name, version)).await?, decode::policy)
    }

    async fn put_placement(&self, placement: PlacementRow) -> Result<(), StoreError> {
        self.writing().await?.one(desk::put_placement(&placement)).await?;
        Ok(())
    }

    async fn placements(&self) -> Result<Vec<PlacementRow>, StoreError> {
        all(self.pool.read(desk::placements).await?, decode::placement)
    }

    async fn put_checkout(&self, checkout: CheckoutRow) -> Result<(), StoreError> {
        self.writing().await?.one(desk::put_checkout(&checkout)).await?;
        Ok(())
    }

    async fn checkouts(&self, account: AccountId) -> Result<Vec<CheckoutRow>, StoreError> {
        all(self.pool.read(|| desk::checkouts(&account)).await?, decode::checkout)
    }

    async fn checkout(&self, checkout: String) -> Result<Option<CheckoutRow>, StoreError> {
        first(self.pool.read(|| desk::checkout(&checkout)).await?, decode::checkout)
    }

    async fn meta(&self, key: String) -> Result<Option<String>, StoreError> {
        first(self.pool.read(|| desk::meta(&key)).await?, |row| row.text("value"))
    }

    async fn put_meta(&self, key: String, value: Option<String>) -> Result<(), StoreError> {
        self.writing().await?.one(desk::put_meta(&key, value.as_deref())).await?;
        Ok(())
    }

    async fn swap_meta(
        &self,
        key: String,
        expected: Option<String>,
        value: Option<String>,
    ) -> Result<bool, StoreError> {
        let swap = desk::swap_meta(&key, expected.as_deref(), value.as_deref());
        Ok(!self.writing().await?.one(swap).await?.is_empty())
    }

    async fn lease(&self, name: String, holder: String, seconds: u32) -> Result<bool, StoreError> {
        let taken = desk::lease(&name, &holder, seconds);
        Ok(!self.writing().await?.one(taken).await?.is_empty())
    }

    async fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut session = self.pool.lend().await?;
        session.begin_unhurried().await?;
        // Where it fails, the connection ends with the transaction.
        let wrong = desk::check(&mut session).await?;
        session.commit().await?;
        Ok(wrong)
    }
}
