//! An account that makes the program panic is one account's trouble.

use std::fs;

use serde_json::Value;

use super::{
    erased_copies::two_debtors,
    events::{day, debtor, invoice, payment},
    http::{JSON, NDJSON},
    world::{Installation, eventually, lines},
};

/// The largest amount that a number can be.
pub const TOO_MUCH: &str = "79228162514264337593543950335";

/// Gives an account two claims that together are more than a number can be: no event that is taken
/// can say so.
fn spoil(house: &Installation, debtor: &str) {
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let of = "SELECT account, payload, recorded_at FROM events JOIN accounts ON account = number
              WHERE debtor = ?1 AND kind = 'InvoiceIssued'";
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, String, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    };
    let (account, payload, at) = database.query_row(of, [debtor], read).unwrap();
    for name in ["V-1", "V-2"] {
        let mut event: Value = serde_json::from_str(&payload).unwrap();
        let claim = &mut event["InvoiceIssued"]["invoice"];
        claim["invoice"] = name.into();
        let amount = &mut claim["amount"]["amount"];
        assert!(amount.is_string(), "{payload}");
        *amount = TOO_MUCH.into();
        let raise = "UPDATE accounts SET version = version + 1 WHERE number = ?1";
        database.execute(raise, [account]).unwrap();
        let put = "INSERT INTO events (account, version, kind, payload, recorded_at, cause)
                   SELECT number, version, 'InvoiceIssued', ?2, ?3, 'test' FROM accounts
                   WHERE number = ?1";
        database.execute(put, rusqlite::params![account, event.to_string(), at]).unwrap();
    }
}

/// Takes away what keeps events from being changed; what puts it back.
fn unguard(database: &rusqlite::Connection) -> Vec<String> {
    let triggers =
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'";
    let guards: Vec<(String, String)> = database
        .prepare(triggers)
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(!guards.is_empty());
    for (name, _) in &guards {
        database.execute(&format!("DROP TRIGGER {name}"), []).unwrap();
    }
    guards.into_iter().map(|(_, sql)| sql).collect()
}

/// As if payments of an account had been told with another amount: twice [`TOO_MUCH`] is more credit
/// than a number can be.
pub fn rewrite(house: &Installation, debtor: &str, payments: [(&str, &str); 2]) {
    let mut database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let database = database.transaction().unwrap();
    let guards = unguard(&database);
    for (payment, amount) in payments {
        let set = "UPDATE events
             SET payload = json_set(payload, '$.PaymentReceived.amount.amount', ?3)
             WHERE kind = 'PaymentReceived' AND payload ->> '$.PaymentReceived.payment' = ?2
             AND account = (SELECT number FROM accounts WHERE debtor = ?1)";
        assert_eq!(database.execute(set, [debtor, payment, amount]).unwrap(), 1, "{payment}");
    }
    let forget = "DELETE FROM snapshots
         WHERE account = (SELECT number FROM accounts WHERE debtor = ?1)";
    database.execute(forget, [debtor]).unwrap();
    guards.iter().for_each(|sql| database.execute_batch(sql).unwrap());
    database.commit().unwrap();
}

