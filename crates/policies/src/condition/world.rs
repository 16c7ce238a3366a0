//! Conditions over facts of which only some are known: what is asked of a policy before there is
//! any account. The rules are those of the [tree](super::tree); a third value, unknown, is theirs
//! alone.

use std::{fmt::Write as _, sync::Arc};

use jiff::civil::Date;
use kulanz_domain::money::Decimal;

use super::tree::{Bool, Day, Flag, Number, Quantity, Text, Word};

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look<T> {
    Unknown,
    Absent,
    Is(T),
}

impl<T> Look<T> {
    fn of(known: Option<T>) -> Self {
        known.map_or(Self::Unknown, Self::Is)
    }

    fn map<U>(self, change: impl FnOnce(T) -> Option<U>) -> Look<U> {
        match self {
            Self::Unknown => Look::Unknown,
            Self::Absent => Look::Absent,
            Self::Is(value) => change(value).map_or(Look::Absent, Look::Is),
        }
    }

    /// Both, or absent where one of them is.
    fn and<U>(self, other: Look<U>) -> Look<(T, U)> {
        match (self, other) {
            (Self::Absent, _) | (_, Look::Absent) => Look::Absent,
            (Self::Is(a), Look::Is(b)) => Look::Is((a, b)),
            _ => Look::Unknown,
        }
    }
}

/// A fact and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Flag(Flag, bool),
    Quantity(Quantity, Decimal),
    /// Without a value where the debtor has no such attribute.
    Word(Word, Option<Arc<str>>),
    Today(Date),
}

/// Facts of which some are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    known: Vec<Known>,
}

impl World {
    pub(super) fn push(&mut self, known: Known) {
        self.known.push(known);
    }

    pub(super) fn pop(&mut self) {
        self.known.pop();
    }

    fn flag(&self, flag: Flag) -> Option<bool> {
        self.known.iter().find_map(|known| match known {
            Known::Flag(other, value) if *other == flag => Some(*value),
            _ => None,
        })
    }

    pub(super) fn quantity(&self, quantity: Quantity) -> Option<Decimal> {
        self.known.iter().find_map(|known| match known {
            Known::Quantity(other, value) if *other == quantity => Some(*value),
            _ => None,
        })
    }

    fn word(&self, word: &Word) -> Look<&str> {
        let found = self.known.iter().find_map(|known| match known {
            Known::Word(other, value) if other == word => Some(value),
            _ => None,
        });
        match found {
            None => Look::Unknown,
            Some(None) => Look::Absent,
            Some(Some(value)) => Look::Is(value),
        }
    }

    /// Whether `condition` holds, where the known facts decide it.
    pub(super) fn decides(&self, condition: &Bool) -> Option<bool> {
        match self.truth(condition) {
            Look::Unknown => None,
            Look::Absent => Some(false),
            Look::Is(value) => Some(value),
        }
    }

    fn truth(&self, condition: &Bool) -> Look<bool> {
        match condition {
            Bool::Is(value) => Look::Is(*value),
            Bool::Of(flag) => Look::of(self.flag(*flag)),
            Bool::HasAttribute(name) => match self.word(&Word::Attribute(Arc::clone(name))) {
                Look::Unknown => Look::Unknown,
                Look::Absent => Look::Is(false),
                Look::Is(_) => Look::Is(true),
            },
            Bool::Not(inner) => Look::of(self.decides(inner).map(|value| !value)),
            Bool::And(a, b) => Look::of(match self.decides(a) {
                Some(false) => Some(false),
                Some(true) => self.decides(b),
                None => self.decides(b).filter(|b| !b),
            }),
            Bool::Or(a, b) => Look::of(match self.decides(a) {
                Some(true) => Some(true),
                Some(false) => self.decides(b),
                None => self.decides(b).filter(|b| *b),
            }),
            Bool::Choice(when, yes, no) => self.choice(when, || self.truth(yes), || self.truth(no)),
            Bool::Same(relation, a, b) => {
                compared(self.truth(a).and(self.truth(b)), |a, b| relation.of(a, b))
            }
            Bool::Numbers(relation, a, b) => {
                compared(self.number(a).and(self.number(b)), |a, b| relation.of(a, b))
            }
            Bool::Texts(relation, a, b) => {
                compared(self.text(a).and(self.text(b)), |a, b| relation.of(a, b))
            }
            Bool::Dates(relation, a, b) => {
                compared(self.day(a).and(self.day(b)), |a, b| relation.of(a, b))
            }
            Bool::NumberIn(a, list) => among(self.number(a), list.iter().map(|b| self.number(b))),
            Bool::TextIn(a, list) => among(self.text(a), list.iter().map(|b| self.text(b))),
            Bool::DateIn(a, list) => among(self.day(a), list.iter().map(|b| self.day(b))),
            Bool::Part(part, a, b) => {
                self.text(a).and(self.text(b)).map(|(a, b)| Some(part.of(a, b)))
            }
        }
    }

