//! Whole random histories: whatever the order of arrival, the books are the same.

use jiff::{SignedDuration, Timestamp, civil::Date};
use kulanz_domain::{
    Account, AccountEvent, Command, Refusal,
    account::{NoticeState, Placement, PlacementState},
    arrangement::{offers, plannable},
    book::Book,
    decision::{Recheck, recheck},
    event::NoticeDecided,
    fact::*,
    ids::*,
    money::{Currency, Decimal, Money},
    placed::{PlacementNow, concerns_agencies},
    policy::{Policy, Release},
};
use proptest::{prelude::*, sample::select};

use crate::{
    story::{Story, no_cent_is_lost, statements_add_up},
    world::*,
};

const INVOICES: [&str; 5] = ["R-1", "R-2", "R-3", "R-4", "R-9"];
const PAYMENTS: [&str; 5] = ["P-1", "P-2", "P-3", "P-4", "P-5"];

/// R-4 and P-5 are in dollars, all else in euros. R-9 is never issued.
fn currency_of(name: &str) -> Currency {
    if matches!(name, "R-4" | "P-5") { Currency::USD } else { Currency::EUR }
}

fn invoices() -> impl Strategy<Value = InvoiceId> {
    select(&INVOICES[..]).prop_map(id)
}

fn cents() -> impl Strategy<Value = Decimal> {
    // Few amounts, so that payments meet claims to the cent now and then.
    prop_oneof![
        select(vec![1000i64, 2500, 5000, 7500]).prop_map(|cents| Decimal::new(cents, 2)),
        (1i64..12_000).prop_map(|cents| Decimal::new(cents, 2)),
    ]
}

fn days() -> impl Strategy<Value = Date> {
    (0i32..120)
        .prop_map(|days| day("2026-01-05").checked_add(jiff::Span::new().days(days)).unwrap())
}

fn part() -> impl Strategy<Value = Option<Part>> {
    select(vec![None, Some(Part::Principal), Some(Part::Fees), Some(Part::Interest)])
}

fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

