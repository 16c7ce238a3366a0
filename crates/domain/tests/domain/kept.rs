//! Promises and plans that were kept in time although word of the money came late.

use jiff::{Timestamp, civil::Date};
use kulanz_domain::{
    Command,
    account::{Notice, NoticeState, PlacementState, Standing},
    arrangement::{missing_of_rates, offers, plannable},
    calendar::Span,
    decision::WaitReason,
    fact::{Channel, Fact, PlacementReport, Stamp},
    ids::*,
    money::{Currency, Decimal},
    policy::{Anchor, Release, StepAction},
};
use proptest::{prelude::*, sample::select};

use crate::{
    story::{Story, notice_of},
    world::*,
};

/// Late since 2026-07-20 with 1000.00; 1009.22 are open on 2026-08-20.
fn late() -> Story {
    let mut story = Story::new(rules([with_interest()]));
    story.now = at("2026-07-05");
    let mut one = invoice("R-1", eur("1000.00"), "2026-07-19");
    one.due_date_agreed = false;
    let declared = Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2026-07-20"),
        ground: "refusal".into(),
    };
    let story = story.told(debtor(business())).told(Fact::InvoiceIssued { invoice: one });
    story.told(declared).on("2026-08-20")
}

fn promised() -> Story {
    late().promises("Z-1", "2026-09-10")
}

fn planned() -> Story {
    let mut story = late();
    let offered = offers(&with_interest(), amount("1009.22"), day("2026-09-01"));
    story.agree("T-1", &offered[0].1).unwrap();
    story
}

/// The plan's rates on 2026-09-01, 10-01 and 11-01.
fn rates(story: &Story) -> Vec<(String, String)> {
    let plan = &story.account.plans[&PlanId::new("T-1").unwrap()];
    plan.rates.iter().map(|rate| (rate.due_on.to_string(), rate.amount.to_string())).collect()
}

fn decides_on(mut story: Story, when: &str) -> Story {
    story.now = at(when);
    story.decide();
    story
}

#[track_caller]
fn owes_in_all(story: Story, on: &str, expected: &str) -> Story {
    assert_eq!(story.book(|book| book.open_on(day(on))), amount(expected), "open on {on}");
    story
}

fn promise_is(story: &Story) -> Standing {
    story.account.promises[&PromiseId::new("Z-1").unwrap()].standing
}

fn plan_is(story: &Story) -> Standing {
    story.account.plans[&PlanId::new("T-1").unwrap()].standing
}

#[test]
fn a_promise_kept_in_time_is_kept_however_late_word_of_the_money_comes() {
    let broken = decides_on(promised(), "2026-09-15").happened("PromiseBroken", 1);
    let told = paid("P-1", "1009.22", "2026-09-09", None);
    let story = decides_on(broken.on("2026-09-20").told(told), "2026-09-20");
    let story = owes_in_all(story.happened("PromiseKept", 1), "2026-12-31", "0.00");
    let mut story = story.settled("R-1", Some("2026-09-09"));
    assert_eq!(promise_is(&story), Standing::Kept);
    // And the debtor may promise again at once.
    story.record(issued("R-2", "50.00", "2026-09-19")).unwrap();
    story.promise("Z-2", "2026-09-30").unwrap();
}

#[test]
fn a_promise_paid_after_the_patience_or_in_part_stays_broken() {
    for (money, on) in [("1009.22", "2026-09-16"), ("1009.21", "2026-09-09")] {
        let broken = decides_on(promised(), "2026-09-15");
        let told = paid("P-1", money, on, None);
        let story = decides_on(broken.on("2026-09-20").told(told), "2026-09-20");
        assert_eq!(promise_is(&story), Standing::Broken, "{money} on {on}");
        assert!(story.book(|book| book.open_on(day("2026-09-20"))) > Decimal::ZERO);
    }
}

