//! Languages, and how people write amounts, days and account numbers in them.
//!
//! `delivery` writes them the same way in its messages. The few lines are here again because that
//! crate brings a mail client and an HTTP client along.

use jiff::{civil::Date, tz::TimeZone};
use kulanz_domain::money::{Currency, Decimal, Money};

/// Languages that the pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    De,
    En,
}

impl Lang {
    /// By the primary subtag of a BCP 47 tag; `None` for a language without texts.
    pub(crate) fn of(tag: &str) -> Option<Self> {
        match tag.trim().split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str()
        {
            "de" => Some(Self::De),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The first language of an `Accept-Language` header that there are texts in. Only for pages
    /// that belong to nobody: a debtor's own language is never overridden by the browser's.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        header.split(',').find_map(|one| Self::of(one.split(';').next().unwrap_or_default()))
    }

    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::De => Self::En,
            Self::En => Self::De,
        }
    }

    /// `1.234,56 €` or `€1,234.56`; currencies without a well-known sign by their code.
    pub(crate) fn money(self, money: Money) -> String {
        let plain = Money::new(money.amount.abs(), money.currency).plain();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let minus = if money.amount < Decimal::ZERO { "\u{2212}" } else { "" };
        let (group, point) = match self {
            Self::De => ('.', ","),
            Self::En => (',', "."),
        };
        let mut number = String::with_capacity(plain.len() + 4);
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                number.push(group);
            }
            number.push(digit);
        }
        if !fraction.is_empty() {
            number.push_str(point);
            number.push_str(fraction);
        }
        let code = money.currency.code();
        let sign = match money.currency {
            Currency::EUR => Some("€"),
            Currency::USD => Some("$"),
            Currency::GBP => Some("£"),
            _ => None,
        };
        match (self, sign) {
            (Self::De, sign) => format!("{minus}{number}\u{a0}{}", sign.unwrap_or(code)),
            (Self::En, Some(sign)) => format!("{minus}{sign}{number}"),
            (Self::En, None) => format!("{minus}{code}\u{a0}{number}"),
        }
    }

    /// `12. März 2026` or `12 March 2026`.
    pub(crate) fn date(self, day: Date) -> String {
        let names = match self {
            Self::De => &MONTHS_DE,
            Self::En => &MONTHS_EN,
        };
        let month = usize::try_from(day.month() - 1).ok().and_then(|at| names.get(at));
        match (self, month) {
            (Self::De, Some(month)) => format!("{}. {month} {}", day.day(), day.year()),
            (Self::En, Some(month)) => format!("{} {month} {}", day.day(), day.year()),
            (_, None) => day.to_string(),
        }
    }

    /// `12.3.2026` or `12 Mar 2026`, for tables.
    pub(crate) fn short_date(self, day: Date) -> String {
        if self == Self::De {
            return format!("{}.{}.{}", day.day(), day.month(), day.year());
        }
        let long = self.date(day);
        let short = |word: &str| match word.chars().all(char::is_alphabetic) {
            true => word.chars().take(3).collect(),
            false => word.to_owned(),
        };
        long.split(' ').map(short).collect::<Vec<String>>().join(" ")
    }

    /// `6,27 %` or `6.27%`, without zeros at the end.
    pub(crate) fn percent(self, percent: Decimal) -> String {
        let number = percent.normalize().to_string().replace('-', "\u{2212}");
        match self {
            Self::De => format!("{}\u{a0}%", number.replace('.', ",")),
            Self::En => format!("{number}%"),
        }
    }

    /// A moment in a zone: `12. März 2026, 17:30 Uhr`.
    pub(crate) fn moment(self, at: jiff::Timestamp, zone: &TimeZone) -> String {
        let local = at.to_zoned(zone.clone());
        let (day, hour, minute) = (self.date(local.date()), local.hour(), local.minute());
        match self {
            Self::De => format!("{day}, {hour:02}:{minute:02} Uhr"),
            Self::En => format!("{day}, {hour:02}:{minute:02}"),
        }
    }
}

