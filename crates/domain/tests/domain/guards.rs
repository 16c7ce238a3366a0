//! The guards that no policy can loosen: a policy that asks for everything at once, and what the
//! law leaves of it.

use std::num::NonZeroU32;

use Channel::{Email, Letter, Sms};
use jiff::SignedDuration;
use kulanz_domain::{
    Account, AccountEvent,
    account::PlacementState,
    arrangement::{offers as offers_of, plannable},
    book::Book,
    calendar::Span,
    contact::{ContactCap, ContactWindow},
    event::FeeKind,
    fact::*,
    ids::*,
    money::{Currency, Decimal},
    policy::*,
};

use crate::{story::Story, world::*};

/// Asks for all that can be asked: fees and lump sums with each message, interest of 99 %, a
/// handoff the day after the due date that nobody has to release.
fn greedy(channel: Channel) -> Policy {
    let agency = AgencyId::new("nordinkasso").unwrap();
    let mahnung = |name: &str, days| Step {
        fee: amount("1000.00"),
        lump_sum: true,
        deadline: None,
        ..rung(name, StepAction::Mahnung, moment(Anchor::Due, days))
    };
    Policy {
        cap: ContactCap {
            times: NonZeroU32::new(100).unwrap(),
            within_days: NonZeroU32::new(1).unwrap(),
        },
        minimum: Decimal::ZERO,
        in_flight: Span::Days(0),
        meets_overdue_days: 36_500,
        interest: InterestPolicy {
            claimed: InterestClaimed::Percent(amount("99")),
            ..Default::default()
        },
        personas: vec![Persona {
            window: ContactWindow::always(),
            ..persona("everyone", None, &[channel])
        }],
        steps: vec![
            mahnung("first", 0),
            mahnung("second", 15),
            mahnung("third", 30),
            rung(
                "inkasso",
                StepAction::HandOff { agency, release: Release::Automatic },
                moment(Anchor::Due, 0),
            ),
        ],
        ..shop_b2c()
    }
}

/// Only hands over, at once.
fn hasty() -> Policy {
    let mut policy = greedy(Letter);
    policy.steps = policy.steps.split_off(3);
    policy
}

fn owing(policy: Policy, who: DebtorProfile) -> Story {
    let mut story = Story::new(rules([policy]));
    story.now = at("2026-03-01");
    story.told(debtor(who)).told(issued("R-1", "100.00", "2026-03-15"))
}

/// Decides and sends each day at noon, and at 3 in the night, for `days`.
fn dunned(mut story: Story, days: i64) -> Story {
    let start = story.now;
    for half_day in 0..2 * days {
        let hours = if half_day % 2 == 0 { 0 } else { 15 };
        story.now = start + SignedDuration::from_hours(24 * (half_day / 2) + hours);
        story.decide();
        let waiting = |account: &Account| {
            let mut waiting = account.notices.iter();
            waiting
                .find(|(_, one)| one.state == kulanz_domain::account::NoticeState::Decided)
                .map(|(id, _)| id.clone())
        };
        while let Some(notice) = waiting(&story.account) {
            story.confirm(&notice);
            story.decide();
        }
    }
    story
}

fn fees(story: &Story, kind: FeeKind) -> Vec<Decimal> {
    let charged = story.log.iter().filter_map(|event| match event {
        AccountEvent::FeeCharged { kind: charged, amount, .. } if *charged == kind => Some(*amount),
        _ => None,
    });
    charged.collect()
}

fn notices(story: &Story) -> usize {
    story.log.iter().filter(|event| matches!(event, AccountEvent::NoticeDecided(_))).count()
}

fn released(story: &Story) -> bool {
    story.account.placements.values().any(|one| one.state == PlacementState::Released)
}

#[test]
fn no_fee_before_default_and_none_above_the_cap() {
    // The first Mahnung starts default and costs nothing, whatever the channel.
    for (channel, later) in [(Email, "0.00"), (Sms, "0.20"), (Letter, "2.50")] {
        let story = dunned(owing(greedy(channel), consumer()), 60);
        assert_eq!(notices(&story), 3, "{channel:?}");
        let expected = if later == "0.00" { vec![] } else { vec![amount(later); 2] };
        assert_eq!(fees(&story, FeeKind::Reminder), expected, "{channel:?}");
    }
}

#[test]
fn no_lump_sum_against_consumers() {
    let story = dunned(owing(greedy(Letter), consumer()), 60);
    assert_eq!(fees(&story, FeeKind::LumpSum), []);
    let story = dunned(owing(greedy(Letter), business()), 60);
    assert_eq!(fees(&story, FeeKind::LumpSum).len(), 1, "once a claim");
}

#[test]
fn no_interest_before_default_none_on_interest_and_never_more_than_the_law_gives() {
    let story = dunned(owing(greedy(Email), consumer()), 60);
    let on = |day_: &str| Book::of(&story.account, Currency::EUR).claims[0].interest_on(day(day_));
    let from = story.account.claims[&id("R-1")].default_by_notice.clone().unwrap().1;
    assert_eq!(on(&from.yesterday().unwrap().to_string()), Decimal::ZERO);
    // A whole year later: simple interest at 6.27 and 6.52 %, no more on what had accrued.
    let book = Book::of(&story.account, Currency::EUR);
    let segments = book.claims[0].interest_segments(day("2026-12-31"));
    assert!(segments.iter().all(|one| one.principal == amount("100.00")));
    assert!(segments.iter().all(|one| one.segment.percent <= amount("6.52")));
}

