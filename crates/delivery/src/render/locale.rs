//! Money, dates and bank details as people write them in a language; and the cleaning of values
//! that come from outside before they enter a text.

use jiff::civil::Date;
use kulanz_domain::money::{Currency, Money, decimals};
use rust_decimal::Decimal;

/// How a language writes. Languages without a form of their own use [`Style::Plain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `1.234,56 €`, `12. März 2026`.
    German,
    /// `€1,234.56`, `12 March 2026`.
    English,
    /// `1234.56 EUR`, `2026-03-12`.
    Plain,
}

impl Style {
    /// By the primary subtag of a BCP 47 tag: `de-AT` is German.
    pub(crate) fn of(language: &str) -> Self {
        let primary = language.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("de") {
            Self::German
        } else if primary.eq_ignore_ascii_case("en") {
            Self::English
        } else {
            Self::Plain
        }
    }

    /// An amount with all decimals of its currency and its symbol.
    pub(crate) fn money(self, money: Money) -> String {
        let plain = Money::new(money.amount.abs(), money.currency).plain();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let sign =
            if money.amount.is_sign_negative() && !money.amount.is_zero() { "-" } else { "" };
        let number = |group: &str, point: &str| {
            let whole = grouped(whole, group);
            if fraction.is_empty() { whole } else { format!("{whole}{point}{fraction}") }
        };
        let symbol = symbol(money.currency);
        match self {
            Self::German => {
                format!("{sign}{} {}", number(".", ","), symbol.unwrap_or(money.currency.code()))
            }
            Self::English => match symbol {
                Some(symbol) => format!("{sign}{symbol}{}", number(",", ".")),
                None => format!("{sign}{} {}", money.currency.code(), number(",", ".")),
            },
            Self::Plain => format!("{sign}{} {}", number("", "."), money.currency.code()),
        }
    }

    /// A day.
    pub(crate) fn date(self, day: Date) -> String {
        const GERMAN: [&str; 12] = [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ];
        const ENGLISH: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let month = |names: &[&'static str; 12]| {
            usize::try_from(day.month() - 1).ok().and_then(|at| names.get(at)).copied()
        };
        let named = match self {
            Self::German => month(&GERMAN).map(|name| format!("{}. {name}", day.day())),
            Self::English => month(&ENGLISH).map(|name| format!("{} {name}", day.day())),
            Self::Plain => None,
        };
        named.map_or_else(|| day.to_string(), |shown| format!("{shown} {}", day.year()))
    }

    /// Words of the layout, which belong to no template.
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::German => &Words {
                invoice: "Rechnung",
                due: "Fällig am",
                amount: "Betrag",
                pay: "Ansehen und bezahlen",
                more: ["… und", "weitere"],
            },
            Self::English | Self::Plain => &Words {
                invoice: "Invoice",
                due: "Due on",
                amount: "Amount",
                pay: "View and pay",
                more: ["… and", "more"],
            },
        }
    }
}

/// Headings of the list of claims and the label of the button.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) invoice: &'static str,
    pub(crate) due: &'static str,
    pub(crate) amount: &'static str,
    pub(crate) pay: &'static str,
    /// Around the number of claims that are not listed.
    pub(crate) more: [&'static str; 2],
}

/// The symbol that readers know without being told; others are shown by their code.
fn symbol(currency: Currency) -> Option<&'static str> {
    match currency {
        Currency::EUR => Some("€"),
        Currency::USD => Some("$"),
        Currency::GBP => Some("£"),
        // Swiss francs have no sign: the code is what people write.
        _ => None,
    }
}

/// Groups of three digits from the right.
fn grouped(digits: &str, separator: &str) -> String {
    let mut shown = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push_str(separator);
        }
        shown.push(digit);
    }
    shown
}

