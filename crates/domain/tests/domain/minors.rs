//! Claims against people who were minors when the contract was made: a person looks first, also
//! after they have come of age (§§ 106 to 108 BGB).

use jiff::civil::Date;
use kulanz_domain::{
    Account, Command, Refusal,
    account::PlacementState::*,
    arrangement::plannable,
    decision::WaitReason::MadeByMinor,
    event::{AccountEvent, Rate, Suppression},
    fact::{Channel::Email, *},
    ids::PromiseId,
    money::Currency,
};

use crate::{
    handoff::due,
    story::{Story, given},
    world::*,
};

fn minor_until(until: &str) -> Fact {
    born(Some(day(until)))
}

/// A word that tells a day of birth: of a minor, or of somebody else.
fn born(minor_until: Option<Date>) -> Fact {
    debtor(DebtorProfile { minor_until, birth_told: BirthTold::Here, ..consumer() })
}

/// R-1 of 89.90, made on 2026-03-01.
fn claim() -> Story {
    given([issued("R-1", "89.90", "2026-03-15")])
}

fn admitted(story: Story, invoice: &str) -> Story {
    story.does(Command::Admit { invoice: id(invoice), by: "ute".into() })
}

#[test]
fn a_minor_is_not_dunned_and_can_pay() {
    let minor = claim().told(minor_until("2027-05-01"));
    let reason = || MadeByMinor(day("2027-05-01"));
    let minor = minor.on("2026-03-19").waits(reason()).until_something_happens();
    let minor = minor.on("2026-08-01").waits(reason());
    assert_eq!(plannable(&minor.account, Currency::EUR, day("2026-08-01")).0, []);
    minor.told(paid("P-1", "89.90", "2026-08-02", Some("R-1"))).settled("R-1", Some("2026-08-02"));
}

#[test]
fn growing_up_changes_nothing_for_what_was_bought_before() {
    let story = claim().told(minor_until("2026-04-01")).on("2026-04-02");
    let story = story.waits(MadeByMinor(day("2026-04-01")));
    // Made on the first day of full age: nobody has to look.
    let invoice = Invoice {
        issued_on: day("2026-04-01"),
        contract_on: Some(day("2026-04-01")),
        ..invoice("R-2", eur("50.00"), "2026-04-15")
    };
    let story = story.told(Fact::InvoiceIssued { invoice });
    let story = story.on("2026-04-19 10:00").waits(MadeByMinor(day("2026-04-01")));
    let story = story.on("2026-04-20 10:00").takes("reminder", Email);
    let claims: Vec<_> = story.last_notice().claims.iter().map(|one| &one.invoice).collect();
    assert_eq!(claims, [&id("R-2")]);
}

#[test]
fn without_the_day_of_the_contract_that_of_the_invoice_counts() {
    let invoice = Invoice { contract_on: None, ..invoice("R-1", eur("89.90"), "2026-03-15") };
    let story = given([Fact::InvoiceIssued { invoice }]).told(minor_until("2026-03-02"));
    story.on("2026-03-19").waits(MadeByMinor(day("2026-03-02")));
}

#[test]
fn a_person_who_saw_the_approval_lets_it_in_and_it_stays_in() {
    let story = claim().told(minor_until("2027-05-01")).on("2026-03-19");
    let story = admitted(story.waits(MadeByMinor(day("2027-05-01"))), "R-1");
    let story = story.happened("ContractApproved", 1).happened("ClaimAdmitted", 0);
    let story = story.takes("reminder", Email).told(minor_until("2027-05-01"));
    // The next one is another contract.
    let story = story.told(issued("R-2", "10.00", "2026-03-20"));
    let story = story.on("2026-03-30").decides("mahnung", Email);
    story.waits(MadeByMinor(day("2027-05-01")));
}

#[test]
fn what_is_learnt_late_stops_what_is_on_its_way_and_takes_back_what_is_out() {
    let story = claim().on("2026-03-19").decides("reminder", Email);
    let story = story.told(minor_until("2027-05-01"));
    story.suppressed_because(Suppression::MadeByMinor).waits(MadeByMinor(day("2027-05-01")));

    let waits = due().told(minor_until("2027-05-01")).placement_is(Withdrawn);
    waits.waits(MadeByMinor(day("2027-05-01")));
    let out = due().released_by("ute").released_by("jan").told(minor_until("2027-05-01"));
    let out = out.placement_is(Recalled).waits(MadeByMinor(day("2027-05-01")));
    // Once a person has seen that it binds, it can go again.
    let mut again = admitted(out, "R-1");
    assert!(again.decide().iter().any(|event| event.kind() == "HandoffDue"));
}

