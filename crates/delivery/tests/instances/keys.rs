//! Commands with idempotency keys, given to two instances at once, on accounts that both of them change
//! all the time: whoever is overtaken is decided again, and its key is neither lost nor kept twice.

use std::sync::Arc;

use jiff::Timestamp;
use kulanz_domain::{
    Command,
    fact::{Fact, Stamp},
};
use kulanz_engine::{ExecuteError, Extra, Fault, Request};
use tokio::task::JoinSet;

use crate::{NO_SKEW, server, world::*};

const KEYS: u8 = 120;
const DEBTORS: u8 = 3;

fn debtor(key: u8) -> String {
    format!("D{}", key % DEBTORS)
}

/// Gives an order with a key, as caller number `caller`; whether this one was done.
async fn give(instance: &Instance, key: u8, caller: u8) -> bool {
    let (id, now) = (account(&debtor(key)), instance.engine.clock().now());
    let hold = format!("H-{key}-{caller}");
    let fact = Fact::HoldPlaced {
        hold: hold.parse().unwrap(),
        invoice: None,
        owner: "ada".to_owned(),
        until: None,
    };
    let answer = hold.clone();
    let request = Request::new([key; 32], [key; 32], now, move |done| {
        Ok(format!("{answer}: {}", done.kinds.join(" ")).into_bytes())
    });
    let command = Command::Record {
        fact,
        stamp: Stamp { at: now, id: hold },
        at: now,
        account: id.clone(),
        rules: instance.engine.rules(&id).unwrap(),
    };
    let extra = Extra { request: Some(Arc::new(request)), ..Extra::default() };
    match instance.engine.execute_with(&id, Some(command), "person:ada", extra).await {
        Ok(done) => {
            assert_eq!(done.kinds, ["HoldPlaced"], "{key} of {caller}");
            true
        }
        Err(ExecuteError::Failed(Fault::Answered)) => false,
        Err(other) => panic!("{key} of {caller}: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_kept_once_with_the_one_that_was_done_whoever_is_overtaken() {
    let (url, gateway) = (server::database(), Gateway::new(true));
    let one = Arc::new(Instance::new(&url, NO_SKEW, &gateway).await);
    let other = Arc::new(Instance::new(&url, NO_SKEW, &gateway).await);
    for number in 0..DEBTORS {
        let (name, invoice) = (debtor(number), format!("R-{number}"));
        let facts = vec![
            told(&format!("{name}/p"), &name, profile()),
            told(&invoice, &name, issued(&invoice, 5_000)),
        ];
        one.engine.record(facts).await.unwrap();
    }
    let mut callers: JoinSet<Vec<u8>> = JoinSet::new();
    for caller in 0..4u8 {
        let instance = Arc::clone(if caller % 2 == 0 { &one } else { &other });
        callers.spawn(async move {
            let mut done = Vec::new();
            for key in 0..KEYS {
                // Near each other and in other orders, so that they meet.
                let key = (key / 4) * 4 + (key + caller) % 4;
                if give(&instance, key, caller).await {
                    done.push(key);
                }
            }
            done
        });
    }
    // Payments to the same accounts, by the other instance each time.
    for number in 0..60u8 {
        let instance = if number % 2 == 0 { &one } else { &other };
        let payment = format!("P-{number}");
        let facts = vec![told(&payment, &debtor(number), paid(&payment, 1))];
        instance.engine.record(facts).await.unwrap();
    }
    let mut done = Vec::new();
    while let Some(own) = callers.join_next().await {
        done.extend(own.unwrap());
    }
    done.sort_unstable();
    assert_eq!(done, (0..KEYS).collect::<Vec<_>>(), "each is done once");
    for key in 0..KEYS {
        let row = one.store().request([key; 32], Timestamp::UNIX_EPOCH).await.unwrap().unwrap();
        let answer = String::from_utf8(row.answer.unwrap()).unwrap();
        let (hold, kinds) = answer.split_once(": ").unwrap();
        assert_eq!(kinds, "HoldPlaced");
        let loaded = other.engine.load(&account(&debtor(key))).await.unwrap().unwrap();
        let prefix = format!("H-{key}-");
        let holds: Vec<_> = loaded.account.holds.keys().map(ToString::to_string).collect();
        let own: Vec<_> = holds.iter().filter(|hold| hold.starts_with(&prefix)).collect();
        assert_eq!(own, [hold], "the one that is there is the one that is answered");
    }
}
