//! The adapter to cqrs-es, with its own test kit.

use std::sync::Arc;

use cqrs_es::test::TestFramework;
use jiff::Timestamp;
use kulanz_domain::{AccountEvent, Command, Subject, fact::Stamp, money::Decimal};

use crate::world::*;

fn record(fact: kulanz_domain::fact::Fact) -> Command {
    Command::Record {
        fact,
        stamp: Stamp { at: Timestamp::UNIX_EPOCH, id: "shop#1".into() },
        at: at("2026-03-20"),
        account: account_id(),
        rules: Arc::new(rules([shop_b2c()])),
    }
}

#[tokio::test]
async fn a_payment_settles_the_invoice_that_it_names() {
    let issued = AccountEvent::InvoiceIssued {
        invoice: invoice("R-1", eur("89.90"), "2026-03-15"),
        recorded_at: at("2026-03-01"),
    };
    let events = TestFramework::<Subject>::with(())
        .given(vec![issued])
        .when_async(record(paid("P-1", "89.90", "2026-03-20", Some("R-1"))))
        .await
        .inspect_result()
        .unwrap();
    let kinds: Vec<&str> = events.iter().map(AccountEvent::kind).collect();
    assert_eq!(kinds, ["PaymentReceived", "PaymentAllocated", "ClaimSettled"]);
    let AccountEvent::PaymentAllocated { parts, .. } = &events[1] else { panic!("{events:?}") };
    assert_eq!(parts[0].amount, Decimal::new(8990, 2));
}

#[tokio::test]
async fn a_refusal_comes_through_with_its_sentence() {
    let issued = AccountEvent::InvoiceIssued {
        invoice: invoice("R-1", eur("89.90"), "2026-03-15"),
        recorded_at: at("2026-03-01"),
    };
    TestFramework::<Subject>::with(())
        .given(vec![issued])
        .when_async(record(crate::world::issued("R-1", "1.00", "2026-03-15")))
        .await
        .then_expect_error_message("invoice R-1 is on the account already, with other content");
}
