//! A store that remembers what was committed to it, so that a bare loop can insert the same rows.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use kulanz_domain::{
    fact::Channel,
    ids::{AccountId, CreditorId, NoticeId, StepName},
};
use kulanz_store::*;

/// Passes everything on to another store.
pub struct Recorder {
    inner: Arc<dyn Store>,
    appends: Mutex<Vec<Append>>,
}

impl Recorder {
    /// Over `inner`.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, appends: Mutex::default() }
    }

    /// What was committed so far, in order; it is given away.
    pub fn take(&self) -> Vec<Append> {
        std::mem::take(&mut *self.appends.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

macro_rules! passed_on {
    ($( fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty; )*) => {
        #[async_trait]
        impl Store for Recorder {
            async fn commit(&self, batch: Vec<Append>) -> Result<Vec<Outcome>, StoreError> {
                let copy = batch.clone();
                self.appends.lock().unwrap_or_else(PoisonError::into_inner).extend(copy);
                self.inner.commit(batch).await
            }

            fn is_shared(&self) -> bool {
                self.inner.is_shared()
            }

            $( async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.inner.$name($($argument),*).await
            } )*
        }
    };
}

passed_on! {
    fn heads(accounts: Vec<AccountId>) -> Vec<Option<Head>>;
    fn placed() -> Vec<AccountId>;
    fn recorded(keys: Vec<InboxKey>) -> Vec<bool>;
    fn recorded_count() -> u64;
    fn stream(account: AccountId, after: u64) -> Vec<StoredEvent>;
    fn events_after(position: u64, limit: u32) -> Vec<StoredEvent>;
    fn position() -> u64;
    fn look(keys: Vec<InboxKey>, accounts: Vec<AccountId>) -> (Vec<bool>, Vec<u64>);
    fn due(until: Timestamp, share: Share, limit: u32) -> Vec<(AccountId, Timestamp)>;
    fn next_wake(partitions: Partitions) -> Option<Timestamp>;
    fn accounts(creditor: Option<CreditorId>, after: Option<AccountId>, limit: u32) -> Vec<AccountId>;
    fn secrets(account: AccountId, slots: Vec<String>) -> Vec<Secret>;
    fn secrets_of(wanted: Vec<(AccountId, Vec<String>)>) -> Vec<Vec<Secret>>;
    fn take_outbox(
        queue: (CreditorId, Channel), now: Timestamp, limit: u32, lease: Lease
    ) -> Vec<OutboxRow>;
    fn due_queues(now: Timestamp) -> Vec<(CreditorId, Channel)>;
    fn departures(creditor: CreditorId, decided_after: Option<Timestamp>, spans: Vec<(Timestamp, Timestamp)>) -> Vec<u64>;
    fn queued_count(creditor: CreditorId, decided_until: Option<Timestamp>, due: Option<Timestamp>) -> u64;
    fn queued(creditor: CreditorId, limit: u32) -> Vec<(OutboxRow, Option<String>)>;
    fn take_abandoned(limit: u32, lease: Lease, but: Vec<NoticeId>) -> Vec<OutboxRow>;
    fn renew_lease(notices: Vec<NoticeId>, lease: Lease) -> Vec<bool>;
    fn outbox(state: Option<OutboxState>, limit: u32) -> Vec<OutboxRow>;
    fn outbox_row(notice: NoticeId) -> Option<OutboxRow>;
    fn erasures() -> Vec<AccountId>;
    fn paylink(token_hash: [u8; 32]) -> Option<Paylink>;
    fn book(creditor: Option<CreditorId>) -> (u64, Vec<BookRow>);
    fn claims(account: AccountId) -> Vec<ClaimRow>;
    fn notices(account: Option<AccountId>, limit: u32) -> Vec<(AccountId, NoticeRow)>;
    fn notice_counts(creditor: Option<CreditorId>) -> Vec<(Option<StepName>, Channel, Option<String>, String, u64)>;
    fn work(list: Option<String>, limit: u32) -> Vec<(AccountId, WorkRow)>;
    fn replace_views(account: AccountId, views: Views) -> ();
    fn put_dead_letters(letters: Vec<DeadLetter>) -> Vec<u64>;
    fn dead_letters(open_only: bool, limit: u32) -> Vec<DeadLetter>;
    fn close_dead_letter(number: u64) -> bool;
    fn put_token(token: TokenRow) -> ();
    fn token(token_hash: [u8; 32]) -> Option<TokenRow>;
    fn tokens() -> Vec<TokenRow>;
    fn request(request: [u8; 32], expired: Timestamp) -> Option<RequestRow>;
    fn begin_request(request: RequestRow, expired: Timestamp) -> Option<RequestRow>;
    fn end_request(request: [u8; 32], answer: Option<Vec<u8>>) -> ();
    fn register_policy(policy: PolicyRow) -> PolicyRow;
    fn policy(name: String, version: u32) -> Option<PolicyRow>;
    fn put_placement(placement: PlacementRow) -> ();
    fn placements() -> Vec<PlacementRow>;
    fn put_checkout(checkout: CheckoutRow) -> ();
    fn checkouts(account: AccountId) -> Vec<CheckoutRow>;
    fn checkout(checkout: String) -> Option<CheckoutRow>;
    fn meta(key: String) -> Option<String>;
    fn put_meta(key: String, value: Option<String>) -> ();
    fn swap_meta(key: String, expected: Option<String>, value: Option<String>) -> bool;
    fn lease(name: String, holder: String, seconds: u32) -> bool;
    fn check() -> Vec<String>;
}
