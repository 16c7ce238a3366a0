//! The words that schemas of HTTP are made of: an id, an amount, a day; as text with what is
//! allowed in it.

use std::fmt::Display;

use jiff::{Timestamp, civil::Date};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $schema:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

texts! {
    /// An identifier.
    Id: {
        "description": "1 to 64 of A-Z a-z 0-9 . _ -, and neither . nor ..",
        "type": "string", "pattern": "^(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$"
    };
    /// `creditor/debtor`.
    AccountName: {
        "description": "creditor/debtor",
        "type": "string",
        "pattern": "^(?!\\.{1,2}/)[A-Za-z0-9._-]{1,64}/(?!\\.{1,2}$)[A-Za-z0-9._-]{1,64}$"
    };
    /// An amount of money.
    Amount: {
        "description": "An amount with all decimals of its currency.",
        "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"
    };
    /// ISO 4217.
    CurrencyCode: {
        "description": "ISO 4217 code.",
        "type": "string", "pattern": "^[A-Z]{3}$"
    };
    /// A civil date.
    Day: {
        "description": "A day in the creditor's zone.",
        "type": "string", "format": "date"
    };
    /// A moment.
    Moment: {
        "description": "A moment, RFC 3339 in UTC.",
        "type": "string", "format": "date-time"
    };
}

impl Id {
    /// Of an id of ours.
    pub fn of(id: &impl Display) -> Self {
        Self(id.to_string())
    }
}

impl Day {
    /// Of a date.
    pub fn of(day: Date) -> Self {
        Self(day.to_string())
    }
}

impl Moment {
    /// Of an instant.
    pub fn of(at: Timestamp) -> Self {
        Self(at.to_string())
    }
}

/// A rate of an instalment plan, as an order names it.
#[derive(JsonSchema)]
#[schemars(rename = "Rate")]
#[allow(dead_code)] // read as `kulanz_domain::event::Rate`
pub struct RateOfPlan {
    /// Last day.
    pub due_on: Day,
    /// Amount.
    pub amount: Amount,
}

/// A part of a claim, as an order names it.
#[derive(JsonSchema)]
#[schemars(rename = "Part", rename_all = "snake_case")]
#[allow(dead_code)] // read as `kulanz_domain::fact::Part`
pub enum PartOfClaim {
    /// Costs.
    Fees,
    /// Zinsen.
    Interest,
    /// Hauptleistung.
    Principal,
}

/// An event as [`crate::outbound`] makes it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct OutboundEvent(pub Value);

impl JsonSchema for OutboundEvent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OutboundEvent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A CloudEvent of Kulanz: what happened to an account.",
            "type": "object",
            "required": [
                "specversion", "id", "source", "type", "subject", "time", "accountversion",
                "datacontenttype", "data"
            ],
            "properties": {
                "specversion": { "const": "1.0" },
                "id": {
                    "description": "Position in the order of all events.",
                    "type": "string", "pattern": "^[0-9]+$"
                },
                "source": { "const": "kulanz" },
                "type": {
                    "description": "kulanz.account.<what happened>.v1",
                    "type": "string", "pattern": "^kulanz\\.account\\.[a-z_]+\\.v1$"
                },
                "subject": {
                    "description": "The account, creditor/debtor.",
                    "type": "string"
                },
                "time": {
                    "description": "When it was recorded.",
                    "type": "string", "format": "date-time"
                },
                "accountversion": {
                    "description": "Place among the events of its account, from 1, without gaps.",
                    "type": "integer", "minimum": 1
                },
                "datacontenttype": { "const": "application/json" },
                "data": {
                    "description": "Its members, without personal data.",
                    "type": "object"
                }
            }
        })
    }
}
