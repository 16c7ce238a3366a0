#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::{civil::date, tz};
use serde_json::Value;

use super::*;

fn worked() -> Value {
    serde_json::from_str(include_str!("../../testdata/law.json")).unwrap()
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap()
}

fn holidays_of(year: i16, region: Region) -> Vec<String> {
    let days = date(year, 1, 1).series(jiff::Span::new().days(1));
    days.take_while(|day| day.year() == year)
        .filter(|&day| holiday(day, region).is_some())
        .map(|day| day.to_string())
        .collect()
}

#[test]
fn the_worked_business_days_come_out() {
    let worked = worked();
    let entries = worked["business_days"].as_array().unwrap();
    assert_eq!(entries.len(), 8);
    for entry in entries {
        let (day, region) = (text(entry, "date").parse().unwrap(), text(entry, "state"));
        let region: Region = region.parse().unwrap();
        let found = match text(entry, "op") {
            "is_business_day" => Value::Bool(is_business_day(day, region)),
            "roll_193" => Value::String(roll_193(day, &[region]).to_string()),
            _ => {
                let n = i32::try_from(entry["n"].as_i64().unwrap()).unwrap();
                Value::String(add_business_days(day, n, region).to_string())
            }
        };
        assert_eq!(found, entry["expected"], "{entry}");
        if let Some(name) = entry["holiday"].as_str() {
            assert_eq!(holiday(day, region), Some(name), "{entry}");
        }
    }
}

#[test]
fn the_worked_years_have_these_holidays_and_no_others() {
    let worked = worked();
    let years = worked["holidays"].as_object().unwrap();
    assert_eq!(years.len(), 2);
    for (year, states) in years {
        let states = states.as_object().unwrap();
        assert_eq!(states.len(), 16);
        for (state, days) in states {
            let found = holidays_of(year.parse().unwrap(), state.parse().unwrap());
            assert_eq!(serde_json::to_value(found).unwrap(), *days, "{year} {state}");
        }
    }
}

#[test]
fn easter_falls_on_the_days_that_the_church_published() {
    let sundays = [
        date(1961, 4, 2),
        date(2000, 4, 23),
        date(2008, 3, 23),
        date(2011, 4, 24),
        date(2019, 4, 21),
        date(2024, 3, 31),
        date(2038, 4, 25),
        date(2049, 4, 18),
        date(2076, 4, 19),
        date(2160, 3, 23),
        date(2285, 3, 22),
    ];
    for sunday in sundays {
        assert_eq!(holiday(sunday, Region::DeBb), Some("Ostersonntag"), "{sunday}");
    }
}

#[test]
fn a_holiday_counts_only_in_the_years_in_which_it_was_law() {
    use Region::*;
    for (day, region, law) in [
        (date(2017, 10, 31), DeNw, true),
        (date(2016, 10, 31), DeNw, false),
        (date(2018, 10, 31), DeNw, false),
        (date(2016, 10, 31), DeBb, true),
        (date(2018, 10, 31), DeHh, true),
        (date(2016, 10, 31), DeSh, false),
        (date(2018, 3, 8), DeBe, false),
        (date(2019, 3, 8), DeBe, true),
        (date(2022, 3, 8), DeMv, false),
        (date(2023, 3, 8), DeMv, true),
        (date(2020, 5, 8), DeBe, true),
        (date(2026, 5, 8), DeBe, false),
        (date(2018, 9, 20), DeTh, false),
        (date(2000, 6, 2), It, false),
        (date(2011, 3, 17), It, true),
        (date(2025, 10, 4), It, false),
        (date(2026, 10, 4), It, true),
        (date(2020, 6, 19), Us, false),
        (date(2021, 6, 18), Us, true),
        (date(2021, 12, 31), Us, true),
        (date(2022, 12, 26), Us, true),
        (date(2026, 8, 15), DeBy, false),
        (date(2026, 12, 25), None, false),
    ] {
        assert_eq!(holiday(day, region).is_some(), law, "{day} {region}");
    }
}

#[test]
fn a_deadline_rolls_over_weekends_and_the_holidays_of_either_side() {
    assert_eq!(roll_193(date(2025, 4, 18), &[Region::DeBe]), date(2025, 4, 22));
    let all_saints = date(2027, 11, 1);
    assert_eq!(roll_193(all_saints, &[Region::DeHh]), all_saints);
    assert_eq!(roll_193(all_saints, &[Region::DeHh, Region::DeNw]), date(2027, 11, 2));
    assert_eq!(roll_193(date(2026, 11, 21), &[]), date(2026, 11, 23));
    // Saturday, All Saints' Sunday, a Monday that is none.
    assert_eq!(roll_193(date(2026, 10, 31), &[Region::DeNw]), date(2026, 11, 2));
    assert_eq!(roll_193(Date::MAX, &[Region::None]), Date::MAX);
}

