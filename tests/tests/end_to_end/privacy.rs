use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    events::{day, debtor, event, invoice, moment, payment},
    processes::{MailServer, SmsServer},
    world::{Installation, copy, eventually, files, lines},
};

/// Texts that lie nowhere but in personal members.
const PERSONAL: [&str; 14] = [
    "Quirina Zwiebelfisch",
    "quirina.zwiebelfisch@example.org",
    "+447700900987",
    "Xylophonweg",
    "GB33BUKB20201555555555",
    "Onkel Theodors Geschenk",
    "Theodor Zwiebelfisch",
    "zerbrochene Porzellanente",
    "1979-03-07",
    "liegt im Marienhospital",
    "Schuhgroesse",
    "Betreuerin Wachtelmann",
    "Porzellanente, handbemalt",
    "nobody.zwiebelfisch",
];

fn person(account: &str, email: &str) -> Value {
    let mut person = debtor(account, "email", email, "+447700900987");
    let data = &mut person["data"];
    data["name"] = json!("Quirina Zwiebelfisch");
    data["address"] =
        json!({ "street": "Xylophonweg 17", "postcode": "EC1A 1BB", "city": "London" });
    data["birth_date"] = json!("1979-03-07");
    data["attributes"]["Schuhgroesse"] = json!("Schuhgroesse 39");
    person
}

fn history() -> Vec<Value> {
    let account = "atelier/K-1";
    let mut claim = invoice(account, "R-1", "89.90", &day(-10));
    claim["data"]["description"] = json!("Porzellanente, handbemalt");
    claim["data"]["contract_object"] = json!("Porzellanente, handbemalt");
    let mut paid = payment(account, "P-1", "10.00", &day(-8), "R-1");
    paid["data"]["payer_name"] = json!("Theodor Zwiebelfisch");
    paid["data"]["payer_iban"] = json!("GB33BUKB20201555555555");
    paid["data"]["remittance"] = json!("Onkel Theodors Geschenk");
    let dispute = json!({ "dispute": "D-1", "invoice": "R-2", "on": day(-2),
                          "reason": "zerbrochene Porzellanente" });
    let hold = json!({ "hold": "H-1", "invoice": "R-3", "owner": "Betreuerin Wachtelmann",
                       "reason": "liegt im Marienhospital" });
    let mut broken = claim.clone();
    broken["data"]["amount"] = json!(89.9);
    broken["id"] = json!("broken");
    let mut unknown = person("neuland/K-1", "quirina.zwiebelfisch@example.org");
    unknown["id"] = json!("unknown");
    vec![
        person(account, "quirina.zwiebelfisch@example.org"),
        person("atelier/K-2", "blocked@quirina.zwiebelfisch.example"),
        person("atelier/K-3", "nobody@nobody.zwiebelfisch.example"),
        claim,
        invoice(account, "R-2", "20.00", &day(-10)),
        invoice(account, "R-3", "30.00", &day(-10)),
        invoice("atelier/K-2", "R-4", "40.00", &day(-10)),
        invoice("atelier/K-3", "R-5", "50.00", &day(-10)),
        paid,
        event("dispute.opened", "d1", account, &moment(-2), dispute),
        event("hold.placed", "h1", account, &moment(-2), hold),
        broken,
        unknown,
    ]
}

/// Fails where a personal text lies in `bytes`, in any of the usual forms.
fn free_of_personal_texts(place: &str, bytes: &[u8]) {
    let contains = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    for text in PERSONAL {
        assert!(!contains(text.as_bytes()), "{place} holds {text:?}");
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(!contains(&wide), "{place} holds {text:?} in UTF-16");
        // At each of its three places in base64; the ends depend on what is beside it.
        for before in 0..3 {
            let coded = STANDARD.encode([&b"xxx"[..before], text.as_bytes()].concat());
            let coded = coded.trim_end_matches('=');
            assert!(
                !contains(&coded.as_bytes()[4..coded.len() - 2]),
                "{place} holds {text:?} in base64"
            );
        }
    }
}

fn look_through(house: &Installation) {
    let mut looked = 0;
    for file in files(house.data()) {
        if !file.starts_with(house.data().join("handoff")) {
            free_of_personal_texts(&file.display().to_string(), &fs::read(&file).unwrap());
            looked += 1;
        }
    }
    assert!(looked >= 3, "the database, its log and the key at least");
    free_of_personal_texts("the log", house.log().as_bytes());
}

