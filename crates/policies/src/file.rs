//! The file formats: what a policy and a creditor file may contain. The JSON Schemas under
//! `schemas/` are generated from these types, so every comment here is read by people who write
//! such files. Values stay text with a place until [`compile`](crate::compile) looks at them, so
//! that one run reports all that is wrong, and no float ever holds a number.

pub(crate) mod creditor;
pub(crate) mod experiment;
pub(crate) mod policy;
pub(crate) mod story;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Texts with a form of their own: one type each, so that an editor explains it.
macro_rules! lexical {
    ($($name:ident $types:tt $description:literal $pattern:literal $examples:tt;)*) => {$(
        #[derive(Debug, Clone, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub String);

        impl $name {
            #[allow(dead_code)] // not every type is asked for its text as such
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": $types,
                    "description": $description,
                    "pattern": $pattern,
                    "examples": $examples,
                })
            }
        }
    )*};
}

lexical! {
    Name "string"
        "A name: 1 to 64 of A-Z a-z 0-9 . _ -"
        "^[A-Za-z0-9._-]{1,64}$"
        ["shop-b2c"];
    CurrencyCode "string"
        "An ISO 4217 currency."
        "^[A-Z]{3}$"
        ["EUR", "USD"];
    LanguageCode "string"
        "A language as BCP 47."
        "^[a-z]{2,3}(-[A-Z]{2})?$"
        ["de", "en"];
    LanguageWish "string"
        "`debtor`: the debtor's language where the policy has texts in it, else the policy's \
         first. Or one language for all: `de`."
        "^(debtor|[a-z]{2,3}(-[A-Z]{2})?)$"
        ["debtor", "de"];
    Day "string"
        "A day as YYYY-MM-DD."
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
        ["2026-12-01"];
    Days "string"
        "A span: days `10d`, business days `2bd`, weeks `3w`."
        "^[0-9]{1,4}(d|bd|w)$"
        ["10d", "2bd", "3w"];
    HoursOfDay "string"
        "Hours of a day, from the first minute to just before the last."
        "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"
        ["09:00-19:00"];
    MomentText "string"
        "When: `due`, `issued`, `default` or an earlier step, plus a span; `due` and `issued` \
         also minus one."
        "^[A-Za-z0-9._-]+( *[+-] *[0-9]{1,4}(d|bd|w))?$"
        ["due + 4d", "due - 3d", "reminder + 10d"];
    Cel "string"
        "A condition in CEL. Facts: debtor.kind, .country, .language, .vulnerable, \
         .attributes[\"…\"]; history.invoices_paid, .late_share, .average_days_late, \
         .promises_kept, .disputes; account.outstanding, .open_claims, .oldest_days_overdue; \
         claim.outstanding, .principal, .fees, .interest, .days_overdue, .in_default, .currency \
         (steps only); persona (steps only); today."
        "^[\\s\\S]{1,2000}$"
        [
            "debtor.kind == \"consumer\" && history.late_share < 0.34",
            "claim.outstanding >= 50"
        ];
    Zone "string"
        "An IANA time zone."
        "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"
        ["Europe/Berlin"];
    HolidayRegion "string"
        "A holiday calendar: a German state, a country, or NONE."
        "^(NONE|DE|DE-(BW|BY|BE|BB|HB|HH|HE|MV|NI|NW|RP|SL|SN|ST|SH|TH)|AT|CH|IT|US)$"
        ["DE-NW", "AT", "NONE"];
    Iban "string"
        "An IBAN; spaces are allowed."
        "^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{11,40}$"
        ["DE02 1203 0000 0000 2020 51"];
    Bic "string"
        "A BIC."
        "^[A-Z0-9]{8}([A-Z0-9]{3})?$"
        ["BYLADEM1001"];
    EmailAddress "string"
        "An e-mail address."
        "^[^@\\s]+@[^@\\s]+$"
        ["rechnung@lindenmoor.example"];
    Web "string"
        "An https address."
        "^https://[^\\s]+$"
        ["https://lindenmoor.example/datenschutz"];
    Country "string"
        "A country as ISO 3166-1 alpha-2."
        "^[A-Z]{2}$"
        ["DE"];
    Colour "string"
        "A colour as #rrggbb, in quotes."
        "^#[0-9a-fA-F]{6}$"
        ["#2f6b4f"];
    Amount ["number", "string"]
        "An amount of money in the policy's currency, kept exactly as written."
        "^[0-9]+(\\.[0-9]+)?$"
        [2.50, 20.00];
    Factor ["number", "string"]
        "A factor, kept exactly as written."
        "^[0-9]+(\\.[0-9]+)?$"
        [1.5, 1];
    Percent "string"
        "A share in percent."
        "^[0-9]+(\\.[0-9]+)?%$"
        ["25%"];
    Interest "string"
        "Default interest: `none`, `statutory`, or percent a year."
        "^(none|statutory|[0-9]+(\\.[0-9]+)?%)$"
        ["statutory", "none", "4%"];
}
