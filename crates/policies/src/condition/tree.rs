//! What a condition becomes: one small typed tree, evaluated without allocation.

use std::sync::Arc;

use jiff::civil::Date;
use kulanz_domain::{fact::DebtorKind, money::Decimal, policy::Facts};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn of<T: PartialOrd>(self, a: &T, b: &T) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
        }
    }

    /// False where either side is absent.
    fn holds<T: PartialOrd>(self, a: Option<T>, b: Option<T>) -> bool {
        a.zip(b).is_some_and(|(a, b)| self.of(&a, &b))
    }
}

/// A yes or no.
#[derive(Debug, Clone)]
pub(super) enum Bool {
    Is(bool),
    Vulnerable,
    InDefault,
    HasAttribute(Arc<str>),
    Not(Box<Bool>),
    And(Box<Bool>, Box<Bool>),
    Or(Box<Bool>, Box<Bool>),
    Choice(Box<Bool>, Box<Bool>, Box<Bool>),
    Same(Relation, Box<Bool>, Box<Bool>),
    Numbers(Relation, Number, Number),
    Texts(Relation, Text, Text),
    Dates(Relation, Day, Day),
    NumberIn(Number, Vec<Number>),
    TextIn(Text, Vec<Text>),
    DateIn(Day, Vec<Day>),
    Part(Part, Text, Text),
}

/// A method of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Starts,
    Ends,
    Contains,
}

/// An exact number.
#[derive(Debug, Clone)]
pub(super) enum Number {
    Is(Decimal),
    InvoicesPaid,
    LateShare,
    AverageDaysLate,
    PromisesKept,
    Disputes,
    AccountOutstanding,
    OpenClaims,
    OldestDaysOverdue,
    ClaimOutstanding,
    Principal,
    Fees,
    Interest,
    DaysOverdue,
    Minus(Box<Number>),
    Sum(Box<Number>, Box<Number>),
    Difference(Box<Number>, Box<Number>),
    Product(Box<Number>, Box<Number>),
    Choice(Box<Bool>, Box<Number>, Box<Number>),
}

/// A text.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Is(Arc<str>),
    Kind,
    Country,
    Language,
    Currency,
    Persona,
    Attribute(Arc<str>),
    Choice(Box<Bool>, Box<Text>, Box<Text>),
}

/// A date.
#[derive(Debug, Clone)]
pub(super) enum Day {
    Is(Date),
    Today,
    Choice(Box<Bool>, Box<Day>, Box<Day>),
}

/// What is known before any account is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    /// The persona.
    pub persona: Option<&'a str>,
    /// The debtor's kind.
    pub kind: Option<DebtorKind>,
}

const fn kind_name(kind: DebtorKind) -> &'static str {
    match kind {
        DebtorKind::Consumer => "consumer",
        DebtorKind::Business => "business",
    }
}

impl Bool {
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.value(facts).unwrap_or(false)
    }

    /// `None` where the fact is absent.
    fn value(&self, facts: &Facts<'_>) -> Option<bool> {
        Some(match self {
            Self::Is(value) => *value,
            Self::Vulnerable => facts.debtor.vulnerable,
            Self::InDefault => facts.claim?.in_default,
            Self::HasAttribute(name) => facts.debtor.attributes.contains_key(&**name),
            Self::Not(inner) => !inner.holds(facts),
            Self::And(a, b) => a.holds(facts) && b.holds(facts),
            Self::Or(a, b) => a.holds(facts) || b.holds(facts),
            Self::Choice(when, yes, no) => {
                return if when.holds(facts) { yes } else { no }.value(facts);
            }
            Self::Same(relation, a, b) => relation.holds(a.value(facts), b.value(facts)),
            Self::Numbers(relation, a, b) => relation.holds(a.value(facts), b.value(facts)),
            Self::Texts(relation, a, b) => relation.holds(a.value(facts), b.value(facts)),
            Self::Dates(relation, a, b) => relation.holds(a.value(facts), b.value(facts)),
            Self::NumberIn(a, list) => {
                let a = a.value(facts)?;
                list.iter().any(|b| b.value(facts) == Some(a))
            }
            Self::TextIn(a, list) => {
                let a = a.value(facts)?;
                list.iter().any(|b| b.value(facts) == Some(a))
            }
            Self::DateIn(a, list) => {
                let a = a.value(facts)?;
                list.iter().any(|b| b.value(facts) == Some(a))
            }
            Self::Part(part, a, b) => part.of(a.value(facts)?, b.value(facts)?),
        })
    }

    /// Its value, where `known` and constants decide it.
    pub fn known(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Self::Is(value) => Some(*value),
            Self::Not(inner) => inner.known(known).map(|value| !value),
            Self::And(a, b) => match (a.known(known), b.known(known)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Or(a, b) => match (a.known(known), b.known(known)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Self::Choice(when, yes, no) => match when.known(known) {
                Some(true) => yes.known(known),
                Some(false) => no.known(known),
                None => yes.known(known).filter(|value| no.known(known) == Some(*value)),
            },
            Self::Same(relation, a, b) => {
                a.known(known).zip(b.known(known)).map(|(a, b)| relation.of(&a, &b))
            }
            Self::Numbers(relation, a, b) => {
                a.constant().zip(b.constant()).map(|(a, b)| relation.of(&a, &b))
            }
            Self::Texts(relation, a, b) => {
                a.known(known).zip(b.known(known)).map(|(a, b)| relation.of(&a, &b))
            }
            Self::Dates(relation, Day::Is(a), Day::Is(b)) => Some(relation.of(a, b)),
            Self::TextIn(a, list) => {
                let a = a.known(known)?;
                let list: Option<Vec<&str>> = list.iter().map(|b| b.known(known)).collect();
                list.map(|list| list.contains(&a))
            }
            Self::NumberIn(_, list) if list.is_empty() => Some(false),
            Self::NumberIn(a, list) => {
                let a = a.constant()?;
                let list: Option<Vec<Decimal>> = list.iter().map(Number::constant).collect();
                list.map(|list| list.contains(&a))
            }
            Self::Part(part, a, b) => {
                a.known(known).zip(b.known(known)).map(|(a, b)| part.of(a, b))
            }
            Self::Vulnerable
            | Self::InDefault
            | Self::HasAttribute(_)
            | Self::Dates(..)
            | Self::DateIn(..) => None,
        }
    }
}

