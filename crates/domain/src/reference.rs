//! What a payment is recognised by: IBAN, creditor reference (RF, ISO 11649) and the GiroCode's
//! payload (EPC069-12). Text only; drawing the QR code is the page's business.

mod payment;

use iban::{Iban, IbanLike};
use rust_decimal::Decimal;
use thiserror::Error;

pub use self::payment::PaymentReference;

/// Why a text is no IBAN or no RF reference.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReferenceError {
    /// Not an IBAN; the text is not repeated, an account number is personal data.
    #[error("not a valid IBAN: {0}")]
    Iban(&'static str),
    /// Not a valid RF reference.
    #[error("`{0}` is not a valid RF reference (ISO 11649)")]
    Rf(String),
    /// Nothing from which an RF reference can be made.
    #[error("`{0}` makes no RF reference: 1 to 21 letters A-Z and digits are allowed")]
    RfBase(String),
}

/// Why a payload cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EpcError {
    /// IBAN or structured reference is wrong.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Missing or beyond its limit in characters.
    #[error("the {field} has {len} characters, 1 to {max} are allowed")]
    Length {
        /// Which field.
        field: &'static str,
        /// Characters found.
        len: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A line break or another control character would shift the lines.
    #[error("the {0} contains a line break or control character")]
    Control(&'static str),
    /// Not a BIC.
    #[error("the BIC is not 8 or 11 letters and digits")]
    Bic,
    /// Version 001 cannot do without.
    #[error("version 001 needs a BIC")]
    BicMissing,
    /// Not up to four letters and digits.
    #[error("the purpose is not 1 to 4 capital letters and digits")]
    Purpose,
    /// Out of range, or with fractions of a cent.
    #[error("the amount {0} is not between 0.01 and 999999999.99 in whole cents")]
    Amount(Decimal),
    /// Both forms of remittance information.
    #[error("a payment carries a structured reference or a text, never both")]
    ReferenceAndText,
    /// More than 331 bytes.
    #[error("the payload has {0} bytes, at most 331 are allowed")]
    TooLong(usize),
}

/// The electronic form (capitals, no spaces) of an IBAN whose check digits, length and national
/// structure are right.
pub fn iban(text: &str) -> Result<String, ReferenceError> {
    use iban::ParseIbanError::{InvalidBaseIban, InvalidBban, UnknownCountry};
    let iban: Iban = electronic(text).parse().map_err(|error| {
        ReferenceError::Iban(match error {
            InvalidBaseIban { .. } => "its form or its check digits are wrong",
            InvalidBban(_) => "its length or structure is not that of its country",
            UnknownCountry(_) => "its country takes no part in IBAN",
        })
    })?;
    Ok(iban.electronic_str().to_owned())
}

/// The RF reference (ISO 11649) for `base`, 1 to 21 capital letters and digits: `2026000041`
/// gives `RF292026000041`.
pub fn rf_from(base: &str) -> Result<String, ReferenceError> {
    if !(1..=21).contains(&base.len()) || !base.bytes().all(is_upper_or_digit) {
        return Err(ReferenceError::RfBase(base.chars().take(80).collect()));
    }
    let check = 98 - mod_97(base.bytes().chain(*b"RF00"));
    Ok(format!("RF{check:02}{base}"))
}

/// The electronic form (capitals, no spaces) of a valid RF reference.
pub fn rf(text: &str) -> Result<String, ReferenceError> {
    let plain = electronic(text);
    plain
        .strip_prefix("RF")
        .and_then(|rest| rest.split_at_checked(2))
        // Building it anew leaves no room for 00, 01 and 99, which would pass modulo 97.
        .and_then(|(_, base)| rf_from(base).ok())
        .filter(|right| *right == plain)
        .ok_or_else(|| ReferenceError::Rf(text.chars().take(80).collect()))
}

fn electronic(text: &str) -> String {
    text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect()
}

/// ISO 7064 MOD 97-10 over digits and capital letters (A is 10, Z is 35).
fn mod_97(text: impl Iterator<Item = u8>) -> u32 {
    text.fold(0, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b.wrapping_sub(b'A')) + 10) % 97,
    })
}

