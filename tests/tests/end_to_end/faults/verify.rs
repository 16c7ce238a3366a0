//! After a fault: everything that was accepted is there once, nobody was told twice, nobody was
//! told who had paid, no reader missed anything, and the read side is what the events give.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    super::{
        kafka::instances::written,
        world::{Dice, Server, within},
    },
    fleet::{Fed, Fleet},
    load::owed,
    sql::{number, rows},
};

/// What killed servers had taken is theirs for a minute; then an attempt may time out.
const PATIENCE: u64 = 180;

/// Kinds of events that are what somebody said.
const FACTS: [&str; 8] = [
    "DebtorUpdated",
    "InvoiceIssued",
    "InvoiceAdjusted",
    "InvoiceCredited",
    "InvoiceCancelled",
    "PaymentReceived",
    "PaymentReturned",
    "PaymentRefunded",
];

const LOG: &str = "SELECT creditor || '/' || debtor, events.version, position, kind, cause, payload
    FROM kulanz.events JOIN kulanz.accounts ON number = account ORDER BY 1, events.version";

/// The read side, but for what is no function of the events.
const READ_SIDE: [&str; 4] = [
    "SELECT * FROM kulanz.books ORDER BY account, currency",
    "SELECT * FROM kulanz.claims ORDER BY account, invoice",
    "SELECT * FROM kulanz.notices ORDER BY account, notice",
    "SELECT * FROM kulanz.work ORDER BY account, list, item",
];

/// Waits until all has come to rest, ends the servers and looks at everything. `events` is what
/// was sent, each once; at least one server runs.
pub fn verify(
    what: &str,
    fleet: &Fleet,
    servers: Vec<Option<Server>>,
    events: &[Value],
    fed: &Fed,
) {
    let (house, begun) = (&fleet.houses[0], Instant::now());
    within(PATIENCE, &format!("{what}: no lag; {}", house.log()), || {
        (fleet.topics.lag() == Some(0)).then_some(())
    });
    let (by_account, came_in) = (owed(events), begun.elapsed());
    let rest = at_rest(what, fleet, events, &by_account);
    let rested = begun.elapsed();
    readers_have_all(what, fleet);
    let read = begun.elapsed();
    servers.into_iter().flatten().for_each(Server::stop);

    let (at, end) = written(house);
    assert_eq!(at, end, "{what}: kulanz.accounts is written to the end");
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]), "{what}");
    let log = rows(&fleet.url, LOG);
    each_once(what, fleet, &log, events);
    balances(what, fleet, &by_account);
    let told = told(what, &log, events);
    let repeated = gateway(what, fleet, &told);
    let before = READ_SIDE.map(|sql| rows(&fleet.url, sql));
    assert_eq!(house.json(&["rebuild"])["wrong_snapshots"], json!([]), "{what}");
    for (before, sql) in before.into_iter().zip(READ_SIDE) {
        assert_eq!(before, rows(&fleet.url, sql), "{what}: after a rebuild: {sql}");
    }
    house.run(&["doctor"]).well();

    let heard = fleet.reader.heard();
    println!(
        "{what}: no lag after {came_in:.0?}, messages at rest after {rested:.0?}, all was read after \
         {read:.0?}, all looked at after {:.0?}",
        begun.elapsed()
    );
    println!(
        "{what}: {} events on {} accounts as {} records over {:.0?}, {} of them again; {} more posted, \
         {} posts refused, {} unanswered; {} events in the log; read {} and {} again by Kafka, {} \
         requests by webhook; {} messages sent and {} of unknown outcome, {repeated} of them asked for again under their key, \
         {rest} were on their way when all had come in; {} times another instance was faster; all \
         agrees",
        events.len(),
        by_account.len(),
        fed.records,
        fed.took,
        fed.duplicates,
        fed.posted,
        fed.refused,
        fed.unanswered,
        log.len(),
        heard.positions.len(),
        heard.repeated,
        fleet.shop.requests().len(),
        told.sent.len(),
        told.unknown.len(),
        fleet.logged("another instance was faster"),
    );
}