#[test]
fn nobody_who_is_insolvent_deceased_or_erased_is_written_to_or_handed_over() {
    for fact in [
        Fact::InsolvencyOpened { on: day("2026-03-10") },
        Fact::DebtorDeceased { on: day("2026-03-10") },
    ] {
        let story = dunned(owing(greedy(Letter), consumer()).told(fact), 60);
        assert_eq!((notices(&story), released(&story)), (0, false));
    }
    let erase = kulanz_domain::Command::Erase { at: at("2026-03-10") };
    let story = dunned(owing(greedy(Letter), consumer()).does(erase), 60);
    assert_eq!((notices(&story), released(&story)), (0, false));
}

#[test]
fn nothing_is_handed_over_while_disputed_on_hold_promised_planned_or_before_default() {
    let late = || {
        let declared = Fact::DefaultDeclared {
            invoice: id("R-1"),
            from: day("2026-03-17"),
            ground: "refusal".into(),
        };
        owing(hasty(), consumer()).told(declared).on("2026-03-18")
    };
    assert!(released(&dunned(late(), 2)), "this policy hands over what it may");
    assert!(!released(&dunned(late().told(disputed("E-1", "R-1", "2026-03-18", None)), 60)));
    assert!(!released(&dunned(late().told(hold("H-1", None, None)), 60)));
    assert!(!released(&dunned(late().told(hold("H-1", Some("R-1"), None)), 60)));
    assert!(!released(&dunned(late().promises("Z-1", "2026-04-10"), 20)));
    let mut planned = late();
    let offers = shop_b2c().steps.into_iter().filter(|step| step.name.as_str() == "instalments");
    std::sync::Arc::make_mut(&mut planned.rules).policies.values_mut().for_each(|policy| {
        std::sync::Arc::make_mut(policy).steps.extend(offers.clone());
    });
    let policy = planned.rules.policy(Currency::EUR).unwrap().clone();
    let (_, open) = plannable(&planned.account, Currency::EUR, planned.today());
    planned.agree("T-1", &offers_of(&policy, open, day("2026-04-10"))[0].1).unwrap();
    assert!(!released(&dunned(planned, 20)));
    // Not in default: nothing was declared, and nobody was reminded.
    let story = dunned(owing(hasty(), consumer()).on("2026-03-18"), 60);
    assert!(story.account.placements.is_empty());
}

#[test]
fn nothing_is_handed_over_without_the_fields_of_section_13a_rdg() {
    let lacks = |change: fn(&mut Invoice), who: DebtorProfile| {
        let mut one = invoice("R-1", eur("100.00"), "2026-03-15");
        change(&mut one);
        let mut story = Story::new(rules([hasty()]));
        story.now = at("2026-03-01");
        let story = story.told(debtor(who)).told(Fact::InvoiceIssued { invoice: one });
        let declared = Fact::DefaultDeclared {
            invoice: id("R-1"),
            from: day("2026-03-17"),
            ground: "refusal".into(),
        };
        released(&dunned(story.told(declared).on("2026-03-18"), 5))
    };
    assert!(lacks(|_| (), consumer()), "this one is complete");
    assert!(!lacks(|one| one.contract_on = None, consumer()));
    assert!(!lacks(|one| one.contract_object_known = false, consumer()));
    let no_address = DebtorProfile { reachable: vec![Email, Sms], ..consumer() };
    assert!(!lacks(|_| (), no_address));
}

#[test]
fn what_is_barred_is_neither_dunned_nor_handed_over() {
    let mut story = Story::new(rules([greedy(Letter)]));
    story.now = at("2027-01-04");
    let story = story.told(debtor(consumer())).told(issued("R-1", "100.00", "2023-03-15"));
    let story = dunned(story, 20);
    assert_eq!((notices(&story), released(&story)), (0, false));
}

#[test]
fn nobody_is_contacted_at_night_on_sundays_or_more_than_three_times_a_week() {
    let mut policy = greedy(Email);
    for (number, step) in policy.steps.iter_mut().take(3).enumerate() {
        step.at = moment(Anchor::Due, number as i32);
    }
    policy.steps.truncate(3);
    let mut story = Story::new(rules([policy]));
    story.now = at("2026-03-14");
    let mut story = story.told(debtor(consumer()));
    for number in 0..6 {
        story = story.told(issued(
            &format!("R-{number}"),
            "100.00",
            &format!("2026-03-{}", 14 + number),
        ));
    }
    let story = dunned(story, 30);
    let zone = creditor().zone;
    let mut sent: Vec<jiff::civil::DateTime> = story
        .account
        .notices
        .values()
        .filter_map(|notice| Some(zone.to_datetime(notice.sent_at?)))
        .collect();
    sent.sort_unstable();
    assert!(sent.len() >= 6, "{sent:?}");
    for at in &sent {
        assert!((8..20).contains(&at.hour()), "{at}");
        assert_ne!(at.date().weekday(), jiff::civil::Weekday::Sunday, "{at}");
    }
    for four in sent.windows(4) {
        let within = four[0].until(four[3]).unwrap();
        assert!(within.get_days() >= 7, "{four:?}");
    }
}
