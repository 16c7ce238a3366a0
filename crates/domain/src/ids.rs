//! Identifiers. Each kind is a type of its own, 1 to 64 of `A-Z a-z 0-9 . _ -`, so that an id can
//! stand in a file name, a URL, a Kafka key and a log line, and two kinds are never mixed up.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not {} {kind}: 1 to 64 characters of A-Z a-z 0-9 . _ - are allowed",
    article(kind)
)]
pub struct IdError {
    /// What it should have been, e.g. `invoice id`.
    pub kind: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn checked(kind: &'static str, text: &str) -> Result<Arc<str>, IdError> {
    let fits = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    // `.` and `..` would leave a folder when an id names one.
    if fits && text != "." && text != ".." {
        Ok(Arc::from(text))
    } else {
        Err(IdError { kind, text: text.chars().take(80).collect() })
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the characters and the length.
            pub fn new(text: &str) -> Result<Self, IdError> {
                checked($kind, text).map(Self)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", $kind))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(E::custom)
                    }
                }
                from.deserialize_str(Text)
            }
        }
    )*};
}

ids! {
    /// Gläubiger: who is owed.
    CreditorId = "creditor id";
    /// Schuldner: who owes, named by the creditor.
    DebtorId = "debtor id";
    /// Rechnung; names its claim (Forderung) as well.
    InvoiceId = "invoice id";
    /// A payment as the bank or provider names it.
    PaymentId = "payment id";
    /// Gutschrift.
    CreditId = "credit id";
    /// Einwand.
    DisputeId = "dispute id";
    /// Mahnsperre.
    HoldId = "hold id";
    /// Override.
    OverrideId = "override id";
    /// A message to a debtor.
    NoticeId = "notice id";
    /// Ratenplan.
    PlanId = "plan id";
    /// Zahlungszusage.
    PromiseId = "promise id";
    /// Abgabe an Inkasso.
    PlacementId = "placement id";
    /// Inkassounternehmen.
    AgencyId = "agency id";
    /// A policy's name.
    PolicyName = "policy name";
    /// A step (Mahnstufe) of a policy's ladder.
    StepName = "step name";
    /// A persona of a policy.
    PersonaName = "persona name";
    /// An experiment of a policy.
    ExperimentName = "experiment name";
}

/// Debitorenkonto: one debtor at one creditor; the unit of consistency, order and sharing.
/// Written `creditor/debtor`, which is also the CloudEvents subject and the Kafka key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    /// Who is owed.
    pub creditor: CreditorId,
    /// Who owes.
    pub debtor: DebtorId,
}

impl AccountId {
    /// The account of `debtor` at `creditor`.
    pub fn new(creditor: CreditorId, debtor: DebtorId) -> Self {
        Self { creditor, debtor }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.creditor.as_str())?;
        f.write_str("/")?;
        f.write_str(self.debtor.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AccountId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong =
            || IdError { kind: "account (creditor/debtor)", text: text.chars().take(80).collect() };
        let (creditor, debtor) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Self { creditor: creditor.parse()?, debtor: debtor.parse()? })
    }
}

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_64_harmless_characters() {
        assert!(InvoiceId::new("R-2026.000_41").is_ok());
        assert!(InvoiceId::new(&"a".repeat(64)).is_ok());
        for wrong in ["", "..", ".", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(InvoiceId::new(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!("a/b".parse::<AccountId>().map(|id| id.to_string()), Ok("a/b".into()));
        assert!("ab".parse::<AccountId>().is_err());
        assert!("a/b/c".parse::<AccountId>().is_err());
    }
}
