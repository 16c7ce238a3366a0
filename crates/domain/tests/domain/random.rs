//! Random histories: facts with stamps, in any order of arrival.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
};
use proptest::{prelude::*, sample::select};

use crate::world::*;

pub const INVOICES: [&str; 5] = ["R-1", "R-2", "R-3", "R-4", "R-9"];
pub const PAYMENTS: [&str; 5] = ["P-1", "P-2", "P-3", "P-4", "P-5"];

/// R-4 and P-5 are in dollars, all else in euros. R-9 is never issued.
pub fn currency_of(name: &str) -> Currency {
    if matches!(name, "R-4" | "P-5") { Currency::USD } else { Currency::EUR }
}

pub fn invoices() -> impl Strategy<Value = InvoiceId> {
    select(&INVOICES[..]).prop_map(id)
}

pub fn cents() -> impl Strategy<Value = Decimal> {
    // Few amounts, so that payments meet claims to the cent now and then.
    prop_oneof![
        select(vec![1000i64, 2500, 5000, 7500]).prop_map(|cents| Decimal::new(cents, 2)),
        (1i64..12_000).prop_map(|cents| Decimal::new(cents, 2)),
    ]
}

pub fn days() -> impl Strategy<Value = Date> {
    (0i32..120)
        .prop_map(|days| day("2026-01-05").checked_add(jiff::Span::new().days(days)).unwrap())
}

pub fn part() -> impl Strategy<Value = Option<Part>> {
    select(vec![None, Some(Part::Principal), Some(Part::Fees), Some(Part::Interest)])
}

pub fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

/// Issued at most once each, so each comes with its own content or not at all.
pub fn issues() -> impl Strategy<Value = Vec<Fact>> {
    let one = |name: &'static str| {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        (0u8..8, cents(), 0i32..90, 0i32..30, flags).prop_map(move |(there, amount, d, net, f)| {
            let issued_on = day("2026-01-05").checked_add(jiff::Span::new().days(d)).unwrap();
            let due_on = issued_on.checked_add(jiff::Span::new().days(net)).unwrap();
            let money = Money::new(amount, currency_of(name));
            let mut invoice = invoice(name, money, "2026-02-01");
            (invoice.issued_on, invoice.due_on) = (issued_on, due_on);
            (invoice.due_date_agreed, invoice.late_payment_notice) = (f.0, f.1);
            invoice.consumer_credit = f.2;
            invoice.contract_rate = (there == 1).then(|| Decimal::from(9));
            (there > 0).then_some(Fact::InvoiceIssued { invoice })
        })
    };
    (one("R-1"), one("R-2"), one("R-3"), one("R-4"))
        .prop_map(|(a, b, c, d)| [a, b, c, d].into_iter().flatten().collect())
}

pub fn payments() -> impl Strategy<Value = Vec<Fact>> {
    let one = |name: &'static str| {
        (0u8..8, cents(), days(), maybe(invoices())).prop_map(
            move |(there, amount, on, invoice)| {
                (there > 0).then(|| Fact::PaymentReceived {
                    payment: PaymentId::new(name).unwrap(),
                    booked_on: on,
                    amount: Money::new(amount, currency_of(name)),
                    method: "transfer".into(),
                    invoice,
                })
            },
        )
    };
    (one("P-1"), one("P-2"), one("P-3"), one("P-4"), one("P-5"))
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect())
}

