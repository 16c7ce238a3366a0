//! Verjährung: told 90 days before, and the end of dunning after it.

use kulanz_domain::{
    Refusal,
    account::Standing,
    arrangement::offers,
    book::Book,
    decision::WaitReason,
    event::Suppression,
    fact::{Channel::Email, *},
    ids::*,
    law::Seat,
    money::Currency,
    policy::Law,
    watch::limitation_of,
};

use crate::{
    story::{Story, given},
    world::*,
};

/// Owed since May 2023: barred with the end of 2026.
fn old() -> Story {
    let mut story = given([]).on("2023-05-02");
    story = story.told(issued("R-1", "189.90", "2023-05-10"));
    story.decide();
    story
}

impl Story {
    fn act_by(&self) -> Option<String> {
        self.account.claims[&id("R-1")].barred_after.map(|day| day.to_string())
    }

    /// Last day and the day by which to act, as computed whether near or not.
    fn barred_with(&self, last_day: &str, act_by: &str) {
        let book = Book::of(&self.account, Currency::EUR);
        let found = limitation_of(&self.account, &id("R-1"), &book, creditor().seat()).unwrap();
        let told = (found.last_day.unwrap().to_string(), found.act_by.unwrap().to_string());
        assert_eq!(told, (last_day.to_owned(), act_by.to_owned()), "{:?}", found.steps);
    }
}

#[test]
fn ninety_days_before_the_end_a_person_is_told_and_after_it_nobody_is_dunned() {
    let mut story = old().on("2026-10-01");
    story.decide();
    assert_eq!(story.act_by(), None);
    // The wake-up is there by itself.
    let mut story = old().told(hold("H-1", None, None));
    story.decide();
    assert_eq!(story.wake.map(show).as_deref(), Some("2026-10-02 00:00"));
    let mut story = story.on("2026-10-02");
    story.decide();
    assert_eq!(story.act_by().as_deref(), Some("2026-12-31"));
    assert_eq!(story.wake.map(show).as_deref(), Some("2027-01-01 00:00"));
    story
        .on("2027-01-04 10:00")
        .told(hold_released("H-1"))
        .waits(WaitReason::TimeBarred(day("2026-12-31")))
        .until_something_happens();
}

#[test]
fn a_message_that_waited_past_the_end_is_not_sent() {
    let story = old().on("2026-12-30 10:00").decides("reminder", Email);
    story.on("2027-01-04 10:00").suppressed_because(Suppression::TimeBarred);
}

#[test]
fn a_barred_claim_is_not_released_to_an_agency() {
    let declared = Fact::DefaultDeclared {
        invoice: id("R-1"),
        from: day("2023-06-01"),
        ground: "refusal".into(),
    };
    let mut story = old().told(declared);
    for (on, step) in [
        ("2026-10-05 10:00", "reminder"),
        ("2026-10-15 10:00", "mahnung"),
        ("2026-10-30 10:00", "instalments"),
        ("2026-11-06 10:00", "last-call"),
    ] {
        story = story.on(on).takes(step, Email);
    }
    let mut story = story.on("2026-12-10 10:00");
    story.decide();
    let mut late = story.clone().on("2027-01-04 10:00");
    assert_eq!(late.release("ute"), Err(Refusal::Blocked(Suppression::TimeBarred)));
    story.released_by("ute").released_by("jan").happened("PlacementReleased", 1);
}

#[test]
fn part_payment_acknowledgement_promise_and_plan_start_it_anew_the_next_day() {
    old().barred_with("2026-12-31", "2026-12-31");
    old()
        .told(paid("P-1", "20.00", "2024-05-20", Some("R-1")))
        .barred_with("2027-05-20", "2027-05-20");
    old()
        .told(Fact::Acknowledged { invoice: id("R-1"), on: day("2025-02-03") })
        .barred_with("2028-02-03", "2028-02-03");
    old().on("2025-06-02").promises("Z-1", "2025-06-20").barred_with("2028-06-02", "2028-06-02");
    let mut planned = old().on("2025-06-02");
    let rates = &offers(&shop_b2c(), amount("189.90"), day("2025-06-10"))[0].1;
    planned.agree("T-1", rates).unwrap();
    // Acknowledged on the 2nd, put off to the last rate on 2025-08-10: 69 days that do not count.
    planned.barred_with("2028-08-10", "2028-08-10");
    assert_eq!(planned.account.plans[&PlanId::new("T-1").unwrap()].standing, Standing::Open);
}

#[test]
fn money_without_a_word_acknowledges_nothing_where_it_could_be_for_something_else() {
    let story = old().told(issued("R-2", "50.00", "2023-05-10"));
    let story = story.told(paid("P-1", "20.00", "2024-05-20", None));
    story.barred_with("2026-12-31", "2026-12-31");
    old().told(paid("P-1", "20.00", "2024-05-20", None)).barred_with("2027-05-20", "2027-05-20");
}

#[test]
fn deferral_suspension_and_title_move_it() {
    old()
        .on("2024-03-01")
        .told(rescheduled("R-1", "2024-06-08"))
        .barred_with("2027-04-10", "2027-04-12"); // 100 days more, a Saturday
    let suspended = Fact::Suspended {
        invoice: id("R-1"),
        from: day("2025-12-15"),
        to: Some(day("2026-09-15")),
        ground: "payment order".into(),
    };
    old().told(suspended.clone()).barred_with("2027-10-02", "2027-10-04");
    old()
        .told(Fact::Titled { invoice: id("R-1"), on: day("2024-05-20") })
        .barred_with("2054-05-20", "2054-05-20");
    let open = Fact::Suspended {
        invoice: id("R-1"),
        from: day("2026-01-02"),
        to: None,
        ground: "talks".into(),
    };
    let mut story = old().told(open).on("2027-03-01");
    story.decide();
    assert_eq!(story.act_by(), None, "it stands still");
}

#[test]
fn what_is_paid_or_moved_away_leaves_the_list() {
    let near = || {
        let mut story = old().on("2026-11-02");
        story.decide();
        assert!(story.act_by().is_some());
        story
    };
    let mut paid_up = near().told(paid("P-1", "189.90", "2026-11-02", None));
    paid_up.decide();
    assert_eq!(paid_up.act_by(), None);
    let mut moved = near().told(Fact::Acknowledged { invoice: id("R-1"), on: day("2026-11-02") });
    moved.decide();
    assert_eq!(moved.act_by(), None);
    moved.happened("LimitationNear", 2);
}

#[test]
fn under_another_law_nothing_is_known_of_limitation() {
    let story = old();
    let book = Book::of(&story.account, Currency::EUR);
    for law in [Law::At, Law::Ch, Law::None] {
        let seat = Seat { law, ..creditor().seat() };
        assert_eq!(limitation_of(&story.account, &id("R-1"), &book, seat), None);
    }
}
