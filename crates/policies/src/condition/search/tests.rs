#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::condition::{Scope, compile};

const STEP: Scope<'_> = Scope::Step { personas: &["regular", "everyone"] };

fn anybody() -> Setting {
    Setting::new(Currency::EUR)
}

fn asked(source: &str, setting: &Setting) -> Answer {
    let compiled = compile(source, STEP).unwrap_or_else(|e| panic!("{source}: {e:?}"));
    search(&[(&compiled.tree, true)], setting, &mut MOST.clone())
}

#[test]
fn what_excludes_itself_is_never_true() {
    for source in [
        "1 > 2",
        "claim.outstanding > 50 && claim.outstanding < 50.01",
        "claim.outstanding * 2 > 100 && claim.outstanding <= 50",
        "claim.outstanding > 10 && account.outstanding < 10",
        "account.open_claims == 1 && claim.outstanding > 50 && account.outstanding > 50.01 && \
         account.outstanding < 40",
        "account.open_claims < 1",
        "claim.days_overdue > 30 && account.oldest_days_overdue < 20",
        "history.invoices_paid == 0 && history.late_share > 0",
        "history.invoices_paid == 0 && history.average_days_late > 2",
        "history.invoices_paid == 1 && history.late_share > 0.2 && history.late_share < 0.9",
        "history.invoices_paid == 3 && history.late_share > 0.34 && history.late_share < 0.66",
        "history.late_share > 1",
        "history.late_share > 0.5 && history.average_days_late < 0.5",
        "history.invoices_paid < 0",
        "history.invoices_paid > 3 && history.invoices_paid < 4",
        r#"debtor.kind == "consumer" && debtor.kind == "business""#,
        r#"debtor.country in ["DE", "AT"] && !(debtor.country in ["DE", "AT", "CH"])"#,
        r#"debtor.attributes["a"] == "x" && !("a" in debtor.attributes)"#,
        r#"claim.currency == "USD""#,
        r#"today < date("2026-01-01") && today > date("2026-01-01")"#,
        "debtor.vulnerable && !debtor.vulnerable",
        "claim.in_default == true && claim.in_default == false",
        "(debtor.vulnerable ? 10 : 20) > 20",
    ] {
        assert_ne!(asked(source, &anybody()), Answer::Unsure, "{source}");
        assert_eq!(asked(source, &anybody()), Answer::Never, "{source}");
    }
}

#[test]
fn what_can_be_so_is_found() {
    for source in [
        "claim.outstanding > 50 && claim.outstanding < 50.02",
        "claim.outstanding == 100 && claim.principal == 60 && claim.fees == 40",
        "claim.outstanding > 10 && account.outstanding < 20 && account.open_claims > 1",
        "account.open_claims == 1 && claim.outstanding > 50 && account.outstanding > 60",
        "history.invoices_paid == 3 && history.late_share > 0.3 && history.late_share < 0.34",
        "history.invoices_paid >= 3 && history.late_share < 0.34 && history.late_share > 0.3398",
        "history.invoices_paid == 2 && history.average_days_late == 2.5",
        "history.disputes * 2 > history.invoices_paid",
        r#"debtor.country != "DE" && debtor.country != "FR""#,
        r#"debtor.attributes["a"] != "x""#,
        r#"debtor.attributes["a"].startsWith("x")"#,
        r#"!("a" in debtor.attributes)"#,
        r#"today >= date("2027-01-01")"#,
        "claim.days_overdue == -3",
        "(debtor.vulnerable ? 10 : 20) > 15",
    ] {
        let Answer::Found(world) = asked(source, &anybody()) else { panic!("{source}") };
        let compiled = compile(source, STEP).unwrap();
        assert_eq!(world.decides(&compiled.tree), Some(true), "{source}");
    }
}

#[test]
fn where_values_prove_nothing_it_cannot_tell() {
    for source in [
        "claim.fees * claim.principal == 7",
        "claim.fees > claim.outstanding && claim.outstanding > 10",
        r#"debtor.country.startsWith("A") && debtor.country.endsWith("B") && debtor.country != "AB""#,
    ] {
        assert_eq!(asked(source, &anybody()), Answer::Unsure, "{source}");
    }
}

