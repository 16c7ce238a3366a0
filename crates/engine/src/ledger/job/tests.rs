#![allow(clippy::unwrap_used)]
use jiff::Timestamp;
use kulanz_domain::fact::{Fact, Stamp};

use super::*;

fn account(debtor: &str) -> AccountId {
    AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap())
}

fn lost(debtor: &str) -> Lost {
    Lost { accounts: [account(debtor)].into(), ..Lost::default() }
}

/// A payment that nobody could match, recorded and told to the account that it is assigned to.
fn assigned() -> Job {
    let item = Incoming {
        key: InboxKey { source: "/test".to_owned(), id: "e".to_owned() },
        account: account(UNMATCHED),
        stamp: Stamp { at: Timestamp::UNIX_EPOCH, id: "e".to_owned() },
        fact: Fact::PaymentAssigned {
            payment: "P".parse().unwrap(),
            to: account("D"),
            invoice: None,
        },
        secrets: Vec::new(),
        recorded_at: None,
        trace: None,
    };
    let (reply, _) = oneshot::channel();
    let mut job = Job::from(Work::Record { items: vec![item], reply });
    job.found = Found::Record(vec![Item::Decided(Receipt::Accepted)]);
    job
}

fn item(job: &Job) -> &'static str {
    match &job.found {
        Found::Record(items) => match &items[0] {
            Item::Todo => "to be recorded",
            Item::Halfway => "to be told to the other account",
            Item::Decided(_) | Item::Durable(_) => "done",
        },
        _ => "no record",
    }
}

#[test]
fn what_was_told_to_a_lost_account_is_told_again() {
    let mut job = assigned();
    job.strike(&lost("another"));
    assert_eq!(item(&job), "to be told to the other account");
    job.keep();
    assert!(job.is_todo());
}

#[test]
fn an_event_that_is_lost_after_what_it_meant_for_another_account_was_is_recorded_again() {
    let mut job = assigned();
    // The batch before this one loses the other account, then this one its own.
    job.strike(&lost("D"));
    job.strike(&lost(UNMATCHED));
    assert_eq!(item(&job), "to be recorded");
}