impl Part {
    fn of(self, text: &str, part: &str) -> bool {
        match self {
            Self::Starts => text.starts_with(part),
            Self::Ends => text.ends_with(part),
            Self::Contains => text.contains(part),
        }
    }
}

impl Number {
    /// `None` where the fact is absent or the result leaves the range of decimals.
    fn value(&self, facts: &Facts<'_>) -> Option<Decimal> {
        let (history, account) = (&facts.history, &facts.account);
        Some(match self {
            Self::Is(value) => *value,
            Self::InvoicesPaid => history.invoices_paid.into(),
            Self::LateShare => history.late_share,
            Self::AverageDaysLate => history.average_days_late,
            Self::PromisesKept => history.promises_kept.into(),
            Self::Disputes => history.disputes.into(),
            Self::AccountOutstanding => account.outstanding,
            Self::OpenClaims => account.open_claims.into(),
            Self::OldestDaysOverdue => account.oldest_days_overdue.into(),
            Self::ClaimOutstanding => facts.claim?.outstanding,
            Self::Principal => facts.claim?.principal,
            Self::Fees => facts.claim?.fees,
            Self::Interest => facts.claim?.interest,
            Self::DaysOverdue => facts.claim?.days_overdue.into(),
            Self::Minus(inner) => -inner.value(facts)?,
            Self::Sum(a, b) => a.value(facts)?.checked_add(b.value(facts)?)?,
            Self::Difference(a, b) => a.value(facts)?.checked_sub(b.value(facts)?)?,
            Self::Product(a, b) => a.value(facts)?.checked_mul(b.value(facts)?)?,
            Self::Choice(when, yes, no) => {
                return if when.holds(facts) { yes } else { no }.value(facts);
            }
        })
    }

    fn constant(&self) -> Option<Decimal> {
        match self {
            Self::Is(value) => Some(*value),
            Self::Minus(inner) => inner.constant().map(|value| -value),
            Self::Sum(a, b) => a.constant()?.checked_add(b.constant()?),
            Self::Difference(a, b) => a.constant()?.checked_sub(b.constant()?),
            Self::Product(a, b) => a.constant()?.checked_mul(b.constant()?),
            _ => None,
        }
    }
}

impl Text {
    fn value<'f>(&'f self, facts: &'f Facts<'_>) -> Option<&'f str> {
        match self {
            Self::Is(value) => Some(value),
            Self::Kind => Some(kind_name(facts.debtor.kind)),
            Self::Country => Some(&facts.debtor.country),
            Self::Language => Some(&facts.debtor.language),
            Self::Currency => facts.claim.map(|claim| claim.currency.code()),
            Self::Persona => facts.persona,
            Self::Attribute(name) => facts.debtor.attributes.get(&**name).map(String::as_str),
            Self::Choice(when, yes, no) => if when.holds(facts) { yes } else { no }.value(facts),
        }
    }

    fn known<'k>(&'k self, known: &Known<'k>) -> Option<&'k str> {
        match self {
            Self::Is(value) => Some(value),
            Self::Kind => known.kind.map(kind_name),
            Self::Persona => known.persona,
            _ => None,
        }
    }
}

impl Day {
    fn value(&self, facts: &Facts<'_>) -> Option<Date> {
        Some(match self {
            Self::Is(value) => *value,
            Self::Today => facts.today,
            Self::Choice(when, yes, no) => {
                return if when.holds(facts) { yes } else { no }.value(facts);
            }
        })
    }
}