#[test]
fn a_placement_that_makes_the_program_panic_stays_on_its_list_and_the_others_go_out() {
    let house = Installation::new();
    let (ada, bob) = (house.token("ada", "approver", None), house.token("bob", "clerk", None));
    let rob = house.token("rob", "read", None);
    let mut events = two_debtors();
    events.push(payment("atelier/K-1", "P-2", "1.00", &day(-40), "R-1"));
    house.import(&house.events("history.ndjson", &events)).well();
    let server = house.serve();
    let waiting = eventually("both placements wait", || {
        let rows = house.json(&["handoff", "list"]);
        rows.as_array().filter(|rows| rows.len() == 2).cloned()
    });
    // Released, and neither folder can be written yet.
    let agency = house.data().join("handoff/muster-inkasso/atelier");
    let lock = agency.join(".lock");
    fs::create_dir_all(&lock).unwrap();
    for row in &waiting {
        let release = |token: &str| {
            let placement = row["placement"].as_str().unwrap();
            house.run(&["handoff", "release", placement, "--token", token])
        };
        release(&ada).well();
        assert_eq!(release(&bob).code, 1);
    }
    server.stop();
    rewrite(&house, "K-1", [("P-1", TOO_MUCH), ("P-2", TOO_MUCH)]);
    fs::remove_dir(&lock).unwrap();
    let mut server = house.serve();
    let folder = |account: &str| {
        let row = waiting.iter().find(|row| row["account"] == account).unwrap();
        agency.join(row["placement"].as_str().unwrap())
    };
    eventually("the other placement is written", || folder("atelier/K-2").is_dir().then_some(()));
    eventually("it is told", || {
        house.log().contains("a placement cannot be written").then_some(())
    });
    assert!(!folder("atelier/K-1").exists());
    let bearer = format!("Bearer {rob}");
    let metrics = server.get_with("/metrics", &[("Authorization", &bearer)]).body;
    assert!(metrics.contains("kulanz_panics_total{part=\"handoff\""), "{metrics}");
    assert!(server.runs());
    server.stop();
    // Mended, it goes out.
    rewrite(&house, "K-1", [("P-1", "20.25"), ("P-2", "1.00")]);
    let server = house.serve();
    eventually("it is written", || folder("atelier/K-1").is_dir().then_some(()));
    server.stop();
}

#[test]
fn an_account_that_makes_the_program_panic_is_put_aside_and_the_server_goes_on() {
    let house = Installation::new();
    let mut events = Vec::new();
    for number in ["1", "2"] {
        let account = format!("atelier/K-{number}");
        events.push(debtor(&account, "email", "kim@example.org", "+447700900001"));
        events.push(invoice(&account, &format!("R-{number}"), "90.00", &day(10)));
    }
    house.import(&house.events("owing.ndjson", &events)).well();
    spoil(&house, "K-1");
    let mut server = house.serve();

    // An event of it becomes a dead letter, and the others of its request are recorded.
    let told = [
        payment("atelier/K-1", "P-1", "10.00", &day(0), "R-1"),
        payment("atelier/K-2", "P-2", "10.00", &day(0), "R-2"),
    ];
    let answer = server.post("/v1/events", &[NDJSON], lines(&told).as_bytes());
    assert_eq!(answer.status, 202, "{answer:?}");
    let receipts = answer.json()["receipts"].clone();
    assert_eq!(receipts[0]["status"], "rejected", "{receipts}");
    assert_eq!(receipts[0]["problem"]["type"], "urn:kulanz:problem:fault");
    assert_eq!(receipts[1]["status"], "accepted", "{receipts}");
    let letters = house.json(&["dead-letters", "list"]);
    assert_eq!((&letters[0]["reason"], letters.as_array().unwrap().len()), (&"fault".into(), 1));

    // So are its page and what is asked of it, on a connection that goes on.
    let show = |server: &super::world::Server, number: &str| {
        server.get(&format!("/v1/accounts/atelier/K-{number}"))
    };
    let problem = show(&server, "1").problem(503);
    assert_eq!(problem["type"], "urn:kulanz:problem:fault");
    assert_eq!(show(&server, "2").status, 200);
    let link = server.post("/v1/accounts/atelier/K-1/paylinks", &[JSON], b"{}").json();
    let url = link["url"].as_str().unwrap_or_else(|| panic!("{link}"));
    let path = url.split_once("/p/").map(|(_, token)| format!("/p/{token}")).unwrap();
    let page = server.get(&path);
    assert_eq!(page.status, 503, "{page:?}");
    assert!(page.body.contains("Das liegt an uns"), "{page:?}");

    // It is counted and told by its place, its ids and its route, and not by its link.
    let metrics = server.get("/metrics").body;
    for part in ["ledger", "http", "pages"] {
        let counted = format!("kulanz_panics_total{{part=\"{part}\"");
        assert!(metrics.contains(&counted), "{counted} is not in {metrics}");
    }
    let log = house.log();
    assert!(log.contains("the program panicked") && log.contains("atelier/K-1"), "{log}");
    assert!(log.contains("/v1/accounts/{creditor}/{debtor}"), "{log}");
    assert!(!log.contains(&path[3..]), "a link is in the log");
    assert!(server.runs());
    server.stop();
}

