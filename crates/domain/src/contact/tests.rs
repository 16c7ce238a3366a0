#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hours(text: &str) -> Hours {
    text.parse().unwrap()
}

/// Open every day at these hours.
fn daily(text: &str) -> ContactWindow {
    ContactWindow::always().narrowed(None, Some(hours(text)))
}

#[test]
fn hours_are_read_within_one_day() {
    for text in ["09:00-19:00", "00:00-24:00", "23:59-24:00", "00:00-00:01"] {
        assert_eq!(hours(text).to_string(), text);
        assert_eq!(serde_json::to_value(hours(text)).unwrap(), text);
        assert_eq!(serde_json::from_value::<Hours>(text.into()).unwrap(), hours(text));
    }
    for wrong in ["", "9-19", "9:00-19:00", "09:00", "24:01-25:00", "09:60-10:00", "09:00–19:00"]
    {
        let error = wrong.parse::<Hours>().unwrap_err();
        assert!(matches!(error, HoursError::NotHours(_)), "{wrong:?}");
    }
    for wrong in ["19:00-09:00", "09:00-09:00", "24:00-24:00"] {
        let error = wrong.parse::<Hours>().unwrap_err();
        assert!(matches!(error, HoursError::Backwards { .. }), "{wrong:?}");
    }
    assert_eq!(
        "19:00-09:00".parse::<Hours>().unwrap_err().to_string(),
        "`19:00-09:00` ends at 09:00, not after its start at 19:00: hours do not cross midnight"
    );
    assert!(hours("09:00-19:00").contains("18:59:59.9".parse().unwrap()));
    assert!(!hours("09:00-19:00").contains("19:00".parse().unwrap()));
    assert_eq!(hours("09:00-12:00").intersect(hours("12:00-13:00")), None);
    assert_eq!(hours("09:00-12:00").intersect(hours("11:00-13:00")), Some(hours("11:00-12:00")));
}

#[test]
fn a_mahnung_waits_for_the_morning_the_monday_and_the_day_after_the_holiday() {
    let berlin = zone("Europe/Berlin");
    let window = ContactWindow::law_default_de().without_holidays_of(Region::DeNw);
    for (from, open) in [
        ("2026-11-20T12:00:00+01", "2026-11-20T12:00:00+01"),
        ("2026-11-20T19:59:59+01", "2026-11-20T19:59:59+01"),
        ("2026-11-20T20:00:00+01", "2026-11-21T09:00:00+01"),
        ("2026-11-21T18:00:00+01", "2026-11-23T08:00:00+01"),
        // Thursday evening before Good Friday: Saturday is open, then Tuesday.
        ("2026-04-02T20:00:00+02", "2026-04-04T09:00:00+02"),
        ("2026-04-04T18:00:00+02", "2026-04-07T08:00:00+02"),
        // Over the change to summer time.
        ("2026-03-28T18:30:00+01", "2026-03-30T08:00:00+02"),
        ("2026-10-24T18:30:00+02", "2026-10-26T08:00:00+01"),
    ] {
        assert_eq!(window.next_open(at(from), &berlin), Some(at(open)), "{from}");
        assert_eq!(window.is_open(at(from), &berlin), from == open, "{from}");
    }
    let easter_sunday = date(2026, 4, 5);
    let opening = window.opening_of(easter_sunday, &berlin);
    assert_eq!(opening, Some(at("2026-04-07T08:00:00+02")));
}

#[test]
fn an_opening_in_the_hour_that_is_skipped_moves_to_its_end() {
    let berlin = zone("Europe/Berlin");
    let midnight = at("2026-03-29T00:00:00+01");
    for (open, first) in [
        ("02:30-05:00", "2026-03-29T03:00:00+02"),
        ("02:00-05:00", "2026-03-29T03:00:00+02"),
        ("01:30-02:30", "2026-03-29T01:30:00+01"),
        ("03:00-05:00", "2026-03-29T03:00:00+02"),
        // Both ends are skipped: that day has no such hour.
        ("02:00-03:00", "2026-03-30T02:00:00+02"),
        ("02:15-02:45", "2026-03-30T02:15:00+02"),
    ] {
        assert_eq!(daily(open).next_open(midnight, &berlin), Some(at(first)), "{open}");
    }
}

