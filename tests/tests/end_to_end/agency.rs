//! What an agency hears after the handoff, what it says of money, and whom no agency gets.

use std::fs;

use serde_json::{Value, json};

use super::{
    events::{day, debtor, event, invoice, moment, payment},
    orders::due_for_an_agency,
    world::{Installation, Server, eventually},
};

const ACCOUNT: &str = "atelier/K-1";

/// A placement of that two persons released, and its server.
fn released() -> (Installation, Server, String) {
    let house = Installation::new();
    house.import(&house.events("history.ndjson", &due_for_an_agency())).well();
    let server = house.serve();
    let waiting = eventually("the placement waits for its release", || {
        house.json(&["handoff", "list"]).get(0).cloned()
    });
    let placement = waiting["placement"].as_str().unwrap().to_owned();
    for person in ["ada", "bob"] {
        house.run(&["handoff", "release", &placement, "--as", person]).well();
    }
    (house, server, placement)
}

/// The latest of what the agency's folder says of a placement, once it is as `wanted`.
#[track_caller]
fn told(house: &Installation, placement: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let folder = house.data().join("handoff/muster-inkasso/atelier/updates");
    eventually("the agency is told", || {
        let mut numbered: Vec<(u64, Value)> = Vec::new();
        for file in fs::read_dir(&folder).ok()?.map(Result::unwrap) {
            let name = file.file_name().into_string().unwrap();
            let Some(number) = name.strip_prefix(&format!("{placement}-")) else { continue };
            let number = number.strip_suffix(".json")?.parse().unwrap();
            numbered.push((number, serde_json::from_slice(&fs::read(file.path()).unwrap()).ok()?));
        }
        let (_, last) = numbered.into_iter().max_by_key(|(number, _)| *number)?;
        wanted(&last).then_some(last)
    })
}

#[test]
fn an_agency_hears_of_credit_notes_and_of_whom_to_leave_alone() {
    let (house, server, placement) = released();
    let credit = json!({ "invoice": "R-2", "credit": "C-1", "on": day(0), "amount": "50.00",
                         "currency": "EUR", "reason": "came back" });
    server.accept(&[event("invoice.credited", "C-1", ACCOUNT, &moment(0), credit)]);
    let update = told(&house, &placement, |update| update["claims"][1]["credited"] == "50.00");
    assert_eq!(update["claims"][1]["open_principal"], "10.50");
    assert_eq!(update["claims"][0]["payments"][0]["payment"], "P-1");
    assert_eq!((&update["represented"], &update["holds"]), (&json!(false), &json!([])));

    let mut person = due_for_an_agency().remove(0);
    person["id"] = json!("a-lawyer");
    person["time"] = json!(moment(0));
    person["data"]["represented_by"] =
        json!({ "name": "Petra Vorlage", "email": "law@example.org" });
    let hold = json!({ "hold": "H-1", "reason": "in hospital", "owner": "ute", "until": day(30) });
    server.accept(&[person, event("hold.placed", "H-1", ACCOUNT, &moment(0), hold)]);
    let update = told(&house, &placement, |update| {
        update["represented"] == true && update["holds"][0]["until"] == day(30)
    });
    for secret in ["Vorlage", "hospital", "ute"] {
        assert!(!update.to_string().contains(secret), "{update}");
    }
    let shown = server.get(&format!("/v1/accounts/{ACCOUNT}/placements/{placement}")).json();
    assert_eq!((&shown["represented"], &shown["holds"][0]["hold"]), (&json!(true), &json!("H-1")));
    assert_eq!(shown["claims"][1]["open"]["principal"], "10.50");
    assert_eq!(shown["claims"][1]["released"]["principal"], "60.50");
    let listed = house.run(&["handoff", "list"]).well().out;
    assert!(listed.contains("a lawyer or guardian acts"), "{listed}");
    server.stop();
}

