#![allow(clippy::unwrap_used)]
use std::{collections::HashMap, sync::Arc};

use kulanz_domain::{
    book::Book,
    calendar::Region,
    law::rates::RateTable,
    money::Currency,
    policy::{Creditor, Law, Rules},
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};
use tempfile::TempDir;

use kulanz_domain::money::Money;

use super::*;
use crate::{Engine, Incoming, Mode, Receipt, SharedRules, UNMATCHED, clock::Clock, vault::Vault};

/// Accounts of a shop, each with an invoice of 50.00, and the order in which they are told things.
struct Shop {
    engine: Engine,
    told: u32,
    _folder: TempDir,
}

fn account(debtor: &str) -> AccountId {
    AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap())
}

fn eur(text: &str) -> Money {
    Money::parse(text, Currency::EUR).unwrap()
}

impl Shop {
    async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let creditor = Creditor {
            id: "shop".parse().unwrap(),
            zone: jiff::tz::TimeZone::UTC,
            region: Region::None,
            law: Law::None,
            channels: Vec::new(),
            agencies: Vec::new(),
            complete_for_placement: true,
            base_rates: RateTable::Germany.shipped().unwrap().into(),
        };
        let id = creditor.id.clone();
        let rules = Rules { creditor, policies: Default::default() };
        let rules = SharedRules::new(HashMap::from([(id, Arc::new(rules))]));
        let clock = Clock::standing("2026-03-12T10:00:00Z".parse().unwrap());
        let engine =
            Engine::start(store, Arc::new(Vault::new([7; 32])), clock, rules, Mode::Serving);
        let mut shop = Self { engine, told: 0, _folder: folder };
        for debtor in ["A", "B"] {
            let invoice = kulanz_domain::fact::Invoice {
                invoice: format!("R-{debtor}").parse().unwrap(),
                issued_on: "2026-01-05".parse().unwrap(),
                due_on: "2026-01-19".parse().unwrap(),
                amount: eur("50.00"),
                contract_on: None,
                contract_object_known: false,
                contract_rate: None,
                received_on: None,
                due_date_agreed: false,
                late_payment_notice: false,
                supply: Default::default(),
                consumer_credit: false,
            };
            shop.tells(debtor, Fact::InvoiceIssued { invoice }).await;
        }
        shop
    }

    fn incoming(&mut self, debtor: &str, fact: Fact) -> Incoming {
        self.told += 1;
        let id = format!("e-{}", self.told);
        let at = "2026-03-01T10:00:00Z".parse::<jiff::Timestamp>().unwrap();
        let at = at + jiff::SignedDuration::from_mins(i64::from(self.told));
        let stamp = Stamp { at, id: format!("/test#{id}") };
        let key = InboxKey { source: "/test".to_owned(), id };
        let (account, secrets) = (account(debtor), Vec::new());
        Incoming { key, account, stamp, fact, secrets, recorded_at: None, trace: None }
    }

    async fn tells(&mut self, debtor: &str, fact: Fact) {
        let one = self.incoming(debtor, fact);
        // The second time is a duplicate, and changes nothing.
        let again = one.clone();
        assert_eq!(self.engine.record(vec![one]).await.unwrap(), [Receipt::Accepted]);
        assert_eq!(self.engine.record(vec![again]).await.unwrap(), [Receipt::Duplicate]);
    }

    /// What is open on A, and on B, and what they have had in all.
    async fn owe(&self, expected: [&str; 2]) {
        for (debtor, open) in ["A", "B"].into_iter().zip(expected) {
            let loaded = self.engine.load(&account(debtor)).await.unwrap().unwrap();
            let book = Book::of(&loaded.account, Currency::EUR);
            let found = book.open_on("2026-03-12".parse().unwrap());
            assert_eq!(found, eur(open).amount, "open on {debtor}");
        }
    }
}

fn received() -> Fact {
    Fact::PaymentReceived {
        payment: "P".parse().unwrap(),
        booked_on: "2026-03-01".parse().unwrap(),
        amount: eur("50.00"),
        method: "transfer".to_owned(),
        invoice: None,
    }
}

fn belongs_to(debtor: &str) -> Fact {
    Fact::PaymentAssigned { payment: "P".parse().unwrap(), to: account(debtor), invoice: None }
}

fn back(amount: &str) -> Fact {
    Fact::PaymentReturned {
        payment: "P".parse().unwrap(),
        on: "2026-03-04".parse().unwrap(),
        amount: Some(eur(amount).amount),
        reason: "AC04".to_owned(),
        fee: None,
    }
}