#[test]
fn the_hour_that_comes_twice_is_open_twice() {
    let berlin = zone("Europe/Berlin");
    for (open, from, first) in [
        ("02:30-05:00", "2026-10-25T01:00:00+02", "2026-10-25T02:30:00+02"),
        ("02:10-02:40", "2026-10-25T02:45:00+02", "2026-10-25T02:10:00+01"),
        ("02:10-02:40", "2026-10-25T02:05:00+01", "2026-10-25T02:10:00+01"),
        ("02:10-02:40", "2026-10-25T02:40:00+01", "2026-10-26T02:10:00+01"),
        ("01:00-02:20", "2026-10-25T02:30:00+02", "2026-10-25T02:00:00+01"),
        ("03:00-05:00", "2026-10-25T02:30:00+02", "2026-10-25T03:00:00+01"),
    ] {
        assert_eq!(daily(open).next_open(at(from), &berlin), Some(at(first)), "{open} {from}");
    }
}

#[test]
fn a_day_that_starts_late_or_is_missing_has_its_first_moment() {
    // Santiago skips the first hour of 2026-09-06, Apia skipped the whole 2011-12-30.
    let always = ContactWindow::always();
    let santiago = always.opening_of(date(2026, 9, 6), &zone("America/Santiago"));
    assert_eq!(santiago, Some(at("2026-09-06T01:00:00-03")));
    let apia = always.opening_of(date(2011, 12, 30), &zone("Pacific/Apia"));
    assert_eq!(apia, Some(at("2011-12-31T00:00:00+14")));
    let havana = always.opening_of(date(2026, 11, 1), &zone("America/Havana"));
    assert_eq!(havana, Some(at("2026-11-01T00:00:00-04")));
}

#[test]
fn a_window_only_narrows() {
    let law = ContactWindow::law_default_de();
    let evening = law.narrowed(None, Some(hours("17:00-22:00")));
    assert_eq!(evening.hours_on(Weekday::Friday), Some(hours("17:00-20:00")));
    assert_eq!(evening.hours_on(Weekday::Saturday), Some(hours("17:00-18:00")));
    assert_eq!(evening.hours_on(Weekday::Sunday), None);
    let weekend = law.narrowed(Some(&[Weekday::Saturday, Weekday::Sunday]), None);
    assert_eq!(weekend.hours_on(Weekday::Saturday), Some(hours("09:00-18:00")));
    assert!(weekend.narrowed(Some(&[Weekday::Sunday]), None).is_empty());
    assert!(law.intersect(&law.narrowed(Some(&[]), None)).is_empty());
    assert!(law.narrowed(None, Some(hours("20:00-24:00"))).is_empty());
    assert_eq!(law.intersect(&ContactWindow::always()), law);
    let here = law.without_holidays_of(Region::DeNw);
    let there = law.without_holidays_of(Region::DeSn);
    let both = here.intersect(&there);
    let (corpus_christi, repentance) = (date(2026, 6, 4), date(2026, 11, 18));
    assert!(here.hours_of(repentance).is_some() && there.hours_of(corpus_christi).is_some());
    assert_eq!((both.hours_of(repentance), both.hours_of(corpus_christi)), (None, None));
}

#[test]
fn an_empty_window_never_opens() {
    let nothing = ContactWindow::new(None, None, None);
    let now = at("2026-11-21T12:00:00Z");
    assert_eq!(nothing.next_open(now, &zone("Europe/Berlin")), None);
    assert_eq!(
        ContactWindow::always().next_open(Timestamp::MAX, &TimeZone::UTC),
        Some(Timestamp::MAX)
    );
    assert_eq!(nothing.next_open(Timestamp::MAX, &zone("Europe/Berlin")), None);
    assert_eq!(ContactWindow::law_default_de().opening_of(Date::MAX, &TimeZone::UTC), None);
}

