//! What a condition becomes: one small typed tree, evaluated without allocation.

use std::sync::Arc;

use jiff::civil::Date;
use kulanz_domain::{fact::DebtorKind, money::Decimal, policy::Facts};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    pub(super) fn of<T: PartialOrd>(self, a: &T, b: &T) -> bool {
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

/// A fact that is a yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flag {
    Vulnerable,
    InDefault,
}

/// A fact that is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quantity {
    InvoicesPaid,
    LateShare,
    AverageDaysLate,
    PromisesKept,
    Disputes,
    OpenClaims,
    OldestDaysOverdue,
    DaysOverdue,
    AccountOutstanding,
    ClaimOutstanding,
    Principal,
    Fees,
    Interest,
}

/// A fact that is a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    Kind,
    Country,
    Language,
    Currency,
    Persona,
    Attribute(Arc<str>),
}

/// A yes or no.
#[derive(Debug, Clone)]
pub(crate) enum Bool {
    Is(bool),
    Of(Flag),
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
pub(crate) enum Part {
    Starts,
    Ends,
    Contains,
}

/// An exact number.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    Is(Decimal),
    Of(Quantity),
    Minus(Box<Number>),
    Sum(Box<Number>, Box<Number>),
    Difference(Box<Number>, Box<Number>),
    Product(Box<Number>, Box<Number>),
    Choice(Box<Bool>, Box<Number>, Box<Number>),
}

/// A text.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Is(Arc<str>),
    Of(Word),
    Choice(Box<Bool>, Box<Text>, Box<Text>),
}

/// A date.
#[derive(Debug, Clone)]
pub(crate) enum Day {
    Is(Date),
    Today,
    Choice(Box<Bool>, Box<Day>, Box<Day>),
}

pub(super) const fn kind_name(kind: DebtorKind) -> &'static str {
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
            Self::Of(Flag::Vulnerable) => facts.debtor.vulnerable,
            Self::Of(Flag::InDefault) => facts.claim?.in_default,
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
}

impl Part {
    pub(super) fn of(self, text: &str, part: &str) -> bool {
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
        Some(match self {
            Self::Is(value) => *value,
            Self::Of(quantity) => quantity.value(facts)?,
            Self::Minus(inner) => -inner.value(facts)?,
            Self::Sum(a, b) => a.value(facts)?.checked_add(b.value(facts)?)?,
            Self::Difference(a, b) => a.value(facts)?.checked_sub(b.value(facts)?)?,
            Self::Product(a, b) => a.value(facts)?.checked_mul(b.value(facts)?)?,
            Self::Choice(when, yes, no) => {
                return if when.holds(facts) { yes } else { no }.value(facts);
            }
        })
    }
}

impl Quantity {
    /// `None` for what belongs to a claim, where there is none.
    fn value(self, facts: &Facts<'_>) -> Option<Decimal> {
        let (history, account) = (&facts.history, &facts.account);
        Some(match self {
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
        })
    }
}

impl Text {
    fn value<'f>(&'f self, facts: &'f Facts<'_>) -> Option<&'f str> {
        match self {
            Self::Is(value) => Some(value),
            Self::Of(word) => word.value(facts),
            Self::Choice(when, yes, no) => if when.holds(facts) { yes } else { no }.value(facts),
        }
    }
}

impl Word {
    fn value<'f>(&self, facts: &'f Facts<'_>) -> Option<&'f str> {
        match self {
            Self::Kind => Some(kind_name(facts.debtor.kind)),
            Self::Country => Some(&facts.debtor.country),
            Self::Language => Some(&facts.debtor.language),
            Self::Currency => facts.claim.map(|claim| claim.currency.code()),
            Self::Persona => facts.persona,
            Self::Attribute(name) => facts.debtor.attributes.get(&**name).map(String::as_str),
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