#[test]
fn business_days_count_backwards_as_well_and_stop_at_the_end_of_time() {
    let tuesday = date(2026, 4, 7);
    assert_eq!(add_business_days(tuesday, -1, Region::DeNw), date(2026, 4, 2));
    assert_eq!(add_business_days(date(2026, 4, 4), 0, Region::DeNw), date(2026, 4, 4));
    assert_eq!(add_business_days(Date::MAX, 3, Region::None), Date::MAX);
    assert_eq!(Span::Days(i32::MAX).after(tuesday, Region::None), Date::MAX);
    assert_eq!(Span::Weeks(i32::MIN).after(tuesday, Region::None), Date::MIN);
}

#[test]
fn a_span_reads_and_prints_and_moves_days() {
    let thursday = date(2026, 4, 2);
    for (span, after, before) in [
        ("10d", date(2026, 4, 12), date(2026, 3, 23)),
        ("2bd", date(2026, 4, 8), date(2026, 3, 31)),
        ("3w", date(2026, 4, 23), date(2026, 3, 12)),
        ("0d", thursday, thursday),
    ] {
        let read: Span = span.parse().unwrap();
        assert_eq!(read.to_string(), span);
        assert_eq!(serde_json::to_value(read).unwrap(), span);
        assert_eq!(serde_json::from_value::<Span>(span.into()).unwrap(), read);
        assert_eq!(read.after(thursday, Region::DeNw), after, "{span}");
        assert_eq!(read.before(thursday, Region::DeNw), before, "{span}");
    }
    for wrong in ["", "d", "10", "10 d", "-3d", "+3d", "1.5d", "3m", "10D", "10000d", "３d"] {
        assert!(wrong.parse::<Span>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_slower_pace_rounds_up_to_whole_days() {
    for (span, pace, paced) in [
        ("4d", "1.5", "6d"),
        ("3d", "1.5", "5d"),
        ("2bd", "1.25", "3bd"),
        ("1w", "1.5", "11d"),
        ("2w", "1", "2w"),
        ("10d", "0.5", "5d"),
        ("0d", "3", "0d"),
        ("9999d", "99999999999999", "2147483647d"),
    ] {
        let read: Span = span.parse().unwrap();
        assert_eq!(read.paced(pace.parse().unwrap()).to_string(), paced, "{span} × {pace}");
    }
}

#[test]
fn a_region_is_read_with_or_without_its_country() {
    for &region in Region::ALL {
        assert_eq!(region.name().parse(), Ok(region));
        let json = serde_json::to_value(region).unwrap();
        assert_eq!(serde_json::from_value::<Region>(json).unwrap(), region);
    }
    assert_eq!("NW".parse(), Ok(Region::DeNw));
    assert_eq!("none".parse(), Ok(Region::None));
    for wrong in ["", "nw", "DE-", "DE-XX", "FR", "DE-AT"] {
        assert!(wrong.parse::<Region>().is_err(), "{wrong:?}");
    }
    for region in Region::ALL.iter().copied().filter(|region| region.is_german()) {
        let name = region.name();
        assert_eq!(Region::of("DE", Some(name)), Some(region));
        assert_eq!(Region::of("DE", name.strip_prefix("DE-")), Some(region));
    }
    assert_eq!(Region::of("DE", Some("SN")), Some(Region::DeSn));
    assert_eq!(Region::of("DE", Some("Sachsen")), Some(Region::De));
    assert_eq!(Region::of("DE", Some("AT")), Some(Region::De));
    assert_eq!(Region::of("AT", Some("NI")), Some(Region::At));
    assert_eq!(Region::of("FR", None), None);
    let both = RegionSet::only(Region::Us).union(RegionSet::only(Region::DeBw));
    assert_eq!(both.iter().collect::<Vec<_>>(), [Region::DeBw, Region::Us]);
    assert_eq!(RegionSet::only(Region::None).iter().count(), 0);
}

#[test]
fn an_instant_is_another_day_in_another_zone() {
    let instant = "2026-03-28T23:30:00Z".parse().unwrap();
    let berlin = tz::TimeZone::get("Europe/Berlin").unwrap();
    assert_eq!(day_in(instant, &berlin), date(2026, 3, 29));
    assert_eq!(day_in(instant, &TimeZone::UTC), date(2026, 3, 28));
}
