//! The leaves of all events: identifiers, amounts, dates, codes and texts, each with the check
//! that it passes on the way in and the schema that says the same to producers.

mod place;
mod text;
mod time;
mod word;

use std::{borrow::Cow, str::FromStr};

use kulanz_domain::money::{self, Currency, Decimal, Money, MoneyError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::member::{Leaf, Scalar};
pub(crate) use {place::*, text::*, time::*, word::*};

type Check<T> = Result<T, Cow<'static, str>>;

fn no<T>(sentence: &'static str) -> Check<T> {
    Err(Cow::Borrowed(sentence))
}

/// Gives a leaf its schema, inlined where it is used.
macro_rules! schema {
    ($type:ty, $name:literal, $($json:tt)+) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($json)+)
            }
        }
    };
}

use schema;

/// An identifier of 1 to 64 of `A-Z a-z 0-9 . _ -`.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr> Leaf<'_> for Id<T> {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be an identifier: a string of 1 to 64 of A-Z a-z 0-9 . _ -";
        match value {
            Scalar::Text(text) => text.parse().map(Self).or_else(|_| no(RULE)),
            _ => no(RULE),
        }
    }
}

impl<T> JsonSchema for Id<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$" })
    }
}

/// An account, `creditor/debtor`.
pub(crate) struct AccountRef(pub(crate) kulanz_domain::ids::AccountId);

impl Leaf<'_> for AccountRef {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be an account, written creditor/debtor";
        match value {
            Scalar::Text(text) => text.parse().map(Self).or_else(|_| no(RULE)),
            _ => no(RULE),
        }
    }
}

schema!(AccountRef, "Account", {
    "type": "string",
    "pattern": "^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}$",
});

/// A decimal string, not negative, at most four decimals; its currency may allow fewer.
#[derive(Clone, Copy)]
pub(crate) struct Amount(pub(crate) Decimal);

impl Amount {
    /// The amount as money, where `currency` has enough decimals for it.
    pub(crate) fn of(self, currency: Code) -> Check<Money> {
        let allowed = money::decimals(currency.0).unwrap_or(0);
        if self.0.scale() > allowed {
            let code = currency.0.code();
            return Err(format!("has more than the {allowed} decimals of {code}").into());
        }
        Ok(Money::new(self.0, currency.0))
    }
}

impl Leaf<'_> for Amount {
    fn check(value: Scalar<'_>) -> Check<Self> {
        let text = match value {
            Scalar::Text(text) => text,
            Scalar::Number => {
                return no(
                    "is a JSON number: write amounts as quoted decimals such as \"35.00\", \
                           so that no cent is lost to floating point",
                );
            }
            _ => return no("must be a quoted decimal such as \"35.00\""),
        };
        // CLF has four decimals, the most that any currency has.
        match Money::parse(&text, Currency::CLF) {
            Ok(money) => Ok(Self(money.amount)),
            Err(MoneyError::TooManyDecimals { .. }) => no("has more decimals than any currency"),
            Err(MoneyError::Negative(_)) => no("is negative"),
            Err(MoneyError::TooLarge(_)) => no("is larger than any invoice (10^12)"),
            Err(_) => no("is not a plain decimal such as \"35.00\""),
        }
    }
}

schema!(Amount, "Amount", {
    "type": "string",
    "pattern": "^[0-9]+(\\.[0-9]{1,4})?$",
    "examples": ["35.00"],
});

/// Percent a year, as a decimal string.
pub(crate) struct Percent(pub(crate) Decimal);

impl Leaf<'_> for Percent {
    fn check(value: Scalar<'_>) -> Check<Self> {
        let Amount(percent) = Amount::check(value)?;
        if percent > Decimal::ONE_HUNDRED {
            return no("is a rate above 100 percent a year");
        }
        Ok(Self(percent))
    }
}

schema!(Percent, "Percent", {
    "type": "string",
    "pattern": "^[0-9]{1,3}(\\.[0-9]{1,4})?$",
    "examples": ["9.12"],
});

/// An ISO 4217 code.
#[derive(Clone, Copy)]
pub(crate) struct Code(pub(crate) Currency);

impl Leaf<'_> for Code {
    fn check(value: Scalar<'_>) -> Check<Self> {
        const RULE: &str = "must be an ISO 4217 currency code in capitals, such as \"EUR\"";
        match value {
            Scalar::Text(text) => money::currency(&text).map(Self).or_else(|_| no(RULE)),
            _ => no(RULE),
        }
    }
}

schema!(Code, "Currency", { "type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"] });

/// `true` or `false`.
pub(crate) struct Flag(pub(crate) bool);

impl Leaf<'_> for Flag {
    fn check(value: Scalar<'_>) -> Check<Self> {
        match value {
            Scalar::Bool(flag) => Ok(Self(flag)),
            _ => no("must be true or false, without quotes"),
        }
    }
}

schema!(Flag, "Flag", { "type": "boolean" });

/// `Some(true)` as `true`, all else as `false`.
pub(crate) fn is_set(flag: Option<Flag>) -> bool {
    flag.is_some_and(|Flag(set)| set)
}
