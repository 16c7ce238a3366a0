//! Whole random histories: whatever the order of arrival, the books are the same.

use jiff::SignedDuration;
use kulanz_domain::{
    Account, AccountEvent, Command, Refusal,
    account::{NoticeState, Placement, PlacementState},
    arrangement::{offers, plannable},
    book::Book,
    decision::{Recheck, recheck},
    event::NoticeDecided,
    fact::*,
    ids::*,
    money::{Currency, Decimal},
    placed::{PlacementNow, concerns_agencies},
    policy::{Policy, Release},
};
use proptest::{prelude::*, sample::select};

use crate::{
    random::*,
    story::{Story, no_cent_is_lost, statements_add_up},
    world::*,
};

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

/// Master data give a channel a new address: whether that came before word that the old one is dead
/// depends on the order of arrival, and bears on no money.
fn but_for_addresses(story: &Story) -> Account {
    let mut account = story.account.clone();
    account.dead_channels.clear();
    account
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
            prop_assert_eq!(but_for_addresses(&straight), but_for_addresses(&other));
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_interest(history in history(), keys in keys()) {
        let straight = told_with_interest(&history);
        let other = told_with_interest(&shuffled(&history, &keys));
        prop_assert_eq!(balances(&straight.account), balances(&other.account));
        // Which half-years were ever asked for may differ; what they say does not.
        let but_for_rates = |story: Story| {
            let mut account = but_for_addresses(&story);
            account.base_rates = None;
            account
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
        no_cent_is_lost(&other.account, other.horizon());
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
