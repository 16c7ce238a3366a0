//! Decisions explained afterwards, from the log alone, and two policies side by side.

use std::fs;

use serde_json::{Value, json};

use super::{
    delivery::overdue,
    events::{day, invoice, moment, payment},
    histories::fines,
    world::{Installation, copy, eventually, repository},
};

/// An installation with the shipped policies and the data of a demo of two months.
fn demo() -> (Installation, Installation) {
    let shop = Installation::new();
    fs::remove_dir_all(shop.config().join("policies")).unwrap();
    copy(&repository().join("policies"), &shop.config().join("policies"));
    shop.run(&["demo", "--exit", "--json", "--months", "2", "--port", "0"]).well();
    let looked = Installation::with_data(&shop.data().join("demo"));
    fs::remove_dir_all(looked.config().join("policies")).unwrap();
    // The creditors alone: no file of a policy may be needed.
    let creditors = looked.config().join("policies/creditors");
    copy(&repository().join("policies/creditors"), &creditors);
    (shop, looked)
}

/// Account and content of everything that was decided, `kind` being `NoticeDecided` or so.
fn decided(house: &Installation, kind: &str) -> Vec<(String, Value)> {
    let database = house.database();
    let sql = "SELECT creditor || '/' || debtor, payload FROM events \
               JOIN accounts ON number = account WHERE kind = ?1 ORDER BY position";
    let mut rows = database.prepare(sql).unwrap();
    let rows =
        rows.query_map([kind], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let parsed = rows.unwrap().map(|row| {
        let (account, payload) = row.unwrap();
        let event: Value = serde_json::from_str(&payload).unwrap();
        (account, event[kind].clone())
    });
    parsed.collect()
}

fn at(house: &Installation, account: &str, at: &str) -> Value {
    house.json(&["policy", "explain", account, "--at", at])
}

#[test]
fn every_message_of_a_played_book_is_explained_just_before_it_as_it_was_decided() {
    let (_shop, house) = demo();
    let notices = decided(&house, "NoticeDecided");
    assert!(notices.len() > 30, "{} are too few to tell", notices.len());
    for (account, notice) in &notices {
        // By its moment, unless something else was decided in it before; by its id always.
        let same_moment =
            |other: &&(String, Value)| other.0 == *account && other.1["at"] == notice["at"];
        let first = notices.iter().find(same_moment).unwrap();
        let mut moments = vec![notice["notice"].as_str().unwrap()];
        if first.1["notice"] == notice["notice"] {
            moments.push(notice["at"].as_str().unwrap());
        }
        for moment in moments {
            let told = at(&house, account, moment);
            let due = &told["due"]["notice"];
            for member in notice.as_object().unwrap().keys().filter(|key| *key != "notice") {
                assert_eq!(due[member], notice[member], "{account} {moment} {member}: {told}");
            }
            assert_eq!(told["currencies"][0]["policy"], notice["policy"]);
            assert!(told["sentence"].as_str().unwrap().contains(" is due now"), "{told}");
        }
    }
    for (account, handoff) in decided(&house, "HandoffDue") {
        let told = at(&house, &account, handoff["placement"].as_str().unwrap());
        for member in ["agency", "claims", "step", "policy", "missing", "release"] {
            assert_eq!(told["due"]["handoff"][member], handoff[member], "{account}: {told}");
        }
    }
}

#[test]
fn a_second_before_its_day_a_message_is_what_comes_next() {
    let (_shop, house) = demo();
    let mut checked = 0;
    for (account, notice) in decided(&house, "NoticeDecided") {
        let decided: jiff::Timestamp = notice["at"].as_str().unwrap().parse().unwrap();
        let before = decided.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap();
        let said =
            house.run(&["policy", "explain", &account, "--json", "--at", &before.to_string()]);
        let told = said.well().json();
        // What a fact of that second brought about could not be foreseen.
        let woken = told["next_look"].as_str().is_some_and(|at| at == notice["at"]);
        if woken && told["next"]["at"] == notice["at"] {
            for member in ["step", "channel", "persona", "policy"] {
                assert_eq!(told["next"][member], notice[member], "{account}: {told}");
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} came by the passing of time");
}

#[test]
fn a_decision_of_an_earlier_version_is_told_by_that_version() {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&overdue("atelier/K-1", "email", "kim@example.org", "+447700900001"));
    eventually("the reminder was sent", || {
        house.kinds("atelier/K-1").contains(&"NoticeSent".to_owned()).then_some(())
    });
    server.stop();
    let file = house.config().join("policies/atelier-private/policy.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let changed =
        text.replace("version: 1", "version: 2").replace("reminder + 10d", "reminder + 20d");
    fs::write(&file, changed).unwrap();
    let server = house.serve();
    server.accept(&[payment("atelier/K-1", "P-1", "9.90", &day(0), "R-K-1")]);
    server.stop();

    let told = house.json(&["policy", "explain", "atelier/K-1"]);
    assert_eq!(told["currencies"][0]["policy"]["version"], 2);
    let steps = &told["currencies"][0]["claims"][0]["steps"];
    assert_eq!(
        (&steps[0]["state"]["state"], &steps[0]["state"]["other_policy"]),
        (&json!("happened"), &json!(true))
    );
    assert_eq!(steps[1]["when_due"], "reminder + 20d");
    let text = house.run(&["policy", "explain", "atelier/K-1"]).well().out;
    assert!(text.contains("R-K-1 of 80.00 EUR is late since"), "{text}");
    assert!(text.contains("by atelier-private version 1 ("), "{text}");
    assert!(text.contains("the next message is the Mahnung by e-mail on"), "{text}");

    let notice = decided(&house, "NoticeDecided").remove(0).1;
    let then = at(&house, "atelier/K-1", notice["notice"].as_str().unwrap());
    assert_eq!(then["told_from"]["known"], "then");
    assert_eq!(then["due"]["notice"]["policy"]["version"], 1);
    assert_eq!(then["currencies"][0]["claims"][0]["steps"][1]["when_due"], "reminder + 10d");
    assert_eq!(then["currencies"][0]["open"], "89.90", "the payment came later");

    // A moment to come: the ladder is climbed as if nobody said anything.
    let coming = at(&house, "atelier/K-1", &moment(60));
    assert_eq!(coming["told_from"]["known"], "supposed");
    assert_eq!(coming["on_the_way"][0]["step"], "mahnung");
    assert!(coming["notes"][0].as_str().unwrap().contains("as if nobody said or paid anything"));

    // Without the sources of version 1, nothing is made up.
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    database.execute("DELETE FROM policies WHERE version = 1", []).unwrap();
    let asked = ["policy", "explain", "atelier/K-1", "--at", notice["notice"].as_str().unwrap()];
    house.run(&asked).refused(&["policy atelier-private version 1 (", "are not registered"]);
    house.run(&["policy", "explain", "atelier/K-1"]).well();
}

#[test]
fn what_cannot_be_explained_says_why() {
    let house = Installation::new();
    let explain = |account: &str, at: &str| house.run(&["policy", "explain", account, "--at", at]);
    explain("atelier/K-1", "2026-03-30").refused(&["no data at"]);
    let events = [invoice("atelier/K-1", "R-1", "89.90", &day(-10))];
    house.import(&house.events("history.ndjson", &events)).well();
    house.run(&["policy", "explain", "atelier/K-2"]).refused(&["nothing is known of atelier/K-2"]);
    house.run(&["policy", "explain", "nobody/K-1"]).refused(&["nothing is known of nobody/K-1"]);
    for wrong in ["yesterday", "30.3.2026", "2026-02-30", "9:00", ""] {
        let words = ["RFC 3339", "2026-03-30 09:00", "a day (2026-03-30)", "Europe/Berlin"];
        explain("atelier/K-1", wrong).refused(&words);
    }
    explain("atelier/K-1", "2020-01-01")
        .refused(&["nothing was known of atelier/K-1 then", "came on"]);
    explain("atelier/K-1", "N-0000000000000000-1-0").refused(&["was never decided on atelier/K-1"]);
    // Imported, and no policy has looked at it yet.
    let told = house.json(&["policy", "explain", "atelier/K-1"]);
    assert_eq!(told["findings"][0]["waits"], "debtor_unknown", "{told}");
    let recorded = house.json(&["account", "timeline", "atelier/K-1"])[0]["at"].clone();
    let then = at(&house, "atelier/K-1", recorded.as_str().unwrap());
    assert!(then["notes"][1].as_str().unwrap().contains("No policy had looked"), "{then}");
}

/// The fines' policy with changes, in a folder of its own beside the creditors.
fn draft(house: &Installation, name: &str, changes: &[(&str, &str)]) -> String {
    let folder = house.path("drafts").join(name);
    copy(&repository().join("policies/road-fines"), &folder);
    copy(&repository().join("policies/creditors"), &house.path("drafts/creditors"));
    let mut text = fs::read_to_string(folder.join("policy.yaml")).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "there is no {from:?} in the policy");
        text = text.replacen(from, to, 1);
    }
    fs::write(folder.join("policy.yaml"), text).unwrap();
    folder.display().to_string()
}

#[test]
fn two_policies_are_compared_over_the_same_history() {
    let house = Installation::new();
    let events = house.events("fines.ndjson", &fines()).display().to_string();
    let a = repository().join("policies/road-fines").display().to_string();
    // The amount below which nobody is reminded goes up: fewer hear anything.
    let text = fs::read_to_string(repository().join("policies/road-fines/policy.yaml")).unwrap();
    let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    let (minimum, version) = (line("minimum:"), line("version:"));
    let changes = [(minimum.as_str(), "minimum: 60.00"), (version.as_str(), "version: 900")];
    let b = draft(&house, "road-fines", &changes);
    let out = house.path("out").display().to_string();
    let both = ["backtest", "--events", &events, "--policy", &a, "--against", &b];
    let told = house.run(&[&both[..], &["--out", &out, "--json"]].concat()).well().json();

    for (side, policy) in [("a", &a), ("b", &b)] {
        let alone = house.path(side).display().to_string();
        let one = ["backtest", "--json", "--events", &events, "--policy", policy, "--out", &alone];
        let summary = house.run(&one).well().json();
        assert_eq!(told[side]["summary"], summary, "{side} is what it would be alone");
        let read = |file: String| fs::read(file).unwrap();
        let same =
            read(format!("{alone}/timeline.csv")) == read(format!("{out}/timeline-{side}.csv"));
        assert!(same, "the timeline of {side}");
        let messages = told[side]["messages_in_all"].as_u64().unwrap();
        let notices: u64 = summary["notices"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|channels| channels.as_object().unwrap().values())
            .map(|count| count.as_u64().unwrap())
            .sum();
        assert_eq!(messages, notices);
    }
    let (in_a, in_b) = (&told["a"], &told["b"]);
    let people = |side: &Value| side["people_contacted"].as_u64().unwrap();
    assert!(people(in_b) > 0 && people(in_b) < people(in_a), "{told}");
    let rows = told["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["what"] == "people contacted").unwrap();
    let difference: i64 = row["difference"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        difference,
        i64::try_from(people(in_b)).unwrap() - i64::try_from(people(in_a)).unwrap()
    );
    assert!(told["cannot_know"].as_str().unwrap().contains("not who would have paid"));

    let difference = fs::read_to_string(format!("{out}/difference.csv")).unwrap();
    let mut lines = difference.lines();
    assert_eq!(lines.next(), Some("account,claim,course_a,course_b"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len() as u64, told["claims_whose_course_differs"].as_u64().unwrap());
    for line in &lines {
        let [_, _, a, b] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_ne!(a, b);
    }
    let text = house.run(&both).well().out;
    for words in ["B less A", "people contacted", "What this cannot know", "take another course"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn policies_for_other_claims_are_not_compared() {
    let house = Installation::new();
    let events = house.events("fines.ndjson", &fines()).display().to_string();
    let folder = |name: &str| repository().join("policies").join(name).display().to_string();
    let fines = folder("road-fines");
    let against = |other: &str| {
        house.run(&["backtest", "--events", &events, "--policy", &fines, "--against", other])
    };
    against(&folder("shop-b2c")).refused(&[
        "for comune in EUR",
        "for lindenmoor in EUR",
        "same claims",
    ]);
    against(&folder("wholesale")).refused(&["in USD", "same claims"]);
    against(&fines).refused(&["are the same policy"]);
    against(&folder("nowhere")).refused(&["no policy.yaml"]);
    let alone = house.run(&["backtest", "--events", &events, "--policy", &fines]);
    assert!(alone.code == 2 && alone.err.contains("--out"), "{alone:?}");
}
