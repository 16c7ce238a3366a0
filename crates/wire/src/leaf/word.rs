//! Words of closed lists.

use std::borrow::Cow;

use kulanz_domain::fact::{Channel, DebtorKind, DisputeOutcome, Part, PayWith, Supply};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Check, no, schema};
use crate::member::{Leaf, Scalar};

/// Words of a closed list, as the domain's type. A word that is not in the list is refused.
macro_rules! words {
    ($( $(#[$about:meta])* $name:ident($type:ty) { $($word:literal => $value:expr,)* } )*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(pub(crate) $type);

        impl Leaf<'_> for $name {
            fn check(value: Scalar<'_>) -> Check<Self> {
                match value {
                    Scalar::Text(text) => match &*text {
                        $($word => Ok(Self($value)),)*
                        _ => no(concat!("must be one of:" $(, " ", $word)*)),
                    },
                    _ => no(concat!("must be one of:" $(, " ", $word)*)),
                }
            }
        }

        schema!($name, "Word", { "type": "string", "enum": [$($word),*] });
    )*};
}

words! {
    /// Consumer or business.
    KindWord(DebtorKind) {
        "consumer" => DebtorKind::Consumer,
        "business" => DebtorKind::Business,
    }
    /// Channel.
    ChannelWord(Channel) {
        "email" => Channel::Email,
        "sms" => Channel::Sms,
        "letter" => Channel::Letter,
    }
    /// Way to pay.
    PayWithWord(PayWith) {
        "transfer" => PayWith::Transfer,
        "card" => PayWith::Card,
        "paypal" => PayWith::Paypal,
        "sepa_debit" => PayWith::SepaDebit,
    }
    /// What a claim is for.
    SupplyWord(Supply) {
        "goods_services" => Supply::GoodsServices,
        "other" => Supply::Other,
    }
    /// Part of a claim.
    PartWord(Part) {
        "principal" => Part::Principal,
        "fees" => Part::Fees,
        "interest" => Part::Interest,
    }
    /// How a dispute ended.
    OutcomeWord(DisputeOutcome) {
        "upheld" => DisputeOutcome::Upheld,
        "rejected" => DisputeOutcome::Rejected,
        "partly" => DisputeOutcome::Partly,
    }
    /// Who got the money (`true`: the creditor).
    PaidToWord(bool) {
        "agency" => false,
        "creditor" => true,
    }
}
