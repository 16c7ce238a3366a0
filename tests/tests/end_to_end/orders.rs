use std::{collections::BTreeMap, path::Path};

use rust_decimal::Decimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    events::{day, debtor, event, invoice, moment, payment},
    world::{Installation, eventually},
};

fn owing() -> Vec<Value> {
    vec![
        debtor("atelier/K-1", "email", "kim@example.org", "+447700900001"),
        invoice("atelier/K-1", "R-1", "90.00", &day(10)),
        invoice("atelier/K-1", "R-2", "60.00", &day(10)),
    ]
}

fn outstanding(house: &Installation) -> String {
    house.json(&["account", "show", "atelier/K-1"])["books"][0]["open"].as_str().unwrap().to_owned()
}

/// All that a person can ask of an account, the same whether or not a server runs.
fn every_order(house: &Installation) {
    let order =
        |arguments: &[&str]| house.json(&[&["account"], arguments, &["--as", "ada"]].concat());
    let held = order(&["hold", "atelier/K-1", "--until", &day(30), "--reason", "in hospital"]);
    assert_eq!(held["events"], json!(["HoldPlaced"]));
    let said = held["said"][0].as_str().unwrap();
    let hold = said.rsplit(' ').next().unwrap();
    let typed = house.run(&["account", "promise", "atelier/K-1", "--until", "4.12.2026"]);
    assert!(typed.code == 2 && typed.err.contains("write the day as 2026-12-31"), "{typed:?}");
    let shown = house.run(&["account", "show", "atelier/K-1"]).well().out;
    assert!(shown.contains(&format!("hold {hold} until {}, by ", day(30))), "{shown}");
    let refused =
        house.run(&["account", "release", "atelier/K-1", "--hold", "H-no", "--as", "ada"]);
    refused.refused(&["no hold H-no on atelier/K-1", hold]);
    assert_eq!(
        order(&["release", "atelier/K-1", "--hold", hold])["events"],
        json!(["HoldReleased"])
    );

    let differently =
        |arguments: &[&str]| house.json(&[&["override"], arguments, &["--as", "ada"]].concat());
    let set = differently(&[
        "set",
        "atelier/K-1",
        "--invoice",
        "R-1",
        "--no-further-than",
        "reminder",
        "--fees",
        "none",
        "--reason",
        "lost her job",
    ]);
    assert_eq!(set["events"], json!(["OverrideSet"]));
    let listed = house.json(&["override", "list", "atelier/K-1"]);
    let terms = json!({ "fees": "none", "no_further_than": "reminder" });
    assert_eq!((&listed[0]["terms"], &listed[0]["reason"]), (&terms, &json!("lost her job")));
    let id = listed[0]["override"].as_str().unwrap();
    house
        .run(&["override", "lift", "atelier/K-1", "O-no", "--as", "ada"])
        .refused(&["no override O-no is on the account"]);
    assert_eq!(differently(&["lift", "atelier/K-1", id])["events"], json!(["OverrideLifted"]));
    assert_eq!(house.json(&["override", "list", "atelier/K-1"]), json!([]));

    let waived =
        ["waive", "atelier/K-1", "--invoice", "R-1", "--amount", "10.00", "--reason", "kind"];
    order(&waived);
    assert_eq!(outstanding(house), "140.00");
    for (wrong, told) in [
        (["--amount", "1000.00", "--reason", "kind"], "only 80.00 EUR is open of R-1"),
        (["--part", "fees", "--reason", "kind"], "nothing is open of the fees of R-1"),
        (["--amount", "1.00", "--reason", " "], "the reason is empty"),
    ] {
        let arguments = [&["account", "waive", "atelier/K-1", "--invoice", "R-1"], &wrong[..]];
        house.run(&[&arguments.concat()[..], &["--as", "ada"]].concat()).refused(&[told]);
    }
    for (wrong, told) in [
        (["--until", "2020-01-01"], "2020-01-01 has passed"),
        (["--invoice", "R-9"], "no claim R-9 on atelier/K-1"),
    ] {
        let arguments = [&["account", "hold", "atelier/K-1", "--reason", "x"], &wrong[..]];
        house.run(&[&arguments.concat()[..], &["--as", "ada"]].concat()).refused(&[told]);
    }
    order(&["write-off", "atelier/K-1", "--invoice", "R-2", "--reason", "too small"]);
    assert_eq!(outstanding(house), "80.00");
    let refused = house.run(&[
        "account",
        "waive",
        "atelier/K-1",
        "--invoice",
        "R-9",
        "--reason",
        "x",
        "--as",
        "ada",
    ]);
    refused.refused(&["no claim R-9 on atelier/K-1"]);

    order(&["promise", "atelier/K-1", "--until", &day(20)]);
    let (first, second) = (format!("{}=40.00", day(20)), format!("{}=40.00", day(50)));
    order(&["plan", "atelier/K-1", "--rate", &first, "--rate", &second]);
    let rests = &house.json(&["account", "show", "atelier/K-1"])["rests"];
    assert_eq!((&rests[0]["hold"], &rests[0]["rates"]), (&Value::Null, &json!(2)), "{rests}");
    let kinds = house.kinds("atelier/K-1");
    for kind in ["HoldPlaced", "HoldReleased", "PromiseMade", "PlanAgreed"] {
        assert!(kinds.contains(&kind.to_owned()), "{kind} is not in {kinds:?}");
    }
    let unnamed = house.run(&["account", "show", "atelier"]);
    assert!(unnamed.err.contains("`atelier` is not an account (creditor/debtor)"), "{unnamed:?}");
    let timeline = house.json(&["account", "timeline", "atelier/K-1"]);
    let by_person = timeline.as_array().unwrap().iter().filter(|row| row["cause"] == "person:ada");
    assert!(by_person.count() >= 6);
    // The reason is personal: it is in what the person may read, and in no event.
    assert!(!timeline.to_string().contains("hospital"));
    assert!(!timeline.to_string().contains("her job"));
    let exported = house.run(&["account", "export", "atelier/K-1"]).well().json();
    for reason in ["in hospital", "lost her job"] {
        assert!(exported["personal_data"].to_string().contains(reason), "{exported}");
    }
    assert_eq!(exported["personal_data"]["debtor"]["name"], "Kim K-1");

    house.run(&["account", "erase", "atelier/K-1", "--as", "ada"]).refused(&["--yes"]);
    house.run(&["account", "erase", "atelier/K-1", "--yes"]).refused(&["whose order", "--as NAME"]);
    order(&["erase", "atelier/K-1", "--yes"]);
    let account = house.json(&["account", "show", "atelier/K-1"]);
    assert!(account["erased_at"].is_string() && account["name"].is_null(), "{account}");
    assert_eq!(account["books"][0]["open"], "80.00");
    let exported = house.run(&["account", "export", "atelier/K-1"]).well().json();
    assert_eq!(exported["personal_data"], json!({}));
    assert!(
        std::fs::read_to_string(house.data().join("erasures.txt")).unwrap().contains("atelier/K-1")
    );
}

