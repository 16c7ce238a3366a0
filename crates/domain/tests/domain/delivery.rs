//! Liefersperre: stopped by a step, lifted by itself, and never used against who disagrees.

use kulanz_domain::{
    AccountEvent,
    account::{DeliveryStop, PlacementState},
    fact::{Channel::*, *},
    ids::*,
    policy::*,
};

use crate::{story::*, world::*};

/// reminder, mahnung, in-arrears (nothing is sent, deliveries are stopped).
fn stopping() -> Policy {
    let mut policy = shop_b2c();
    policy.steps = vec![
        rung("reminder", StepAction::Reminder, moment(Anchor::Due, 4)),
        rung("mahnung", StepAction::Mahnung, moment(Anchor::Step(0), 10)),
        Step {
            stop_delivery: true,
            ..rung("in-arrears", StepAction::Quiet, moment(Anchor::Step(1), 7))
        },
    ];
    policy
}

fn in_arrears() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
        .under(stopping())
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email)
        .on("2026-04-06 00:00")
        .passes("in-arrears", &["R-1"])
}

impl Story {
    /// Looks again, and says which claims stop deliveries.
    fn stops(mut self, claims: &[&str]) -> Self {
        self.decide();
        let stop = self.account.delivery_stop.as_ref();
        let found = stop.map_or(Vec::new(), |s| s.claims.iter().map(|(c, _)| c.as_str()).collect());
        assert_eq!(found, claims);
        assert_eq!(stop.is_none(), claims.is_empty());
        self
    }
}

#[test]
fn a_step_stops_deliveries_from_when_it_happened_and_a_payment_lets_them_go_on() {
    let before = given([issued("R-1", "89.90", "2026-03-15")])
        .under(stopping())
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .stops(&[]);
    before.happened("DeliveryStopped", 0);
    let story = in_arrears().happened("DeliveryStopped", 1);
    let expected =
        DeliveryStop { since: day("2026-04-06"), claims: vec![(id("R-1"), step("in-arrears"))] };
    assert_eq!(story.account.delivery_stop, Some(expected));
    let story = story.stops(&["R-1"]).happened("DeliveryStopped", 1); // told once
    story
        .on("2026-04-10")
        .told(paid("Z-1", "50.00", "2026-04-10", Some("R-1")))
        .stops(&["R-1"])
        .told(paid("Z-2", "39.90", "2026-04-10", Some("R-1")))
        .stops(&[])
        .happened("DeliveryResumed", 1)
        .told(returned("Z-2", "2026-04-20", None))
        .stops(&["R-1"])
        .happened("DeliveryStopped", 2);
}

#[test]
fn a_claim_that_is_withdrawn_or_given_up_stops_nothing() {
    let cancelled = Fact::InvoiceCancelled { invoice: id("R-1"), on: day("2026-04-10") };
    in_arrears().on("2026-04-10").told(cancelled).stops(&[]);
    let (invoice, on) = (id("R-1"), day("2026-04-10"));
    let waived = Fact::Waived { invoice, on, amount: None, part: None };
    in_arrears().on("2026-04-10").told(waived).stops(&[]);
}

#[test]
fn who_disagrees_is_not_pressed_and_a_rejected_dispute_stops_again() {
    in_arrears()
        .on("2026-04-10")
        .told(disputed("S-1", "R-1", "2026-04-10", None))
        .stops(&[])
        .told(resolved("S-1", "R-1", "2026-04-20", DisputeOutcome::Rejected, None))
        .stops(&["R-1"]);
}

#[test]
fn a_new_due_date_lets_deliveries_go_on_until_it_has_passed() {
    let story = in_arrears().on("2026-04-10").told(rescheduled("R-1", "2026-05-15")).stops(&[]);
    assert_eq!(story.wake.map(show).as_deref(), Some("2026-05-16 00:00"));
    story.on("2026-05-16 00:00").stops(&["R-1"]);
}

#[test]
fn a_claim_that_is_barred_stops_nothing() {
    in_arrears().on("2029-12-31").stops(&["R-1"]).on("2030-01-02").stops(&[]);
}

#[test]
fn a_message_that_bounces_takes_the_stop_along() {
    let story = in_arrears();
    let notice = story.last_notice().notice.clone();
    let at = story.now;
    let receipt = Receipt::Bounced;
    story.told(Fact::NoticeReceipt { notice, channel: Email, at, receipt }).stops(&[]);
}

#[test]
fn each_claim_that_stops_is_told_and_the_first_day_stays() {
    let story = given([issued("R-1", "89.90", "2026-03-15"), issued("R-2", "20.00", "2026-03-25")])
        .under(stopping())
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email)
        .on("2026-04-06 00:00")
        .passes("in-arrears", &["R-1"])
        .on("2026-04-09 10:00")
        .takes("mahnung", Email)
        .on("2026-04-16 00:00")
        .passes("in-arrears", &["R-2"])
        .stops(&["R-1", "R-2"]);
    assert_eq!(story.account.delivery_stop.as_ref().unwrap().since, day("2026-04-06"));
    let story = story.told(paid("Z-1", "89.90", "2026-04-17", Some("R-1"))).stops(&["R-2"]);
    assert_eq!(story.account.delivery_stop.as_ref().unwrap().since, day("2026-04-06"));
    story.happened("DeliveryStopped", 3).happened("DeliveryResumed", 0);
}

/// What a policy says no longer does not go on by itself.
#[test]
fn a_version_that_stops_nothing_lets_deliveries_go_on() {
    let mut lenient = stopping();
    lenient.reference.version += 1;
    lenient.steps[2].stop_delivery = false;
    in_arrears().under(lenient).stops(&[]);
}

#[test]
fn a_hand_off_stops_deliveries_once_persons_released_it() {
    let mut policy = stopping();
    let agency = AgencyId::new("nordinkasso").unwrap();
    policy.steps[2] = Step {
        stop_delivery: true,
        ..rung(
            "inkasso",
            StepAction::HandOff { agency, release: Release::OnePerson },
            moment(Anchor::Step(1), 7),
        )
    };
    let mut story = given([issued("R-1", "89.90", "2026-03-15")])
        .under(policy)
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email)
        .on("2026-04-10");
    let due = story.decide();
    assert!(due.iter().any(|event| matches!(event, AccountEvent::HandoffDue { .. })));
    story
        .stops(&[])
        .released_by("ada")
        .placement_is(PlacementState::Released)
        .stops(&["R-1"])
        .told(paid("Z-1", "89.90", "2026-04-12", Some("R-1")))
        .stops(&[]);
}