/// As if the form of an account's events were none that this release knows.
fn garble(house: &Installation, debtor: &str) {
    let mut database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    let database = database.transaction().unwrap();
    let guards = unguard(&database);
    let set = "UPDATE events SET payload = '{}'
         WHERE account = (SELECT number FROM accounts WHERE debtor = ?1)";
    assert!(database.execute(set, [debtor]).unwrap() > 0);
    guards.iter().for_each(|sql| database.execute_batch(sql).unwrap());
    database.commit().unwrap();
}

#[test]
fn an_account_on_the_list_of_erasures_is_erased_though_it_makes_the_program_panic() {
    let house = Installation::new();
    let mut events = Vec::new();
    for number in ["1", "2", "3", "4", "5"] {
        let account = format!("atelier/K-{number}");
        events.push(debtor(&account, "email", "kim@example.org", "+447700900001"));
        events.push(invoice(&account, &format!("R-{number}"), "90.00", &day(-40)));
    }
    house.import(&house.events("owing.ndjson", &events)).well();
    let mut links = Vec::new();
    let server = house.serve();
    for number in ["1", "2", "3", "4", "5"] {
        let asked = format!("/v1/accounts/atelier/K-{number}/paylinks");
        let link = server.post(&asked, &[JSON], b"{}").json();
        let (_, token) = link["url"].as_str().unwrap().split_once("/p/").unwrap();
        links.push(format!("/p/{token}"));
    }
    server.stop();
    spoil(&house, "K-1");
    garble(&house, "K-2");
    let list = "atelier/K-1\natelier/K-2\natelier/K-3\natelier/K-9\n";
    fs::write(house.data().join("erasures.txt"), list).unwrap();

    // It starts. Of those that are listed nothing is left by which they could be shown or reached.
    let mut server = house.serve();
    for number in ["1", "2", "3"] {
        let left = format!(
            "SELECT (SELECT count(*) FROM secrets WHERE account = number)
                 + (SELECT count(*) FROM paylinks WHERE account = number)
                 + (SELECT count(*) FROM keys WHERE account = number AND destroyed = 0)
             FROM accounts WHERE debtor = 'K-{number}'"
        );
        assert_eq!(house.count(&left), 0, "K-{number}");
        let said = format!(
            "SELECT count(*) FROM events JOIN accounts ON account = number
             WHERE debtor = 'K-{number}' AND kind = 'AccountErased' AND cause = 'erasure list'"
        );
        assert_eq!(house.count(&said), 1, "K-{number}");
    }
    let listed = "SELECT count(*) FROM erasures JOIN accounts ON account = number
         WHERE debtor IN ('K-1', 'K-2', 'K-3')";
    assert_eq!(house.count(listed), 3);
    for (of, link) in links.iter().enumerate() {
        assert_eq!(server.get(link).status, if of < 3 { 404 } else { 200 }, "{of}");
    }
    let log = house.log();
    for number in ["1", "2"] {
        let told = |line: &&str| {
            line.contains("erased past its books") && line.contains(&format!("atelier/K-{number}"))
        };
        assert_eq!(log.lines().filter(told).count(), 1, "{log}");
    }
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("kulanz_panics_total{part=\"ledger\""), "{metrics}");

    // Word of them makes nobody of them again, and others are as ever.
    let told = [
        debtor("atelier/K-1", "email", "kim@example.org", "+447700900001"),
        payment("atelier/K-4", "P-4", "10.00", &day(0), "R-4"),
    ];
    let answer = server.post("/v1/events", &[NDJSON], lines(&told).as_bytes());
    assert_eq!(answer.json()["receipts"][1]["status"], "accepted", "{answer:?}");
    assert!(server.runs());
    server.stop();
    let secrets = "SELECT count(*) FROM secrets JOIN accounts ON account = number
         WHERE debtor = 'K-1'";
    assert_eq!(house.count(secrets), 0);

    // Once it is done it is done: the next start finds nothing to do.
    house.serve().stop();
    assert_eq!(house.log().matches("erased past its books").count(), 2);
}