/// Waits until no message is on its way and everybody was told who has to be; how many were on
/// their way at first.
fn at_rest(
    what: &str,
    fleet: &Fleet,
    events: &[Value],
    by_account: &BTreeMap<String, Decimal>,
) -> u64 {
    let with = |kind: &str| -> BTreeSet<&str> {
        let of_kind = events.iter().filter(|event| event["type"] == kind);
        of_kind.map(|event| event["subject"].as_str().unwrap()).collect()
    };
    let known = with("kulanz.debtor.updated.v1");
    // A credit note may be on its way: nobody asks for the money yet.
    let refunded = with("kulanz.payment.refunded.v1");
    // The policy has a minimum of five euros, and there are three claims at most.
    let enough = Decimal::new(2_000, 2);
    let due = by_account.iter().filter(|(name, owed)| {
        known.contains(&***name) && !refunded.contains(&***name) && **owed > enough
    });
    let due: BTreeSet<&String> = due.map(|(name, _)| name).collect();
    let open = "SELECT count(*) FROM kulanz.outbox WHERE state IN ('queued', 'sending')";
    let told = "SELECT DISTINCT creditor || '/' || debtor FROM kulanz.outbox
        JOIN kulanz.accounts ON accounts.number = account WHERE state IN ('sent', 'unknown')";
    let first = number(&fleet.url, open);
    let rest = || {
        let told: BTreeSet<String> =
            rows(&fleet.url, told).into_iter().map(|mut row| row.remove(0)).collect();
        let missing: Vec<_> = due.iter().filter(|name| !told.contains(**name)).collect();
        (number(&fleet.url, open), format!("{missing:?}"), missing.is_empty())
    };
    let mut last = String::new();
    let settled = |last: &mut String| {
        // As if the time of every next try had come, by whatever clock.
        let hurry = "UPDATE kulanz.outbox SET next_at = now() - interval '10 minutes'
            WHERE state = 'queued' AND attempts > 0";
        rows(&fleet.url, hurry);
        let (open, missing, all) = rest();
        *last = format!("{open} on their way; not told: {missing}");
        (open == 0 && all).then_some(())
    };
    let deadline = Instant::now() + Duration::from_secs(PATIENCE);
    while settled(&mut last).is_none() {
        assert!(Instant::now() < deadline, "{what}: {last}");
        std::thread::sleep(Duration::from_millis(500));
    }
    first
}

/// Whoever reads the log, by Kafka or by webhook, had every position, in order.
fn readers_have_all(what: &str, fleet: &Fleet) {
    let positions = || -> BTreeSet<u64> {
        let rows = rows(&fleet.url, "SELECT position FROM kulanz.events");
        rows.iter().map(|row| row[0].parse().unwrap()).collect()
    };
    within(PATIENCE, &format!("{what}: the log is on kulanz.accounts"), || {
        (fleet.reader.heard().positions.len() >= positions().len()).then_some(())
    });
    let by_webhook = within(PATIENCE, &format!("{what}: the shop hears everything"), || {
        let (mut heard, mut greatest) = (BTreeSet::new(), 0);
        for request in fleet.shop.requests() {
            let position: u64 = request.json()["id"].as_str().unwrap().parse().unwrap();
            let first = heard.insert(position);
            assert!(!first || position > greatest, "{what}: {position} came after {greatest}");
            greatest = greatest.max(position);
        }
        (heard.len() >= positions().len()).then_some(heard)
    });
    let heard = fleet.reader.heard();
    let all = positions();
    assert_eq!(heard.wrong, [""; 0], "{what}: by Kafka");
    for (reader, had) in [("Kafka", &heard.positions), ("webhook", &by_webhook)] {
        let missed: Vec<_> = all.difference(had).collect();
        let invented: Vec<_> = had.difference(&all).collect();
        assert!(missed.is_empty() && invented.is_empty(), "{what}: {reader}: {missed:?}");
    }
}

/// Each fact is there once, accounts have no holes, positions are of one event each.
fn each_once(what: &str, fleet: &Fleet, log: &[Vec<String>], events: &[Value]) {
    let (mut positions, mut facts) = (BTreeSet::new(), BTreeSet::new());
    let mut before: (&str, u64, u64) = ("", 0, 0);
    for row in log {
        let [account, version, position, kind, cause, _] = &row[..] else { panic!("{row:?}") };
        let (version, position) = (version.parse().unwrap(), position.parse().unwrap());
        let last = if before.0 == account { (before.1, before.2) } else { (0, 0) };
        assert_eq!(version, last.0 + 1, "{what}: a hole in {account}");
        assert!(position > last.1, "{what}: {account} goes back in the order of all");
        before = (account, version, position);
        assert!(positions.insert(position), "{what}: position {position} is there twice");
        if FACTS.contains(&&**kind) {
            assert!(facts.insert(cause.clone()), "{what}: {cause} is there twice");
        }
    }
    let sent: BTreeSet<String> = events.iter().map(cause).collect();
    let missing: Vec<_> = sent.difference(&facts).collect();
    let invented: Vec<_> = facts.difference(&sent).collect();
    assert!(missing.is_empty() && invented.is_empty(), "{what}: {missing:?}, {invented:?}");
    let recorded = number(&fleet.url, "SELECT count(*) FROM kulanz.inbox");
    assert_eq!(recorded, events.len() as u64, "{what}: events that took effect");
    assert_eq!(fleet.houses[0].json(&["book"])["events"], json!(events.len()), "{what}");
}

