//! Paying by credit transfer: the GiroCode.

use kulanz_domain::{
    money::{Currency, Money},
    reference::{PaymentReference, Transfer, epc_qr},
};
use qrcode::{Color, EcLevel, QrCode};

use crate::{CreditorCard, html::Html};

/// The payload of a GiroCode; `None` where there is none: not in euros, beyond its limits, or an
/// account or name that does not fit. The page says all of it as text anyway.
pub(crate) fn giro_code(
    card: &CreditorCard,
    amount: Money,
    reference: &PaymentReference,
) -> Option<String> {
    if amount.currency != Currency::EUR {
        return None;
    }
    let (structured, text) = match reference {
        PaymentReference::Rf(reference) => (Some(reference.as_str()), None),
        PaymentReference::Text(text) => (None, Some(text.as_str())),
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
