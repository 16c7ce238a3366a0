#![allow(clippy::unwrap_used)]
use jiff::Timestamp;
use kulanz_domain::fact::{Fact, Stamp};

use super::*;

fn account(debtor: &str) -> AccountId {
    AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap())
}

fn lost(debtor: &str) -> Lost {
    Lost { accounts: [account(debtor)].into_iter().collect(), ..Lost::default() }
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
            Item::Halfway | Item::Rest => "to be told to the other account",
            Item::Decided(_) | Item::Told(_) | Item::Durable(_) => "done",
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

#[test]
fn an_event_that_is_durable_on_its_own_account_is_not_recorded_again() {
    let mut job = assigned();
    job.strike(&lost("D"));
    job.keep();
    // The next batch tells the other account, and loses it and its own for what else it did there.
    job.found = Found::Record(vec![Item::Told(Receipt::Accepted)]);
    job.strike(&lost("D"));
    job.strike(&lost(UNMATCHED));
    assert_eq!(item(&job), "to be told to the other account");
    job.found = Found::Record(vec![Item::Told(Receipt::Accepted)]);
    job.strike(&Lost::default());
    job.keep();
    assert!(!job.is_todo());
}

/// An order with a key, done in a batch that lost its account to `lost`.
fn keyed(debtor: &str, key: u8, lost: &Lost) -> Job {
    let request = Request::new([key; 32], [0; 32], Timestamp::UNIX_EPOCH, |_| Ok(Vec::new()));
    let extra = Extra { request: Some(Arc::new(request)), ..Extra::default() };
    let (reply, _) = oneshot::channel();
    let (account, cause) = (account(debtor), "person:ada".to_owned());
    let work =
        Work::Execute { account, command: None, cause, extra: Box::new(extra), trace: None, reply };
    let mut job = Job::from(work);
    job.found = Found::Execute(Ok(Done { kinds: Vec::new() }));
    job.strike(lost);
    job
}

#[test]
fn what_another_answered_is_not_done_again_and_what_it_took_along_is() {
    let outcomes = vec![Outcome::AlreadyAnswered([1; 32]), Outcome::Committed { last_position: 1 }];
    let lost = Lost::of(vec![account("D"), account("E")], outcomes, &QuickMap::default());
    let answered =
        |job: Job| matches!(job.found, Found::Execute(Err(ExecuteError::Failed(Fault::Answered))));
    assert!(answered(keyed("D", 1, &lost)));
    assert!(keyed("D", 2, &lost).is_todo(), "its account was lost");
    assert!(!keyed("E", 3, &lost).is_todo());
}
