//! What people type as arguments, and what is said where it is something else.

use jiff::civil::Date;
use kulanz_domain::fact::Part;

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