    fn choice<T: PartialEq>(
        &self,
        when: &Bool,
        yes: impl FnOnce() -> Look<T>,
        no: impl FnOnce() -> Look<T>,
    ) -> Look<T> {
        match self.decides(when) {
            Some(true) => yes(),
            Some(false) => no(),
            None => {
                let (yes, no) = (yes(), no());
                if yes == no { yes } else { Look::Unknown }
            }
        }
    }

    fn number(&self, number: &Number) -> Look<Decimal> {
        let both = |a: &Number, b: &Number| self.number(a).and(self.number(b));
        match number {
            Number::Is(value) => Look::Is(*value),
            Number::Of(quantity) => Look::of(self.quantity(*quantity)),
            Number::Minus(inner) => self.number(inner).map(|value| Some(-value)),
            Number::Sum(a, b) => both(a, b).map(|(a, b)| a.checked_add(b)),
            Number::Difference(a, b) => both(a, b).map(|(a, b)| a.checked_sub(b)),
            Number::Product(a, b) => both(a, b).map(|(a, b)| a.checked_mul(b)),
            Number::Choice(when, yes, no) => {
                self.choice(when, || self.number(yes), || self.number(no))
            }
        }
    }

    fn text<'w>(&'w self, text: &'w Text) -> Look<&'w str> {
        match text {
            Text::Is(value) => Look::Is(value),
            Text::Of(word) => self.word(word),
            Text::Choice(when, yes, no) => self.choice(when, || self.text(yes), || self.text(no)),
        }
    }

    fn day(&self, day: &Day) -> Look<Date> {
        match day {
            Day::Is(value) => Look::Is(*value),
            Day::Today => Look::of(self.known.iter().find_map(|known| match known {
                Known::Today(value) => Some(*value),
                _ => None,
            })),
            Day::Choice(when, yes, no) => self.choice(when, || self.day(yes), || self.day(no)),
        }
    }

    /// The facts for people: `debtor.kind is business, history.invoices_paid is 3`.
    pub fn told(&self) -> String {
        let mut out = String::new();
        for known in &self.known {
            let mut told = |name: &str, value: &dyn std::fmt::Display| {
                let gap = if out.is_empty() { "" } else { ", " };
                // Writing to a String cannot fail.
                let _ = write!(out, "{gap}{name} is {value}");
            };
            match known {
                Known::Flag(flag, value) => told(flag.name(), value),
                Known::Quantity(quantity, value) => told(quantity.name(), &value.normalize()),
                Known::Word(Word::Persona | Word::Currency, _) => {}
                Known::Word(word, Some(value)) => told(&word.name(), &format!("\"{value}\"")),
                Known::Word(word, None) => told(&word.name(), &"absent"),
                Known::Today(day) => told("today", day),
            }
        }
        out
    }
}

/// False where one of two is absent.
fn compared<T>(both: Look<(T, T)>, relation: impl FnOnce(&T, &T) -> bool) -> Look<bool> {
    match both {
        Look::Unknown => Look::Unknown,
        Look::Absent => Look::Is(false),
        Look::Is((a, b)) => Look::Is(relation(&a, &b)),
    }
}

fn among<T: PartialEq>(item: Look<T>, list: impl Iterator<Item = Look<T>>) -> Look<bool> {
    let mut sure = true;
    for other in list {
        match (&item, other) {
            (Look::Is(a), Look::Is(b)) if *a == b => return Look::Is(true),
            (Look::Unknown, _) | (_, Look::Unknown) => sure = false,
            _ => {}
        }
    }
    match item {
        Look::Absent => Look::Absent,
        _ if sure => Look::Is(false),
        _ => Look::Unknown,
    }
}

impl Flag {
    const fn name(self) -> &'static str {
        match self {
            Self::Vulnerable => "debtor.vulnerable",
            Self::InDefault => "claim.in_default",
        }
    }
}

impl Quantity {
    const fn name(self) -> &'static str {
        match self {
            Self::InvoicesPaid => "history.invoices_paid",
            Self::LateShare => "history.late_share",
            Self::AverageDaysLate => "history.average_days_late",
            Self::PromisesKept => "history.promises_kept",
            Self::Disputes => "history.disputes",
            Self::OpenClaims => "account.open_claims",
            Self::OldestDaysOverdue => "account.oldest_days_overdue",
            Self::DaysOverdue => "claim.days_overdue",
            Self::AccountOutstanding => "account.outstanding",
            Self::ClaimOutstanding => "claim.outstanding",
            Self::Principal => "claim.principal",
            Self::Fees => "claim.fees",
            Self::Interest => "claim.interest",
        }
    }
}

impl Word {
    /// As conditions name it.
    pub fn name(&self) -> String {
        match self {
            Self::Kind => "debtor.kind".into(),
            Self::Country => "debtor.country".into(),
            Self::Language => "debtor.language".into(),
            Self::Currency => "claim.currency".into(),
            Self::Persona => "persona".into(),
            Self::Attribute(name) => format!("debtor.attributes[\"{name}\"]"),
        }
    }
}