#[test]
fn money_of_which_an_agency_tells_before_the_bank_is_no_dead_letter() {
    let (house, server, placement) = released();
    let word = json!({ "placement": placement, "agency": "muster-inkasso", "invoice": "R-1",
                       "on": day(-1), "payment": "Z-1", "amount": "20.00", "currency": "EUR",
                       "paid_to": "creditor" });
    server.accept(&[event("placement.payment_received", "A-1", ACCOUNT, &moment(0), word)]);
    server.accept(&[payment(ACCOUNT, "Z-1", "25.00", &day(0), "R-1")]);
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    let update = told(&house, &placement, |update| {
        update["claims"][0]["payments"].as_array().is_some_and(|all| all.len() == 2)
            && update["claims"][0]["open_principal"] == "44.75"
    });
    assert_eq!(update["claims"][0]["payments"][1]["method"], "transfer");
    let listed = house.run(&["work"]).well().out;
    assert!(listed.contains("payment differs"), "{listed}");
    server.stop();
}

/// A minor's account as an earlier release recorded it: nobody looked at the day of birth in the seal.
fn sealed_and_not_seen(house: &Installation) {
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let changed = database.execute_batch(
        "DROP TRIGGER events_are_not_changed;
         UPDATE events SET payload = json_remove(payload, '$.DebtorUpdated.profile.minor_until',
             '$.DebtorUpdated.profile.birth_told') WHERE kind = 'DebtorUpdated';
         DELETE FROM snapshots; DELETE FROM work; DELETE FROM meta WHERE key = 'births_read';",
    );
    changed.unwrap();
    let known = database.query_row(
        "SELECT count(*) FROM events WHERE payload LIKE '%minor_until%'",
        [],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(known.unwrap(), 0);
}

#[test]
fn whoever_was_a_minor_before_this_release_looked_is_not_written_to_either() {
    let house = Installation::new();
    let mut person = debtor("atelier/K-2", "email", "kim@example.org", "+447700900001");
    person["data"]["birth_date"] = json!(format!("{}-06-15", &day(-13 * 366)[..4]));
    let claim = invoice("atelier/K-2", "M-1", "90.00", &day(-10));
    let adult = debtor("atelier/K-3", "email", "lou@example.org", "+447700900002");
    let other = invoice("atelier/K-3", "L-1", "90.00", &day(-10));
    house.import(&house.events("history.ndjson", &[person, claim, adult, other])).well();
    sealed_and_not_seen(&house);
    let server = house.serve();
    assert!(house.run(&["work"]).well().out.contains("made by a minor"));
    eventually("whoever is of age is reminded", || {
        house.kinds("atelier/K-3").contains(&"NoticeDecided".to_owned()).then_some(())
    });
    assert!(!house.kinds("atelier/K-2").contains(&"NoticeDecided".to_owned()));
    server.stop();
}

#[test]
fn a_claim_against_a_minor_waits_until_a_person_lets_it_in() {
    let house = Installation::new();
    let mut person = debtor("atelier/K-2", "email", "kim@example.org", "+447700900001");
    person["data"]["birth_date"] = json!(format!("{}-06-15", &day(-13 * 366)[..4]));
    let claim = invoice("atelier/K-2", "M-1", "90.00", &day(-10));
    house.import(&house.events("history.ndjson", &[person, claim])).well();
    let server = house.serve();
    eventually("the claim waits for a person", || {
        house.run(&["work"]).well().out.contains("made by a minor").then_some(())
    });
    let explained = house.run(&["policy", "explain", "atelier/K-2"]).well().out;
    assert!(explained.contains("the debtor was a minor when it was made"), "{explained}");
    for said in ["where the parents, or the debtor once of age, agree", "account release"] {
        assert!(explained.contains(said), "{explained}");
    }
    assert!(!house.kinds("atelier/K-2").contains(&"NoticeDecided".to_owned()));
    let let_in = ["account", "release", "atelier/K-2", "--claim", "M-1", "--as", "ada", "--json"];
    assert_eq!(house.run(&let_in).well().json()["events"][0], "ContractApproved");
    eventually("it is reminded of", || {
        house.kinds("atelier/K-2").contains(&"NoticeDecided".to_owned()).then_some(())
    });
    assert!(!house.run(&["work"]).well().out.contains("made by a minor"));
    server.stop();
}
