//! What persons decide differently: the claim before the account, the account before the policy,
//! and the law above all of them.

use kulanz_domain::{
    Command, Refusal,
    account::PlacementState,
    decision::{FeeLimit, StepState, WaitReason, explain},
    event::Suppression,
    fact::{Channel, Channel::*, DebtorProfile, PayWith},
    ids::*,
    overrides::{Charges, Override, OverrideTerms},
};

use crate::{story::*, world::*};

fn terms() -> OverrideTerms {
    OverrideTerms::default()
}

impl Story {
    fn asked(&self, name: &str, invoice: Option<&str>, terms: OverrideTerms) -> Override {
        Override {
            id: OverrideId::new(name).unwrap(),
            invoice: invoice.map(id),
            terms,
            until: None,
            by: "ute".into(),
            on: self.today(),
            lifted_on: None,
        }
    }

    fn overridden(self, name: &str, invoice: Option<&str>, terms: OverrideTerms) -> Self {
        let set = self.asked(name, invoice, terms);
        let rules = self.rules.clone();
        self.does(Command::SetOverride { set, rules })
    }

    fn will_not_override(self, terms: OverrideTerms, refusal: Refusal) -> Self {
        let set = self.asked("O-1", None, terms);
        let rules = self.rules.clone();
        self.will_not(Command::SetOverride { set, rules }, refusal)
    }

    fn lifted(self, name: &str) -> Self {
        let (rules, now) = (self.rules.clone(), self.now);
        let id = OverrideId::new(name).unwrap();
        self.does(Command::LiftOverride { id, by: "ute".into(), now, rules })
    }
}

fn one() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
}

/// Two claims of the same day, so that both take each step together.
fn two() -> Story {
    given([issued("R-1", "89.90", "2026-03-15"), issued("R-2", "60.00", "2026-03-15")])
}

fn by(channels: &[Channel]) -> OverrideTerms {
    OverrideTerms { channels: Some(channels.to_vec()), ..terms() }
}

#[test]
fn an_account_is_spoken_to_as_a_person_says() {
    let story = one().on("2026-03-01").overridden(
        "O-1",
        None,
        OverrideTerms {
            language: Some("en".into()),
            channels: Some(vec![Sms]),
            pay_with: Some(vec![PayWith::Transfer]),
            ..terms()
        },
    );
    let story = story.on("2026-03-19 10:00").takes("reminder", Sms);
    let decided = story.last_notice();
    assert_eq!((decided.language.as_str(), decided.persona.as_str()), ("en", "everyone"));
    assert_eq!(decided.pay_with, [PayWith::Transfer]);
    assert_eq!(decided.overrides, [OverrideId::new("O-1").unwrap()]);
    assert_eq!(decided.persona_because, None);
}

#[test]
fn a_persona_that_a_person_chose_is_taken_whatever_its_condition_says() {
    let persona = Some(PersonaName::new("regular").unwrap());
    let story =
        one().on("2026-03-01").overridden("O-1", None, OverrideTerms { persona, ..terms() });
    // Its heads-up, in its evening hours; its pace makes six days of four.
    let story = story.on("2026-03-12 17:00").takes("heads-up", Email);
    let decided = story.last_notice();
    assert_eq!((decided.persona.as_str(), decided.tone.as_str()), ("regular", "warm"));
    assert_eq!(decided.persona_because.as_deref(), Some("override O-1"));
    story.on("2026-03-19 10:00").waits(WaitReason::NotBefore).until("2026-03-21 17:00");
}

#[test]
fn the_claim_counts_before_the_account_and_the_account_before_the_policy() {
    let story = two().on("2026-03-01");
    let policy = story.clone().on("2026-03-19 10:00").takes("reminder", Email);
    assert_eq!(policy.last_notice().claims.len(), 2);
    let account = story.clone().overridden("O-1", None, by(&[Letter]));
    let letter = account.clone().on("2026-03-19 10:00").takes("reminder", Letter);
    assert_eq!(letter.last_notice().claims.len(), 2);
    // The claim says otherwise: two messages, since one cannot go both ways.
    let claim = account.overridden("O-2", Some("R-2"), by(&[Sms]));
    let mut claim = claim.on("2026-03-19 10:00");
    claim.decide();
    let mut sent: Vec<(Channel, Vec<&str>)> = claim
        .account
        .notices
        .values()
        .map(|one| {
            let claims = one.decided.claims.iter().map(|part| part.invoice.as_str());
            (one.decided.channel, claims.collect())
        })
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [(Sms, vec!["R-2"]), (Letter, vec!["R-1"])]);
}