/// Issued at most once each, so each comes with its own content or not at all.
fn issues() -> impl Strategy<Value = Vec<Fact>> {
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

fn payments() -> impl Strategy<Value = Vec<Fact>> {
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

fn about_claims() -> BoxedStrategy<Fact> {
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

fn about_money() -> BoxedStrategy<Fact> {
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

/// Insolvency and death end all; they come seldom, or nothing else would be seen.
fn about_debtor() -> BoxedStrategy<Fact> {
    let holds = || select(vec!["H-1", "H-2", "H-3"]);
    let notices = || select(vec!["S-1", "S-2", "S-3"]);
    let receipts = select(vec![Receipt::Delivered, Receipt::Failed, Receipt::Answered]);
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
        8 => (notices(), days(), proptest::collection::vec(invoices(), 1..3), any::<bool>())
            .prop_map(|(name, on, mut invoices, starts_default)| {
                invoices.dedup();
                // One sender's message has one content.
                let name = format!("{name}-{on}-{}-{starts_default}", invoices.len());
                Fact::ReminderReported {
                    notice: NoticeId::new(&format!("{name}-{}", invoices[0])).unwrap(),
                    channel: Channel::Email,
                    at: at(&on.to_string()),
                    invoices: invoices[..1].to_vec(),
                    counts_as: Some(step("reminder")),
                    starts_default,
                }
            }),
        4 => (notices(), receipts, days()).prop_map(|(name, receipt, on)| Fact::NoticeReceipt {
            notice: NoticeId::new(name).unwrap(),
            channel: Channel::Email,
            at: at(&on.to_string()),
            receipt,
        }),
    ]
    .boxed()
}

type Told = (Fact, Stamp);

/// A history: facts with stamps, of which some have the same time.
fn history() -> impl Strategy<Value = Vec<Told>> {
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
fn shuffled(history: &[Told], keys: &[u32]) -> Vec<Told> {
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|at| (keys.get(*at).copied().unwrap_or(0), *at));
    order.into_iter().map(|at| history[at].clone()).collect()
}

fn keys() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 48)
}

fn told(history: &[Told]) -> Story {
    let mut story = Story::new(rules([shop_b2c()]));
    for (fact, stamp) in history {
        story.record_as(fact.clone(), stamp.clone()).expect("no fact contradicts another");
    }
    story
}

/// The same under a policy that claims interest, told late in the year.
fn told_with_interest(history: &[Told]) -> Story {
    let mut story = Story::new(rules([with_interest(), dollars()]));
    story.now = at("2026-12-01");
    for (fact, stamp) in history {
        story.record_as(fact.clone(), stamp.clone()).expect("no fact contradicts another");
    }
    story
}

/// What the facts alone decide, claim by claim and in sum.
fn balances(account: &Account) -> Vec<String> {
    let mut lines = Vec::new();
    for currency in account.currencies() {
        let book = Book::of(account, currency);
        for column in &book.claims {
            lines.push(format!(
                "{} {:?} principal {} credited {} remitted {} waived {} written off {} paid {} \
                 fees {} of {} interest {} paid {} outstanding {} settled {:?}",
                column.invoice,
                column.due_on,
                column.principal.normalize(),
                column.credited.normalize(),
                column.remitted.normalize(),
                column.waived.normalize(),
                column.written_off.normalize(),
                column.paid.normalize(),
                column.fees.normalize(),
                column.fees_charged.normalize(),
                column.interest_on(day("2026-12-01")).normalize(),
                column.interest_paid.normalize(),
                column.outstanding.normalize(),
                column.settled_on(),
            ));
        }
        let (paid, unallocated) = (book.paid.normalize(), book.unallocated.normalize());
        lines.push(format!("{currency}: paid {paid} unallocated {unallocated}"));
        lines.push(format!("{:?}", book.used));
    }
    lines
}

/// What people do between two facts.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// The gateway takes what waits.
    Send,
    /// It takes it, and it comes back.
    Bounce,
    /// The gateway is away: what was decided waits.
    Delay,
    /// Bytes may have left.
    Lose,
    /// A person decides that lost messages were not sent.
    Discard,
    Promise,
    Plan,
    Release,
    Admit,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    use Deed::{Admit, Bounce, Delay, Discard, Lose, Plan, Promise, Release, Send};
    let weighted = vec![
        Send, Send, Send, Send, Bounce, Delay, Lose, Discard, Promise, Plan, Release, Release,
        Admit,
    ];
    proptest::collection::vec(select(weighted), 64)
}

/// Facts in the order in which they arrive, with decisions and deeds in between. A message is
/// sent unless the recheck says no. A level falls by a bounce alone.
fn lived(history: &[Told], policies: Vec<Policy>, deeds: &[Deed]) -> Story {
    let mut story = Story::new(rules(policies));
    let mut deeds = deeds.iter().copied().cycle();
    for (fact, stamp) in history {
        story.now += SignedDuration::from_hours(7 * 24 + 5);
        story.record_as(fact.clone(), stamp.clone()).expect("no fact contradicts another");
        for deed in deeds.by_ref().take(3) {
            let before = levels(&story);
            story.decide();
            let again = story.decide();
            assert_eq!(again, [], "what was decided is not decided again");
            do_it(&mut story, deed);
            for (claim, level) in before {
                let now = levels(&story).into_iter().find(|(one, _)| *one == claim);
                let fell = now.is_none_or(|(_, now)| now < level);
                assert!(!fell || matches!(deed, Deed::Bounce), "{claim} fell from {level}");
            }
            match story.wake {
                Some(wake) => story.now = wake,
                None => break,
            }
        }
    }
    story
}

