//! What a payer writes on a transfer: one rule for messages, pages and whoever asks over HTTP.

use super::rf_from;
use crate::ids::{DebtorId, InvoiceId};

/// What tells whose payment it is. Kulanz looks up none: the bank import of the shop names debtor
/// and invoice, and can ask for the reference of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentReference {
    /// RF reference (ISO 11649), electronic form.
    Rf(String),
    /// Remittance text.
    Text(String),
}

impl PaymentReference {
    /// Of a payment for one claim, or for several of an account. An RF reference where the id makes
    /// one: capital letters and digits, 21 at most, hyphens, dots and underscores left out
    /// (`R-2026.41` gives `RF..R202641`). Otherwise the ids as text.
    pub fn of(debtor: &DebtorId, single: Option<&InvoiceId>) -> Self {
        let id = single.map_or(debtor.as_str(), InvoiceId::as_str);
        let base: String = id.chars().filter(|c| !matches!(c, '-' | '.' | '_')).collect();
        match rf_from(&base) {
            Ok(reference) => Self::Rf(reference),
            Err(_) => Self::Text(match single {
                Some(invoice) => format!("{invoice} {debtor}"),
                None => debtor.to_string(),
            }),
        }
    }

    /// As shown to people: an RF reference in groups of four.
    pub fn shown(&self) -> String {
        match self {
            Self::Rf(reference) => {
                let letters: Vec<char> = reference.chars().collect();
                letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
            }
            Self::Text(text) => text.clone(),
        }
    }

    /// As it goes through banks.
    pub fn electronic(&self) -> &str {
        match self {
            Self::Rf(text) | Self::Text(text) => text,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_an_rf_number_where_the_id_allows_one() {
        let debtor = DebtorId::new("K-1042").unwrap();
        let of = |id: &str| PaymentReference::of(&debtor, Some(&InvoiceId::new(id).unwrap()));
        let rf = |reference: &PaymentReference| matches!(reference, PaymentReference::Rf(_));
        let one = of("R-2026-000041");
        assert!(rf(&one));
        assert_eq!(super::super::rf(one.electronic()).as_deref(), Ok(one.electronic()));
        assert_eq!(one.shown().replace(' ', ""), one.electronic());
        assert_eq!(one.shown().split(' ').next().unwrap().len(), 4);
        assert!(rf(&PaymentReference::of(&debtor, None)));
        let text = PaymentReference::Text("rechnung-7 K-1042".to_owned());
        assert_eq!(of("rechnung-7"), text);
        assert!(!rf(&of(&"A".repeat(22))));
    }
}