#[test]
fn who_leaves_the_day_of_birth_out_makes_nobody_older() {
    let minor = || claim().told(minor_until("2027-05-01")).told(debtor(consumer()));
    let waits = || MadeByMinor(day("2027-05-01"));
    minor().told(debtor(business())).on("2026-03-19").waits(waits());
    // Another day takes its place, whether of a minor or not.
    let younger = minor().told(minor_until("2028-05-01")).told(debtor(consumer()));
    younger.on("2026-03-19").waits(MadeByMinor(day("2028-05-01")));
    minor().told(born(None)).told(debtor(consumer())).on("2026-03-19").takes("reminder", Email);
    // What a person has seen stays seen.
    let seen = admitted(minor().on("2026-03-19"), "R-1").told(debtor(consumer()));
    seen.takes("reminder", Email);
}

#[test]
fn of_several_days_of_birth_the_latest_wins_in_whatever_order_they_come() {
    let words = [born(Some(day("2028-05-01"))), born(None), minor_until("2027-05-01")];
    let words = words.into_iter().chain([debtor(consumer()), debtor(business())]);
    let words: Vec<(Fact, Stamp)> = words
        .enumerate()
        .map(|(number, fact)| (fact, Stamp { at: at("2026-03-02"), id: format!("shop#{number}") }))
        .collect();
    for shift in 0..words.len() {
        for backwards in [false, true] {
            let mut order = words.clone();
            order.rotate_left(shift);
            if backwards {
                order.reverse();
            }
            let mut story = claim();
            for (fact, stamp) in order {
                story.record_as(fact, stamp).unwrap();
            }
            let (stamp, profile) = story.account.debtor.clone().unwrap();
            assert_eq!((stamp.id.as_str(), profile.kind), ("shop#4", DebtorKind::Business));
            assert_eq!(profile.minor_until, Some(day("2027-05-01")), "{shift} {backwards}");
        }
    }
}

/// An event of before days of birth were a word by themselves replaced all that was said.
#[test]
fn what_an_earlier_release_recorded_gives_the_state_that_it_gave() {
    let told = |minor_until: Option<&str>, id: &str| {
        let profile = DebtorProfile { minor_until: minor_until.map(day), ..consumer() };
        let stamp = Stamp { at: at("2026-03-02"), id: id.into() };
        let event = AccountEvent::DebtorUpdated { stamp, profile };
        let text = serde_json::to_string(&event).unwrap();
        assert!(!text.contains("birth_told"), "{text}");
        serde_json::from_str::<AccountEvent>(&text).unwrap()
    };
    let until = |events: &[AccountEvent]| {
        let mut account = Account::default();
        events.iter().for_each(|event| account.apply_event(event));
        account.profile().unwrap().minor_until
    };
    let (minor, none) = (told(Some("2027-05-01"), "shop#1"), told(None, "shop#2"));
    assert_eq!(until(&[minor.clone(), none.clone()]), None);
    assert_eq!(until(&[none, minor.clone()]), None);
    assert_eq!(until(&[minor]), Some(day("2027-05-01")));
}

#[test]
fn a_minor_can_neither_promise_nor_agree_to_instalments_alone() {
    let third = |amount: &str, on: &str| Rate { due_on: day(on), amount: eur(amount).amount };
    let rates = [third("29.96", "2026-08-07"), third("29.97", "2026-09-07")];
    let rates = [rates[0].clone(), rates[1].clone(), third("29.97", "2026-10-07")];
    let mut minor = claim().told(minor_until("2027-05-01")).on("2026-08-01");
    assert_eq!(minor.promise("Z-1", "2026-08-07"), Err(Refusal::Minor));
    assert_eq!(minor.agree("T-1", &rates), Err(Refusal::Minor));
    // What the parents agreed to can be paid at once; a promise is another contract.
    let mut minor = admitted(minor, "R-1");
    assert_eq!(minor.promise("Z-1", "2026-08-07"), Err(Refusal::Minor));
    assert_eq!(minor.agree("T-1", &rates), Err(Refusal::Minor));
    // A person who has spoken with them can note either.
    let (now, rules) = (minor.now, minor.rules.clone());
    let (promise, until) = (PromiseId::new("Z-1").unwrap(), day("2026-08-07"));
    minor.does(Command::Promise { promise, until, now, rules, by_person: true });
}

#[test]
fn who_has_grown_up_promises_nothing_about_what_may_not_bind_them() {
    let mut story = claim().told(minor_until("2026-04-01")).on("2026-08-01");
    assert_eq!(story.promise("Z-1", "2026-08-07"), Err(Refusal::Minor));
    assert_eq!(story.agree("T-1", &[]), Err(Refusal::Minor));
    admitted(story, "R-1").promises("Z-1", "2026-08-07");
}