/// Who says that it is `name` puts a hold on an account; what the log says of it.
fn held_by(house: &Installation, name: &str) -> String {
    let hold = ["account", "hold", "atelier/K-1", "--reason", "ill", "--as", name, "--json"];
    house.run(&hold).well();
    let timeline = house.json(&["account", "timeline", "atelier/K-1"]);
    let rows = timeline.as_array().unwrap();
    let last = rows.iter().rfind(|row| row["event"]["HoldPlaced"].is_object()).unwrap();
    last["cause"].as_str().unwrap().to_owned()
}

#[test]
fn the_log_names_who_gave_an_order_in_any_letters_beside_a_server_too() {
    let house = Installation::new();
    house.import(&house.events("owing.ndjson", &owing())).well();
    let nobody = |house: &Installation| {
        for name in ["", " ", "two\nlines", &"x".repeat(65)] {
            let hold = ["account", "hold", "atelier/K-1", "--reason", "ill", "--as", name];
            let refused = house.run(&hold);
            let told = refused.err.contains("a person's name has 1 to 64 characters");
            assert!(refused.code == 2 && told, "{refused:?}");
        }
    };
    nobody(&house);
    assert_eq!(held_by(&house, "J\u{f6}rg M\u{fc}ller"), "person:J\u{f6}rg M\u{fc}ller");
    let server = house.serve();
    nobody(&house);
    assert_eq!(held_by(&house, " K\u{e4}the "), "person:K\u{e4}the");
    let hold = json!({ "order": "hold", "account": "atelier/K-1", "reason": "ill" });
    let headers = [("Content-Type", "application/json"), ("x-kulanz-person", "")];
    let refused = server.post("/v1/orders", &headers, hold.to_string().as_bytes()).problem(400);
    assert!(refused["detail"].as_str().unwrap().contains("x-kulanz-person"), "{refused}");
    server.stop();
}