/// Version line of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EpcVersion {
    /// `001`: the BIC is mandatory.
    V001,
    /// `002`: the BIC may be left out.
    #[default]
    V002,
}

/// A SEPA credit transfer to be scanned. All texts as people write them; nothing is cut.
#[derive(Debug, Clone, Copy, Default)]
pub struct Transfer<'a> {
    /// Payload version.
    pub version: EpcVersion,
    /// The payee's BIC.
    pub bic: Option<&'a str>,
    /// The payee, 1 to 70 characters.
    pub name: &'a str,
    /// The payee's IBAN; spaces are allowed.
    pub iban: &'a str,
    /// 0.01 to 999999999.99 EUR; `None` leaves it to the payer.
    pub amount: Option<Decimal>,
    /// Purpose code, e.g. `GDDS`.
    pub purpose: Option<&'a str>,
    /// RF reference; excludes `text`.
    pub reference: Option<&'a str>,
    /// Remittance text, 1 to 140 characters; excludes `reference`.
    pub text: Option<&'a str>,
}

/// The GiroCode's payload, EPC069-12 in UTF-8 with line feeds: at most 331 bytes, to be drawn at
/// error level M. Empty lines at the end are left out.
pub fn epc_qr(transfer: &Transfer<'_>) -> Result<String, EpcError> {
    let (version, bic) = match (transfer.version, transfer.bic) {
        (EpcVersion::V001, None) => return Err(EpcError::BicMissing),
        (EpcVersion::V001, bic) => ("001", bic),
        (EpcVersion::V002, bic) => ("002", bic),
    };
    if let Some(bic) = bic
        && !(matches!(bic.len(), 8 | 11) && bic.bytes().all(is_upper_or_digit))
    {
        return Err(EpcError::Bic);
    }
    let name = line("name", transfer.name, 70)?;
    let iban = iban(transfer.iban)?;
    let amount = transfer.amount.map(euros).transpose()?.unwrap_or_default();
    let purpose = transfer.purpose.unwrap_or_default();
    if transfer.purpose.is_some()
        && !((1..=4).contains(&purpose.len()) && purpose.bytes().all(is_upper_or_digit))
    {
        return Err(EpcError::Purpose);
    }
    if transfer.reference.is_some() && transfer.text.is_some() {
        return Err(EpcError::ReferenceAndText);
    }
    let reference = transfer.reference.map(rf).transpose()?.unwrap_or_default();
    let text = transfer.text.map(|text| line("text", text, 140)).transpose()?.unwrap_or_default();

    let bic = bic.unwrap_or_default();
    let lines = format!(
        "BCD\n{version}\n1\nSCT\n{bic}\n{name}\n{iban}\n{amount}\n{purpose}\n{reference}\n{text}"
    );
    let payload = lines.trim_end_matches('\n');
    match payload.len() {
        ..=331 => Ok(payload.to_owned()),
        bytes => Err(EpcError::TooLong(bytes)),
    }
}

fn is_upper_or_digit(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn line<'a>(field: &'static str, text: &'a str, max: usize) -> Result<&'a str, EpcError> {
    let len = text.chars().count();
    if !(1..=max).contains(&len) {
        return Err(EpcError::Length { field, len, max });
    }
    if text.chars().any(char::is_control) {
        return Err(EpcError::Control(field));
    }
    Ok(text)
}

fn euros(amount: Decimal) -> Result<String, EpcError> {
    let cents = amount.round_dp(2);
    let fits = Decimal::new(1, 2) <= amount && amount <= Decimal::new(99_999_999_999, 2);
    if !fits || cents != amount {
        return Err(EpcError::Amount(amount));
    }
    Ok(format!("EUR{cents:.2}"))
}

#[cfg(test)]
mod tests;
