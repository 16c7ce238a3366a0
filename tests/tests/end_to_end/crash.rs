//! SIGKILL at random points. Each test prints its seed; KULANZ_SEED=… plays it again (the points
//! themselves are times, and no two runs meet them exactly).

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::Duration,
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    delivery::overdue,
    events::{event, invoice, payment},
    processes::{MailServer, SmsServer, header},
    world::{Dice, Installation, eventually},
};

/// Accounts with invoices, adjustments and payments in a random order.
pub fn history(dice: &mut Dice) -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..3_000 {
        let account = format!("atelier/K-{}", number % 700);
        let cents = |dice: &mut Dice| format!("{}.{:02}", 1 + dice.below(500), dice.below(100));
        let claim = format!("R-{number}");
        let amount = cents(dice);
        events.push(invoice(&account, &claim, &amount, "2026-03-15"));
        if dice.below(4) == 0 {
            let data = json!({ "invoice": claim, "on": "2026-03-20", "amount": cents(dice),
                               "currency": "EUR", "reason": "weighed again" });
            let id = format!("adjusted-{claim}");
            events.push(event("invoice.adjusted", &id, &account, "2026-03-20T10:00:00Z", data));
        }
        if dice.below(2) == 0 {
            events.push(payment(
                &account,
                &format!("P-{number}"),
                &cents(dice),
                "2026-04-01",
                &claim,
            ));
        }
    }
    for at in (1..events.len()).rev() {
        events.swap(at, dice.below(at as u64 + 1) as usize);
    }
    events
}

/// Principal and payments, summed up from the file alone.
pub fn sums(events: &[Value]) -> (Decimal, Decimal) {
    let amount =
        |event: &Value| -> Decimal { event["data"]["amount"].as_str().unwrap().parse().unwrap() };
    let mut principal = BTreeMap::new();
    let mut paid = Decimal::ZERO;
    for event in events {
        let invoice = event["data"]["invoice"].as_str().unwrap();
        match event["type"].as_str().unwrap() {
            "kulanz.invoice.issued.v1" => {
                principal.entry(invoice).or_insert((false, amount(event)));
            }
            "kulanz.invoice.adjusted.v1" => {
                principal.insert(invoice, (true, amount(event)));
            }
            _ => paid += amount(event),
        }
    }
    (principal.values().map(|(_, amount)| amount).sum(), paid)
}

#[test]
fn an_import_that_is_killed_again_and_again_records_every_event_once() {
    let mut dice = Dice::new("killed imports");
    let house = Installation::new();
    let events = history(&mut dice);
    let file = house.events("history.ndjson", &events);
    let mut killed = 0;
    for round in 0..60 {
        let mut command = house.command(&["import", "--json", &file.display().to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Later and later, so that some progress is made in the end.
        std::thread::sleep(Duration::from_millis(dice.below(300 + 100 * round)));
        match child.try_wait().unwrap() {
            Some(ended) => {
                assert!(ended.success(), "{ended}");
                break;
            }
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                killed += 1;
            }
        }
    }
    println!("killed {killed} times");
    let counts = house.import(&file).well().json();
    assert_eq!(counts["duplicates"], json!(events.len()), "all had been recorded: {counts}");
    let (principal, paid) = sums(&events);
    let book = house.json(&["book"]);
    assert_eq!(book["events"], json!(events.len()));
    assert_eq!(book["currencies"]["EUR"]["principal"], principal.to_string());
    assert_eq!(book["currencies"]["EUR"]["paid"], paid.to_string());
    // The log has each of them once as well, whatever the totals say.
    let causes = "SELECT count(*) FROM (SELECT cause FROM events WHERE kind IN
        ('InvoiceIssued', 'InvoiceAdjusted', 'PaymentReceived')
        GROUP BY cause, kind HAVING count(*) > 1)";
    assert_eq!(house.count(causes), 0);
    assert_eq!(house.json(&["rebuild"])["wrong_snapshots"], json!([]));
}