#[test]
fn amounts_and_moments_that_are_none_are_refused_in_words() {
    let house = Installation::new();
    house.import(&house.events("owing.ndjson", &owing())).well();
    for (amount, told) in
        [("5,00", "write the amount as 1234.50"), ("-5", "-5 cannot be given up: name an amount")]
    {
        let waive = ["account", "waive", "atelier/K-1", "--invoice", "R-1", "--reason", "kind"];
        let refused = house.run(&[&waive[..], &["--amount", amount, "--as", "ada"]].concat());
        assert!(refused.code != 0 && refused.err.contains(told), "{refused:?}");
    }
    assert_eq!(outstanding(&house), "150.00");
    let simulate = house.run(&["policy", "simulate", "--from", "tomorrow"]);
    let told = simulate.err.contains("write the moment as 2026-12-31T09:00:00+01:00");
    assert!(simulate.code == 2 && told, "{simulate:?}");
    let retry = house.run(&["webhooks", "retry", "shop", "--as", "ada"]);
    retry.refused(&["no webhook `shop`: kulanz.yaml names none"]);
}

#[test]
fn persons_give_orders_while_no_server_runs() {
    let house = Installation::new();
    house.import(&house.events("owing.ndjson", &owing())).well();
    every_order(&house);
    let rebuilt = house.json(&["rebuild"]);
    assert_eq!(rebuilt, json!({ "accounts": 1, "wrong_snapshots": [] }));
}

#[test]
fn persons_give_the_same_orders_beside_a_server() {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&owing());
    every_order(&house);
    server.stop();
    assert_eq!(house.json(&["rebuild"])["wrong_snapshots"], json!([]));
}

#[test]
fn an_order_that_makes_no_sense_is_refused_with_a_reason() {
    let house = Installation::new();
    house.run(&["account", "show", "atelier/K-1"]).refused(&["no data at", "--data DIR"]);
    house.import(&house.events("owing.ndjson", &owing())).well();
    let order = |arguments: &[&str]| house.run(&[&["account"], arguments].concat());
    order(&["hold", "atelier/K-1", "--reason", "x"]).refused(&["--as NAME"]);
    order(&["hold", "atelier/K-7", "--reason", "x", "--as", "ada"])
        .refused(&["nothing is known of atelier/K-7"]);
    order(&["hold", "fremd/K-7", "--reason", "x", "--as", "ada"]).refused(&["fremd"]);
    order(&["show", "atelier/K-7"]).refused(&["atelier/K-7"]);
    order(&["timeline", "atelier/K-7"]).refused(&["atelier/K-7"]);
    order(&["export", "atelier/K-7"]).refused(&["atelier/K-7"]);
    order(&["promise", "atelier/K-1", "--until", &day(-3), "--as", "ada"]).refused(&["refused"]);
    order(&["plan", "atelier/K-1", "--rate", "2026-12-01", "--as", "ada"]).refused(&["DAY=AMOUNT"]);
    let plan = format!("{}=40.001", day(5));
    order(&["plan", "atelier/K-1", "--rate", &plan, "--as", "ada"]).refused(&[]);
    let waive = |amount: &str| {
        let amount = format!("--amount={amount}");
        order(&[
            "waive",
            "atelier/K-1",
            "--invoice",
            "R-1",
            "--reason",
            "x",
            "--as",
            "ada",
            &amount,
        ])
    };
    waive("-5.00").refused(&[]);
    waive("0.001").refused(&[]);
    assert_eq!(outstanding(&house), "150.00");
    // What clap refuses has its own exit code and shows the usage.
    for wrong in [&["show", "nonsense"][..], &["hold", "atelier/K-1", "--as", "ada"]] {
        let said = order(wrong);
        assert_eq!(said.code, 2, "{said:?}");
    }
}