#[test]
fn the_setting_of_a_step_narrows_who_can_get_it() {
    let early = Setting { overdue: (Some(4), None), ..anybody() };
    assert_eq!(asked("claim.days_overdue < 4", &early), Answer::Never);
    assert!(matches!(asked("claim.days_overdue < 5", &early), Answer::Found(_)));
    let owed = Some(Decimal::from(5));
    let small = Setting { owed, without_interest: true, ..anybody() };
    assert_eq!(asked("claim.outstanding < 5", &small), Answer::Never);
    assert_eq!(asked("claim.interest > 0", &small), Answer::Never);
    let business = Setting { kind: Some(DebtorKind::Business), ..anybody() };
    assert_eq!(asked(r#"debtor.kind == "consumer""#, &business), Answer::Never);
}

#[test]
fn the_work_is_bounded_and_counted() {
    let many: Vec<String> =
        (0..24).map(|n| format!(r#"!(debtor.attributes["a{n}"] == "x")"#)).collect();
    let source = format!("{} && claim.fees > 5 && claim.fees < 5", many.join(" && "));
    let compiled = compile(&source, STEP).unwrap();
    let mut left = MOST;
    let answer = search(&[(&compiled.tree, true)], &anybody(), &mut left);
    assert_eq!((answer, left < 1_000), (Answer::Unsure, true), "{left}");
    // Nothing is looked at without it being counted.
    let mut none = 0;
    assert_eq!(search(&[(&compiled.tree, true)], &anybody(), &mut none), Answer::Unsure);
}

/// Conditions of few facts and few constants, so that many contradict themselves.
fn atom() -> impl Strategy<Value = String> {
    let number = prop::sample::select(vec![
        "history.invoices_paid",
        "history.late_share",
        "history.average_days_late",
        "claim.outstanding",
        "account.outstanding",
        "claim.days_overdue",
        "account.oldest_days_overdue",
        "account.open_claims",
    ]);
    let relation = prop::sample::select(vec!["<", "<=", "==", "!=", ">", ">="]);
    let value = prop::sample::select(vec!["0", "0.25", "0.5", "1", "2", "3", "10"]);
    (number, relation, value)
        .prop_map(|(fact, relation, value)| format!("{fact} {relation} {value}"))
}

/// Accounts as there are: the facts are made of invoices and claims, as the domain makes them.
fn account() -> impl Strategy<Value = World> {
    let paid = prop::collection::vec(0u32..4, 0..6);
    let claims = prop::collection::vec((1u32..12, -3i64..12), 1..4);
    (paid, claims).prop_map(|(paid, claims)| {
        let count = |n: usize| Decimal::from(n);
        let share = |part: Decimal| match paid.len() {
            0 => Decimal::ZERO,
            n => (part / count(n)).round_dp(4),
        };
        let late = paid.iter().filter(|days| **days > 0).count();
        let days: u32 = paid.iter().sum();
        let all: u32 = claims.iter().map(|(owed, _)| owed).sum();
        let oldest = claims.iter().map(|(_, days)| *days).max().unwrap();
        let (owed, overdue) = claims[0];
        let mut world = World::default();
        for (quantity, value) in [
            (Quantity::InvoicesPaid, count(paid.len())),
            (Quantity::LateShare, share(count(late))),
            (Quantity::AverageDaysLate, share(days.into())),
            (Quantity::ClaimOutstanding, owed.into()),
            (Quantity::AccountOutstanding, all.into()),
            (Quantity::DaysOverdue, overdue.into()),
            (Quantity::OldestDaysOverdue, oldest.into()),
            (Quantity::OpenClaims, count(claims.len())),
        ] {
            world.push(Known::Quantity(quantity, value));
        }
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// The search never says of an account that there is that it cannot be.
    #[test]
    fn nobody_who_exists_is_said_not_to(
        atoms in prop::collection::vec((atom(), any::<bool>()), 1..5),
        account in account(),
    ) {
        let parts: Vec<String> = atoms
            .iter()
            .map(|(atom, not)| if *not { format!("!({atom})") } else { atom.clone() })
            .collect();
        let source = parts.join(" && ");
        let compiled = compile(&source, STEP).unwrap();
        let holds = account.decides(&compiled.tree).unwrap();
        let owed = Some(Decimal::new(1, 2));
        let setting = Setting { without_interest: true, owed, ..anybody() };
        let answer = search(&[(&compiled.tree, true)], &setting, &mut MOST.clone());
        match answer {
            Answer::Never => prop_assert!(!holds, "{source}: {}", account.told()),
            Answer::Found(found) => prop_assert_eq!(found.decides(&compiled.tree), Some(true)),
            Answer::Unsure => {}
        }
    }
}
