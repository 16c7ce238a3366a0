//! Facts by name: what conditions read, for people to look at.

use std::fmt;

use jiff::civil::Date;
use serde::Serialize;

use super::Facts;
use crate::{fact::DebtorKind, money::Decimal};

/// Names of all facts but the attributes of debtors, in the order in which they are shown.
pub const FACTS: [&str; 21] = [
    "debtor.kind",
    "debtor.country",
    "debtor.language",
    "debtor.vulnerable",
    "history.invoices_paid",
    "history.late_share",
    "history.average_days_late",
    "history.promises_kept",
    "history.disputes",
    "account.outstanding",
    "account.open_claims",
    "account.oldest_days_overdue",
    "claim.outstanding",
    "claim.principal",
    "claim.fees",
    "claim.interest",
    "claim.days_overdue",
    "claim.in_default",
    "claim.currency",
    "persona",
    "today",
];

/// The value of a fact. In JSON a truth, a number for what is counted, else a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)] // for people and programs to read; nobody reads it back
pub enum FactValue {
    /// Yes or no.
    Truth(bool),
    /// Something counted.
    Count(i64),
    /// An amount or a share.
    Number(Decimal),
    /// A text.
    Text(String),
    /// A day.
    Day(Date),
}

impl fmt::Display for FactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(truth) => truth.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Day(day) => day.fmt(f),
        }
    }
}

/// A fact by the name that it has in policy files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedFact {
    /// Name: `claim.outstanding`, `debtor.attributes["segment"]`.
    pub fact: String,
    /// Value; `None`: it is absent, and a comparison with it is false.
    pub value: Option<FactValue>,
}

impl Facts<'_> {
    /// The fact `name`; absent where it has no value here, or is none.
    pub fn named(&self, name: &str) -> NamedFact {
        NamedFact { fact: name.to_owned(), value: self.value(name) }
    }

    /// All facts that have a value, attributes of the debtor included.
    pub fn all(&self) -> Vec<NamedFact> {
        let known = FACTS.iter().map(|name| self.named(name)).filter(|fact| fact.value.is_some());
        let attributes = self.debtor.attributes.keys();
        known.chain(attributes.map(|key| self.named(&attribute(key)))).collect()
    }

    fn value(&self, name: &str) -> Option<FactValue> {
        use FactValue::{Count, Day, Number, Text, Truth};
        let (debtor, history, account) = (self.debtor, self.history, self.account);
        Some(match name {
            "debtor.kind" => Text(kind(debtor.kind).to_owned()),
            "debtor.country" => Text(debtor.country.clone()),
            "debtor.language" => Text(debtor.language.clone()),
            "debtor.vulnerable" => Truth(debtor.vulnerable),
            "history.invoices_paid" => Count(history.invoices_paid.into()),
            "history.late_share" => Number(history.late_share),
            "history.average_days_late" => Number(history.average_days_late),
            "history.promises_kept" => Count(history.promises_kept.into()),
            "history.disputes" => Count(history.disputes.into()),
            "account.outstanding" => Number(account.outstanding),
            "account.open_claims" => Count(account.open_claims.into()),
            "account.oldest_days_overdue" => Count(account.oldest_days_overdue.into()),
            "claim.outstanding" => Number(self.claim?.outstanding),
            "claim.principal" => Number(self.claim?.principal),
            "claim.fees" => Number(self.claim?.fees),
            "claim.interest" => Number(self.claim?.interest),
            "claim.days_overdue" => Count(self.claim?.days_overdue.into()),
            "claim.in_default" => Truth(self.claim?.in_default),
            "claim.currency" => Text(self.claim?.currency.code().to_owned()),
            "persona" => Text(self.persona?.to_owned()),
            "today" => Day(self.today),
            _ => {
                let key = name.strip_prefix("debtor.attributes[\"")?.strip_suffix("\"]")?;
                Text(debtor.attributes.get(key)?.clone())
            }
        })
    }
}

/// How an attribute is named in policy files.
fn attribute(key: &str) -> String {
    format!("debtor.attributes[\"{key}\"]")
}

const fn kind(kind: DebtorKind) -> &'static str {
    match kind {
        DebtorKind::Consumer => "consumer",
        DebtorKind::Business => "business",
    }
}