#[test]
fn money_that_went_back_in_time_kept_no_promise_and_what_goes_back_later_did() {
    let kept = || {
        let told = paid("P-1", "1009.22", "2026-09-09", None);
        decides_on(promised().on("2026-09-10").told(told), "2026-09-10")
    };
    let back = |on: &str| decides_on(kept().on(on).told(returned("P-1", on, None)), "2026-09-20");
    assert_eq!(promise_is(&back("2026-09-11")), Standing::Broken);
    assert_eq!(promise_is(&back("2026-09-18")), Standing::Kept);
}

#[test]
fn a_plan_whose_rate_was_paid_in_time_runs_on_when_word_of_it_comes() {
    let broken = decides_on(planned(), "2026-09-10").happened("PlanBroken", 1);
    let all = rates(&broken);
    let told = |story: Story, at: usize, on: &str| {
        let fact = paid(&format!("P-{at}"), &all[at].1, &all[at].0, Some("R-1"));
        decides_on(story.on(on).told(fact), on)
    };
    let story = told(broken, 0, "2026-09-20").happened("PlanResumed", 1);
    assert_eq!(plan_is(&story), Standing::Open);
    let story = told(told(story, 1, "2026-10-01"), 2, "2026-11-01");
    owes_in_all(story.happened("PlanCompleted", 1), "2026-12-31", "0.00")
        .settled("R-1", Some("2026-11-01"));
}

#[test]
fn a_plan_all_of_which_was_paid_in_time_is_completed_when_word_of_it_comes() {
    let mut story = decides_on(planned(), "2026-09-10");
    for (at, (on, money)) in rates(&story).iter().enumerate() {
        story = story.on("2026-12-01").told(paid(&format!("P-{at}"), money, on, Some("R-1")));
    }
    let story = decides_on(story, "2026-12-01").happened("PlanCompleted", 1);
    owes_in_all(story, "2026-12-31", "0.00");
}

#[test]
fn a_plan_broken_by_its_second_rate_ran_until_then() {
    let told = |story: Story, on: &str| {
        let (day, money) = rates(&story)[0].clone();
        decides_on(story.on(on).told(paid("P-0", &money, &day, Some("R-1"))), on)
    };
    let at_once = told(planned(), "2026-09-01");
    let wake = at_once.wake.map(show).unwrap();
    let at_once = decides_on(at_once, &wake);
    let next = at_once.wake.map(show).unwrap();
    let at_once = decides_on(at_once, &next);
    assert_eq!(plan_is(&at_once), Standing::Broken);
    let late = told(decides_on(planned(), "2026-09-10"), "2026-10-20");
    let open = |story: &Story| story.book(|book| book.open_on(day("2026-12-01")));
    assert_eq!((plan_is(&late), open(&late)), (Standing::Broken, open(&at_once)));
}

#[test]
fn a_plan_that_another_has_followed_does_not_come_back() {
    let mut story = decides_on(planned(), "2026-09-10");
    let (first, money) = rates(&story)[0].clone();
    let open = story.book(|book| book.open_on(story.today()));
    let offered = offers(&with_interest(), open, day("2026-09-15"));
    story.agree("T-2", &offered[0].1).unwrap();
    let told = paid("P-0", &money, &first, Some("R-1"));
    let story = decides_on(story.on("2026-09-11").told(told), "2026-09-11");
    assert_eq!(plan_is(&story), Standing::Broken);
    // But it ran until then: for the days between the two there is no interest.
    owes_in_all(story, "2026-12-31", "756.92");
}

