#![allow(clippy::unwrap_used)]
use super::*;
use crate::ids::DebtorId;

const ACCOUNTS: u32 = 100_000;

fn name(text: &str) -> ExperimentName {
    text.parse().unwrap()
}

fn account(creditor: &str, debtor: &str) -> AccountId {
    AccountId::new(creditor.parse().unwrap(), debtor.parse().unwrap())
}

fn accounts() -> impl Iterator<Item = AccountId> {
    let creditor = account("lindenmoor", "K-1").creditor;
    (0..ACCOUNTS)
        .map(move |n| AccountId::new(creditor.clone(), DebtorId::new(&format!("K-{n}")).unwrap()))
}

fn experiment(treated: u32, control: u32) -> Experiment {
    Experiment { name: name("evening-sms"), treated, control }
}

#[test]
fn an_account_keeps_its_place_for_ever() {
    let places = [
        ("evening-sms", "lindenmoor", "K-1", 352_266),
        ("evening-sms", "lindenmoor", "K-2", 559_876),
        ("evening-sms", "nordlicht", "K-1", 880_157),
        ("warm-mahnung", "lindenmoor", "K-1", 78_880),
        ("a", "b", "c", 201_175),
    ];
    for (experiment, creditor, debtor, expected) in places {
        let place = place(&name(experiment), &account(creditor, debtor));
        assert_eq!(place, expected, "{experiment} {creditor}/{debtor}");
    }
}

#[test]
fn arms_are_as_large_as_they_are_told_to_be() {
    let tried = experiment(200_000, 50_000);
    let (mut treated, mut control) = (0i64, 0i64);
    for account in accounts() {
        match tried.arm(&account) {
            Some(Arm::Treated) => treated += 1,
            Some(Arm::Control) => control += 1,
            None => {}
        }
    }
    // Four standard deviations of a binomial: sqrt(n p (1 - p)) is 126 and 69.
    assert!((treated - 20_000).abs() <= 506, "{treated} of {ACCOUNTS} are treated");
    assert!((control - 5_000).abs() <= 276, "{control} of {ACCOUNTS} are compared");
}

#[test]
fn a_share_that_grows_takes_from_those_outside_alone() {
    let steps =
        [(0, 0), (50_000, 50_000), (200_000, 50_000), (200_000, 300_000), (700_000, 300_000)];
    for pair in steps.windows(2) {
        let (before, after) = (experiment(pair[0].0, pair[0].1), experiment(pair[1].0, pair[1].1));
        for account in accounts().take(20_000) {
            if let Some(arm) = before.arm(&account) {
                assert_eq!(after.arm(&account), Some(arm), "{account}");
            }
        }
    }
    let everybody = experiment(700_000, 300_000);
    assert!(accounts().take(20_000).all(|account| everybody.arm(&account).is_some()));
    let nobody = experiment(0, 0);
    assert!(accounts().take(20_000).all(|account| nobody.arm(&account).is_none()));
}

#[test]
fn the_arms_of_one_experiment_say_nothing_about_those_of_another() {
    // Names that differ little, since a weak hash shows there.
    for (one, other) in [("evening-sms", "evening-sms2"), ("a", "b"), ("trial-1", "trial-2")] {
        let (one, other) = (name(one), name(other));
        let mut cells = [[0i64; 5]; 5];
        for account in accounts() {
            let fifth = |experiment| place(experiment, &account) as usize * 5 / 1_000_000;
            cells[fifth(&one)][fifth(&other)] += 1;
        }
        // Chi-square over 25 cells of 4,000: 51.2 is passed once in a thousand draws.
        let squares: i64 = cells.iter().flatten().map(|count| (count - 4_000).pow(2)).sum();
        assert!(squares < 51 * 4_000, "{one} and {other}: {squares}");
    }
}