/// Lets a server work, kills it at a random time, and starts it again, until all is sent or stuck.
fn dunning_run(house: &Installation, dice: &mut Dice, accounts: usize) -> u32 {
    let mut kills = 0;
    let open = "SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')";
    loop {
        let server = house.serve();
        if kills == 12 {
            eventually("every account was looked at and every message came to its end", || {
                let decided = house.count("SELECT count(DISTINCT account) FROM outbox");
                (decided as usize == accounts && house.count(open) == 0).then_some(())
            });
            server.stop();
            return kills;
        }
        std::thread::sleep(Duration::from_millis(dice.below(500)));
        server.kill();
        kills += 1;
    }
}

/// Nobody was told the same twice: each claim took each step once, in one notice.
fn decided_once(house: &Installation, accounts: usize) {
    let database = house.database();
    let mut rows = database
        .prepare("SELECT account, payload FROM events WHERE kind = 'NoticeDecided'")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
    let mut taken = BTreeSet::new();
    for row in rows.unwrap() {
        let (account, payload) = row.unwrap();
        let notice: Value = serde_json::from_str(&payload).unwrap();
        let notice = &notice["NoticeDecided"];
        for claim in notice["claims"].as_array().unwrap() {
            let step = notice["step"].as_str().unwrap().to_owned();
            let claim = claim["invoice"].as_str().unwrap().to_owned();
            assert!(taken.insert((account, claim, step)), "decided twice: {payload}");
        }
    }
    assert_eq!(taken.len(), accounts);
}

#[test]
fn a_dunning_run_that_is_killed_tells_nobody_twice_by_text_message() {
    let mut dice = Dice::new("killed runs by SMS");
    let (house, sms) = (Installation::new(), SmsServer::start());
    house.settings(&json!({ "sms": sms.settings() }));
    let accounts = 300;
    let events: Vec<Value> = (0..accounts)
        .flat_map(|n| overdue(&format!("atelier/K-{n}"), "sms", "x@example.org", "+447700900001"))
        .collect();
    house.import(&house.events("due.ndjson", &events)).well();
    dunning_run(&house, &mut dice, accounts);

    decided_once(&house, accounts);
    assert_eq!(house.count("SELECT count(*) FROM outbox WHERE state = 'sent'"), accounts as i64);
    let taken = sms.taken();
    assert_eq!(taken.len(), accounts, "once by key");
    let repeated = taken.iter().filter(|row| row["requests"] != 1).count();
    println!("{repeated} messages were sent again under the same key, and taken once");
}

#[test]
fn a_dunning_run_that_is_killed_mails_nobody_twice_and_parks_what_nobody_knows() {
    let mut dice = Dice::new("killed runs by mail");
    let (house, mail) = (Installation::new(), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let accounts = 300;
    let events: Vec<Value> = (0..accounts)
        .flat_map(|n| {
            overdue(
                &format!("atelier/K-{n}"),
                "email",
                &format!("k{n}@example.org"),
                "+447700900001",
            )
        })
        .collect();
    house.import(&house.events("due.ndjson", &events)).well();
    dunning_run(&house, &mut dice, accounts);

    decided_once(&house, accounts);
    let messages = mail.messages();
    let ids: BTreeSet<String> = messages.iter().map(|m| header(m, "Message-ID")).collect();
    assert_eq!(ids.len(), messages.len(), "a message was sent twice");
    let readers: BTreeSet<&str> = messages.iter().map(|m| m["to"][0].as_str().unwrap()).collect();
    assert_eq!(readers.len(), messages.len(), "a person was written to twice");
    let sent = house.count("SELECT count(*) FROM outbox WHERE state = 'sent'") as usize;
    let unknown = house.count("SELECT count(*) FROM outbox WHERE state = 'unknown'") as usize;
    println!("{sent} sent, {unknown} of unknown outcome, {} arrived", messages.len());
    assert_eq!(sent + unknown, accounts);
    assert!(sent <= messages.len() && messages.len() <= accounts);
    assert_eq!(house.json(&["outbox", "list", "--stuck"]).as_array().unwrap().len(), unknown);
}