/// An IBAN in groups of four, as on a bank statement.
pub(crate) fn iban(text: &str) -> String {
    let compact: Vec<char> = clean(text).chars().filter(|c| !c.is_whitespace()).collect();
    compact.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

/// The largest amount that fits the longest sample: a million less one minor unit.
pub(crate) fn large(currency: Currency) -> Money {
    let scale = decimals(currency).unwrap_or(2);
    Money::new(Decimal::from(1_000_000) - Decimal::new(1, scale), currency)
}

/// Longest value that a text takes over, in characters.
const LONGEST_VALUE: usize = 300;

/// A value from outside as one harmless line: no line breaks or control characters (header
/// injection), no characters that turn the reading direction (spoofing), none of the private use
/// area (where [markers](super::email) live), at most 300 characters.
pub(crate) fn clean(text: &str) -> String {
    // Nearly all are so already.
    let plain = |byte: u8| matches!(byte, b' '..=b'~');
    let spaced = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
    if text.len() <= LONGEST_VALUE && text.bytes().all(plain) && !spaced {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars().take(4 * LONGEST_VALUE) {
        match character {
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => shown.push(' '),
            '\u{200B}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' => {}
            '\u{E000}'..='\u{F8FF}' | '\u{FEFF}' | '\u{F0000}'..='\u{10FFFF}' => {}
            c => shown.push(c),
        }
    }
    let words: Vec<&str> = shown.split(' ').filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    if line.chars().count() <= LONGEST_VALUE {
        return line;
    }
    line.chars().take(LONGEST_VALUE - 1).chain(['…']).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn money(text: &str, currency: Currency) -> Money {
        Money::parse(text, currency).unwrap()
    }

    #[test]
    fn money_is_written_as_its_readers_write_it() {
        let shown = |language, text, currency| Style::of(language).money(money(text, currency));
        assert_eq!(shown("de", "1234.56", Currency::EUR), "1.234,56 €");
        assert_eq!(shown("de-AT", "1234567.5", Currency::EUR), "1.234.567,50 €");
        assert_eq!(shown("de", "999", Currency::CHF), "999,00 CHF");
        assert_eq!(shown("de", "100000", Currency::JPY), "100.000 JPY");
        assert_eq!(shown("en", "1234.56", Currency::EUR), "€1,234.56");
        assert_eq!(shown("EN-gb", "0.05", Currency::GBP), "£0.05");
        assert_eq!(shown("en", "1000", Currency::USD), "$1,000.00");
        assert_eq!(shown("en", "1000", Currency::CHF), "CHF 1,000.00");
        assert_eq!(shown("fr", "1234.5", Currency::EUR), "1234.50 EUR");
        let minus = Money::new(Decimal::new(-1050, 2), Currency::EUR);
        assert_eq!(Style::English.money(minus), "-€10.50");
    }

    #[test]
    fn the_largest_amount_keeps_every_cent() {
        let most = money("999999999999.99", Currency::EUR);
        assert_eq!(Style::German.money(most), "999.999.999.999,99 €");
    }

    #[test]
    fn days_are_written_out_where_the_language_is_known() {
        let day = jiff::civil::date(2026, 3, 12);
        assert_eq!(Style::of("de").date(day), "12. März 2026");
        assert_eq!(Style::of("en").date(day), "12 March 2026");
        assert_eq!(Style::of("it").date(day), "2026-03-12");
        assert_eq!(Style::of("de").date(jiff::civil::date(2026, 12, 1)), "1. Dezember 2026");
    }

    #[test]
    fn a_value_becomes_one_harmless_line() {
        assert_eq!(clean("Anna\r\nBcc: x@example.org"), "Anna Bcc: x@example.org");
        assert_eq!(clean("a\u{202E}b\u{E000}c\u{0}d"), "abc d");
        assert_eq!(clean("  Müller   & Söhne \t"), "Müller & Söhne");
        assert_eq!(clean(&"ä".repeat(5000)).chars().count(), 300);
        assert_eq!(iban("DE02120300000000202051"), "DE02 1203 0000 0000 2020 51");
    }
}
