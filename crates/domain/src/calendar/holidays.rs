//! The holidays themselves: one rule a line, with its years.

use jiff::civil::{Date, Weekday};

use super::Region;

/// The holiday of `region` that falls on `date`, by its own name there. Sundays that are holidays
/// (Easter Sunday in Brandenburg) are named, plain Sundays are not. Exact for 2000 to 2040.
pub fn holiday(date: Date, region: Region) -> Option<&'static str> {
    match region {
        Region::None => None,
        Region::At => austria(date),
        Region::Ch => switzerland(date),
        Region::It => italy(date),
        Region::Us => united_states(date),
        state => germany(date, state),
    }
}

fn germany(date: Date, state: Region) -> Option<&'static str> {
    use Region::{
        DeBb, DeBe, DeBw, DeBy, DeHb, DeHe, DeHh, DeMv, DeNi, DeNw, DeRp, DeSh, DeSl, DeSn, DeSt,
        DeTh,
    };
    let year = date.year();
    let fixed = match (date.month(), date.day()) {
        (1, 1) => Some("Neujahr"),
        (1, 6) if matches!(state, DeBw | DeBy | DeSt) => Some("Heilige Drei Könige"),
        (3, 8) if state == DeBe && year >= 2019 => Some("Internationaler Frauentag"),
        (3, 8) if state == DeMv && year >= 2023 => Some("Internationaler Frauentag"),
        (5, 1) => Some("Tag der Arbeit"),
        (5, 8) if state == DeBe && matches!(year, 2020 | 2025) => {
            Some("Tag der Befreiung (einmalig)")
        }
        (6, 17) if state == DeBe && year == 2028 => {
            Some("Jahrestag des Aufstandes vom 17. Juni 1953 (einmalig)")
        }
        (8, 15) if state == DeSl => Some("Mariä Himmelfahrt"),
        (9, 20) if state == DeTh && year >= 2019 => Some("Weltkindertag"),
        (10, 3) => Some("Tag der Deutschen Einheit"),
        (10, 31) if year == 2017 => Some("Reformationstag"),
        (10, 31) if matches!(state, DeBb | DeMv | DeSn | DeSt | DeTh) => Some("Reformationstag"),
        (10, 31) if matches!(state, DeHb | DeHh | DeNi | DeSh) && year >= 2018 => {
            Some("Reformationstag")
        }
        (11, 1) if matches!(state, DeBw | DeBy | DeNw | DeRp | DeSl) => Some("Allerheiligen"),
        // The Wednesday before 23 November.
        (11, 16..=22) if state == DeSn && date.weekday() == Weekday::Wednesday => {
            Some("Buß- und Bettag")
        }
        (12, 25) => Some("1. Weihnachtstag"),
        (12, 26) => Some("2. Weihnachtstag"),
        _ => None,
    };
    fixed.or_else(|| match days_since_easter(date)? {
        -2 => Some("Karfreitag"),
        0 if state == DeBb => Some("Ostersonntag"),
        1 => Some("Ostermontag"),
        39 => Some("Christi Himmelfahrt"),
        49 if state == DeBb => Some("Pfingstsonntag"),
        50 => Some("Pfingstmontag"),
        60 if matches!(state, DeBw | DeBy | DeHe | DeNw | DeRp | DeSl) => Some("Fronleichnam"),
        _ => None,
    })
}

fn austria(date: Date) -> Option<&'static str> {
    let fixed = match (date.month(), date.day()) {
        (1, 1) => Some("Neujahr"),
        (1, 6) => Some("Heilige Drei Könige"),
        (5, 1) => Some("Staatsfeiertag"),
        (8, 15) => Some("Mariä Himmelfahrt"),
        (10, 26) => Some("Nationalfeiertag"),
        (11, 1) => Some("Allerheiligen"),
        (12, 8) => Some("Mariä Empfängnis"),
        (12, 25) => Some("Christtag"),
        (12, 26) => Some("Stefanitag"),
        _ => None,
    };
    fixed.or_else(|| match days_since_easter(date)? {
        1 => Some("Ostermontag"),
        39 => Some("Christi Himmelfahrt"),
        50 => Some("Pfingstmontag"),
        60 => Some("Fronleichnam"),
        _ => None,
    })
}

fn switzerland(date: Date) -> Option<&'static str> {
    let fixed = match (date.month(), date.day()) {
        (1, 1) => Some("Neujahr"),
        (8, 1) => Some("Bundesfeier"),
        (12, 25) => Some("Weihnachten"),
        _ => None,
    };
    fixed.or_else(|| match days_since_easter(date)? {
        39 => Some("Auffahrt"),
        _ => None,
    })
}