fn cause(event: &Value) -> String {
    format!("{}#{}", event["source"].as_str().unwrap(), event["id"].as_str().unwrap())
}

/// Each account owes what the events that were sent add up to.
fn balances(what: &str, fleet: &Fleet, expected: &BTreeMap<String, Decimal>) {
    let sql =
        "SELECT creditor || '/' || debtor, coalesce(outstanding, 0), coalesce(unallocated, 0),
        coalesce(fees, 0) FROM kulanz_bi.accounts";
    let found: BTreeMap<String, Decimal> = rows(&fleet.url, sql)
        .into_iter()
        .map(|row| {
            let cents = |at: usize| Decimal::new(row[at].parse().unwrap(), 2);
            assert_eq!(cents(3), Decimal::ZERO, "{what}: no fees were agreed with {}", row[0]);
            (row[0].clone(), cents(1) - cents(2))
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "{what}: accounts");
    for (account, owed) in expected {
        assert_eq!(found.get(account), Some(owed), "{what}: what {account} owes");
    }
}

/// What messages came to, as the log tells.
struct Told {
    decided: BTreeSet<String>,
    sent: BTreeSet<String>,
    /// Of unknown outcome: told or not, a person was asked.
    unknown: BTreeSet<String>,
}

/// No claim was told of a step twice; nobody was written to who owed nothing by what was recorded.
fn told(what: &str, log: &[Vec<String>], events: &[Value]) -> Told {
    let by_cause: BTreeMap<String, &Value> =
        events.iter().map(|event| (cause(event), event)).collect();
    let mut told =
        Told { decided: BTreeSet::new(), sent: BTreeSet::new(), unknown: BTreeSet::new() };
    let mut recorded: Vec<&Value> = Vec::new();
    let (mut account, mut notices, mut steps) = ("", BTreeMap::new(), BTreeSet::new());
    for row in log {
        let [name, _, _, kind, cause, payload] = &row[..] else { panic!("{row:?}") };
        if name != account {
            account = name;
            recorded.clear();
        }
        if FACTS.contains(&&**kind) {
            recorded.push(by_cause[cause]);
            continue;
        }
        if !kind.starts_with("Notice") {
            continue;
        }
        let event: Value = serde_json::from_str(payload).unwrap();
        let event = &event[&**kind];
        let notice = event["notice"].as_str().unwrap().to_owned();
        match &**kind {
            "NoticeDecided" => {
                let owed = owed(recorded.iter().copied())[name];
                assert!(owed > Decimal::ZERO, "{what}: {name} owed {owed}: {payload}");
                assert!(told.decided.insert(notice.clone()), "{what}: decided twice: {payload}");
                notices.insert(notice, event.clone());
            }
            "NoticeSent" => {
                let of = &notices[&notice];
                for claim in of["claims"].as_array().unwrap() {
                    let step = (name.clone(), claim["invoice"].to_string(), of["step"].to_string());
                    assert!(steps.insert(step), "{what}: told twice: {name}: {payload}");
                }
                assert!(told.sent.insert(notice), "{what}: sent twice: {payload}");
            }
            "NoticeParked" if event["outcome_unknown"] == true => {
                told.unknown.insert(notice);
            }
            _ => {}
        }
    }
    told
}

/// The gateway took each message once; what it took is told as sent. How many it was asked for
/// more than once.
fn gateway(what: &str, fleet: &Fleet, told: &Told) -> usize {
    let taken = fleet.sms.taken();
    let keys: BTreeSet<String> =
        taken.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(taken.len(), keys.len(), "{what}: a message was taken twice");
    let unsent: Vec<_> = told.sent.difference(&keys).collect();
    assert!(unsent.is_empty(), "{what}: told as sent, and the gateway never had it: {unsent:?}");
    let known = |key: &&String| !told.sent.contains(*key) && !told.unknown.contains(*key);
    let denied: Vec<_> = keys.iter().filter(known).collect();
    assert!(denied.is_empty(), "{what}: the gateway has it, and nobody says so: {denied:?}");
    let strange: Vec<_> = keys.difference(&told.decided).collect();
    assert!(strange.is_empty(), "{what}: nobody decided {strange:?}");
    taken.iter().filter(|row| row["requests"] != 1).count()
}

/// The dice of a test, and everything that is sent in it.
pub fn begin(what: &str, accounts: usize) -> (Dice, Vec<Value>) {
    let mut dice = Dice::new(what);
    let events = super::load::history(&mut dice, accounts);
    (dice, events)
}