#[test]
fn a_person_without_the_role_may_not_order() {
    let house = Installation::new();
    house.import(&house.events("owing.ndjson", &owing())).well();
    let clerk = house.token("ada", "clerk", None);
    let foreign = house.token("fred", "clerk", Some("kontor"));
    let hold = |token: &str| {
        house.run(&["account", "hold", "atelier/K-1", "--reason", "x", "--token", token])
    };
    house
        .run(&["account", "hold", "atelier/K-1", "--reason", "x", "--as", "ada"])
        .refused(&["--token or KULANZ_TOKEN"]);
    hold("kz_no").refused(&["this token is not known"]);
    hold(&foreign).refused(&["does not speak for this creditor"]);
    hold(&clerk).well();
    house
        .run(&["account", "erase", "atelier/K-1", "--yes", "--token", &clerk])
        .refused(&["may not do this with role `clerk`"]);
    house.run(&["dead-letters", "retry", "--token", &foreign]).refused(&["does not speak for"]);
}

/// An account that was told to pay twice and did not: due for an agency, nothing missing.
pub fn due_for_an_agency() -> Vec<Value> {
    let mut person = debtor("atelier/K-1", "email", "kim@example.org", "+447700900001");
    person["data"]["address"] =
        json!({ "street": "Teststrasse 5", "postcode": "10115", "city": "Berlin" });
    person["data"]["birth_date"] = json!("1980-05-05");
    let claim = |number: &str, amount: &str| {
        let mut claim = invoice("atelier/K-1", number, amount, &day(-50));
        claim["data"]["contract_on"] = json!(day(-70));
        claim["data"]["contract_object"] = json!("chairs");
        claim
    };
    let sent = |step: &str, days: i64| {
        let id = format!("N-{step}");
        let data = json!({ "notice": id, "channel": "email", "at": moment(days),
                           "invoices": ["R-1", "R-2"], "counts_as": step });
        event("reminder.sent", &id, "atelier/K-1", &moment(days), data)
    };
    vec![
        person,
        claim("R-1", "90.00"),
        claim("R-2", "60.50"),
        payment("atelier/K-1", "P-1", "20.25", &day(-40), "R-1"),
        sent("reminder", -40),
        sent("mahnung", -30),
    ]
}

