//! `kulanz policy check`, and that no policy which fails it takes the place of one that works.

use std::fs;

use serde_json::{Value, json};

use super::{
    events::{day, debtor, invoice, payment},
    world::Installation,
};

fn templates(house: &Installation) -> std::path::PathBuf {
    house.config().join("policies/atelier-private/templates")
}

fn findings(house: &Installation, code: i32) -> Vec<Value> {
    let said = house.run(&["policy", "check", "--json"]);
    assert_eq!(said.code, code, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_policy_that_fails_never_replaces_one_that_works() {
    let house = Installation::new();
    house.serve().stop();
    let registered = || house.count("SELECT count(*) FROM policies");
    let before = registered();
    assert!(before >= 1);
    let file = house.config().join("policies/atelier-private/policy.yaml");
    let works = fs::read_to_string(&file).unwrap();
    let newer = works.replace("version: 1", "version: 2");
    let mail = templates(&house).join("reminder.en.clear.email.hbs");
    let text = fs::read_to_string(&mail).unwrap();
    for broken in [
        newer.replace("due + 4d", "due + 4 days"),
        newer.replace("send: reminder", "send: remnder"),
        format!("{newer}\n\tx: 1"),
        String::new(),
    ] {
        assert_ne!(broken, newer);
        fs::write(&file, broken).unwrap();
        house.run(&["policy", "check"]).refused(&["error", "policy.yaml"]);
        house.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&["nothing was started"]);
        assert_eq!(registered(), before);
    }
    // A text that cannot be sent stops it too, before anything is registered.
    fs::write(&file, &newer).unwrap();
    fs::write(&mail, text.replace("{{total}}", "{{totl}}")).unwrap();
    house.run(&["policy", "check"]).refused(&["unknown variable `totl`", "hbs:"]);
    house.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&["unknown variable `totl`"]);
    assert_eq!(registered(), before);
    // Once it is in order the new version is taken; the old one stays.
    fs::write(&mail, text).unwrap();
    house.serve().stop();
    assert_eq!(registered(), before + 1);
}

#[test]
fn texts_are_measured_and_the_languages_of_the_book_counted() {
    let house = Installation::new();
    assert_eq!(house.run(&["policy", "check"]).code, 0);
    let mut events = Vec::new();
    for (at, language) in ["fr", "fr", "en-GB", "pl"].into_iter().enumerate() {
        let account = format!("atelier/K-{at}");
        let mut reader = debtor(&account, "mail", "kim@debtor.example", "+4915112345678");
        reader["data"]["language"] = json!(language);
        events.extend([reader, invoice(&account, &format!("R-{at}"), "20.00", &day(-3))]);
    }
    // Whoever owes nothing gets no message, in whichever language.
    let mut gone = debtor("atelier/K-9", "mail", "kim@debtor.example", "+4915112345678");
    gone["data"]["language"] = json!("da");
    events.extend([gone, invoice("atelier/K-9", "R-9", "20.00", &day(-3))]);
    events.push(payment("atelier/K-9", "Z-9", "20.00", &day(-2), "R-9"));
    house.import(&house.events("book.ndjson", &events)).well();
    let sms = templates(&house).join("reminder.en.clear.sms.hbs");
    let text = fs::read_to_string(&sms).unwrap();
    fs::write(&sms, text.replace("{{total}}", "{{total}} 🙂")).unwrap();
    let found = findings(&house, 0);
    let told = |words: &str| {
        found.iter().find(|one| one["message"].as_str().unwrap().contains(words)).cloned()
    };
    assert_eq!(told("2 debtors read `fr`: they will get `en`").unwrap()["severity"], "warning");
    assert!(told("1 debtor reads `pl`").is_some() && told("en-GB").is_none(), "{found:#?}");
    assert!(told("`da`").is_none(), "{found:#?}");
    let emoji = told("`🙂` is not in the alphabet of text messages").unwrap();
    assert_eq!((&emoji["severity"], &emoji["line"]), (&json!("warning"), &json!(1)));
    assert!(emoji["file"].as_str().unwrap().ends_with("reminder.en.clear.sms.hbs"));
    fs::write(&sms, "{{total}} ".repeat(60)).unwrap();
    let found = findings(&house, 1);
    let long = found.iter().find(|one| one["severity"] == "error").unwrap();
    assert!(long["message"].as_str().unwrap().contains("parts; two are sent at most"));
}