pub fn about_claims() -> BoxedStrategy<Fact> {
    let outcome =
        select(vec![DisputeOutcome::Upheld, DisputeOutcome::Partly, DisputeOutcome::Rejected]);
    let disputes = || select(vec!["E-1", "E-2"]).prop_map(|name| DisputeId::new(name).unwrap());
    let money = |invoice: &InvoiceId, amount| Money::new(amount, currency_of(invoice.as_str()));
    prop_oneof![
        (invoices(), days(), cents()).prop_map(move |(invoice, on, amount)| {
            let amount = money(&invoice, amount);
            Fact::InvoiceAdjusted { invoice, on, amount }
        }),
        (invoices(), cents(), days()).prop_map(move |(invoice, amount, on)| {
            let amount = money(&invoice, amount);
            // The content is in the id: one credit note is never told in two ways.
            let credit = CreditId::new(&format!("C-{}-{on}", amount.plain())).unwrap();
            Fact::InvoiceCredited { invoice, credit, on, amount }
        }),
        (invoices(), days()).prop_map(|(invoice, on)| Fact::InvoiceCancelled { invoice, on }),
        (invoices(), days())
            .prop_map(|(invoice, due_on)| { Fact::InvoiceRescheduled { invoice, due_on } }),
        (invoices(), days()).prop_map(|(invoice, from)| {
            Fact::DefaultDeclared { invoice, from, ground: "refusal".into() }
        }),
        (invoices(), days()).prop_map(|(invoice, on)| Fact::Acknowledged { invoice, on }),
        (invoices(), days(), maybe(days())).prop_map(|(invoice, from, to)| {
            Fact::Suspended { invoice, from, to, ground: "talks".into() }
        }),
        (invoices(), days()).prop_map(|(invoice, on)| Fact::Titled { invoice, on }),
        (invoices(), days(), maybe(cents()), part())
            .prop_map(|(invoice, on, amount, part)| { Fact::Waived { invoice, on, amount, part } }),
        (invoices(), days(), maybe(cents()), part()).prop_map(|(invoice, on, amount, part)| {
            Fact::WrittenOff { invoice, on, amount, part }
        }),
        (disputes(), invoices(), days(), maybe(cents())).prop_map(
            |(dispute, invoice, on, amount)| Fact::DisputeOpened { dispute, invoice, on, amount }
        ),
        (disputes(), invoices(), days(), outcome, maybe(cents())).prop_map(
            |(dispute, invoice, on, outcome, amount)| {
                Fact::DisputeResolved { dispute, invoice, on, outcome, amount }
            }
        ),
    ]
    .boxed()
}

pub fn about_money() -> BoxedStrategy<Fact> {
    let payments = || select(&PAYMENTS[..]);
    let to = select(vec!["lindenmoor/D-1", "lindenmoor/D-2"]);
    prop_oneof![
        3 => (payments(), days(), maybe(cents()), maybe(cents())).prop_map(
            |(payment, on, amount, fee)| Fact::PaymentReturned {
                payment: PaymentId::new(payment).unwrap(),
                on,
                amount,
                reason: "AM04".into(),
                fee,
            }
        ),
        1 => (payments(), days(), cents()).prop_map(|(payment, on, amount)| {
            Fact::PaymentRefunded {
                payment: PaymentId::new(payment).unwrap(),
                on,
                amount: Money::new(amount, currency_of(payment)),
            }
        }),
        1 => (payments(), to, maybe(invoices())).prop_map(|(payment, to, invoice)| {
            Fact::PaymentAssigned {
                payment: PaymentId::new(payment).unwrap(),
                to: to.parse().unwrap(),
                invoice,
            }
        }),
        1 => (invoices(), days()).prop_map(|(invoice, on)| Fact::PaymentFailed {
            attempt: "T-1".into(),
            invoice,
            on,
            method: "card".into(),
            reason: "AM04".into(),
        }),
        // Of these an agency tells as well, of one with another amount and day than the bank.
        1 => select(vec![("P-1", true), ("P-2", false)]).prop_map(|(payment, paid_to_creditor)| {
            Fact::PlacementReported {
                placement: PlacementId::new("P-x").unwrap(),
                agency: AgencyId::new("nordinkasso").unwrap(),
                invoice: Some(id("R-1")),
                on: day("2026-03-03"),
                report: PlacementReport::PaymentReceived {
                    payment: PaymentId::new(payment).unwrap(),
                    amount: eur("25.00"),
                    paid_to_creditor,
                    split: None,
                },
            }
        }),
        1 => (days(), cents(), maybe(invoices())).prop_map(|(on, amount, invoice)| {
            // The content is in the id: one payment is never told in two ways.
            let meant = if invoice.is_some() { "R-1" } else { "nothing" };
            let payment = PaymentId::new(&format!("A-{amount}-{on}-{meant}")).unwrap();
            Fact::PlacementReported {
                placement: PlacementId::new("P-x").unwrap(),
                agency: AgencyId::new("nordinkasso").unwrap(),
                invoice: invoice.map(|_| id("R-1")),
                on,
                report: PlacementReport::PaymentReceived {
                    payment,
                    amount: Money::new(amount, Currency::EUR),
                    paid_to_creditor: false,
                    split: None,
                },
            }
        }),
    ]
    .boxed()
}

