//! Money: an exact decimal amount with its ISO 4217 currency.
//!
//! Adding two currencies is an error, a cent is never lost, and floats do not occur (clippy
//! forbids them in this crate). Inside one [`Book`](crate::book::Book) all amounts share the
//! book's currency, so plain [`Decimal`]s are used there.

use std::fmt;

pub use iso_currency::Currency;
pub use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The largest amount that one fact may carry: 10¹² units. Sums of many of them stay far from
/// the limits of [`Decimal`].
pub const LARGEST: Decimal = Decimal::from_parts(3567587328, 232, 0, false, 0);

/// An amount in a currency. The scale of `amount` never exceeds the currency's own decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Money {
    /// Exact amount; may be negative only where a doc comment says so.
    pub amount: Decimal,
    /// ISO 4217 code.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub currency: Currency,
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not a plain decimal such as `35.00`.
    #[error("`{0}` is not a decimal amount such as \"35.00\"")]
    NotDecimal(String),
    /// More decimals than the currency has.
    #[error("`{text}` has more than the {allowed} decimals of {currency}")]
    TooManyDecimals {
        /// The text as given.
        text: String,
        /// ISO code.
        currency: String,
        /// Decimals of the currency.
        allowed: u32,
    },
    /// Below zero.
    #[error("`{0}` is negative")]
    Negative(String),
    /// Beyond [`LARGEST`].
    #[error("`{0}` is larger than any invoice")]
    TooLarge(String),
    /// Not an ISO 4217 code in use.
    #[error("`{0}` is not an ISO 4217 currency with a known number of decimals")]
    UnknownCurrency(String),
    /// Two currencies met in one sum.
    #[error("{0} and {1} cannot be added")]
    Mixed(String, String),
}

/// Decimals of `currency` (EUR 2, JPY 0), or `None` for funds and metals that have none.
pub fn decimals(currency: Currency) -> Option<u32> {
    currency.exponent().map(u32::from)
}

/// `amount` without what is smaller than the smallest unit of `currency`. Some facts carry amounts
/// whose currency is known later only; no fraction of a cent enters the books.
pub fn cut(amount: Decimal, currency: Currency) -> Decimal {
    amount.trunc_with_scale(decimals(currency).unwrap_or(2))
}

/// Reads an ISO 4217 code in capitals.
pub fn currency(code: &str) -> Result<Currency, MoneyError> {
    Currency::from_code(code)
        .filter(|found| found.code() == code && decimals(*found).is_some())
        .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
}

impl Money {
    /// Nothing owed, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: Decimal::ZERO, currency }
    }

    /// An amount that is already known to fit its currency.
    pub const fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Reads a non-negative decimal string with at most the currency's decimals.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let well_formed = match digits.split_once('.') {
            Some((whole, fraction)) => plain(whole) && plain(fraction),
            None => plain(digits),
        };
        if !well_formed {
            return Err(MoneyError::NotDecimal(text.to_owned()));
        }
        let amount =
            Decimal::from_str_exact(digits).map_err(|_| MoneyError::TooLarge(text.to_owned()))?;
        if sign < 0 && !amount.is_zero() {
            return Err(MoneyError::Negative(text.to_owned()));
        }
        let allowed = decimals(currency).unwrap_or(0);
        if amount.scale() > allowed {
            return Err(MoneyError::TooManyDecimals {
                text: text.to_owned(),
                currency: currency.code().to_owned(),
                allowed,
            });
        }
        if amount > LARGEST {
            return Err(MoneyError::TooLarge(text.to_owned()));
        }
        Ok(Self { amount, currency })
    }

    /// The sum, or an error where the currencies differ.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(
                self.currency.code().to_owned(),
                other.currency.code().to_owned(),
            ));
        }
        Ok(Self { amount: self.amount + other.amount, currency: self.currency })
    }

    /// Plain text with all decimals of the currency: `35.00`.
    pub fn plain(self) -> String {
        plain(self.amount, self.currency)
    }
}

/// `amount` as plain text with all decimals of `currency`.
pub fn plain(amount: Decimal, currency: Currency) -> String {
    let (mut shown, scale) = (amount, decimals(currency).unwrap_or(2));
    if amount.scale() != scale {
        shown.rescale(scale.max(amount.normalize().scale()));
    }
    shown.to_string()
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.plain(), self.currency.code())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_a_decimal_string_with_the_currencys_decimals_at_most() {
        let eur = |text: &str| Money::parse(text, Currency::EUR).map(Money::plain);
        assert_eq!(eur("35.00"), Ok("35.00".into()));
        assert_eq!(eur("35"), Ok("35.00".into()));
        assert_eq!(eur("0.5"), Ok("0.50".into()));
        assert!(matches!(eur("35.001"), Err(MoneyError::TooManyDecimals { .. })));
        assert!(matches!(eur("-1.00"), Err(MoneyError::Negative(_))));
        assert!(matches!(eur("1000000000000.01"), Err(MoneyError::TooLarge(_))));
        assert!(matches!(eur(&"9".repeat(60)), Err(MoneyError::TooLarge(_))));
        for wrong in ["", "1,00", "1e3", " 1", "+1", ".5", "5.", "NaN", "1_000", "１"] {
            assert!(matches!(eur(wrong), Err(MoneyError::NotDecimal(_))), "{wrong:?}");
        }
        assert!(Money::parse("100", Currency::JPY).is_ok());
        assert!(Money::parse("100.5", Currency::JPY).is_err());
        assert_eq!(LARGEST.to_string(), "1000000000000");
    }

    #[test]
    fn two_currencies_do_not_add() {
        let one = Money::new(Decimal::ONE, Currency::EUR);
        assert!(one.plus(Money::new(Decimal::ONE, Currency::USD)).is_err());
        assert_eq!(one.plus(one).map(Money::plain), Ok("2.00".into()));
    }
}
