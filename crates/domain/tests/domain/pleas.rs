//! Debtors who asked for help on their page: the pause, and what follows where nobody answered.

use jiff::{civil::Date, tz::TimeZone};
use kulanz_domain::{
    Account, AccountEvent,
    account::PlacementState::*,
    arrangement::offers,
    fact::{Channel::*, *},
    ids::*,
    pleas::HARDSHIP,
    policy::{Release, StepAction},
};

use crate::{story::*, world::*};

/// As the page places it.
fn asked(name: &str, until: Option<&str>) -> Fact {
    Fact::HoldPlaced {
        hold: HoldId::new(name).unwrap(),
        invoice: None,
        owner: HARDSHIP.to_owned(),
        until: until.map(day),
    }
}

/// Reminded on 19 March, asked for help on the 20th.
fn paused() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-20 12:00")
        .told(asked("page-1", Some("2026-04-19")))
}

fn zone() -> TimeZone {
    creditor().zone
}

/// Day of the plea: as the page has it, and as the next message has it.
fn says(account: &Account) -> (Option<Date>, Option<Date>) {
    (account.unanswered_plea(), account.plea_to_own_up_to(&zone()))
}

const ASKED: &str = "2026-03-20";

#[test]
fn nobody_is_written_to_while_the_pause_runs_and_then_the_message_owns_up_once() {
    let story = paused().on("2026-04-19 10:00");
    assert!(story.look().wake.is_some_and(|wake| show(wake) == "2026-04-20 00:00"));
    assert_eq!(says(&story.account), (None, None));
    let story = story.on("2026-04-20 00:00");
    assert_eq!(says(&story.account), (None, None), "looking changes nothing");
    let story = story.on("2026-04-20 10:00").decides("mahnung", Email);
    let story = story.happened("HelpUnanswered", 1);
    let last = |kind: &str| story.log.iter().rposition(|event| event.kind() == kind).unwrap();
    assert!(last("HelpUnanswered") < last("NoticeDecided"), "it is known when the message is made");
    let told = Some(day(ASKED));
    assert_eq!(says(&story.account), (told, told));
    let story = story.sends();
    assert_eq!(says(&story.account), (told, None));
    let mut story = story.on("2026-05-20 10:00");
    story.decide();
    story.happened("HelpUnanswered", 1);
}

#[test]
fn while_something_else_stops_dunning_it_does_not_go_on_unanswered() {
    let held = given([issued("R-1", "89.90", "2026-03-15")])
        .on("2026-03-18 10:00")
        .told(hold("H-1", None, Some("2026-05-03")))
        .on("2026-03-20 12:00")
        .told(asked("page-1", Some("2026-04-19")));
    let mut held = held.on("2026-04-20 10:00");
    held.decide();
    let mut over = held.clone().happened("HelpUnanswered", 0).until("2026-05-04 00:00");
    over.now = at("2026-05-04 10:00");
    over.decide();
    over.happened("HelpUnanswered", 1);
    let mut insolvent = held.told(Fact::InsolvencyOpened { on: day("2026-04-20") });
    insolvent.now = at("2026-05-04 10:00");
    insolvent.decide();
    insolvent.happened("HelpUnanswered", 0);
}

#[test]
fn a_message_that_came_back_has_owned_up_to_nothing() {
    let story = paused().on("2026-04-20 10:00").takes("mahnung", Email);
    let (notice, _) = story.account.notices.iter().max_by_key(|(_, one)| one.sent_at).unwrap();
    let notice = notice.clone();
    let story = story.told(receipt(&notice, Email, "2026-04-20 10:05", Receipt::Bounced));
    assert_eq!(says(&story.account), (Some(day(ASKED)), Some(day(ASKED))));
}

#[test]
fn whoever_was_answered_is_not_told_otherwise() {
    let released = |story: Story| story.told(hold_released("page-1"));
    let held = |story: Story| story.told(hold("H-1", None, Some("2026-04-19")));
    let arranged = |mut story: Story| {
        let owed = story.book(|book| book.claims[0].open_on(story.today()));
        let offered = offers(&shop_b2c(), owed, story.today());
        story.agree("plan-1", &offered[0].1).unwrap();
        story
    };
    let answers: [&dyn Fn(Story) -> Story; 3] = [&released, &held, &arranged];
    for answer in answers {
        let mut story = answer(paused().on("2026-03-25 10:00")).on("2026-04-20 10:00");
        story.decide();
        let story = story.happened("HelpUnanswered", 0);
        assert_eq!(says(&story.account), (None, None));
        // And late, after the pause was over and the list of work had it.
        let mut late = paused().on("2026-04-20 00:00");
        late.decide();
        assert_eq!(late.account.unanswered_plea(), Some(day(ASKED)));
        assert_eq!(says(&answer(late).account), (None, None));
    }
}

#[test]
fn who_asks_again_is_waited_for_again_and_the_later_plea_counts() {
    let mut story = paused().on("2026-04-20 00:00");
    story.decide();
    let mut story = story.on("2026-04-21 10:00").told(asked("page-2", Some("2026-05-21")));
    assert_eq!(says(&story.account), (None, None), "the pause of the second one runs");
    story.decide();
    let story = story.on("2026-05-22 10:00").decides("mahnung", Email);
    let told = Some(day("2026-04-21"));
    assert_eq!(says(&story.happened("HelpUnanswered", 2).account), (told, told));
}

#[test]
fn only_what_the_debtor_asked_for_on_the_page_and_still_owes_is_owned_up_to() {
    let others = [
        asked("H-7", Some("2026-04-19")), // agreed with somebody, on the phone perhaps
        asked("page-1", None),            // lasts until somebody acts
    ];
    for other in others {
        let story = given([issued("R-1", "89.90", "2026-03-15")]).on("2026-03-20").told(other);
        let mut story = story.on("2026-04-20 10:00");
        story.decide();
        story.happened("HelpUnanswered", 0);
    }
    let paid = paused().on("2026-04-01").told(paid("Z-1", "89.90", "2026-04-01", Some("R-1")));
    let mut story = paid.on("2026-04-20 10:00");
    story.decide();
    story.happened("HelpUnanswered", 0);
}

/// The whole ladder with a handoff that no person has to agree to; help was asked for and not
/// answered after the last call.
#[test]
fn nobody_who_was_not_heard_goes_to_an_agency_without_a_person() {
    let mut policy = shop_b2c();
    let agency = AgencyId::new("nordinkasso").unwrap();
    policy.steps[5].action = StepAction::HandOff { agency, release: Release::Automatic };
    let called =
        given([issued("R-1", "89.90", "2026-03-15")]).under(policy).takes_all_to_the_last_call();
    let mut unasked = called.clone().on("2026-06-01");
    unasked.decide();
    unasked.placement_is(Released);
    let asked = called.on("2026-04-21").told(asked("page-1", Some("2026-05-21")));
    let mut story = asked.on("2026-06-01");
    let events = story.decide();
    let due = |event: &AccountEvent| event.kind() == "HandoffDue";
    assert!(events.iter().any(due), "{events:?}");
    let mut story = story.placement_is(Due).on("2026-06-02");
    story.decide();
    let story = story.placement_is(Due);
    // One person suffices, as the policy asked for none.
    story.clone().released_by("ute").placement_is(Released);
    let mut answered = story.told(hold_released("page-1"));
    answered.decide();
    answered.placement_is(Released);
}