#[test]
fn each_named_preset_has_its_hours_and_its_cap() {
    for (name, saturday, sunday, times) in [
        ("de", Some("09:00-18:00"), None, 3),
        ("at", Some("09:00-18:00"), None, 3),
        ("ch", Some("09:00-18:00"), None, 3),
        ("uk-conc", Some("08:00-21:00"), None, 7),
        ("us-reg-f", Some("08:00-21:00"), Some("08:00-21:00"), 7),
        ("none", Some("08:00-20:00"), None, 3),
    ] {
        let Preset { window, cap } = preset(name).unwrap();
        assert_eq!(window.hours_on(Weekday::Saturday), saturday.map(hours), "{name}");
        assert_eq!(window.hours_on(Weekday::Sunday), sunday.map(hours), "{name}");
        assert_eq!(Some(cap), ContactCap::new(times, 7), "{name}");
    }
    assert_eq!(preset("fr"), None);
}

/// 12 CFR 1006.6 (b) (1) (i): not before 8:00 nor after 21:00 at the debtor's place, on any day;
/// 1006.14 (b) (2) (i) (A): seven within seven consecutive days.
#[test]
fn regulation_f_is_kept_to_the_minute_where_the_debtor_lives() {
    let Preset { window, cap } = preset("us-reg-f").unwrap();
    let honolulu = zone("Pacific/Honolulu"); // UTC-10, no summer time
    // A Sunday. At 8:00 in New York nobody is called in Hawaii, where it is 3 in the morning.
    assert!(window.is_open(at("2026-11-22T13:00:00Z"), &zone("America/New_York")));
    for (moment, open) in [
        ("2026-11-22T13:00:00Z", false),
        ("2026-11-22T17:59:59Z", false),
        ("2026-11-22T18:00:00Z", true),
        ("2026-11-23T06:59:59Z", true),
        ("2026-11-23T07:00:00Z", false),
    ] {
        assert_eq!(window.is_open(at(moment), &honolulu), open, "{moment}");
    }
    let mut contacts: Vec<Timestamp> = Vec::new();
    let first = at("2026-11-16T18:00:00Z");
    for day in 0..7 {
        let now = first + SignedDuration::from_hours(24 * day);
        assert_eq!(cap.next_allowed(&contacts, now), now, "the {}th", day + 1);
        contacts.push(now);
    }
    let eighth = at("2026-11-22T20:00:00Z");
    assert_eq!(cap.next_allowed(&contacts, eighth), at("2026-11-23T18:00:00Z"));
}

/// FCA CONC 7.9.4 R: not at unreasonable times. The handbook gives no numbers; these are ours.
#[test]
fn the_british_preset_leaves_evenings_after_nine_and_sundays_alone() {
    let Preset { window, cap } = preset("uk-conc").unwrap();
    let london = zone("Europe/London");
    for (moment, open) in [
        ("2026-07-18T06:59:59Z", false), // a Saturday in summer: 7:59 there
        ("2026-07-18T07:00:00Z", true),
        ("2026-07-18T19:59:59Z", true),
        ("2026-07-18T20:00:00Z", false),
        ("2026-07-19T12:00:00Z", false), // a Sunday
        ("2026-12-07T08:00:00Z", true),
    ] {
        assert_eq!(window.is_open(at(moment), &london), open, "{moment}");
    }
    let week: Vec<Timestamp> = (0..7)
        .map(|day| at("2026-07-13T09:00:00Z") + SignedDuration::from_hours(24 * day))
        .collect();
    let now = at("2026-07-19T10:00:00Z");
    assert_eq!(cap.next_allowed(&week[1..], now), now);
    assert_eq!(cap.next_allowed(&week, now), at("2026-07-20T09:00:00Z"));
}

/// No statute of the three names hours; the limits are the same, each by its own name.
#[test]
fn austria_and_switzerland_keep_what_germany_keeps() {
    use crate::{law::contact_limits, policy::Law};
    for (law, name) in [(Law::De, "de"), (Law::At, "at"), (Law::Ch, "ch")] {
        assert_eq!(contact_limits(law), preset(name));
        assert_eq!(preset(name), preset("de"));
    }
    assert_eq!(contact_limits(Law::None), None);
}