#[test]
fn personal_data_lie_sealed_and_are_gone_once_they_are_erased() {
    let (house, mail, sms) = (Installation::new(), MailServer::start(), SmsServer::start());
    house.settings(&json!({ "smtp": mail.settings(), "sms": sms.settings() }));
    let file = house.events("history.ndjson", &history());
    let mut import = house.command(&["import", &file.display().to_string()]);
    let trace = "kulanz=trace,kulanz_engine=trace,kulanz_delivery=trace,kulanz_store=trace,\
                 kulanz_wire=trace,kulanz_policies=trace,kulanz_pages=trace,kulanz_domain=trace,\
                 cqrs_es=trace,warn";
    let output = import.env("KULANZ_LOG", trace).output().unwrap();
    free_of_personal_texts("what import says", &[output.stdout, output.stderr].concat());
    look_through(&house);

    let server = house.serve_with(&[("KULANZ_LOG", trace)]);
    let address = "quirina.zwiebelfisch@example.org";
    let message = eventually("the reminder arrives", || mail.messages_to(address).pop());
    eventually("the bounced one comes as a text message", || sms.taken().pop());
    let state = |notice_of: &str| {
        let rows = house.json(&["outbox", "list"]);
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().find(|row| row["account"] == notice_of)
    };
    eventually("the blocked one is parked", || {
        state("atelier/K-2").filter(|r| r["state"] == "parked")
    });
    // The debtor looks at the page and says something there.
    let text = message["parts"][0][1].as_str().unwrap();
    let link = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let path = link.strip_prefix(&format!("http://{}", server.address)).unwrap();
    assert_eq!(server.get(path).status, 200);
    house
        .run(&[
            "account",
            "hold",
            "atelier/K-1",
            "--reason",
            "liegt im Marienhospital",
            "--as",
            "ada",
        ])
        .well();
    eventually("it is sent", || state("atelier/K-1").filter(|row| row["state"] == "sent"));
    assert!(
        house.log().contains("TRACE")
            || house.log().contains("DEBUG")
            || house.log().contains("INFO")
    );
    look_through(&house);
    server.stop();
    look_through(&house);

    // A copy, as a backup would be: with it goes the list of erasures, kept up to date beside it.
    let copied = house.path("backup");
    copy(house.data(), &copied);
    let before = house.run(&["account", "export", "atelier/K-1"]).well().out;
    for text in ["Quirina Zwiebelfisch", "GB33BUKB20201555555555", "zerbrochene Porzellanente"] {
        assert!(before.contains(text), "the person's own export has {text:?}");
    }
    assert!(before.contains("Hello Quirina"), "and the message as it was sent");
    house.run(&["account", "erase", "atelier/K-1", "--yes", "--as", "ada"]).well();
    gone(&house);
    assert_eq!(house.json(&["rebuild"])["wrong_snapshots"], json!([]));
    assert_eq!(house.json(&["account", "show", "atelier/K-1"])["books"][0]["open"], "129.90");

    let restored = Installation::with_data(&copied);
    fs::copy(house.data().join("erasures.txt"), copied.join("erasures.txt")).unwrap();
    restored.serve().stop();
    gone(&restored);

    // Whoever comes back is a new person with a new key; what was erased stays so.
    let server = house.serve();
    let answer = server.post("/v1/events", &[super::http::NDJSON], lines(&history()).as_bytes());
    assert_eq!(answer.status, 202);
    let duplicates = answer.json()["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|receipt| receipt["status"] == "duplicate")
        .count();
    assert_eq!(duplicates, 11);
    server.stop();
    gone(&house);
}

fn gone(house: &Installation) {
    let account = house.json(&["account", "show", "atelier/K-1"]);
    assert!(account["erased_at"].is_string() && account["name"].is_null(), "{account}");
    let exported = house.run(&["account", "export", "atelier/K-1"]).well().json();
    assert_eq!(exported["personal_data"], json!({}), "{exported}");
    let key = "SELECT count(*) FROM keys k JOIN accounts a ON a.number = k.account
        WHERE a.debtor = 'K-1' AND a.creditor = 'atelier'
        AND (k.destroyed = 0 OR k.wrapped <> zeroblob(length(k.wrapped)))";
    assert_eq!(house.count(key), 0);
    for letter in house.json(&["dead-letters", "list", "--all"]).as_array().unwrap() {
        if letter["account"] == "atelier/K-1" {
            let shown = house.run(&["dead-letters", "show", &letter["number"].to_string()]).well();
            assert!(shown.out.contains("cannot be read any more"), "{shown:?}");
        }
    }
}