#[test]
fn of_two_for_the_same_thing_the_latest_counts_and_each_thing_by_itself() {
    let story = one()
        .on("2026-03-01")
        .overridden("O-1", None, OverrideTerms { language: Some("en".into()), ..by(&[Letter]) })
        .overridden("O-2", None, by(&[Sms]));
    let story = story.on("2026-03-19 10:00").takes("reminder", Sms);
    assert_eq!(story.last_notice().language, "en");
    assert_eq!(story.last_notice().overrides.len(), 2);
}

#[test]
fn a_minimum_of_the_claim_counts_for_it_alone() {
    let minimum = |text: &str| OverrideTerms { minimum: Some(amount(text)), ..terms() };
    let story = two()
        .on("2026-03-01")
        .overridden("O-1", None, minimum("100.00"))
        .overridden("O-2", Some("R-2"), minimum("0.00"))
        .on("2026-03-19 10:00")
        .takes("reminder", Email);
    let claims: Vec<&str> =
        story.last_notice().claims.iter().map(|one| one.invoice.as_str()).collect();
    assert_eq!(claims, ["R-2"]);
    story.waits(WaitReason::BelowMinimum);
}

#[test]
fn it_goes_no_further_than_a_person_says_and_goes_on_once_that_is_lifted() {
    let stop = OverrideTerms { no_further_than: Some(step("reminder")), ..terms() };
    one()
        .on("2026-03-01")
        .overridden("O-1", None, stop)
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-04-19 10:00")
        .waits(WaitReason::NoFurther(OverrideId::new("O-1").unwrap()))
        .until_something_happens()
        .lifted("O-1")
        .on("2026-04-20 10:00")
        .takes("mahnung", Email);
}

#[test]
fn a_step_that_the_policy_does_not_know_any_more_lets_nothing_go_on() {
    let stop = OverrideTerms { no_further_than: Some(step("mahnung")), ..terms() };
    let mut renamed = shop_b2c();
    renamed.steps[2].name = step("first-mahnung");
    one()
        .on("2026-03-01")
        .overridden("O-1", None, stop)
        .under(renamed)
        .on("2026-03-19 10:00")
        .waits(WaitReason::NoFurther(OverrideId::new("O-1").unwrap()));
}

#[test]
fn it_ends_on_its_last_day_and_the_account_is_looked_at_then() {
    let mut story = one().on("2026-03-01");
    let stop = OverrideTerms { no_further_than: Some(step("heads-up")), ..terms() };
    let set = Override { until: Some(day("2026-04-01")), ..story.asked("O-1", None, stop) };
    let rules = story.rules.clone();
    story = story.does(Command::SetOverride { set, rules });
    story
        .on("2026-03-19 10:00")
        .waits(WaitReason::NoFurther(OverrideId::new("O-1").unwrap()))
        .until("2026-04-02 00:00")
        .on("2026-04-02 09:00")
        .takes("reminder", Email);
}

#[test]
fn a_pace_stretches_waits_and_no_deadline_that_was_told() {
    let slow = OverrideTerms { pace: Some(amount("2")), ..terms() };
    let story = one()
        .on("2026-03-01")
        .overridden("O-1", None, slow)
        .on("2026-03-19 10:00")
        .waits(WaitReason::NotBefore)
        .until("2026-03-23 09:00")
        .on("2026-03-23 10:00")
        .takes("reminder", Email)
        .on("2026-04-13 10:00")
        .takes("mahnung", Email);
    let sent = story.account.notices.values().filter_map(|one| one.deadline).max();
    assert_eq!(sent, Some(day("2026-04-23")));
}

/// A policy with letters, which may cost something once default has begun.
fn by_letter() -> Story {
    let mut policy = with_interest();
    policy.personas[2].channels = vec![Letter];
    policy.steps[4].lump_sum = true;
    one()
        .under(policy)
        .on("2026-03-19 10:00")
        .takes("reminder", Letter)
        .on("2026-03-30 10:00")
        .takes("mahnung", Letter)
}

