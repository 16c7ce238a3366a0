//! Reads a worked example. What is missing or of an unknown form is not understood; what is there
//! and wrong (no such day, an unknown state) is refused.

use jiff::civil::Date;
use kulanz_domain::{
    calendar::Region,
    fact::DebtorKind,
    money::{Currency, Decimal},
};
use serde_json::Value;

use super::Malformed;
use crate::law::derivation::{amount, decimal, region};

/// Why an example gives no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Odd {
    /// Its form is unknown to us.
    NotUnderstood(String),
    /// The law, or our knowledge of it, gives no result.
    Refused(String),
}

impl Odd {
    /// Refused for the reason that an error gives.
    pub fn refused(error: impl std::fmt::Display) -> Self {
        Self::Refused(error.to_string())
    }

    /// Not understood.
    pub fn unclear(reason: impl Into<String>) -> Self {
        Self::NotUnderstood(reason.into())
    }
}

/// One example, or an object within it.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    value: &'a Value,
    place: String,
}

impl<'a> Entry<'a> {
    /// The `at`-th example of `list`, which has to be an object.
    pub(super) fn new(value: &'a Value, list: &str, at: usize) -> Result<Self, Malformed> {
        let place = format!("{list}[{at}]");
        match value.is_object() {
            true => Ok(Self { value, place }),
            false => Err(Malformed(format!("{place}: not an object"))),
        }
    }

    /// Its id, or its place where it has none.
    pub fn id(&self) -> String {
        self.value["id"].as_str().map_or_else(|| self.place.clone(), str::to_owned)
    }

    /// Whether the law is unsure about it.
    pub fn unsure(&self) -> bool {
        self.flag("unsure")
    }

    /// The refusal asked for, in words.
    pub fn expected_error(&self) -> Option<&'a str> {
        let in_expected = &self.value["expected"];
        let places = [self.value, in_expected];
        let told = places.iter().flat_map(|place| [&place["expected_error"], &place["error"]]);
        let told = told.into_iter().find_map(Value::as_str);
        // A payload that is null says the same.
        told.or_else(|| {
            self.value.get("payload").filter(|payload| payload.is_null()).map(|_| "none")
        })
    }

    /// A member that is there and not null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    /// The first of several names for a member.
    pub fn any(&self, keys: &[&str]) -> Option<&'a Value> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// The names of all members.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.value.as_object().into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// A member that has to be there.
    pub fn needs(&self, key: &str) -> Result<&'a Value, Odd> {
        self.get(key).ok_or_else(|| missing(key))
    }

    /// An object within; the example itself where there is none.
    pub fn within(&self, key: &str) -> Self {
        let value = self.get(key).filter(|value| value.is_object()).unwrap_or(self.value);
        Self { value, place: self.place.clone() }
    }

    /// The same example with interest that ends on `to`.
    pub fn spanning(&self, to: Date) -> Value {
        let mut whole = self.value.clone();
        whole["interest_to"] = to.to_string().into();
        whole
    }

    /// An object within an example.
    pub const fn nested(value: &'a Value) -> Self {
        Self { value, place: String::new() }
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// True where it says so.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A day.
    pub fn day(&self, key: &str) -> Result<Date, Odd> {
        day(self.needs(key)?).map_err(|odd| at(key, odd))
    }

    /// A day, if told.
    pub fn maybe_day(&self, key: &str) -> Result<Option<Date>, Odd> {
        self.get(key).map(|value| day(value).map_err(|odd| at(key, odd))).transpose()
    }

    /// The first of several names for a day.
    pub fn any_day(&self, keys: &[&str]) -> Result<Option<Date>, Odd> {
        self.any(keys).map(day).transpose()
    }

    /// An amount in euros, or in the example's own currency.
    pub fn amount(&self, key: &str) -> Result<Decimal, Odd> {
        self.needs(key)?;
        self.maybe_amount(key).map(Option::unwrap_or_default)
    }

    /// An amount, if told.
    pub fn maybe_amount(&self, key: &str) -> Result<Option<Decimal>, Odd> {
        let Some(text) = self.get(key).and_then(number) else { return Ok(None) };
        let told = amount(&text, self.currency()?);
        told.map(Some).map_err(|error| Odd::Refused(format!("{key}: {error}")))
    }

    /// A decimal, if told.
    pub fn maybe_decimal(&self, key: &str) -> Result<Option<Decimal>, Odd> {
        let Some(text) = self.get(key).and_then(number) else { return Ok(None) };
        decimal(&text).map(Some).map_err(|error| Odd::Refused(format!("{key}: {error}")))
    }

    /// The currency; euros where none is named.
    pub fn currency(&self) -> Result<Currency, Odd> {
        let named = self.text("currency").map(kulanz_domain::money::currency).transpose();
        Ok(named.map_err(Odd::refused)?.unwrap_or(Currency::EUR))
    }

    /// The state whose holidays count, if told.
    pub fn state(&self, key: &str) -> Result<Option<Region>, Odd> {
        self.text(key).map(region).transpose().map_err(Odd::Refused)
    }

    /// Consumer or business.
    pub fn debtor(&self) -> Result<DebtorKind, Odd> {
        match self.text("debtor_type").or_else(|| self.text("debtor")) {
            Some("consumer") => Ok(DebtorKind::Consumer),
            Some("business") => Ok(DebtorKind::Business),
            Some(other) => Err(Odd::Refused(format!("`{other}` is not consumer or business"))),
            None => Err(missing("debtor_type")),
        }
    }
}

fn missing(key: &str) -> Odd {
    Odd::NotUnderstood(format!("`{key}` is missing"))
}

fn at(key: &str, odd: Odd) -> Odd {
    match odd {
        Odd::NotUnderstood(reason) => Odd::NotUnderstood(format!("{key}: {reason}")),
        Odd::Refused(reason) => Odd::Refused(format!("{key}: {reason}")),
    }
}

/// A day from a text.
pub fn day(value: &Value) -> Result<Date, Odd> {
    let text = value.as_str().ok_or_else(|| Odd::unclear(format!("{value} is no day")))?;
    let read = text.parse().ok().filter(|day: &Date| day.to_string() == text);
    read.ok_or_else(|| Odd::Refused(format!("`{text}` is no day (YYYY-MM-DD)")))
}

/// The text of a number, written as one or as a text.
pub fn number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
