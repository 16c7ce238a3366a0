//! Forecasts of books in a store.

use jiff::{Timestamp, ToSpan as _, civil::Date};
use kulanz_domain::{
    fact::{Fact, Invoice, Stamp, Supply},
    ids::AccountId,
    money::{Currency, Money},
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};
use rand::RngExt as _;
use tempfile::TempDir;

use super::*;
use crate::{
    Engine, Incoming, Mode, Receipt, SharedRules,
    clock::Clock,
    plan::tests::{policy, profile, rules},
    simulate::{Asked, Calibration, Options, Report, cells, forecast},
    vault::Vault,
};

/// A Monday.
const NOW: &str = "2026-01-12T10:00:00Z";

struct Shop {
    folder: TempDir,
    engine: Engine,
    told: Vec<Incoming>,
    number: u32,
}

impl Shop {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let clock = Clock::standing(NOW.parse().unwrap());
        let rules = SharedRules::new([("shop".parse().unwrap(), rules(policy()))].into());
        let vault = Arc::new(Vault::new([7; 32]));
        let engine = Engine::start(store, vault, clock, rules, Mode::Recording);
        Self { folder, engine, told: Vec::new(), number: 0 }
    }

    fn tell(&mut self, debtor: &str, on: Date, fact: Fact, learnt: Option<Date>) {
        self.number += 1;
        let id = format!("e-{}", self.number);
        let at = |day: Date| -> Timestamp { format!("{day}T08:00:00Z").parse().unwrap() };
        self.told.push(Incoming {
            key: InboxKey { source: "/test".to_owned(), id: id.clone() },
            account: AccountId::new("shop".parse().unwrap(), debtor.parse().unwrap()),
            stamp: Stamp { at: at(on), id },
            fact,
            secrets: Vec::new(),
            recorded_at: learnt.map(at),
            trace: None,
        });
    }

    async fn record(&mut self) {
        let told = std::mem::take(&mut self.told);
        let count = told.len();
        let receipts = self.engine.record(told).await.unwrap();
        assert_eq!(receipts, vec![Receipt::Accepted; count]);
    }

    async fn forecast(&self, options: Options) -> Report {
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open_read_only(self.folder.path()).unwrap());
        let asked = Asked { rules: rules(policy()), in_force: rules(policy()) };
        forecast(store, asked, options, |_, _| {}).await.unwrap()
    }
}

fn options() -> Options {
    let from = NOW.parse().unwrap();
    Options { from, days: 30, seed: 1, draws: 100, calibrate: true, threads: Some(1) }
}

fn issued(invoice: &str, issued_on: Date, due_on: Date, cents: i64, currency: Currency) -> Fact {
    Fact::InvoiceIssued {
        invoice: Invoice {
            invoice: invoice.parse().unwrap(),
            issued_on,
            due_on,
            amount: Money::new(rust_decimal::Decimal::new(cents, 2), currency),
            contract_on: None,
            contract_object_known: false,
            contract_rate: None,
            received_on: None,
            due_date_agreed: true,
            late_payment_notice: false,
            supply: Supply::GoodsServices,
            consumer_credit: false,
        },
    }
}

fn paid(payment: &str, on: Date, cents: i64, currency: Currency) -> Fact {
    Fact::PaymentReceived {
        payment: payment.parse().unwrap(),
        booked_on: on,
        amount: Money::new(rust_decimal::Decimal::new(cents, 2), currency),
        method: "transfer".to_owned(),
        invoice: None,
    }
}

/// Debtors with one invoice each over the 200 days before now, who pay by the invented chances of
/// claims that nobody reminds. `at_once`: all of it became known today.
async fn shop(debtors: u32, seed: u64, currency: Currency, at_once: bool) -> Shop {
    let mut shop = Shop::new();
    let mut random = stream(seed, "shop");
    let today: Timestamp = NOW.parse().unwrap();
    let today = today.to_zoned(jiff::tz::TimeZone::UTC).date();
    for number in 0..debtors {
        let debtor = format!("D-{number}");
        let issued_on = today.checked_sub(random.random_range(1..200).days()).unwrap();
        let due_on = issued_on.checked_add(14.days()).unwrap();
        let cents = random.random_range(1_000..20_000);
        let known = |day: Date| (!at_once).then_some(day);
        shop.tell(&debtor, issued_on, profile(), known(issued_on));
        let claim = issued(&format!("R-{number}"), issued_on, due_on, cents, currency);
        shop.tell(&debtor, issued_on, claim, known(issued_on));
        let track = Track { due: cells::number(due_on), size: 1, ..Track::default() };
        let (from, to) = (cells::number(issued_on), cells::number(today));
        if let Some(day) = pays(&mut random, &track, from, to) {
            let day = cells::day(day);
            shop.tell(&debtor, day, paid(&format!("Z-{number}"), day, cents, currency), known(day));
        }
    }
    shop.record().await;
    shop
}