#[test]
fn a_placement_needs_two_persons_and_its_folder_adds_up() {
    let house = Installation::new();
    let ada = house.token("ada", "clerk", None);
    let ada_again = house.token("ada", "approver", None);
    let bob = house.token("bob", "clerk", None);
    let (rob, otto) =
        (house.token("rob", "read", Some("atelier")), house.token("otto", "read", Some("kontor")));
    let shop = house.token("shop", "events", Some("atelier"));
    house.import(&house.events("history.ndjson", &due_for_an_agency())).well();
    let server = house.serve();
    let show = |server: &super::world::Server, token: &str, path: &str| {
        let bearer = format!("Bearer {token}");
        let path = format!("/v1/accounts/atelier/K-1/placements/{path}");
        let headers = [("Authorization", bearer.as_str())];
        super::http::request(&server.address, "GET", &path, &headers, b"").expect("an answer")
    };
    let waiting = eventually("the placement waits for its release", || {
        house.json(&["handoff", "list"]).get(0).cloned()
    });
    assert_eq!(waiting["state"], "release", "{waiting}");
    let placement = waiting["placement"].as_str().unwrap();
    let release =
        |token: &str| house.run(&["handoff", "release", placement, "--token", token, "--json"]);
    assert_eq!(release(&ada).well().json()["events"], json!(["PlacementApproved"]));
    let shown = show(&server, &rob, placement);
    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(!shown.body.contains("ada") && !shown.body.contains("kim"), "{}", shown.body);
    let shown = shown.json();
    assert_eq!((&shown["state"], &shown["approvals"]), (&json!("due"), &json!(1)));
    assert_eq!((&shown["account"], &shown["missing"]), (&json!("atelier/K-1"), &json!([])));
    assert_eq!((&shown["released_at"], &shown["ended"]), (&Value::Null, &Value::Null));
    let without = json!({ "invoice": "R-1", "currency": "EUR", "released": null, "open": null });
    assert_eq!(shown["claims"][0], without);
    // Another creditor's is like one that is not there; a shop's events are another matter.
    show(&server, &otto, placement).problem(404);
    show(&server, &rob, "P-none").problem(404);
    show(&server, &rob, "P%20none").problem(404);
    show(&server, &shop, placement).problem(403);
    // The same person, however many tokens, is one person.
    for token in [&ada, &ada_again] {
        let said = release(token);
        assert!(!said.out.contains("PlacementReleased"), "{said:?}");
        assert!(!house.kinds("atelier/K-1").contains(&"PlacementReleased".to_owned()));
    }
    house.run(&["handoff", "release", "P-none", "--token", &bob]).refused(&["no placement P-none"]);
    let released = release(&bob).well().json();
    assert!(released["events"].to_string().contains("PlacementReleased"), "{released}");
    let folder = house.data().join("handoff/muster-inkasso/atelier").join(placement);
    the_folder_verifies(&folder);
    assert_eq!(house.json(&["handoff", "list"])[0]["state"], "with_agency");
    let shown = show(&server, &rob, placement).json();
    assert_eq!((&shown["state"], &shown["approvals"]), (&json!("released"), &json!(2)));
    let sum = |part: &str| -> Decimal {
        let claims = shown["claims"].as_array().unwrap();
        claims
            .iter()
            .map(|c| c["released"][part].as_str().unwrap().parse::<Decimal>().unwrap())
            .sum()
    };
    assert_eq!(sum("principal"), "130.25".parse().unwrap());
    assert!(shown["released_at"].is_string(), "{shown}");
    server.stop();

    // Paid after all: the agency is told.
    let server = house.serve();
    let token = house_events_token(&house, server);
    let server = house.serve();
    let paid = [
        payment("atelier/K-1", "P-2", "69.75", &day(0), "R-1"),
        payment("atelier/K-1", "P-3", "60.50", &day(0), "R-2"),
    ];
    let bearer = format!("Bearer {token}");
    let headers = [super::http::NDJSON, ("Authorization", bearer.as_str())];
    assert_eq!(
        server.post("/v1/events", &headers, super::world::lines(&paid).as_bytes()).status,
        202
    );
    eventually("the recall is written", || {
        let agency = house.data().join("handoff/muster-inkasso");
        super::world::files(&agency).into_iter().find(|file| {
            file.to_string_lossy().contains("recall") && file.to_string_lossy().contains(placement)
        })
    });
    let word = json!({ "placement": placement, "agency": "muster-inkasso", "on": day(0),
                       "state": "promise" });
    let word = event("placement.status", "S-1", "atelier/K-1", &moment(0), word);
    let told = server.post("/v1/events", &headers, super::world::lines(&[word]).as_bytes());
    assert_eq!(told.status, 202, "{told:?}");
    let shown = show(&server, &rob, placement).json();
    assert_eq!((&shown["state"], &shown["ended"]["reason"]), (&json!("recalled"), &json!("paid")));
    assert_eq!(
        (&shown["reports"][0]["report"], &shown["reports"][0]["state"]),
        (&json!("status"), &json!("promise"))
    );
    server.stop();
}

/// Tokens are made while no server runs.
fn house_events_token(house: &Installation, server: super::world::Server) -> String {
    server.stop();
    house.token("shop", "events", None)
}

