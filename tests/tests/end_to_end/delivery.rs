use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::{
    events::{day, debtor, event, invoice, moment, payment},
    processes::{MailServer, SmsServer, header},
    world::{Installation, Server, eventually},
};

/// A debtor with one invoice, due ten days ago.
pub fn overdue(account: &str, group: &str, email: &str, mobile: &str) -> Vec<Value> {
    let (_, number) = account.split_once('/').unwrap();
    let due = day(-10);
    vec![
        debtor(account, group, email, mobile),
        invoice(account, &format!("R-{number}"), "89.90", &due),
    ]
}

fn by_mail(account: &str, email: &str) -> Vec<Value> {
    overdue(account, "email", email, "+447700900001")
}

fn by_text_message(account: &str) -> Vec<Value> {
    overdue(account, "sms", "nobody-writes-here@example.org", "+447700900002")
}

/// The states of an account's messages, oldest first.
pub fn states(house: &Installation, account: &str) -> Vec<String> {
    let rows = house.json(&["outbox", "list"]);
    let rows = rows.as_array().unwrap().iter().rev();
    rows.filter(|row| row["account"] == account)
        .map(|row| row["state"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn comes_to(house: &Installation, account: &str, expected: &[&str]) {
    let what = format!("the messages of {account} are {expected:?}; log:\n{}", house.log());
    eventually(&what, || (states(house, account) == expected).then_some(()));
}

/// Everything that was decided before has been dealt with: a message decided now has arrived.
fn barrier(server: &Server, mail: &MailServer, number: u32) {
    let address = format!("barrier-{number}@example.org");
    server.accept(&by_mail(&format!("atelier/B-{number}"), &address));
    eventually("a later message arrives", || mail.messages_to(&address).pop());
}

/// As if the time of every waiting message had come. No server may run.
fn hurry(house: &Installation) {
    let database = rusqlite::Connection::open(house.data().join("kulanz.db")).unwrap();
    database.execute("UPDATE outbox SET next_at = 0 WHERE state = 'queued'", []).unwrap();
}

#[test]
fn an_overdue_invoice_becomes_a_paid_one_and_nothing_more_is_sent() {
    let (house, mail) = (Installation::new(), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let server = house.serve();
    server.accept(&by_mail("atelier/K-1", "kim@example.org"));
    let message = eventually("the reminder arrives", || mail.messages_to("kim@example.org").pop());

    assert_eq!(header(&message, "Subject"), "Atelier: reminder");
    assert!(header(&message, "From").contains("rechnung@atelier.example"), "{message}");
    assert_eq!(message["type"], "multipart/alternative");
    let text = message["parts"][0][1].as_str().unwrap();
    assert!(
        text.contains("Hello Kim K-1") && text.contains("89.90") && text.contains("R-K-1"),
        "{text}"
    );
    let link = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    assert!(message["parts"][1][1].as_str().unwrap().contains(link), "the same link in both");
    let path = link.strip_prefix(&format!("http://{}", server.address)).expect("our own address");
    let page = server.get(path);
    assert_eq!(page.status, 200);
    assert!(page.body.contains("89.90") && page.body.contains("R-K-1"), "{}", page.body);
    assert_eq!(server.get("/p/AAAAAAAAAAAAAAAAAAAAAA").status, 404);
    comes_to(&house, "atelier/K-1", &["sent"]);
    let account = house.json(&["account", "show", "atelier/K-1"]);
    assert!(account["next_look"].is_string(), "the next step waits: {account}");

    server.accept(&[payment("atelier/K-1", "P-1", "89.90", &day(0), "R-K-1")]);
    let account = house.json(&["account", "show", "atelier/K-1"]);
    assert_eq!(account["books"][0]["claims"][0]["state"], "settled");
    assert_eq!(account["next_look"], Value::Null);
    let explained = house.json(&["policy", "explain", "atelier/K-1"]);
    assert!(explained.is_object(), "{explained}");
    barrier(&server, &mail, 1);
    assert_eq!(mail.messages_to("kim@example.org").len(), 1);
    server.stop();
}

#[test]
fn who_paid_in_time_hears_nothing_and_who_was_reminded_elsewhere_gets_the_next_step() {
    let (house, mail) = (Installation::new(), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let mut events = by_mail("atelier/PAID", "paid@example.org");
    events.push(payment("atelier/PAID", "P-1", "89.90", &day(-1), "R-PAID"));
    events.extend(by_mail("atelier/SMALL", "small@example.org"));
    events.push(payment("atelier/SMALL", "P-2", "86.00", &day(-1), "R-SMALL"));
    let disputed =
        json!({ "dispute": "D-1", "invoice": "R-DISPUTED", "on": day(-1), "reason": "no" });
    events.extend(by_mail("atelier/DISPUTED", "disputed@example.org"));
    events.push(event("dispute.opened", "d1", "atelier/DISPUTED", &moment(-1), disputed));
    // Reminded by the shop twenty days ago.
    events.push(debtor("atelier/LATE", "email", "late@example.org", "+447700900001"));
    events.push(invoice("atelier/LATE", "R-LATE", "50.00", &day(-30)));
    let sent = json!({ "notice": "N-1", "channel": "email", "at": moment(-20),
                       "invoices": ["R-LATE"], "counts_as": "reminder" });
    events.push(event("reminder.sent", "n1", "atelier/LATE", &moment(-20), sent));
    house.import(&house.events("history.ndjson", &events)).well();

    let server = house.serve();
    let mahnung =
        eventually("the next step arrives", || mail.messages_to("late@example.org").pop());
    assert_eq!(header(&mahnung, "Subject"), "Atelier: mahnung");
    barrier(&server, &mail, 1);
    for address in ["paid@example.org", "small@example.org", "disputed@example.org"] {
        assert_eq!(mail.messages_to(address).len(), 0, "{address}");
    }
    assert_eq!(mail.messages_to("late@example.org").len(), 1);
}

#[test]
fn a_gateway_that_fails_hangs_or_loses_its_answer_takes_a_message_exactly_once() {
    for word in ["[500]", "[hang]", "[take-and-500]", "[take-and-hang]", "[take-and-close]"] {
        let (house, sms) = (Installation::new(), SmsServer::start());
        let with_word = |word: &str| {
            let mut settings = sms.settings();
            settings["body"] = json!({ "to": "{to}", "text": format!("{{text}} {word}") });
            house.settings(&json!({ "sms": settings }));
        };
        with_word(word);
        let server = house.serve();
        server.accept(&by_text_message("atelier/K-1"));
        eventually("the first attempt failed", || {
            house.log().contains("tried again later").then_some(())
        });
        // It says so before that is written.
        comes_to(&house, "atelier/K-1", &["queued"]);
        server.stop();
        // A gateway that took it works as before; one that failed is in order again.
        with_word(if word.starts_with("[take") { word } else { "" });
        hurry(&house);
        let server = house.serve();
        comes_to(&house, "atelier/K-1", &["sent"]);
        server.stop();
        let taken = sms.taken();
        assert_eq!(taken.len(), 1, "{word}: {taken:?}");
        assert_eq!(taken[0]["requests"], 2, "{word}");
        let kinds = house.kinds("atelier/K-1");
        let sent = kinds.iter().filter(|kind| *kind == "NoticeSent").count();
        assert_eq!(sent, 1, "{word}: {kinds:?}");
    }
}

#[test]
fn money_that_comes_while_a_message_waits_stops_it() {
    let (house, mail) = (Installation::new(), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let server = house.serve();
    server.accept(&by_mail("atelier/K-1", "later@example.org"));
    eventually("the first attempt failed", || {
        house.log().contains("tried again later").then_some(())
    });
    server.accept(&[payment("atelier/K-1", "P-1", "89.90", &day(0), "R-K-1")]);
    server.stop();
    hurry(&house);
    let server = house.serve();
    comes_to(&house, "atelier/K-1", &["suppressed"]);
    server.stop();
    assert!(!house.kinds("atelier/K-1").contains(&"NoticeSent".to_owned()));
}

#[test]
fn an_attempt_of_unknown_outcome_waits_for_a_person_and_is_never_sent_again_by_itself() {
    let (house, mail) = (Installation::new(), MailServer::start());
    house.settings(&json!({ "smtp": mail.settings() }));
    let server = house.serve();
    server.accept(&by_mail("atelier/VANISH", "vanish@example.org"));
    server.accept(&by_mail("atelier/SILENT", "silent@example.org"));
    server.accept(&by_mail("atelier/BLOCKED", "blocked@example.org"));
    comes_to(&house, "atelier/VANISH", &["unknown"]);
    comes_to(&house, "atelier/SILENT", &["unknown"]);
    comes_to(&house, "atelier/BLOCKED", &["parked"]);
    server.kill();

    let server = house.serve();
    barrier(&server, &mail, 1);
    for (account, address) in
        [("atelier/VANISH", "vanish@example.org"), ("atelier/SILENT", "silent@example.org")]
    {
        assert_eq!(mail.messages_to(address).len(), 1);
        assert_eq!(states(&house, account), ["unknown"]);
    }
    let stuck = house.json(&["outbox", "list", "--stuck"]);
    let stuck = stuck.as_array().unwrap();
    assert_eq!(stuck.len(), 3);
    // A person knows more.
    let notices: BTreeMap<&str, &str> = stuck
        .iter()
        .map(|row| (row["account"].as_str().unwrap(), row["notice"].as_str().unwrap()))
        .collect();
    let told = house.run(&["outbox", "sent", notices["atelier/SILENT"], "--as", "ada"]).well();
    assert!(told.out.contains("counts as sent"), "{told:?}");
    comes_to(&house, "atelier/SILENT", &["sent"]);
    house.run(&["outbox", "not-sent", notices["atelier/VANISH"], "--as", "ada"]).well();
    // Decided again, this time as a message of its own; this server vanishes once more.
    comes_to(&house, "atelier/VANISH", &["suppressed", "unknown"]);
    let sent = mail.messages_to("vanish@example.org");
    assert_eq!(sent.len(), 2);
    assert_ne!(header(&sent[0], "Message-ID"), header(&sent[1], "Message-ID"));
    assert_eq!(mail.messages_to("silent@example.org").len(), 1);
    house.run(&["outbox", "sent", "N-nothing", "--as", "ada"]).refused(&["no message N-nothing"]);
}

#[test]
fn where_mail_bounces_the_next_channel_is_used() {
    let (house, mail, sms) = (Installation::new(), MailServer::start(), SmsServer::start());
    house.settings(&json!({ "smtp": mail.settings(), "sms": sms.settings() }));
    let server = house.serve();
    server.accept(&by_mail("atelier/K-1", "nobody@example.org"));
    eventually("the text message arrives", || sms.taken().pop());
    comes_to(&house, "atelier/K-1", &["suppressed", "sent"]);
    assert_eq!(sms.taken()[0]["body"]["to"], "+447700900001");
    assert_eq!(mail.messages().len(), 0);
    server.stop();
}

#[test]
fn a_server_that_is_told_to_stop_brings_messages_under_way_to_their_end() {
    let (house, sms) = (Installation::new(), SmsServer::start());
    let mut settings = sms.settings();
    settings["body"] = json!({ "to": "{to}", "text": "{text} [hang]" });
    settings["honours_idempotency"] = json!(false);
    house.settings(&json!({ "sms": settings }));
    let server = house.serve();
    server.accept(&by_text_message("atelier/K-1"));
    eventually("it is on its way", || (states(&house, "atelier/K-1") == ["sending"]).then_some(()));
    server.stop();
    // The gateway's timeout was waited for; nothing is left for the next start to guess.
    assert_eq!(states(&house, "atelier/K-1"), ["unknown"]);
}

#[test]
fn without_gateways_messages_are_on_the_outbox_page() {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&by_mail("atelier/K-1", "kim@example.org"));
    comes_to(&house, "atelier/K-1", &["sent"]);
    let list = house.json(&["outbox", "list"]);
    let notice = list[0]["notice"].as_str().unwrap();
    assert!(server.get("/outbox").body.contains(notice));
    let page = server.get(&format!("/outbox/{notice}"));
    assert!(page.status == 200 && page.body.contains("kim@example.org"), "{page:?}");
}

#[test]
fn a_message_says_why_a_claim_is_open_again_and_nothing_of_a_payment_that_is_another_persons() {
    let house = Installation::new();
    let text =
        house.config().join("policies/atelier-private/templates/reminder.en.clear.email.hbs");
    let says = "\n{{#if reassigned}}Moved on {{reassigned_on}}{{#if reassigned_amount}}: {{reassigned_amount}} \
                of {{reassigned_paid_on}}{{/if}}.{{/if}}\n";
    fs::write(&text, fs::read_to_string(&text).unwrap() + says).unwrap();
    let mut history = Vec::new();
    for number in ["1", "2", "3"] {
        let account = format!("atelier/K-{number}");
        history.extend(by_mail(&account, "kim@example.org"));
        history.push(invoice(&account, &format!("L-{number}"), "200.00", &day(40)));
    }
    // A cent more than is owed, so that it is found wherever it is told.
    let paid = |from: &str, to: &str| {
        payment(from, &format!("P-{to}"), "89.91", &day(-8), &format!("R-K-{to}"))
    };
    let assigned = |from: &str, ago: i32, data: Value| {
        let id = format!("assigned-{}", data["payment"].as_str().unwrap());
        let at = format!("{}T12:00:00Z", day(-ago));
        event("payment.assigned", &format!("{id}-{ago}"), from, &at, data)
    };
    history.push(paid("atelier/K-1", "1"));
    let other = json!({ "payment": "P-1", "to": "atelier/K-9" });
    history.push(assigned("atelier/K-1", 5, other));
    // Found by hand to be for one claim, and later to be for another one.
    let unmatched = "atelier/_unmatched";
    history.push(paid(unmatched, "2"));
    for (ago, invoice) in [(7, "R-K-2"), (5, "L-2")] {
        let own = json!({ "payment": "P-2", "to": "atelier/K-2", "invoice": invoice });
        history.push(assigned(unmatched, ago, own));
    }
    house.import(&house.events("history.ndjson", &history)).well();
    let server = house.serve();
    let said = |number: &str| {
        let account = format!("atelier/K-{number}");
        comes_to(&house, &account, &["sent"]);
        let rows = house.json(&["outbox", "list"]);
        let row = rows.as_array().unwrap().iter().find(|row| row["account"] == account).unwrap();
        server.get(&format!("/outbox/{}", row["notice"].as_str().unwrap())).body
    };
    let (elsewhere, own, neither) = (said("1"), said("2"), said("3"));
    let on = written(&day(-5));
    assert!(elsewhere.contains(&format!("Moved on {on}.")), "{elsewhere}");
    assert!(!elsewhere.contains(&written(&day(-8))) && !elsewhere.contains("89.91"), "{elsewhere}");
    let booked = written(&day(-8));
    assert!(own.contains(&format!("Moved on {on}: €89.91 of {booked}.")), "{own}");
    assert!(!neither.contains("Moved"), "{neither}");
}

/// As an English message writes a day.
fn written(day: &str) -> String {
    day.parse::<jiff::civil::Date>().unwrap().strftime("%-d %B %Y").to_string()
}
