//! How an answer is shown: lines that a person can follow, or JSON.

use anyhow::{Result, bail};
use jiff::civil::Date;
use kulanz_domain::{
    calendar::Region,
    money::{Currency, Decimal, Money},
};
use serde::Serialize;

/// The last line of each answer.
pub const CLOSING: &str = "Not legal advice.";

/// Prints JSON.
pub fn print_json(answer: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(answer)?);
    Ok(())
}

/// Prints lines and the closing one.
pub fn print(lines: &[String]) {
    for line in lines {
        println!("{line}");
    }
    println!("{CLOSING}");
}

/// A state, or another calendar, as given to a command.
pub fn region(text: &str) -> Result<Region, String> {
    text.to_ascii_uppercase().parse().map_err(|_| {
        format!("`{text}` is no state: use NW, BY, … (DE-BW to DE-TH), DE, AT, CH, IT, US or NONE")
    })
}

/// A decimal as given to a command.
pub fn decimal(text: &str) -> Result<Decimal, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let read = (plain(whole) && plain(fraction)).then(|| Decimal::from_str_exact(text).ok());
    read.flatten().ok_or_else(|| format!("`{text}` is no decimal number such as 0.9"))
}

/// An amount in `currency`; a code before or after it has to be that currency.
pub fn amount(text: &str, currency: Currency) -> Result<Decimal> {
    let text = text.trim();
    let number = match text.split_once(' ') {
        Some((one, other)) => {
            let (number, code) = if one.starts_with(|c: char| c.is_ascii_alphabetic()) {
                (other, one)
            } else {
                (one, other)
            };
            if code != currency.code() {
                bail!("{text} and {} cannot be added", currency.code());
            }
            number
        }
        None => text,
    };
    Ok(Money::parse(number, currency)?.amount)
}

/// Two decimals for people.
pub fn cents(amount: Decimal) -> String {
    format!("{amount:.2}")
}

/// `Thu 2026-06-04`.
pub fn weekday(day: Date) -> String {
    day.strftime("%a %Y-%m-%d").to_string()
}

/// `1 day`, `2 days`.
pub fn days(number: i32) -> String {
    format!("{number} day{}", if number == 1 { "" } else { "s" })
}

/// Rows under a head, columns aligned to the right.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let all: Vec<Vec<String>> = std::iter::once(head.iter().map(ToString::to_string).collect())
        .chain(rows.iter().cloned())
        .collect();
    let width = |at: usize| {
        let cells = all.iter().filter_map(|row| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}"));
        cells.collect::<String>().trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_may_name_its_currency_and_no_other() {
        assert_eq!(amount("35.00", Currency::EUR).unwrap(), decimal("35").unwrap());
        assert_eq!(amount("EUR 35.00", Currency::EUR).unwrap(), decimal("35").unwrap());
        assert_eq!(amount("35.00 EUR", Currency::EUR).unwrap(), decimal("35").unwrap());
        let told = amount("35.00 USD", Currency::EUR).unwrap_err().to_string();
        assert_eq!(told, "35.00 USD and EUR cannot be added");
        assert!(amount("35,00", Currency::EUR).is_err());
        for wrong in ["", "1e1", "0,9", ".5", "+1", "1."] {
            assert!(decimal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_state_may_be_written_small() {
        assert_eq!(region("nw"), Ok(Region::DeNw));
        assert!(region("XX").unwrap_err().contains("`XX` is no state"));
    }
}