#[test]
fn nothing_is_charged_where_a_person_said_so() {
    let charged = by_letter()
        .on("2026-04-13 10:00")
        .takes("instalments", Letter)
        .on("2026-04-21 10:00")
        .takes("last-call", Letter);
    assert_eq!(charged.last_notice().fee, Some((id("R-1"), amount("2.50"))));
    let free = OverrideTerms { fees: Some(Charges::None), ..terms() };
    let free = by_letter()
        .overridden("O-1", None, free)
        .on("2026-04-13 10:00")
        .takes("instalments", Letter)
        .on("2026-04-21 10:00");
    let fresh = NoticeId::new("N-look").unwrap();
    let told = explain(&free.account, &free.rules, free.now, &fresh).unwrap();
    let step = &told.currencies[0].claims[0].steps[4];
    assert_eq!(step.fee.as_ref().unwrap().limited_by, Some(FeeLimit::Override));
    let free = free.takes("last-call", Letter);
    assert_eq!(free.last_notice().fee, None);
    let policy = OverrideTerms { fees: Some(Charges::Policy), ..terms() };
    let back = by_letter()
        .overridden("O-1", None, OverrideTerms { fees: Some(Charges::None), ..terms() })
        .overridden("O-2", Some("R-1"), policy)
        .on("2026-04-13 10:00")
        .takes("instalments", Letter)
        .on("2026-04-21 10:00")
        .takes("last-call", Letter);
    assert_eq!(back.last_notice().fee, Some((id("R-1"), amount("2.50"))));
}

#[test]
fn no_interest_runs_from_the_day_on_which_a_person_said_so_to_the_day_before_it_is_lifted() {
    let interest = |story: &Story, on: &str| {
        story.book(|book| book.claim(&id("R-1")).unwrap().interest_on(day(on)))
    };
    let without = by_letter();
    let free = OverrideTerms { interest: Some(Charges::None), ..terms() };
    let from_the_20th = by_letter().on("2026-04-20").overridden("O-1", Some("R-1"), free.clone());
    let before = interest(&without, "2026-04-19");
    assert!(before > amount("0.00"), "default began before");
    assert_eq!(interest(&from_the_20th, "2026-04-19"), before);
    assert_eq!(interest(&from_the_20th, "2026-06-30"), before);
    let would = |story: &Story, on: &str| story.account.would_bear_interest(&id("R-1"), day(on));
    assert!(would(&without, "2026-04-20") && would(&from_the_20th, "2026-04-19"));
    assert!(!would(&from_the_20th, "2026-04-20"));
    assert!(!would(&one().on("2026-03-19 10:00").takes("reminder", Email), "2026-04-20"));
    let lifted = from_the_20th.on("2026-05-01").lifted("O-1");
    assert!(would(&lifted, "2026-05-01") && !would(&lifted, "2026-04-30"));
    let ran = interest(&lifted, "2026-06-30") - before;
    let all = interest(&without, "2026-06-30") - interest(&without, "2026-04-30");
    assert!((ran - all).abs() <= amount("0.01"), "{ran} and {all}");
    // On the claim alone it is as the policy says again, whatever the account has.
    let policy = OverrideTerms { interest: Some(Charges::Policy), ..terms() };
    let back = by_letter().on("2026-04-20").overridden("O-1", None, free).overridden(
        "O-2",
        Some("R-1"),
        policy,
    );
    assert_eq!(interest(&back, "2026-06-30"), interest(&without, "2026-06-30"));
}

#[test]
fn the_law_wins_over_what_a_person_says() {
    // A consumer's e-mail costs nothing, nobody is written to at night, and a text message needs
    // consent, whatever channel was chosen.
    let refuses = DebtorProfile { sms_consent: Some(false), ..consumer() };
    let story = one().told(debtor(refuses)).on("2026-03-01").overridden("O-1", None, by(&[Sms]));
    story.on("2026-03-19 10:00").waits(WaitReason::NoChannel);
    let fast = OverrideTerms { pace: Some(amount("0.1")), ..terms() };
    one()
        .on("2026-03-01")
        .overridden("O-1", None, fast)
        .on("2026-03-16 23:00")
        .waits(WaitReason::OutsideWindow)
        .until("2026-03-17 09:00");
    let charges = OverrideTerms { fees: Some(Charges::Policy), ..terms() };
    let story = one()
        .on("2026-03-01")
        .overridden("O-1", None, charges)
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email);
    assert_eq!(story.last_notice().fee, None);
}

