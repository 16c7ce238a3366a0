//! Personal data on its way to the vault: it leaves an event here, before a [`Fact`] is made, and
//! travels beside it under named slots.
//!
//! - `debtor`: `name`, `email`, `mobile`, `address`, `birth_date`, `represented_by`, `attributes`
//!   (those that the creditor does not list as harmless)
//! - `insolvency`, `death`: `reference`
//! - `hold/ID`: `reason`, and `owner` where it is not an identifier
//! - `invoice/ID`: `description`, `contract_object`, `document_url`
//! - `credit/ID`, `dispute/ID`: `reason`
//! - `adjust/INVOICE`, `cancel/INVOICE`, `reschedule/INVOICE`, `waive/INVOICE`,
//!   `write-off/INVOICE`: `reason`
//! - `default/INVOICE`, `suspend/INVOICE`: `ground` where it is not a published word
//! - `title/INVOICE`: `reference`
//! - `payment/ID`: `payer_name`, `payer_iban`, `remittance`, and `method` where it is not a
//!   published word
//! - `payment/ID/return`: `reason` where it is not a code
//! - `attempt/ID`: `reason` where it is not a code, `method` where it is not a published word
//! - `notice/ID/answer`: `reason`, what the debtor replied
//! - `notice/ID/sent`, `notice/ID/delivered`, `notice/ID/bounced`, `notice/ID/failed`: `reason`
//! - `placement/ID`: `reason`, `detail`, and `state` where it is not a published word
//!
//! [`Fact`]: kulanz_domain::fact::Fact

use std::{fmt, ops::Deref};

use serde_json::{Map, Value};

/// Members that may not be shown: `Debug` tells how many there are, nothing else.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Personal(Map<String, Value>);

impl Personal {
    /// The members, to be sealed or shown to their owner.
    pub fn into_inner(self) -> Map<String, Value> {
        self.0
    }
}

impl Deref for Personal {
    type Target = Map<String, Value>;
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Personal({} members)", self.0.len())
    }
}

/// Collects the members of one slot.
#[derive(Default)]
pub(crate) struct Slot(Map<String, Value>);

impl Slot {
    pub(crate) fn put(&mut self, member: &'static str, text: String) {
        if !text.is_empty() {
            self.0.insert(member.to_owned(), Value::String(text));
        }
    }

    pub(crate) fn put_some(&mut self, member: &'static str, text: Option<String>) {
        if let Some(text) = text {
            self.put(member, text);
        }
    }

    pub(crate) fn put_map(&mut self, member: &'static str, map: Map<String, Value>) {
        if !map.is_empty() {
            self.0.insert(member.to_owned(), Value::Object(map));
        }
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    pub(crate) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// Hands the slot over under `name`, unless it is empty.
    pub(crate) fn seal(self, name: impl FnOnce() -> String, secrets: &mut Secrets) {
        if !self.0.is_empty() {
            secrets.push((name(), Personal(self.0)));
        }
    }
}

/// Slots and what lies in them.
pub(crate) type Secrets = Vec<(String, Personal)>;

/// `text` where it is one of `published`; otherwise the fact gets `other` and the text is put
/// into the slot: a word that somebody typed may name a person.
pub(crate) fn published(
    text: String,
    published: &[&str],
    member: &'static str,
    slot: &mut Slot,
) -> String {
    if published.contains(&&*text) {
        return text;
    }
    slot.put(member, text);
    OTHER.to_owned()
}

/// A reason code of ISO 20022 (`AC04`): four upper-case letters or digits. Anything else is
/// treated as free text.
pub(crate) fn code(text: String, member: &'static str, slot: &mut Slot) -> String {
    let is_code =
        text.len() == 4 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if is_code {
        return text;
    }
    slot.put(member, text);
    OTHER.to_owned()
}

const OTHER: &str = "other";