#[tokio::test]
async fn a_payment_that_was_assigned_to_the_wrong_account_moves_to_the_right_one() {
    let mut shop = Shop::open().await;
    shop.tells(UNMATCHED, received()).await;
    shop.tells(UNMATCHED, belongs_to("A")).await;
    shop.owe(["0.00", "50.00"]).await;
    shop.tells(UNMATCHED, belongs_to("B")).await;
    shop.owe(["50.00", "0.00"]).await;
    shop.tells(UNMATCHED, back("20.00")).await;
    shop.owe(["50.00", "20.00"]).await;
    // And back: what went back meanwhile is missing there as well.
    shop.tells(UNMATCHED, belongs_to("A")).await;
    shop.owe(["20.00", "50.00"]).await;
}

#[tokio::test]
async fn what_went_back_before_a_payment_was_assigned_is_not_there() {
    let mut shop = Shop::open().await;
    shop.tells(UNMATCHED, received()).await;
    shop.tells(UNMATCHED, back("30.00")).await;
    shop.tells(UNMATCHED, belongs_to("A")).await;
    shop.owe(["30.00", "50.00"]).await;
}

#[tokio::test]
async fn money_that_was_booked_on_the_wrong_account_moves_to_the_right_one() {
    let mut shop = Shop::open().await;
    shop.tells("A", received()).await;
    shop.tells("A", belongs_to("B")).await;
    shop.owe(["50.00", "0.00"]).await;
    // The bank tells of it where it was booked.
    shop.tells("A", back("10.00")).await;
    shop.owe(["50.00", "10.00"]).await;
    shop.tells("B", belongs_to("A")).await;
    shop.owe(["10.00", "50.00"]).await;
}

#[tokio::test]
async fn an_older_word_on_where_a_payment_belongs_moves_nothing() {
    let mut shop = Shop::open().await;
    let older = shop.incoming(UNMATCHED, belongs_to("A"));
    shop.tells(UNMATCHED, received()).await;
    shop.tells(UNMATCHED, belongs_to("B")).await;
    shop.engine.record(vec![older]).await.unwrap();
    shop.owe(["50.00", "0.00"]).await;
    // Two accounts that say that it is the other's, the later one with an older time.
    let older = shop.incoming("B", belongs_to("A"));
    shop.tells("B", belongs_to("A")).await;
    shop.owe(["0.00", "50.00"]).await;
    shop.tells("A", belongs_to("B")).await;
    shop.engine.record(vec![older]).await.unwrap();
    shop.owe(["50.00", "0.00"]).await;
}

#[tokio::test]
async fn money_of_which_an_agency_told_first_is_the_same_money_where_the_bank_knew_no_debtor() {
    let agency = Fact::PlacementReported {
        placement: "PL".parse().unwrap(),
        agency: "nord".parse().unwrap(),
        invoice: None,
        on: "2026-02-27".parse().unwrap(),
        report: kulanz_domain::fact::PlacementReport::PaymentReceived {
            payment: "P".parse().unwrap(),
            amount: eur("40.00"),
            paid_to_creditor: true,
            split: None,
        },
    };
    for agency_first in [true, false] {
        let mut shop = Shop::open().await;
        if agency_first {
            shop.tells("A", agency.clone()).await;
            shop.owe(["10.00", "50.00"]).await;
        }
        shop.tells(UNMATCHED, received()).await;
        shop.tells(UNMATCHED, belongs_to("A")).await;
        if !agency_first {
            shop.tells("A", agency.clone()).await;
        }
        shop.owe(["0.00", "50.00"]).await;
        let loaded = shop.engine.load(&account("A")).await.unwrap().unwrap();
        let known = &loaded.account.payments[&"P".parse::<PaymentId>().unwrap()];
        assert_eq!(known.disagreement(), Some((eur("40.00"), eur("50.00"))));
        let work = shop.engine.store().work(Some("payment_differs".to_owned()), 9).await.unwrap();
        assert_eq!(work.len(), 1);
        let said = "the agency tells of 40.00 EUR, the bank of 50.00 EUR; 50.00 EUR counts";
        assert!(work[0].1.detail.starts_with(said), "{}", work[0].1.detail);
        // A person looked: the bank is right.
        shop.tells("A", belongs_to("A")).await;
        let work = shop.engine.store().work(Some("payment_differs".to_owned()), 9).await.unwrap();
        assert_eq!(work, []);
        shop.owe(["0.00", "50.00"]).await;
    }
}