#[test]
fn a_message_on_its_way_is_stopped_by_what_a_person_says_in_between() {
    let waiting = one().on("2026-03-19 10:00").decides("reminder", Email);
    waiting
        .clone()
        .overridden("O-1", None, by(&[Letter]))
        .suppressed_because(Suppression::ChannelGone);
    let stop = OverrideTerms { no_further_than: Some(step("heads-up")), ..terms() };
    waiting
        .clone()
        .overridden("O-1", Some("R-1"), stop)
        .suppressed_because(Suppression::Person)
        .waits(WaitReason::NoFurther(OverrideId::new("O-1").unwrap()));
    waiting.overridden("O-1", None, by(&[Email])).sends();
}

#[test]
fn a_placement_that_waits_is_withdrawn_where_a_person_says_no_further() {
    let mut story = one()
        .on("2026-03-19 10:00")
        .takes("reminder", Email)
        .on("2026-03-30 10:00")
        .takes("mahnung", Email)
        .on("2026-04-13 10:00")
        .takes("instalments", Email)
        .on("2026-04-21 10:00")
        .takes("last-call", Email)
        .on("2026-05-08 10:00");
    story.decide();
    let story = story.placement_is(PlacementState::Due);
    let stop = OverrideTerms { no_further_than: Some(step("last-call")), ..terms() };
    story
        .overridden("O-1", None, stop)
        .placement_is(PlacementState::Withdrawn)
        .waits(WaitReason::NoFurther(OverrideId::new("O-1").unwrap()));
}

#[test]
fn an_explanation_names_the_override_that_decided() {
    let persona = Some(PersonaName::new("business").unwrap());
    let stop = Some(step("reminder"));
    let asked = OverrideTerms { persona, no_further_than: stop, ..terms() };
    let story = one().on("2026-03-01").overridden("O-1", None, asked);
    let fresh = NoticeId::new("N-look").unwrap();
    let told = explain(&story.account, &story.rules, at("2026-04-19"), &fresh).unwrap();
    assert_eq!(told.overrides.len(), 1);
    let chosen = told.currencies[0].personas.iter().find(|one| one.chosen).unwrap();
    assert_eq!(chosen.persona.as_str(), "business");
    assert_eq!(chosen.chosen_by, Some(OverrideId::new("O-1").unwrap()));
    let reason = WaitReason::NoFurther(OverrideId::new("O-1").unwrap());
    assert_eq!(
        told.currencies[0].claims[0].steps[2].state,
        StepState::Waits { reason, until: None }
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_what_there_is() {
    let story = one().on("2026-03-01");
    let known = |kind, name: &str, known: &str| Refusal::NotInPolicy {
        kind,
        name: name.into(),
        known: known.into(),
    };
    let persona = Some(PersonaName::new("regullar").unwrap());
    let story = story
        .will_not_override(terms(), Refusal::EmptyOverride)
        .will_not_override(by(&[]), Refusal::EmptyOverride)
        .will_not_override(
            OverrideTerms { persona, ..terms() },
            known("persona", "regullar", "business, everyone, regular"),
        )
        .will_not_override(
            OverrideTerms { language: Some("fr".into()), ..terms() },
            known("language", "fr", "de, en"),
        )
        .will_not_override(
            OverrideTerms { pace: Some(amount("20")), ..terms() },
            Refusal::NoPace(amount("20")),
        )
        .will_not_override(
            OverrideTerms { minimum: Some(amount("-1.00")), ..terms() },
            Refusal::NoMinimum(amount("-1.00")),
        );
    let rules = story.rules.clone();
    let unknown = story.asked("O-1", Some("R-9"), by(&[Sms]));
    let story = story.will_not(
        Command::SetOverride { set: unknown, rules: rules.clone() },
        Refusal::UnknownClaim(id("R-9")),
    );
    let past = Override { until: Some(day("2026-02-01")), ..story.asked("O-1", None, by(&[Sms])) };
    let story = story
        .will_not(Command::SetOverride { set: past, rules: rules.clone() }, Refusal::DayPassed);
    let (id, now) = (OverrideId::new("O-1").unwrap(), story.now);
    let lift = Command::LiftOverride { id: id.clone(), by: "ute".into(), now, rules };
    let mut story = story.will_not(lift.clone(), Refusal::NoSuchOverride(id));
    story = story.overridden("O-1", None, by(&[Sms])).does(lift.clone());
    assert_eq!(story.execute(&lift), Ok(Vec::new()), "a second time nothing happens");
}