fn the_folder_verifies(folder: &Path) {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let manifest: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let bytes = read(file["name"].as_str().unwrap());
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(file["sha256"], digest);
        assert_eq!(file["bytes"], bytes.len());
    }
    let text = String::from_utf8(read("claims.csv")).unwrap();
    let mut rows = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(|line| line.split(';').map(|cell| cell.trim_matches('"')).collect::<Vec<_>>());
    let names = rows.next().unwrap();
    let rows: Vec<BTreeMap<&str, &str>> =
        rows.map(|row| names.iter().copied().zip(row).collect()).collect();
    assert_eq!(rows.len(), 2, "{text}");
    let totals = &manifest["totals"][0];
    assert_eq!((&totals["currency"], &totals["claims"]), (&json!("EUR"), &json!(2)), "{manifest}");
    // 90.00 less 20.25, and 60.50.
    let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
    let open: i64 = rows.iter().map(|row| cents(row["open_principal"])).sum();
    assert_eq!(open, 13_025, "{text}");
    assert_eq!(cents(totals["payments"].as_str().unwrap()), 2_025, "{manifest}");
    assert_eq!(totals["total"], "130.25", "{manifest}");
}

#[test]
fn doctor_says_what_is_well_and_what_is_not() {
    let house = Installation::new();
    house.import(&house.events("owing.ndjson", &owing())).well();
    let checks = house.json(&["doctor"]);
    assert!(checks.as_array().unwrap().iter().all(|check| check["well"] == true), "{checks}");
    let server = house.serve();
    let checks = house.json(&["doctor"]);
    assert!(checks.as_array().unwrap().iter().all(|check| check["well"] == true), "{checks}");
    server.stop();
    std::fs::rename(house.data().join("master.key"), house.path("taken-away")).unwrap();
    let said = house.run(&["doctor"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("master.key is missing"), "{said:?}");
    // Nobody may make a new key where data lie that only the old one opens.
    for command in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["account", "show", "atelier/K-1"],
        &["account", "hold", "atelier/K-1", "--reason", "x", "--as", "ada"],
    ] {
        house.run(command).refused(&["master.key"]);
        assert!(!house.data().join("master.key").exists(), "{command:?} made a new key");
    }
    std::fs::write(house.data().join("master.key"), "00".repeat(32)).unwrap();
    house
        .run(&["account", "show", "atelier/K-1"])
        .refused(&["cannot be opened with this master key"]);
}

#[test]
fn rebuilt_rows_are_the_same_rows() {
    let house = Installation::new();
    let mut events = due_for_an_agency();
    events.push(debtor("atelier/K-2", "email", "lu@example.org", "+447700900002"));
    events.push(invoice("atelier/K-2", "R-3", "20.00", &day(-10)));
    events.push(payment("atelier/K-3", "P-4", "20.05", &day(-10), "R-4"));
    events.push(invoice("atelier/K-3", "R-4", "20.00", &day(-5)));
    house.import(&house.events("history.ndjson", &events)).well();
    let server = house.serve();
    eventually("everything was looked at", || {
        (house.count("SELECT count(*) FROM accounts WHERE wake_at <= unixepoch() * 1000000") == 0)
            .then_some(())
    });
    server.stop();
    let tables = ["books", "claims", "notices", "work"];
    let before: Vec<Vec<String>> = tables.iter().map(|table| rows(&house, table)).collect();
    assert!(before.iter().all(|rows| !rows.is_empty()), "{before:?}");
    house.run(&["rebuild"]).well();
    let after: Vec<Vec<String>> = tables.iter().map(|table| rows(&house, table)).collect();
    assert_eq!(before, after);
}

fn rows(house: &Installation, table: &str) -> Vec<String> {
    let database = house.database();
    let mut all = database.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
    let width = all.column_count();
    let rows = all.query_map([], |row| {
        (0..width).map(|at| Ok(format!("{:?}", row.get_ref(at)?))).collect::<Result<Vec<_>, _>>()
    });
    rows.unwrap().map(|row| row.unwrap().join(" | ")).collect()
}