#[test]
fn the_cap_slides_over_hours_not_over_calendar_days() {
    let cap: ContactCap = serde_json::from_str(r#"{"times": 2, "in": "1w"}"#).unwrap();
    assert_eq!(serde_json::to_string(&cap).unwrap(), r#"{"times":2,"in":"7d"}"#);
    let now = at("2026-11-20T10:00:00Z");
    let (first, second) = (at("2026-11-14T09:00:00Z"), at("2026-11-18T17:00:00Z"));
    assert_eq!(cap.next_allowed(&[], now), now);
    assert_eq!(cap.next_allowed(&[first], now), now);
    assert_eq!(cap.next_allowed(&[second, first], now), at("2026-11-21T09:00:00Z"));
    let later = at("2026-11-21T09:00:00Z");
    assert_eq!(cap.next_allowed(&[first, second], later), later);
    for wrong in
        [r#"{"times":0,"in":"7d"}"#, r#"{"times":1,"in":"0d"}"#, r#"{"times":1,"in":"5bd"}"#]
    {
        assert!(serde_json::from_str::<ContactCap>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn no_zone_goes_forth_and_back_within_the_time_that_counts_as_steady() {
    let (from, to) = (at("1995-01-01T00:00:00Z"), at("2045-01-01T00:00:00Z"));
    for name in jiff::tz::db().available() {
        let zone = zone(name.as_str());
        let mut last: Vec<(Timestamp, Offset)> = vec![];
        for change in zone.following(from).take_while(|change| change.timestamp() < to) {
            last.retain(|(then, _)| change.timestamp().duration_since(*then) <= STEADY);
            let left = zone.to_offset(change.timestamp() - SignedDuration::from_secs(1));
            let back = last.iter().any(|(_, offset)| *offset == change.offset());
            assert!(!back, "{name} {}", change.timestamp());
            last.push((change.timestamp(), left));
        }
    }
}

fn any_window() -> impl Strategy<Value = ContactWindow> {
    let span = || {
        (0u16..1440, 1u16..600).prop_map(|(from, len)| {
            let to = (from + len).min(1440);
            let text = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
            hours(&format!("{}-{}", text(from), text(to)))
        })
    };
    let region = prop::sample::select(Region::ALL);
    (prop::array::uniform3(prop::option::of(span())), region)
        .prop_map(|([a, b, c], region)| ContactWindow::new(a, b, c).without_holidays_of(region))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Walks minute by minute, which knows nothing of offsets.
    #[test]
    fn the_next_opening_is_open_and_no_earlier_minute_is(
        window in any_window(),
        name in prop::sample::select(&["Europe/Berlin", "America/Santiago", "America/Havana",
            "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC"][..]),
        day in 0i64..800,
        second in 0i64..86_400,
    ) {
        let zone = zone(name);
        let from = at("2025-10-01T00:00:00Z") + SignedDuration::from_secs(day * 86_400 + second);
        let found = window.next_open(from, &zone);
        if let Some(found) = found {
            prop_assert!(found >= from && window.is_open(found, &zone));
        }
        if found != Some(from) {
            prop_assert!(!window.is_open(from, &zone));
            let until = found.unwrap_or(from + SignedDuration::from_hours(60 * 24));
            // Offsets are whole minutes, so windows open at whole minutes.
            let mut minute = from + SignedDuration::from_secs(60 - from.as_second().rem_euclid(60));
            while minute < until {
                prop_assert!(!window.is_open(minute, &zone), "open at {minute}");
                minute += SignedDuration::from_mins(1);
            }
        }
    }

    #[test]
    fn the_cap_is_kept_and_not_overdone(
        contacts in prop::collection::vec(0i64..2_000_000, 0..12),
        now in 0i64..2_000_000,
        times in 1u32..5,
        days in 1u32..10,
    ) {
        let stamp = |second| at("2026-01-01T00:00:00Z") + SignedDuration::from_secs(second);
        let made: Vec<_> = contacts.iter().map(|&second| stamp(second)).collect();
        let cap = ContactCap::new(times, days).unwrap();
        let window = i64::from(days) * 86_400;
        let counted = |t: i64| contacts.iter().filter(|&&c| c + window > t).count() as u32;
        let next = cap.next_allowed(&made, stamp(now)).as_second() - stamp(0).as_second();
        prop_assert!(counted(next) < times);
        prop_assert!(next == now || (next > now && counted(next - 1) >= times));
    }
}