fn italy(date: Date) -> Option<&'static str> {
    let year = date.year();
    let fixed = match (date.month(), date.day()) {
        (1, 1) => Some("Capodanno"),
        (1, 6) => Some("Epifania"),
        (3, 17) if year == 2011 => Some("Anniversario dell'Unità d'Italia"),
        (4, 25) => Some("Festa della Liberazione"),
        (5, 1) => Some("Festa del Lavoro"),
        // Back on its day since legge 336/2000.
        (6, 2) if year >= 2001 => Some("Festa della Repubblica"),
        (8, 15) => Some("Assunzione"),
        // Legge 151/2025.
        (10, 4) if year >= 2026 => Some("San Francesco d'Assisi"),
        (11, 1) => Some("Ognissanti"),
        (12, 8) => Some("Immacolata Concezione"),
        (12, 25) => Some("Natale"),
        (12, 26) => Some("Santo Stefano"),
        _ => None,
    };
    fixed.or_else(|| match days_since_easter(date)? {
        1 => Some("Lunedì dell'Angelo"),
        _ => None,
    })
}

/// 5 U.S.C. § 6103: a holiday on a Saturday is observed on Friday, one on a Sunday on Monday;
/// both the day itself and the observed one count.
fn united_states(date: Date) -> Option<&'static str> {
    let (year, month, day, weekday) = (date.year(), date.month(), date.day(), date.weekday());
    let monday = weekday == Weekday::Monday;
    // The n-th of a weekday lies in the n-th seven days of its month.
    match (month, day) {
        (1, 15..=21) if monday => return Some("Birthday of Martin Luther King, Jr."),
        (2, 15..=21) if monday => return Some("Washington's Birthday"),
        (5, 25..=31) if monday => return Some("Memorial Day"),
        (9, 1..=7) if monday => return Some("Labor Day"),
        (10, 8..=14) if monday => return Some("Columbus Day"),
        (11, 22..=28) if weekday == Weekday::Thursday => return Some("Thanksgiving Day"),
        _ => {}
    }
    let fixed = |year: i16, month: i8, day: i8| match (month, day) {
        (1, 1) => Some("New Year's Day"),
        (6, 19) if year >= 2021 => Some("Juneteenth National Independence Day"),
        (7, 4) => Some("Independence Day"),
        (11, 11) => Some("Veterans Day"),
        (12, 25) => Some("Christmas Day"),
        _ => None,
    };
    fixed(year, month, day).or_else(|| {
        let stands_for = match weekday {
            Weekday::Friday => date.tomorrow(),
            Weekday::Monday => date.yesterday(),
            _ => return None,
        }
        .ok()?;
        fixed(stands_for.year(), stands_for.month(), stands_for.day())
    })
}

const FIRST_YEAR: i16 = 1970;

/// Easter Sundays of 1970 to 2149 as days of their year.
static EASTER: [i16; 180] = {
    let mut table = [0; 180];
    let mut at = 0;
    while at < table.len() {
        table[at] = easter(FIRST_YEAR + at as i16);
        at += 1;
    }
    table
};

/// How many days `date` lies after Easter Sunday of its year; `None` where no feast that moves
/// with Easter can be (before 15 March, after July), which is most days.
fn days_since_easter(date: Date) -> Option<i16> {
    if !(3..=7).contains(&date.month()) {
        return None;
    }
    let year = date.year();
    let known = usize::try_from(year - FIRST_YEAR).ok().and_then(|at| EASTER.get(at));
    let sunday = known.copied().unwrap_or_else(|| easter(year));
    Some(date.day_of_year() - sunday)
}

/// Easter Sunday of the Gregorian calendar as day of the year, by Gauss's method as completed by
/// Lichtenberg.
const fn easter(year: i16) -> i16 {
    let k = year / 100;
    let m = 15 + (3 * k + 3) / 4 - (8 * k + 13) / 25;
    let s = 2 - (3 * k + 3) / 4;
    let a = year % 19;
    let d = (19 * a + m) % 30;
    let r = (d + a / 11) / 29;
    let full_moon = 21 + d - r;
    let first_sunday = 7 - (year + year / 4 + s).rem_euclid(7);
    let distance = 7 - (full_moon - first_sunday).rem_euclid(7);
    let march = full_moon + distance;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    march + 59 + leap as i16
}
