//! The `data` of each event type: its members as published, and how they become a fact and
//! personal data. Nothing is decided here: what a fact means for an account is `domain`'s.

mod claim;
mod debtor;
mod dispute;
mod invoice;
mod payment;
mod placement;
mod reminder;

pub(crate) use claim::*;
pub(crate) use debtor::*;
pub(crate) use dispute::*;
pub(crate) use invoice::*;
pub(crate) use payment::*;
pub(crate) use placement::*;
pub(crate) use reminder::*;

use jiff::Timestamp;
use kulanz_domain::{
    fact::Fact,
    ids::{AccountId, CreditorId, DebtorId},
};

use crate::{kind::EventType, member::Member, personal::Secrets, rejection::Fault};

/// What turning members into a fact may look at, and where personal members go.
pub(crate) struct Translation<'a> {
    /// Type of the event: some types share their members.
    pub kind: EventType,
    /// Account that the subject names; `data` says the same.
    pub account: &'a AccountId,
    /// When it happened.
    pub time: Timestamp,
    /// Whether the creditor's file lists an attribute as harmless.
    pub is_harmless: &'a dyn Fn(&CreditorId, &str) -> bool,
    /// Personal members by slot.
    pub secrets: Secrets,
}

/// The members of one or more event types.
pub(crate) trait Data: for<'de> Member<'de> {
    /// As given.
    fn creditor(&self) -> &CreditorId;

    /// As given; `None` only where the type allows to leave it out.
    fn debtor(&self) -> Option<&DebtorId>;

    /// The fact; personal members go to `translation.secrets`.
    fn fact(self, translation: &mut Translation<'_>) -> Result<Fact, Fault>;
}

/// Names the account of structs whose `debtor` must be there.
macro_rules! of_account {
    () => {
        fn creditor(&self) -> &kulanz_domain::ids::CreditorId {
            &self.creditor.0
        }
        fn debtor(&self) -> Option<&kulanz_domain::ids::DebtorId> {
            Some(&self.debtor.0)
        }
    };
}
/// Names the account of structs whose `debtor` may be left out on `creditor/_unmatched`.
macro_rules! of_account_or_unmatched {
    () => {
        fn creditor(&self) -> &kulanz_domain::ids::CreditorId {
            &self.creditor.0
        }
        fn debtor(&self) -> Option<&kulanz_domain::ids::DebtorId> {
            self.debtor.as_ref().map(|debtor| &debtor.0)
        }
    };
}
pub(crate) use {of_account, of_account_or_unmatched};