const MONTHS_DE: [&str; 12] = [
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
const MONTHS_EN: [&str; 12] = [
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

/// In groups of four, as on a bank card.
pub(crate) fn in_fours(text: &str) -> String {
    let compact: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    compact.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
}

/// An amount as people type it in either language: `12,50`, `1.234,56 €`, `1,234.56`.
pub(crate) fn typed_amount(text: &str, currency: Currency) -> Option<Money> {
    let kept: String =
        text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '€' | '$' | '£')).collect();
    let point = kept.rfind([',', '.']).filter(|at| kept.len() - at <= 3);
    let (whole, fraction) = match point {
        Some(at) => (&kept[..at], &kept[at + 1..]),
        None => (kept.as_str(), ""),
    };
    let whole: String = whole.chars().filter(|c| !matches!(c, ',' | '.')).collect();
    let plain = if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") };
    let money = Money::parse(&plain, currency).ok()?;
    (money.amount > Decimal::ZERO).then_some(money)
}

/// A day as a date field sends it (`2026-03-12`) or as people type it (`12.3.2026`,
/// `12/03/2026`, day first).
pub(crate) fn typed_date(text: &str) -> Option<Date> {
    let text = text.trim();
    if text.len() > 10 {
        return None;
    }
    let number = |part: &str| -> Option<i16> {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let (year, month, day) = match text.split(['.', '/', '-']).collect::<Vec<_>>()[..] {
        [year, month, day] if year.len() == 4 && text.contains('-') => (year, month, day),
        [day, month, year] if year.len() == 4 && !text.contains('-') => (year, month, day),
        _ => return None,
    };
    let month = i8::try_from(number(month)?).ok()?;
    let day = i8::try_from(number(day)?).ok()?;
    Date::new(number(year)?, month, day).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn money_and_days_are_written_as_their_readers_write_them() {
        let money = |text| Money::parse(text, Currency::EUR).unwrap();
        assert_eq!(Lang::De.money(money("1234.56")), "1.234,56\u{a0}€");
        assert_eq!(Lang::En.money(money("1234567.5")), "€1,234,567.50");
        let minus = Money::new(Decimal::new(-1050, 2), Currency::EUR);
        assert_eq!(Lang::De.money(minus), "\u{2212}10,50\u{a0}€");
        let francs = Money::parse("999", Currency::CHF).unwrap();
        assert_eq!(Lang::En.money(francs), "CHF\u{a0}999.00");
        assert_eq!(Lang::De.date(date(2026, 3, 12)), "12. März 2026");
        assert_eq!(Lang::En.date(date(2026, 12, 1)), "1 December 2026");
        assert_eq!(Lang::De.short_date(date(2026, 3, 12)), "12.3.2026");
        assert_eq!(Lang::En.short_date(date(2026, 9, 1)), "1 Sep 2026");
        assert_eq!(Lang::De.percent(Decimal::new(-880, 3)), "\u{2212}0,88\u{a0}%");
        assert_eq!(Lang::En.percent(Decimal::new(500, 2)), "5%");
        assert_eq!(in_fours("DE02120300000000202051"), "DE02 1203 0000 0000 2020 51");
    }

    #[test]
    fn an_amount_is_read_in_both_ways_of_writing_it() {
        let read = |text| typed_amount(text, Currency::EUR).map(Money::plain);
        for same in ["1234,56", "1.234,56 €", "1,234.56", "€1234.56", " 1234.56 "] {
            assert_eq!(read(same).as_deref(), Some("1234.56"), "{same}");
        }
        assert_eq!(read("1.234").as_deref(), Some("1234.00"));
        assert_eq!(read("12,5").as_deref(), Some("12.50"));
        for wrong in ["", "-5", "0", "zwölf", "1e3", "9".repeat(40).as_str(), "12,345,6x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_is_read_from_a_date_field_and_from_what_people_type() {
        let day = Some(date(2026, 3, 2));
        for same in ["2026-03-02", "2.3.2026", "02.03.2026", "02/03/2026"] {
            assert_eq!(typed_date(same), day, "{same}");
        }
        for wrong in ["", "2026-02-30", "2026-13-01", "gestern", "-1-1-1", "99999-01-01", "2.3.26"]
        {
            assert_eq!(typed_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_browsers_languages_are_tried_in_order() {
        assert_eq!(Lang::accepted("fr;q=0.9, en-GB;q=0.8, de"), Some(Lang::En));
        assert_eq!(Lang::accepted("*"), None);
        assert_eq!(Lang::of("DE-at"), Some(Lang::De));
    }
}