#[test]
fn what_was_done_while_a_plan_wrongly_counted_as_broken_is_taken_back() {
    let before = planned().account.claims[&id("R-1")].clone();
    let mut story = decides_on(planned(), "2026-09-10").happened("PlanBroken", 1);
    while story.account.placements.is_empty() {
        let wake = story.wake.expect("the ladder goes on");
        story.now = wake;
        story.decide();
        let waits = |one: &Notice| one.state == NoticeState::Decided;
        if story.account.notices.values().any(|one| waits(one)) {
            let notice = story.pending();
            story.confirm(&notice);
            story.decide();
        }
    }
    let reached = story.account.claims[&id("R-1")].clone();
    assert!(reached.steps.len() >= 4 && reached.steps.len() > before.steps.len());
    assert!(reached.costs_charged().0 > Decimal::ZERO && reached.placement.is_some());
    let released = story.released_by("ute").released_by("jan");
    let mut story = released.placement_is(PlacementState::Released);
    // Word of all rates that were due by then, each paid on its day.
    for (at, (on, money)) in rates(&story).iter().enumerate() {
        if day(on) <= story.today() {
            story = story.told(paid(&format!("P-{at}"), money, on, Some("R-1")));
        }
    }
    let claim = &story.account.claims[&id("R-1")];
    let last = day(&rates(&story)[2].0);
    assert!(story.today() > last, "all of them were, in {}", story.today());
    assert_eq!((plan_is(&story), &claim.steps), (Standing::Kept, &before.steps));
    assert_eq!(claim.costs_charged(), before.costs_charged());
    assert_eq!(claim.default_by_notice, before.default_by_notice);
    let story = story.placement_is(PlacementState::Recalled).happened("PlacementRecalled", 1);
    owes_in_all(story, "2027-12-31", "0.00").keeps_as_credit("0.00");
}

#[test]
fn a_plan_that_runs_on_is_called_back_from_the_agency_and_its_ladder_begins_where_it_was() {
    let mut policy = with_interest();
    let agency = AgencyId::new("nordinkasso").unwrap();
    let action = StepAction::HandOff { agency, release: Release::Automatic };
    policy.steps = vec![
        rung("mahnung", StepAction::Mahnung, moment(Anchor::Due, 50)),
        rung("inkasso", action, moment(Anchor::Step(0), 3)),
    ];
    policy.steps[0].fee = amount("2.50");
    policy.steps[0].deadline = Some(Span::Days(3));
    let mut story = planned().under(policy);
    story.now = at("2026-09-08 09:00");
    let story = story.takes("mahnung", Channel::Email);
    let mut story = story.on("2026-09-21");
    story.decide();
    let story = story.placement_is(PlacementState::Released);
    let (on, money) = rates(&story)[0].clone();
    let story = story.on("2026-09-22").told(paid("P-0", &money, &on, Some("R-1")));
    let story = story.placement_is(PlacementState::Recalled);
    let story = story.waits(WaitReason::Planned(PlanId::new("T-1").unwrap()));
    let claim = &story.account.claims[&id("R-1")];
    assert_eq!((claim.steps.len(), claim.costs_charged().0), (0, Decimal::ZERO));
    let story = owes_in_all(story, "2026-09-22", "756.92");
    // The second rate does not come: the ladder begins again, from its first step.
    decides_on(story, "2026-10-07 09:00").happened("PlanBroken", 2).sends();
}

#[test]
fn a_promise_that_nobody_paid_is_not_kept_by_a_waiver() {
    let waived =
        Fact::Waived { invoice: id("R-1"), on: day("2026-09-20"), amount: None, part: None };
    let story = decides_on(promised(), "2026-09-15").on("2026-09-20").told(waived);
    assert_eq!(promise_is(&decides_on(story, "2026-09-20")), Standing::Broken);
}

#[test]
fn who_was_right_not_to_pay_broke_no_promise_but_a_plan_that_nobody_paid_stays_broken() {
    let cancelled_late = |story: Story| {
        let broken = decides_on(story, "2026-09-15").on("2026-09-20");
        decides_on(broken.told(cancelled("R-1", "2026-09-20")), "2026-09-20")
    };
    let story = cancelled_late(promised());
    assert_eq!(promise_is(&story), Standing::Kept);
    // Of two claims in a plan one is cancelled: nobody paid the rates for the other.
    let mut two = late().told(issued("R-2", "900.00", "2026-09-03"));
    let (_, open) = plannable(&two.account, Currency::EUR, two.today());
    two.agree("T-1", &offers(&with_interest(), open, day("2026-09-01"))[0].1).unwrap();
    assert_eq!(plan_is(&cancelled_late(two)), Standing::Broken);
}

