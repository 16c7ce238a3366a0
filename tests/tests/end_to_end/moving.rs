//! From the data folder into a database: the same figures, nobody forgotten, nobody asked twice.

use serde_json::{Value, json};

use super::{
    events::{debtor, invoice, payment},
    faults::sql::number,
    http::NDJSON,
    postgres::{keep_in, server},
    world::{Installation, lines},
};

fn history() -> Vec<Value> {
    let mut events = vec![debtor("atelier/K-1", "consumer", "ida@example.org", "+491701234567")];
    for number in 0..200 {
        let account = format!("atelier/K-{}", number % 40);
        let claim = format!("R-{number}");
        events.push(invoice(&account, &claim, "89.90", "2026-03-15"));
        if number % 3 == 0 {
            events.push(payment(&account, &format!("P-{number}"), "19.99", "2026-04-01", &claim));
        }
    }
    events
}

/// All that is told of some accounts and of the whole.
fn told(house: &Installation) -> Vec<Value> {
    let accounts = ["atelier/K-1", "atelier/K-2", "atelier/K-39"];
    let mut told: Vec<Value> =
        ["book", "work"].iter().map(|command| house.json(&[command])).collect();
    told.push(house.json(&["dead-letters", "list"]));
    told.push(house.json(&["outbox", "list"]));
    for account in accounts {
        told.push(house.json(&["account", "show", account]));
        told.push(house.json(&["account", "timeline", account]));
    }
    told.push(house.run(&["account", "export", "atelier/K-1"]).well().json());
    told
}

#[test]
fn a_folder_moves_into_a_database_and_goes_on_there() {
    let house = Installation::new();
    house.run(&["move"]).refused(&["kulanz.yaml names no database to move to"]);
    let file = house.events("history.ndjson", &history());
    house.import(&file).well();
    house.run(&["account", "erase", "atelier/K-2", "--yes", "--as", "ada"]).well();
    let bearer = format!("Bearer {}", house.token("shop", "events", None));
    let shop = [NDJSON, ("authorization", bearer.as_str())];
    let served = house.serve();
    let answer = served.post("/v1/events", &shop, b"{\"odd\": true}\n");
    assert_eq!(answer.json()["receipts"][0]["status"], "rejected", "{answer:?}");

    keep_in(&house, &server::database());
    house.run(&["move"]).refused(&["another `kulanz` works on the folder", "stop it first"]);
    served.stop();
    let embedded = std::fs::read(house.config().join("kulanz.yaml")).unwrap();
    house.settings(&json!({}));
    let before = told(&house);
    std::fs::write(house.config().join("kulanz.yaml"), embedded).unwrap();

    let moved = house.json(&["move"]);
    assert_eq!(moved["accounts"], 40, "{moved}");
    assert!(!house.data().join("kulanz.db").exists());
    assert!(house.data().join("kulanz.db.moved").is_file());
    house.run(&["move"]).refused(&["kulanz.db was moved already", "kulanz.db.moved"]);
    assert_eq!(told(&house), before);
    house.run(&["doctor"]).well();

    let served = house.serve();
    let again = served.post("/v1/events", &shop, lines(&history()).as_bytes());
    for receipt in again.json()["receipts"].as_array().unwrap() {
        assert_eq!(receipt["status"], "duplicate", "{receipt}");
    }
    let new = payment("atelier/K-1", "P-new", "1.00", "2026-04-02", "R-1");
    let new = served.post("/v1/events", &shop, lines(&[new]).as_bytes());
    assert_eq!(new.json()["receipts"][0]["status"], "accepted", "{new:?}");
    served.stop();
    house.run(&["rebuild"]).well();
    house.run(&["doctor"]).well();
}

#[test]
fn a_database_moves_back_into_a_folder_and_is_served_no_more() {
    let house = Installation::new();
    house.run(&["move", "--back"]).refused(&["kulanz.yaml names no database to move from"]);
    let other = Installation::new();
    let url = server::database();
    keep_in(&house, &url);
    house.run(&["move", "--back"]).refused(&["nothing was moved", "there are no data in it"]);
    assert!(!house.data().join("kulanz.db.moving").exists());
    house.import(&house.events("history.ndjson", &history())).well();
    house.run(&["account", "erase", "atelier/K-2", "--yes", "--as", "ada"]).well();
    let bearer = format!("Bearer {}", house.token("shop", "events", None));
    let shop = [NDJSON, ("authorization", bearer.as_str())];
    let served = house.serve();
    let answer = served.post("/v1/events", &shop, b"{\"odd\": true}\n");
    assert_eq!(answer.json()["receipts"][0]["status"], "rejected", "{answer:?}");
    house.run(&["move", "--back"]).refused(&["another `kulanz` works on", "stop all instances"]);
    served.stop();
    let before = told(&house);
    std::fs::write(house.data().join("kulanz.db"), "").unwrap();
    house.run(&["move", "--back"]).refused(&["there are data at", "names another folder"]);
    std::fs::remove_file(house.data().join("kulanz.db")).unwrap();

    let moved = house.json(&["move", "--back"]);
    assert_eq!(moved["accounts"], 40, "{moved}");
    assert!(house.data().join("kulanz.db").is_file());
    assert!(!house.data().join("kulanz.db.moving").exists());
    // Neither this one nor another one goes on with the database, which has all of it still.
    let gone = ["its data were moved to", "kulanz.db", "take `database` out of kulanz.yaml"];
    keep_in(&other, &url);
    for house in [&house, &other] {
        house.run(&["serve", "--listen", "127.0.0.1:0"]).refused(&gone);
        house.run(&["book"]).refused(&gone);
    }
    assert!(number(&url, "SELECT count(*) FROM kulanz.events") > 200);

    house.settings(&json!({}));
    assert_eq!(told(&house), before);
    house.run(&["doctor"]).well();
    let served = house.serve();
    let again = served.post("/v1/events", &shop, lines(&history()).as_bytes());
    for receipt in again.json()["receipts"].as_array().unwrap() {
        assert_eq!(receipt["status"], "duplicate", "{receipt}");
    }
    let new = payment("atelier/K-1", "P-new", "1.00", "2026-04-02", "R-1");
    let new = served.post("/v1/events", &shop, lines(&[new]).as_bytes());
    assert_eq!(new.json()["receipts"][0]["status"], "accepted", "{new:?}");
    served.stop();
    house.run(&["rebuild"]).well();
    house.run(&["doctor"]).well();
}

#[test]
fn nothing_moves_to_where_others_are() {
    let house = Installation::new();
    house.import(&house.events("history.ndjson", &history())).well();
    let taken = Installation::new();
    let url = server::database();
    keep_in(&taken, &url);
    taken.import(&taken.events("other.ndjson", &history()[..9])).well();
    keep_in(&house, &url);
    house.run(&["move"]).refused(&["nothing was moved", "there are data in", "name an empty one"]);
    assert!(house.data().join("kulanz.db").is_file());
    std::fs::write(house.data().join("kulanz.db.moved"), "").unwrap();
    house.run(&["move"]).refused(&["is there already, of an earlier move"]);
}
