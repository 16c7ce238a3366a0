//! A book is forecast from its own past, and the forecast of days that are over is compared with them.

use std::{fs, path::Path};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    events::{day, debtor, invoice, moment, payment},
    histories::real,
    world::{Dice, Installation, Said, copy, repository},
};

/// A shop of half a year: each debtor has an invoice, and pays it within the first weeks after it is
/// due, later, or not at all.
fn shop(debtors: u32) -> Vec<Value> {
    let mut dice = Dice::new("shop");
    let mut events = Vec::new();
    for number in 0..debtors {
        let account = format!("atelier/K-{number}");
        let due = 13 - i32::try_from(dice.below(190)).unwrap();
        let amount = format!("{}.{:02}", 20 + dice.below(200), dice.below(100));
        events.push(debtor(&account, "email", "kim@example.org", "+447700900001"));
        events.push(invoice(&account, &format!("R-{number}"), &amount, &day(due)));
        let wait = match dice.below(10) {
            0..=4 => dice.below(5),
            5..=7 => dice.below(40),
            8 => dice.below(120),
            _ => continue,
        };
        let on = due + i32::try_from(wait).unwrap() - 2;
        if on < 0 {
            let (paid, invoice) = (format!("Z-{number}"), format!("R-{number}"));
            events.push(payment(&account, &paid, &amount, &day(on), &invoice));
        }
    }
    events
}

fn simulate(house: &Installation, more: &[&str]) -> Said {
    house.run(&[&["policy", "simulate"], more].concat())
}

fn amount(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_shop_is_forecast_and_says_how_good_that_is_and_what_it_cannot_know() {
    let house = Installation::new();
    house.import(&house.events("shop.ndjson", &shop(250))).well();
    let from = moment(1);
    let said = simulate(&house, &["--json", "--days", "60", "--from", &from]).well();
    let told = said.json();
    let euro = &told["report"]["currencies"]["EUR"];
    let weeks = euro["forecast"]["weeks"].as_array().unwrap();
    assert_eq!((weeks.len(), &weeks[8]["days"]), (9, &json!(60)));
    let open = amount(&euro["start"]["open"]);
    for week in weeks {
        let (recovered, still) = (&week["recovered"], &week["open"]);
        assert!(amount(&recovered["low"]) <= amount(&recovered["middle"]));
        let kept = amount(&recovered["high"]) + amount(&still["low"]);
        assert!(kept <= open + amount(&week["fees"]["high"]), "{week}");
    }
    assert!(amount(&weeks[8]["recovered"]["low"]) > Decimal::ZERO);
    let held = &euro["calibration"]["done"];
    assert_eq!(held["played"], false, "an import contacts nobody: {held}");
    assert!(amount(&held["weeks"][7]["actual"]) > Decimal::ZERO, "{held}");
    assert!(told["cannot_know"].as_array().unwrap().len() >= 4);

    let again = simulate(&house, &["--json", "--days", "60", "--from", &from]).well();
    assert_eq!(said.bytes, again.bytes, "the same seed, book and moment");
    let other = simulate(&house, &["--json", "--days", "60", "--from", &from, "--seed", "2"]);
    assert_ne!(euro["forecast"], other.json()["report"]["currencies"]["EUR"]["forecast"]);
    assert_eq!(house.kinds("atelier/K-1").first().map(String::as_str), Some("DebtorUpdated"));

    let page = house.path("forecast.html").display().to_string();
    let text = simulate(&house, &["--html", &page]).well().out;
    for words in [
        "Played: atelier-private version 1 for EUR (in force)",
        "Summed up from the first day on",
        "Compared with days that are over",
        "error of the curve",
        "No message of ours left on these days",
        "What this cannot know",
        "Not in it: invoices to come, payments in parts",
    ] {
        assert!(text.contains(words), "lacks {words:?}: {text}");
    }
    let page = fs::read_to_string(page).unwrap();
    for part in ["<svg", "class=\"band\"", "class=\"actual\"", "What this cannot know", "EUR"] {
        assert!(page.contains(part), "the page lacks {part:?}");
    }
    assert!(!page.contains("<script") && !page.contains("://"), "it loads nothing");
}

#[test]
fn another_policy_is_played_from_its_folder() {
    let house = Installation::new();
    house.import(&house.events("shop.ndjson", &shop(150))).well();
    let from = moment(1);
    let ask = ["--json", "--no-calibrate", "--days", "30", "--from", from.as_str()];
    let before = simulate(&house, &ask).well().json();
    let folder = house.config().join("changed");
    copy(&house.config().join("policies/atelier-private"), &folder);
    let file = folder.join("policy.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text.replacen("version: 1", "version: 2", 1).replacen("due + 4d", "due + 40d", 1);
    assert_ne!(text, changed);
    fs::write(file, changed).unwrap();
    let folder = folder.display().to_string();
    let after = simulate(&house, &[&ask[..], &["--policy", &folder]].concat()).well().json();
    assert_eq!(
        after["policies"]["EUR"],
        json!({ "policy": "atelier-private", "version": 2,
                                                  "in_force": false })
    );
    let messages = |told: &Value| {
        let euro = &told["report"]["currencies"]["EUR"];
        assert_eq!(euro["calibration"], "not_asked");
        euro["unpaid"]["messages"].as_u64().unwrap()
    };
    assert!(messages(&after) < messages(&before), "reminders come a month later");
}

#[test]
fn without_a_history_there_is_no_forecast_and_wrong_questions_are_refused() {
    let house = Installation::new();
    simulate(&house, &[]).refused(&["no data at"]);
    let open = [
        debtor("atelier/K-1", "email", "kim@example.org", "+447700900001"),
        invoice("atelier/K-1", "R-1", "90.00", &day(-3)),
    ];
    house.import(&house.events("open.ndjson", &open)).well();
    let said = simulate(&house, &[]);
    assert_eq!(said.code, 2, "{}", said.err);
    for words in ["NO FORECAST. Too little history", "If nobody paid:", "NOT COMPARED"] {
        assert!(said.out.contains(words), "lacks {words:?}: {}", said.out);
    }
    simulate(&house, &["--from", &moment(-3)]).refused(&["is over", "as it stands today"]);
    simulate(&house, &["--creditor", "nobody"]).refused(&["there is no creditor nobody"]);
    simulate(&house, &["--policy", "nowhere"]).refused(&["no policy.yaml in nowhere"]);
    let help = house.run(&["policy", "simulate", "--help"]).well().out;
    assert!(help.contains("kulanz policy simulate --days 30 --html forecast.html"), "{help}");
}

/// Imports a real history, forecasts its last days and prints that beside what happened.
fn calibrated(file: &Path, currency: &str) -> Value {
    let house = Installation::new();
    fs::remove_dir_all(house.config().join("policies")).unwrap();
    copy(&repository().join("policies"), &house.config().join("policies"));
    house.import(file).well();
    println!("{}", simulate(&house, &[]).out);
    let told = simulate(&house, &["--json"]).json();
    let held = told["report"]["currencies"][currency]["calibration"]["done"].clone();
    assert!(held.is_object(), "{told}");
    held
}

#[test]
fn the_last_days_of_real_receivables_are_forecast_to_a_tenth() {
    let Some(file) = real("ibm-receivables.ndjson.gz") else { return };
    let held = calibrated(&file, "USD");
    assert!(amount(&held["mean_error"]) < Decimal::from(10), "{held}");
    assert!(amount(&held["end_error"]).abs() < Decimal::from(10), "{held}");
}