#[test]
fn the_agencys_word_of_money_that_it_holds_moves_the_day_of_the_banks_in_either_order() {
    let bank = || (paid("P-1", "1009.22", "2026-09-09", None), "2026-09-09");
    // It passed the money on before the agency says that it came.
    let agency =
        || (Becomes::AgencyHolds.fact("P-1", day("2026-09-18"), "1009.22").unwrap(), "2026-09-18");
    for told in [[bank(), agency()], [agency(), bank()]] {
        let mut story = promised();
        for (fact, on) in told {
            story.now = story.now.max(at(on));
            story = story.told(fact);
            story.decide();
        }
        let story = decides_on(story, "2026-09-20");
        assert_eq!(promise_is(&story), Standing::Broken, "booked on the 18th, it came too late");
    }
}

/// A fact that happened on a day and is told so many days later.
#[derive(Debug, Clone)]
struct Told(Fact, Date, i32);

/// How an account is lived through.
#[derive(Debug, Clone)]
struct Life {
    /// The last day: all is told by then.
    ends: Date,
    second_claim: bool,
    /// Messages that are decided leave at once.
    sends: bool,
    /// What comes on one day comes in the other order.
    backwards: bool,
    /// After which facts a decision is made at once; wake-ups are always kept.
    decides: u64,
}

fn later(day: Date, days: i32) -> Date {
    day.checked_add(jiff::Span::new().days(days)).unwrap()
}

/// What becomes of money that came.
#[derive(Debug, Clone, Copy)]
enum Becomes {
    Stays,
    Returned,
    PartlyReturned,
    Refunded,
    PartlyRefunded,
    AnotherAccounts,
    ForTheSecondClaim,
    /// An agency tells of it as well, with another day.
    AgencyToldToo,
    /// The agency has it.
    AgencyHolds,
}

fn money() -> impl Strategy<Value = Vec<Told>> {
    use Becomes::*;
    let amounts = vec![
        "1009.22", "1209.22", "509.22", "500.00", "336.40", "252.30", "252.31", "378.46", "302.30",
        "453.46", "20.00",
    ];
    let becomes = select(vec![
        Stays,
        Stays,
        Stays,
        Stays,
        Returned,
        Returned,
        PartlyReturned,
        Refunded,
        PartlyRefunded,
        AnotherAccounts,
        ForTheSecondClaim,
        AgencyToldToo,
        AgencyHolds,
    ]);
    let then = (becomes, 0i32..40, 0i32..60);
    let one = (select(amounts), 0i32..80, 0i32..60, any::<bool>(), then);
    proptest::collection::vec(one, 0..6).prop_map(|all| {
        let mut facts = Vec::new();
        for (at, (money, booked, delay, designated, then)) in all.into_iter().enumerate() {
            let (name, on) = (format!("P-{at}"), later(day("2026-08-26"), booked));
            let invoice = designated.then_some("R-1");
            facts.push(Told(paid(&name, money, &on.to_string(), invoice), on, delay));
            let (becomes, after, delay) = then;
            let on = later(on, after);
            if let Some(fact) = becomes.fact(&name, on, money) {
                facts.push(Told(fact, on, delay));
            }
        }
        facts
    })
}

