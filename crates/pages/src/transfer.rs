//! Paying by credit transfer: what to write on it, and the GiroCode.

use kulanz_domain::{
    ids::{AccountId, InvoiceId},
    money::{Currency, Money},
    reference::{Transfer, epc_qr, rf_from},
};
use qrcode::{Color, EcLevel, QrCode};

use crate::{CreditorCard, html::Html};

/// What tells us whose payment it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// RF reference (ISO 11649), electronic form.
    Rf(String),
    /// Remittance text.
    Text(String),
}

impl Reference {
    /// As shown to people: an RF reference in groups of four.
    pub fn shown(&self) -> String {
        match self {
            Self::Rf(reference) => crate::text::in_fours(reference),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The reference of a payment for one claim, or for several of an account. An RF reference where
/// the id can be read back from it: capital letters and digits, 21 at most, hyphens and dots left
/// out (`R-2026.41` gives `RF..R202641`). Otherwise the ids as text.
pub fn reference(account: &AccountId, single: Option<&InvoiceId>) -> Reference {
    let id = single.map_or(account.debtor.as_str(), InvoiceId::as_str);
    let base: String = id.chars().filter(|c| !matches!(c, '-' | '.' | '_')).collect();
    match rf_from(&base) {
        Ok(reference) => Reference::Rf(reference),
        Err(_) => Reference::Text(match single {
            Some(invoice) => format!("{invoice} {}", account.debtor),
            None => account.debtor.to_string(),
        }),
    }
}

/// The payload of a GiroCode; `None` where there is none: not in euros, beyond its limits, or an
/// account or name that does not fit. The page says all of it as text anyway.
pub(crate) fn giro_code(
    card: &CreditorCard,
    amount: Money,
    reference: &Reference,
) -> Option<String> {
    if amount.currency != Currency::EUR {
        return None;
    }
    let (structured, text) = match reference {
        Reference::Rf(reference) => (Some(reference.as_str()), None),
        Reference::Text(text) => (None, Some(text.as_str())),
    };
    let transfer = Transfer {
        bic: card.bic.as_deref(),
        name: &card.legal_name,
        iban: &card.iban,
        amount: Some(amount.amount),
        reference: structured,
        text,
        ..Transfer::default()
    };
    match epc_qr(&transfer) {
        Ok(payload) => Some(payload),
        Err(error) => {
            tracing::warn!(%error, "no GiroCode");
            None
        }
    }
}

/// The code as an inline picture, black on white in any scheme, with the quiet zone of four
/// modules that scanners want.
pub(crate) fn picture(payload: &str, label: &str) -> Option<Html> {
    let code = QrCode::with_error_correction_level(payload, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (row, line) in code.to_colors().chunks(width).enumerate() {
        let mut at = 0;
        for run in line.chunk_by(|one, next| one == next) {
            if run.first() == Some(&Color::Dark) {
                path += &format!("M{} {}h{}v1h-{}z", at + 4, row + 4, run.len(), run.len());
            }
            at += run.len();
        }
    }
    let side = (width + 8).to_string();
    let mut html = Html::new();
    html.raw("<svg class=\"qr\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
    html.text(&side).raw(" ").text(&side).raw("\" shape-rendering=\"crispEdges\" aria-label=\"");
    html.text(label).raw("\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path d=\"");
    html.text(path).raw("\" fill=\"#000\"/></svg>");
    Some(html)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_an_rf_number_where_the_id_allows_one() {
        let account: AccountId = "shop/K-1042".parse().unwrap();
        let invoice = |id| InvoiceId::new(id).unwrap();
        let rf = |reference| matches!(reference, Reference::Rf(_));
        assert!(rf(reference(&account, Some(&invoice("R-2026-000041")))));
        assert!(rf(reference(&account, None)));
        assert_eq!(
            reference(&account, Some(&invoice("rechnung-7"))),
            Reference::Text("rechnung-7 K-1042".to_owned())
        );
        assert!(!rf(reference(&account, Some(&invoice(&"A".repeat(22))))));
    }
}
