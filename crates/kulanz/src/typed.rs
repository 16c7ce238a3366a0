//! What people type as arguments, and what is said where it is something else.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{fact::Part, money::Decimal};

/// A day on the command line.
pub fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "write the day as 2026-12-31".to_owned())
}

/// A part of a claim on the command line.
pub fn part(text: &str) -> Result<Part, String> {
    match text {
        "principal" => Ok(Part::Principal),
        "fees" => Ok(Part::Fees),
        "interest" => Ok(Part::Interest),
        _ => Err("principal, fees or interest".to_owned()),
    }
}

/// An amount on the command line; the decimals of its currency are looked at where that is known.
pub fn amount(text: &str) -> Result<Decimal, String> {
    text.parse().map_err(|_| "write the amount as 1234.50".to_owned())
}

/// A moment on the command line.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write the moment as 2026-12-31T09:00:00+01:00".to_owned())
}

/// Who gives an order or holds a token, as logs show it: without spaces around it.
pub fn person(text: &str) -> Result<String, String> {
    let name = text.trim();
    let long = name.chars().nth(64).is_some();
    if name.is_empty() || long || name.chars().any(char::is_control) {
        return Err("a person's name has 1 to 64 characters on one line".to_owned());
    }
    Ok(name.to_owned())
}