impl Becomes {
    fn fact(self, name: &str, on: Date, money: &str) -> Option<Fact> {
        let payment = PaymentId::new(name).unwrap();
        let refunded = |payment, money| Fact::PaymentRefunded { payment, on, amount: eur(money) };
        let assigned = |payment, to: &str, invoice: Option<&str>| Fact::PaymentAssigned {
            payment,
            to: to.parse().unwrap(),
            invoice: invoice.map(id),
        };
        let agency = |payment, paid_to_creditor| Fact::PlacementReported {
            placement: PlacementId::new("P-x").unwrap(),
            agency: AgencyId::new("nordinkasso").unwrap(),
            invoice: None,
            on,
            report: PlacementReport::PaymentReceived {
                payment,
                amount: eur(money),
                paid_to_creditor,
                split: None,
            },
        };
        Some(match self {
            Self::Stays => return None,
            Self::Returned => returned(name, &on.to_string(), Some("3.00")),
            Self::PartlyReturned => Fact::PaymentReturned {
                payment,
                on,
                amount: Some(amount("15.00")),
                reason: "AC04".into(),
                fee: None,
            },
            Self::Refunded => refunded(payment, money),
            Self::PartlyRefunded => refunded(payment, "15.00"),
            Self::AnotherAccounts => assigned(payment, "lindenmoor/D-2", None),
            Self::ForTheSecondClaim => assigned(payment, "lindenmoor/D-1", Some("R-2")),
            Self::AgencyToldToo => agency(payment, true),
            Self::AgencyHolds => agency(payment, false),
        })
    }
}

fn life() -> impl Strategy<Value = Life> {
    let (second, sends, backwards) = (any::<bool>(), any::<bool>(), any::<bool>());
    (14i32..170, second, sends, backwards, any::<u64>()).prop_map(
        |(days, second_claim, sends, backwards, decides)| Life {
            ends: later(day("2026-08-26"), days),
            second_claim,
            sends,
            backwards,
            decides,
        },
    )
}

impl Life {
    fn begin(&self) -> Story {
        let mut story = late();
        if self.second_claim {
            story = story.told(issued("R-2", "200.00", "2026-09-03"));
        }
        story
    }

    /// Decides, and once more: that must find nothing.
    fn decide(&self, story: &mut Story, commands: &mut u32) {
        for again in [false, true] {
            *commands += 1;
            let seed = format!("{commands}").into();
            let rules = story.rules.clone();
            let command = Command::Decide { rules: rules.clone(), now: story.now, seed };
            let executed = story.account.execute(&command).unwrap();
            story.wake = executed.wake;
            assert!(!again || executed.events.is_empty(), "decided again: {:?}", executed.events);
            for event in &executed.events {
                if let (true, Some(decided)) = (self.sends, notice_of(event)) {
                    let (notice, at) = (decided.notice.clone(), story.now);
                    let sent = Command::ConfirmSent { notice, at, rules: rules.clone() };
                    story.account.execute(&sent).unwrap();
                }
            }
        }
    }

    /// Told each fact on its day, or later.
    fn lived(&self, mut story: Story, facts: &[Told], late: bool) -> Story {
        let mut commands = 1000;
        let happened = facts.iter().filter(|Told(_, on, _)| *on <= self.ends);
        let mut facts: Vec<(Date, Stamp, &Fact)> = happened
            .enumerate()
            .map(|(number, Told(fact, on, delay))| {
                let told_on = if late { later(*on, *delay).min(self.ends) } else { *on };
                // When it happened, whenever word of it comes.
                let stamp = Stamp { at: at(&on.to_string()), id: format!("bank#{number:03}") };
                (told_on, stamp, fact)
            })
            .collect();
        if late && self.backwards {
            facts.reverse();
        }
        facts.sort_by_key(|(told_on, ..)| *told_on);
        let wakes = |story: &mut Story, until: Timestamp, commands: &mut u32| {
            self.decide(story, commands);
            while let Some(wake) = story.wake.filter(|wake| *wake < until) {
                story.now = wake;
                self.decide(story, commands);
            }
            story.now = until;
        };
        for (number, (told_on, stamp, fact)) in facts.into_iter().enumerate() {
            if late && self.decides >> (number % 64) & 1 == 0 && story.today() == told_on {
                // Nothing is decided between this fact and the one before it.
            } else {
                wakes(&mut story, at(&told_on.to_string()), &mut commands);
            }
            let (at, account) = (story.now, account_id());
            let (fact, rules) = (fact.clone(), story.rules.clone());
            story.account.execute(&Command::Record { fact, stamp, at, account, rules }).unwrap();
        }
        wakes(&mut story, at(&self.ends.to_string()), &mut commands);
        self.decide(&mut story, &mut commands);
        story
    }