/// One sender's message has one content: when, about which claims, as which step, and whether it
/// starts default.
fn reminded(name: &str) -> (&'static str, &'static [&'static str], &'static str, bool) {
    match name {
        "S-1" => ("2026-02-20", &["R-1"], "mahnung", true),
        "S-2" => ("2026-03-20", &["R-2"], "reminder", false),
        _ => ("2026-04-01", &["R-1", "R-2", "R-9"], "reminder", true),
    }
}

/// Insolvency and death end all; they come seldom, or nothing else would be seen.
pub fn about_debtor() -> BoxedStrategy<Fact> {
    let holds = || select(vec!["H-1", "H-2", "H-3"]);
    let reminders = || select(vec!["S-1", "S-2", "S-3"]);
    use Receipt::{Answered, Bounced, Delivered, Failed, Stopped};
    let receipts = select(vec![Delivered, Bounced, Bounced, Failed, Answered, Stopped]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let profile = (flags, maybe(maybe(days()))).prop_map(|((shop, vip, mail), birth)| {
        let mut profile = if shop { business() } else { consumer() };
        profile.vulnerable = vip;
        if let Some(minor_until) = birth {
            (profile.minor_until, profile.birth_told) = (minor_until, BirthTold::Here);
        }
        if !mail {
            profile.reachable = vec![Channel::Sms];
        }
        profile
    });
    prop_oneof![
        8 => profile.prop_map(debtor),
        1 => days().prop_map(|on| Fact::InsolvencyOpened { on }),
        1 => days().prop_map(|on| Fact::DebtorDeceased { on }),
        8 => (holds(), maybe(invoices()), maybe(days())).prop_map(|(name, invoice, until)| {
            Fact::HoldPlaced {
                hold: HoldId::new(name).unwrap(),
                invoice,
                owner: "ute".into(),
                until,
            }
        }),
        10 => holds().prop_map(hold_released),
        8 => reminders().prop_map(|name| {
            let (when, invoices, counts_as, starts_default) = reminded(name);
            Fact::ReminderReported {
                notice: NoticeId::new(name).unwrap(),
                channel: Channel::Email,
                at: at(when),
                invoices: invoices.iter().map(|invoice| id(invoice)).collect(),
                counts_as: Some(step(counts_as)),
                starts_default,
            }
        }),
        4 => (reminders(), receipts, days()).prop_map(|(name, receipt, on)| Fact::NoticeReceipt {
            notice: NoticeId::new(name).unwrap(),
            channel: Channel::Email,
            at: at(&on.to_string()),
            receipt,
        }),
    ]
    .boxed()
}

pub type Told = (Fact, Stamp);

/// A history: facts with stamps, of which some have the same time.
pub fn history() -> impl Strategy<Value = Vec<Told>> {
    let others = proptest::collection::vec(
        prop_oneof![4 => about_claims(), 3 => about_money(), 2 => about_debtor()],
        0..25,
    );
    let times = proptest::collection::vec(0i64..6, 48);
    (issues(), payments(), others, times).prop_map(|(issues, payments, others, times)| {
        let mut facts = vec![debtor(consumer())];
        facts.extend(issues);
        facts.extend(payments);
        facts.extend(others);
        let stamp = |(number, at): (usize, &i64)| Stamp {
            at: Timestamp::from_second(1_767_600_000 + at * 86_400).unwrap(),
            id: format!("shop#{number:03}"),
        };
        let stamps: Vec<Stamp> = times.iter().enumerate().map(stamp).collect();
        facts.into_iter().zip(stamps).collect()
    })
}

/// The facts in an order of arrival that `keys` choose.
pub fn shuffled(history: &[Told], keys: &[u32]) -> Vec<Told> {
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|at| (keys.get(*at).copied().unwrap_or(0), *at));
    order.into_iter().map(|at| history[at].clone()).collect()
}

pub fn keys() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 48)
}