fn do_it(story: &mut Story, deed: Deed) {
    let number = story.log.len();
    let today = story.now.to_zoned(creditor().zone).date();
    match deed {
        Deed::Delay => {}
        Deed::Send => send_all(story),
        Deed::Bounce => {
            send_all(story);
            let last = story.log.iter().rev().find_map(crate::story::notice_of);
            if let Some((notice, channel)) = last.map(|n| (n.notice.clone(), n.channel)) {
                story
                    .record(receipt(&notice, channel, &show(story.now), Receipt::Bounced))
                    .unwrap();
            }
        }
        Deed::Lose => {
            for notice in in_state(story, NoticeState::Decided) {
                story.execute(&Command::Park { notice, outcome_unknown: true }).unwrap();
            }
        }
        Deed::Discard => {
            for notice in in_state(story, NoticeState::Unknown) {
                story.execute(&Command::Discard { notice, by: "ute".into() }).unwrap();
            }
        }
        Deed::Promise => {
            let until = today.checked_add(jiff::Span::new().days(12)).unwrap();
            // Whether one runs already, or nothing is owed, is no matter here.
            let _ = story.promise(&format!("Z-{number}"), &until.to_string());
        }
        Deed::Plan => {
            let policy = story.rules.policy(Currency::EUR).unwrap().clone();
            let (_, open) = plannable(&story.account, Currency::EUR, today);
            if let Some((_, rates)) = offers(&policy, open, today).first() {
                let _ = story.agree(&format!("R-{number}"), rates);
            }
        }
        Deed::Release => {
            let due = |one: &Placement| one.state == PlacementState::Due;
            if story.account.placements.values().any(due) {
                let _ = story.release(if number.is_multiple_of(2) { "ute" } else { "jan" });
            }
        }
        Deed::Admit => {
            let claims: Vec<InvoiceId> = story.account.claims.keys().cloned().collect();
            for invoice in claims {
                let admit = Command::Admit { invoice, by: "ute".into() };
                story.execute(&admit).unwrap();
            }
        }
    }
}

fn in_state(story: &Story, state: NoticeState) -> Vec<NoticeId> {
    let notices = story.account.notices.iter().filter(|(_, one)| one.state == state);
    notices.map(|(id, _)| id.clone()).collect()
}

fn send_all(story: &mut Story) {
    for notice in in_state(story, NoticeState::Decided) {
        match recheck(&story.account, &story.rules, &notice, story.now) {
            Recheck::Send => {
                let told = story.account.notices[&notice].decided.clone();
                owed_as_told(story, &told);
                story.confirm(&notice);
            }
            Recheck::Suppress(reason) => {
                story.execute(&Command::Suppress { notice, reason }).unwrap();
            }
            Recheck::Later(open) => assert!(open > story.now),
            Recheck::NotPending => panic!("it waits"),
        }
    }
}

/// What leaves says what is owed at that moment.
fn owed_as_told(story: &Story, told: &NoticeDecided) {
    let book = Book::of(&story.account, told.currency);
    for part in &told.claims {
        let column = book.claim(&part.invoice).unwrap();
        assert!(column.is_open() && !column.claim.disputed());
        let interest = told.interest_to.map_or(Decimal::ZERO, |day| column.interest_on(day));
        let owed = (column.outstanding, column.fees, interest);
        assert_eq!(owed, (part.principal, part.fees, part.interest));
    }
}

fn levels(story: &Story) -> Vec<(InvoiceId, usize)> {
    let steps = &story.rules.policy(Currency::EUR).unwrap().steps;
    let place = |name: &StepName| steps.iter().position(|step| step.name == *name).map(|at| at + 1);
    let claims = story.account.claims.iter();
    claims
        .map(|(id, claim)| {
            let reached = claim.steps.iter().filter_map(|taken| place(&taken.step)).max();
            (id.clone(), reached.unwrap_or(0))
        })
        .collect()
}

fn dollars() -> Policy {
    let mut policy = shop_b2c();
    policy.reference.name = PolicyName::new("dollars").unwrap();
    policy.currency = Currency::USD;
    policy
}

