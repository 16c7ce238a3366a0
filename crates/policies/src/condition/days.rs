//! What can become of a condition as days pass and nothing else happens.
//!
//! A step whose condition is false waits for the day on which it holds. Most often no day helps:
//! the amount is too small, the persona another one. That is found here at once, without a look at
//! each day. The answer may be `true` too often, never `false`.

use kulanz_domain::policy::Facts;

use super::tree::{Bool, Day, Flag, Number, Quantity, Text};

impl Bool {
    /// Whether it can come out as `wanted` on some day.
    pub fn can_be(&self, wanted: bool, facts: &Facts<'_>) -> bool {
        match self {
            Self::Not(inner) => inner.can_be(!wanted, facts),
            Self::And(a, b) if wanted => a.can_be(true, facts) && b.can_be(true, facts),
            Self::And(a, b) => a.can_be(false, facts) || b.can_be(false, facts),
            Self::Or(a, b) if wanted => a.can_be(true, facts) || b.can_be(true, facts),
            Self::Or(a, b) => a.can_be(false, facts) && b.can_be(false, facts),
            Self::Choice(when, yes, no) => {
                (when.can_be(true, facts) && yes.can_be(wanted, facts))
                    || (when.can_be(false, facts) && no.can_be(wanted, facts))
            }
            other => other.moves() || other.holds(facts) == wanted,
        }
    }

    /// Reads something that the passing of days changes.
    fn moves(&self) -> bool {
        match self {
            Self::Is(_) | Self::HasAttribute(_) | Self::Of(Flag::Vulnerable) => false,
            Self::Of(Flag::InDefault) => true,
            Self::Not(inner) => inner.moves(),
            Self::And(a, b) | Self::Or(a, b) | Self::Same(_, a, b) => a.moves() || b.moves(),
            Self::Choice(when, yes, no) => when.moves() || yes.moves() || no.moves(),
            Self::Numbers(_, a, b) => a.moves() || b.moves(),
            Self::Texts(_, a, b) | Self::Part(_, a, b) => a.moves() || b.moves(),
            Self::Dates(_, a, b) => a.moves() || b.moves(),
            Self::NumberIn(a, list) => a.moves() || list.iter().any(Number::moves),
            Self::TextIn(a, list) => a.moves() || list.iter().any(Text::moves),
            Self::DateIn(a, list) => a.moves() || list.iter().any(Day::moves),
        }
    }
}

impl Number {
    fn moves(&self) -> bool {
        match self {
            Self::Is(_) => false,
            Self::Of(quantity) => matches!(
                quantity,
                Quantity::OldestDaysOverdue | Quantity::DaysOverdue | Quantity::Interest
            ),
            Self::Minus(inner) => inner.moves(),
            Self::Sum(a, b) | Self::Difference(a, b) | Self::Product(a, b) => {
                a.moves() || b.moves()
            }
            Self::Choice(when, yes, no) => when.moves() || yes.moves() || no.moves(),
        }
    }
}

impl Text {
    fn moves(&self) -> bool {
        match self {
            Self::Is(_) | Self::Of(_) => false,
            Self::Choice(when, yes, no) => when.moves() || yes.moves() || no.moves(),
        }
    }
}

impl Day {
    fn moves(&self) -> bool {
        match self {
            Self::Is(_) => false,
            Self::Today => true,
            Self::Choice(when, yes, no) => when.moves() || yes.moves() || no.moves(),
        }
    }
}