#[tokio::test]
async fn a_book_is_forecast_from_its_own_past_and_checked_against_it() {
    let shop = shop(1_500, 1, Currency::EUR, false).await;
    let report = shop.forecast(options()).await;
    let euro = &report.currencies["EUR"];
    assert_eq!((report.accounts, &euro.too_little), (1_500, &None));
    assert!(euro.learnt.paid > 700, "{:?}", euro.learnt);
    let forecast = euro.forecast.as_ref().unwrap();
    assert_eq!(
        forecast.weeks.iter().map(|week| week.days).collect::<Vec<_>>(),
        [7, 14, 21, 28, 30]
    );
    for pair in forecast.weeks.windows(2) {
        assert!(pair[0].recovered.middle <= pair[1].recovered.middle);
        assert!(pair[0].open.middle >= pair[1].open.middle);
    }
    let end = forecast.weeks.last().unwrap();
    assert!(
        end.recovered.low > rust_decimal::Decimal::ZERO && end.recovered.high < euro.start.open
    );
    assert!(end.messages.middle < euro.unpaid.messages, "who pays is not reminded");
    let Calibration::Done(held) = &euro.calibration else { panic!("{:?}", euro.calibration) };
    assert!(!held.played, "nobody was written to");
    assert!(held.inside >= 4, "{held:?}");
    assert!(held.mean_error < rust_decimal::Decimal::from(6), "{held:?}");
}

#[tokio::test]
async fn the_same_question_has_the_same_answer_on_any_number_of_threads() {
    let shop = shop(600, 2, Currency::EUR, false).await;
    let alone = shop.forecast(options()).await;
    let together = shop.forecast(Options { threads: Some(4), ..options() }).await;
    assert_eq!(serde_json::to_string(&alone).unwrap(), serde_json::to_string(&together).unwrap());
    let other = shop.forecast(Options { seed: 2, ..options() }).await;
    assert_ne!(alone.currencies["EUR"].forecast, other.currencies["EUR"].forecast);
    let back: Report = serde_json::from_str(&serde_json::to_string(&alone).unwrap()).unwrap();
    assert_eq!(back, alone);
}

#[tokio::test]
async fn a_history_that_was_brought_in_counts_and_a_list_of_open_items_does_not() {
    let whole = shop(600, 3, Currency::EUR, true).await.forecast(options()).await;
    assert_eq!(whole.history.as_ref().unwrap().brought_in, Some(true));
    assert!(whole.currencies["EUR"].forecast.is_some());
    assert!(matches!(whole.currencies["EUR"].calibration, Calibration::Done(_)), "{whole:?}");

    let mut open = Shop::new();
    for number in 0..200 {
        let debtor = format!("D-{number}");
        let (issued_on, due_on) = ("2025-12-01".parse().unwrap(), "2025-12-15".parse().unwrap());
        open.tell(&debtor, issued_on, profile(), None);
        let claim = issued(&format!("R-{number}"), issued_on, due_on, 5_000, Currency::EUR);
        open.tell(&debtor, issued_on, claim, None);
    }
    open.record().await;
    let report = open.forecast(options()).await;
    assert_eq!(report.history.as_ref().unwrap().brought_in, Some(false));
    let euro = &report.currencies["EUR"];
    assert!(euro.too_little.as_ref().unwrap().contains("0 payments in full"), "{euro:?}");
    assert!(euro.forecast.is_none() && matches!(euro.calibration, Calibration::NotPossible(_)));
    assert_eq!(euro.start.claims, 200);
    assert!(euro.unpaid.messages > 0, "what would happen if nobody paid is still told");
}

#[tokio::test]
async fn an_empty_book_says_nothing_and_another_currency_is_learnt_by_itself() {
    let empty = Shop::new().forecast(options()).await;
    assert_eq!((empty.accounts, empty.history.is_none(), empty.currencies.len()), (0, true, 0));

    // No policy is there for dollars: nobody is written to, and they are paid all the same.
    let mut shop = shop(500, 4, Currency::USD, false).await;
    let day = "2025-12-01".parse().unwrap();
    shop.tell("E", day, profile(), Some(day));
    shop.tell("E", day, issued("R-E", day, day, 5_000, Currency::EUR), Some(day));
    shop.record().await;
    let report = shop.forecast(Options { calibrate: false, ..options() }).await;
    let (dollar, euro) = (&report.currencies["USD"], &report.currencies["EUR"]);
    assert_eq!((dollar.unpaid.messages, &dollar.calibration), (0, &Calibration::NotAsked));
    assert!(dollar.forecast.as_ref().unwrap().weeks[4].recovered.middle > 0.into());
    assert!(euro.forecast.is_none() && euro.too_little.is_some(), "one claim says nothing");
}

#[tokio::test]
async fn the_insolvent_are_set_aside_and_parts_are_owed_less() {
    let mut shop = shop(400, 5, Currency::EUR, false).await;
    let before = shop.forecast(Options { calibrate: false, ..options() }).await;
    let day: Date = "2026-01-08".parse().unwrap();
    let claim = |number| issued(&format!("X-{number}"), day, day, 7_000, Currency::EUR);
    shop.tell("X-1", day, profile(), Some(day));
    shop.tell("X-1", day, claim(1), Some(day));
    shop.tell("X-1", day, Fact::InsolvencyOpened { on: day }, Some(day));
    shop.tell("X-2", day, profile(), Some(day));
    shop.tell("X-2", day, claim(2), Some(day));
    shop.tell("X-2", day, paid("Z-X", day, 3_000, Currency::EUR), Some(day));
    shop.record().await;
    let after = shop.forecast(Options { calibrate: false, ..options() }).await;
    let (before, after) = (&before.currencies["EUR"].start, &after.currencies["EUR"].start);
    assert_eq!((after.stopped_claims, after.stopped.to_string().as_str()), (1, "70.00"));
    assert_eq!((after.open - before.open).to_string(), "40.00");
}