/// 48 histories a property in each run; `PROPTEST_CASES` asks for more.
fn looked_at() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { asked.cases } else { 48 };
    ProptestConfig { cases, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(looked_at())]

    #[test]
    fn the_order_of_arrival_changes_nothing(
        history in history(), first in keys(), second in keys(),
    ) {
        let straight = told(&history);
        for keys in [first, second] {
            let other = told(&shuffled(&history, &keys));
            prop_assert_eq!(balances(&straight.account), balances(&other.account));
            prop_assert_eq!(&straight.account, &other.account);
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_interest(history in history(), keys in keys()) {
        let straight = told_with_interest(&history);
        let other = told_with_interest(&shuffled(&history, &keys));
        prop_assert_eq!(balances(&straight.account), balances(&other.account));
        // Which half-years were ever asked for may differ; what they say does not.
        let but_for_rates = |mut story: Story| {
            story.account.base_rates = None;
            story.account
        };
        prop_assert_eq!(but_for_rates(straight), but_for_rates(other));
    }

    /// A story looks at this after each command. Here after each event, in whatever order they
    /// come.
    #[test]
    fn books_are_handed_on_until_something_touches_them(
        history in history(), keys in keys(), deeds in deeds(), interest in any::<bool>(),
    ) {
        let policies = if interest { vec![with_interest(), dollars()] } else { vec![shop_b2c()] };
        let story = lived(&shuffled(&history, &keys), policies, &deeds);
        let mut account = Account::default();
        for event in &story.log {
            account.apply_event(event);
            let stored: Account =
                serde_json::from_str(&serde_json::to_string(&account).unwrap()).unwrap();
            let (kept, fresh) = (Book::all(&account), Book::all(&stored));
            prop_assert_eq!(kept.collect::<Vec<_>>(), fresh.collect::<Vec<_>>(), "{:?}", event);
        }
        prop_assert_eq!(&account, &story.account);
    }

    #[test]
    fn what_agencies_have_to_know_changes_by_events_alone_that_are_said_to_concern_them(
        history in history(), keys in keys(), deeds in deeds(),
    ) {
        let story = lived(&shuffled(&history, &keys), vec![with_interest(), dollars()], &deeds);
        // As if all that is ever owed were with an agency from the beginning.
        let claims: Vec<InvoiceId> = story.account.claims.keys().cloned().collect();
        let everything = Placement {
            agency: AgencyId::new("nord").unwrap(),
            interest: claims.iter().map(|it| (it.clone(), Decimal::ZERO, day("2026-04-30"))).collect(),
            claims,
            step: StepName::new("last-call").unwrap(),
            policy: shop_b2c().reference,
            release: Release::OnePerson,
            missing: Vec::new(),
            approved_by: Default::default(),
            state: PlacementState::Released,
            amounts: Vec::new(),
            went_out: None,
            agency_state: None,
        };
        let (mut account, mut before) = (Account::default(), PlacementNow::default());
        for event in &story.log {
            account.apply_event(event);
            let now = PlacementNow::of(&account, &everything);
            prop_assert!(now == before || concerns_agencies(event), "{:?}", event);
            before = now;
        }
    }

    #[test]
    fn no_cent_is_lost_while_interest_runs(
        history in history(), keys in keys(), deeds in deeds(),
    ) {
        let story = lived(&shuffled(&history, &keys), vec![with_interest(), dollars()], &deeds);
        for on in ["2026-01-20", "2026-02-28", "2026-04-01", "2026-06-30"] {
            statements_add_up(&Account::as_of(&story.log, day(on)), day(on));
        }
    }

    #[test]
    fn no_fraction_of_a_cent_enters_the_books(
        history in history(), keys in keys(), fine in proptest::collection::vec(1i64..9999, 48),
    ) {
        let mut story = Story::new(rules([with_interest()]));
        story.now = at("2026-12-01");
        for (at, (mut fact, stamp)) in shuffled(&history, &keys).into_iter().enumerate() {
            let finer = |amount: &mut Option<Decimal>| {
                if let Some(amount) = amount {
                    *amount += Decimal::new(fine[at], 4);
                }
            };
            match &mut fact {
                Fact::Waived { amount, .. } | Fact::WrittenOff { amount, .. }
                | Fact::DisputeOpened { amount, .. } | Fact::DisputeResolved { amount, .. } => {
                    finer(amount);
                }
                Fact::PaymentReturned { amount, fee, .. } => {
                    finer(amount);
                    finer(fee);
                }
                _ => {}
            }
            let told = story.record_as(fact, stamp);
            prop_assert!(matches!(told, Ok(_) | Err(Refusal::TooPrecise { .. })), "{told:?}");
        }
        for currency in story.account.currencies() {
            let book = Book::of(&story.account, currency);
            let whole = |amount: Decimal| amount.normalize().scale() <= 2;
            prop_assert!(whole(book.paid) && whole(book.unallocated));
            for one in &book.claims {
                prop_assert!([
                    one.outstanding, one.fees, one.fees_charged, one.paid, one.fees_paid,
                    one.interest_paid, one.interest_on(day("2026-11-30")), one.interest_given_up,
                    one.waived, one.written_off, one.remitted, one.credited,
                ].into_iter().all(whole), "{one:?}");
            }
        }
    }

    #[test]
    fn facts_told_twice_change_nothing(history in history(), keys in keys()) {
        let once = told(&history);
        let mut again = once.clone();
        let keyed = |fact: &Fact| matches!(
            fact,
            Fact::InvoiceIssued { .. } | Fact::InvoiceCredited { .. } | Fact::PaymentReceived { .. }
                | Fact::HoldReleased { .. } | Fact::Waived { .. } | Fact::WrittenOff { .. }
                | Fact::ReminderReported { .. }
        );
        for (fact, stamp) in shuffled(&history, &keys).into_iter().filter(|(f, _)| keyed(f)) {
            prop_assert_eq!(again.record_as(fact, stamp), Ok(Vec::new()));
        }
        prop_assert_eq!(&once.account, &again.account);
    }

    #[test]
    fn what_is_decided_in_between_leaves_the_facts_balances(
        history in history(), keys in keys(), deeds in deeds(),
    ) {
        let straight = told(&history);
        let other = lived(&shuffled(&history, &keys), vec![shop_b2c(), dollars()], &deeds);
        let fees = other.log.iter().any(|event| matches!(event, AccountEvent::FeeCharged { .. }));
        if fees {
            for currency in other.account.currencies() {
                let (a, b) = (
                    Book::of(&straight.account, currency),
                    Book::of(&other.account, currency),
                );
                prop_assert_eq!(a.paid, b.paid);
                for (one, two) in a.claims.iter().zip(&b.claims) {
                    prop_assert_eq!(one.principal, two.principal);
                    prop_assert_eq!(one.credited, two.credited);
                }
            }
        } else {
            prop_assert_eq!(balances(&straight.account), balances(&other.account));
        }
        no_cent_is_lost(&other.account);
    }

    #[test]
    fn a_step_is_found_or_not_whatever_the_account_and_the_policy(
        history in history(), when in -400i64..4000, order in keys(), pace in 0i64..400,
    ) {
        let mut story = told(&history);
        let mut policy = shop_b2c();
        let steps = policy.steps.len();
        // Any order, anchors that point anywhere, no personas at all: still an answer.
        for (at, step) in policy.steps.iter_mut().enumerate() {
            step.at.anchor = kulanz_domain::policy::Anchor::Step(order[at] as usize % (steps + 2));
        }
        policy.personas.iter_mut().for_each(|one| one.pace = Decimal::new(pace, 2));
        if pace == 0 {
            policy.personas.clear();
        }
        story.rules = std::sync::Arc::new(rules([policy]));
        story.now = at("2026-03-01") + SignedDuration::from_hours(24 * when);
        story.decide();
    }
}