    /// Standings, what is open and settled, what is missing of which rate; where nothing has made
    /// anything due, the ladder as well.
    fn end(&self, story: &Story) -> String {
        let account = &story.account;
        let promises: Vec<_> =
            account.promises.values().map(|p| (p.standing, p.ended_on)).collect();
        let plans: Vec<_> = account.plans.values().map(|p| (p.standing, p.ended_on)).collect();
        let mut end = format!("{promises:?} {plans:?}");
        let runs = plans.iter().any(|(one, _)| *one == Standing::Open);
        let settled: Vec<_> = account.claims.values().map(|claim| claim.settled_on).collect();
        let all = || promises.iter().chain(&plans);
        let broken = all().any(|(one, _)| *one == Standing::Broken);
        let last = all().filter_map(|(_, ended_on)| *ended_on).max();
        let paid = settled.iter().all(|on| on.is_some() && *on <= last);
        if self.sends && (broken || !(runs || paid)) {
            return end; // messages went out at other times, with their fees
        }
        let days = [self.ends, later(self.ends, 20), later(self.ends, 200)];
        let (open, credit) =
            story.book(|book| (days.map(|day| book.open_on(day)), book.unallocated));
        let missing = account.plans.values().map(|p| missing_of_rates(account, p, self.ends));
        let missing: Vec<_> = missing.collect();
        end += &format!(" open {open:?} credit {credit} settled {settled:?} missing {missing:?}");
        if runs {
            let claim = &account.claims[&id("R-1")];
            let steps: Vec<_> = claim.steps.iter().map(|step| (&step.step, step.at)).collect();
            end += &format!(" steps {steps:?} default {:?}", claim.default_by_notice);
            if self.sends {
                // Else one that was decided may wait to be looked at once more, and suppressed.
                end += &format!(" {:?} wakes {:?}", story.look().findings, story.wake);
            }
        }
        end
    }

    fn ends_the_same(&self, begins: impl Fn(Story) -> Story, facts: &[Told]) {
        let lived = |late: bool| self.lived(begins(self.begin()), facts, late);
        let (at_once, late) = (lived(false), lived(true));
        assert_eq!(self.end(&at_once), self.end(&late));
    }
}

fn promises_all(story: Story) -> Story {
    story.promises("Z-1", "2026-09-10")
}

fn agrees(mut story: Story) -> Story {
    let (_, open) = plannable(&story.account, Currency::EUR, story.today());
    let offered = offers(&with_interest(), open, day("2026-09-01"));
    story.agree("T-1", &offered[0].1).unwrap();
    story
}

proptest! {
    // A quarter of the usual number: each case lives through months, twice.
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: ProptestConfig::default().cases / 4,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_promise_ends_the_same_whenever_word_of_the_money_comes(
        mut facts in money(), life in life(), booked in 0i32..20, delay in 0i32..60,
    ) {
        let (money, on) =
            (if life.second_claim { "1209.22" } else { "1009.22" }, later(day("2026-08-26"), booked));
        facts.push(Told(paid("P-all", money, &on.to_string(), None), on, delay));
        life.ends_the_same(promises_all, &facts);
    }

    #[test]
    fn a_plan_ends_the_same_whenever_word_of_the_money_comes(facts in money(), life in life()) {
        life.ends_the_same(agrees, &facts);
    }

    #[test]
    fn a_promise_during_a_plan_ends_the_same_as_well(facts in money(), life in life()) {
        life.ends_the_same(|story| promises_all(agrees(story).on("2026-08-24")), &facts);
    }

    #[test]
    fn a_plan_that_replaces_a_promise_ends_the_same_as_well(facts in money(), life in life()) {
        life.ends_the_same(|story| agrees(promises_all(story).on("2026-08-24")), &facts);
    }
}
