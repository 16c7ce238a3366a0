//! JSON Schemas of what is written as a text. All else derives its own.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    calendar::{Region, Span},
    ids::*,
};

macro_rules! texts {
    ($($name:ident: $pattern:literal;)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

texts! {
    AccountId: "^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}$";
    CreditorId: "^[A-Za-z0-9._-]{1,64}$";
    InvoiceId: "^[A-Za-z0-9._-]{1,64}$";
    PaymentId: "^[A-Za-z0-9._-]{1,64}$";
    CreditId: "^[A-Za-z0-9._-]{1,64}$";
    DisputeId: "^[A-Za-z0-9._-]{1,64}$";
    HoldId: "^[A-Za-z0-9._-]{1,64}$";
    NoticeId: "^[A-Za-z0-9._-]{1,64}$";
    PlanId: "^[A-Za-z0-9._-]{1,64}$";
    PromiseId: "^[A-Za-z0-9._-]{1,64}$";
    PlacementId: "^[A-Za-z0-9._-]{1,64}$";
    AgencyId: "^[A-Za-z0-9._-]{1,64}$";
    PolicyName: "^[A-Za-z0-9._-]{1,64}$";
    StepName: "^[A-Za-z0-9._-]{1,64}$";
    PersonaName: "^[A-Za-z0-9._-]{1,64}$";
    ExperimentName: "^[A-Za-z0-9._-]{1,64}$";
    OverrideId: "^[A-Za-z0-9._-]{1,64}$";
    Region: "^[A-Za-z0-9-]*$";
    Span: "^[0-9]{1,4}(d|bd|w)$";
}
