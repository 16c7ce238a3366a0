#![allow(clippy::unwrap_used)]
use super::*;

#[track_caller]
fn near(found: f64, expected: f64, by: f64) {
    assert!((found - expected).abs() <= by, "{found} is not {expected}");
}

/// Remission in weeks under 6-MP and under placebo (Freireich and others 1963), the example of most
/// textbooks: `+` was still in remission.
fn leukaemia(text: &str) -> Vec<Spell> {
    let one = |word: &str| match word.strip_suffix('+') {
        Some(days) => Spell { days: days.parse().unwrap(), ended: false },
        None => Spell { days: word.parse().unwrap(), ended: true },
    };
    text.split(' ').map(one).collect()
}

const SIX_MP: &str = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+";
const PLACEBO: &str = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23";

#[test]
fn the_curve_of_the_textbook_comes_out() {
    let curve = Curve::of(&leukaemia(SIX_MP));
    let expected =
        [(6, 0.857), (7, 0.807), (10, 0.753), (13, 0.690), (16, 0.627), (22, 0.538), (23, 0.448)];
    let left = curve.left(35);
    for (day, share) in expected {
        near(left[day], share, 0.0005);
    }
    near(left[5], 1.0, 0.0);
    // Greenwood's standard error at 6 and at 23, as printed in the textbooks.
    let error = |until: u32| -> f64 {
        let steps = curve.steps.iter().filter(|step| step.day <= until);
        let sum: f64 = steps.map(|step| step.term).sum();
        left[until as usize] * sum.sqrt()
    };
    near(error(6), 0.0764, 0.0001);
    near(error(23), 0.1346, 0.0001);
}

#[test]
fn means_and_medians_of_the_textbook_come_out() {
    // As R's survfit prints them with print.rmean: 23.29 (2.83) and 8.67 (1.38).
    let (treated, placebo) = (Curve::of(&leukaemia(SIX_MP)), Curve::of(&leukaemia(PLACEBO)));
    let mean = treated.mean(35).unwrap();
    near(mean.value, 23.287, 0.001);
    near(mean.variance.sqrt(), 2.827, 0.001);
    let mean = placebo.mean(35).unwrap();
    near(mean.value, 182.0 / 21.0, 1e-9);
    near(mean.variance.sqrt(), 1.377, 0.001);
    assert_eq!(treated.median().map(|one| one.days), Some(23));
    assert_eq!(treated.median().unwrap().to, None, "the upper limit is not reached");
    // conf.type = "log-log".
    assert_eq!(treated.median().unwrap().from, Some(13));
    assert_eq!(placebo.median(), Some(Median { days: 8, from: Some(4), to: Some(11) }));
    let later = treated.mean(35).unwrap().less(&placebo.mean(35).unwrap());
    near(later.value, 14.62, 0.01);
}

#[test]
fn a_curve_that_ends_too_early_has_no_mean_and_one_that_stays_up_no_median() {
    let spells: Vec<Spell> = (0..30).map(|n| Spell { days: n, ended: n < 10 }).collect();
    let curve = Curve::of(&spells);
    assert_eq!(curve.mean(31), None);
    assert!(curve.mean(30).is_some(), "day 29 is the thirtieth");
    assert_eq!(curve.median(), None);
    let all: Vec<Spell> = (0..30).map(|days| Spell { days, ended: true }).collect();
    near(Curve::of(&all).mean(90).unwrap().value, 14.5, 1e-9);
    assert_eq!(Curve::of(&[]).mean(30), None);
}

#[test]
fn student_is_the_table() {
    for (freedom, factor) in
        [(5.0, 2.5706), (10.0, 2.2281), (19.0, 2.0930), (30.0, 2.0423), (120.0, 1.9799)]
    {
        near(student(freedom), factor, 0.0003);
    }
    near(student(f64::INFINITY), 1.9600, 0.0001);
}

#[test]
fn a_share_of_equal_amounts_is_a_proportion() {
    // 60 of 100 paid: 0.6, standard error sqrt(0.6 * 0.4 / 99).
    let accounts: Vec<(f64, f64)> =
        (0..100).map(|n| (50.0, if n < 60 { 50.0 } else { 0.0 })).collect();
    let found = share(&accounts).unwrap();
    near(found.value, 0.6, 1e-12);
    near(found.variance.sqrt(), (0.24f64 / 99.0).sqrt(), 1e-12);
    let (from, to) = found.told().interval.unwrap();
    near(from, 0.6 - 1.98422 * 0.049237, 0.0001);
    near(to, 0.6 + 1.98422 * 0.049237, 0.0001);
    // On the scale of logits: 0.405465 and 1.98422 * 0.049237 / 0.24 = 0.407072 to each side.
    let (from, to) = found.told_as_share().interval.unwrap();
    near(from, 0.49960, 0.0001);
    near(to, 0.69267, 0.0001);
}

#[test]
fn few_accounts_and_accounts_that_are_all_alike_have_no_interval() {
    let few: Vec<(f64, f64)> = (0..19).map(|n| (50.0, f64::from(n))).collect();
    assert_eq!(share(&few).unwrap().told().interval, None);
    let alike = [(50.0, 50.0); 40];
    assert_eq!(share(&alike).unwrap().told().interval, None);
    assert_eq!(share(&[]), None);
    assert_eq!(share(&[(0.0, 0.0)]), None);
}

/// A generator of its own, so that the seed is all there is to say (xorshift64*).
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (2.0 * std::f64::consts::PI * b).cos()
    }
}

/// An account of an invented arm: what was open (skewed, as invoices are), what came in, and when.
/// Each day `hazard` of those who have not paid do; a fifth pay a part first; looking ends between
/// day 20 and 60.
fn account(dice: &mut Dice, hazard: f64) -> ((f64, f64), Spell) {
    let open = (4.0 + 0.8 * dice.normal()).exp();
    let day = ((1.0 - dice.uniform()).ln() / (1.0 - hazard).ln()).floor();
    let part = if dice.uniform() < 0.2 { 0.5 * open } else { 0.0 };
    let came = if day < 30.0 { open } else { part };
    let seen = 20.0 + (dice.uniform() * 41.0).floor();
    let spell = Spell { days: day.min(seen) as u32, ended: day <= seen };
    ((open, came), spell)
}

#[test]
fn intervals_cover_the_truth_in_95_of_100_experiments() {
    const SEED: u64 = 20_261_126;
    const EXPERIMENTS: u32 = 3_000;
    const ACCOUNTS: usize = 150;
    let (treated, control): (f64, f64) = (0.05, 0.035);
    let never = |hazard: f64| (1.0 - hazard).powi(30);
    // A share of whoever pays in time, and half of what a fifth of the others owe.
    let recovered = |hazard: f64| 1.0 - never(hazard) + never(hazard) * 0.2 * 0.5;
    // Sum of the survival over the days 0 to 29: day 0 is the first on which somebody can pay.
    let mean = |hazard: f64| (1..=30).map(|day| (1.0f64 - hazard).powi(day)).sum::<f64>();
    let median = |hazard: f64| (0.5f64.ln() / (1.0 - hazard).ln()).ceil() as u32 - 1;
    let mut dice = Dice(SEED);
    let mut covered = [0u32; 6];
    for _ in 0..EXPERIMENTS {
        let mut arm = |hazard| {
            let drawn = (0..ACCOUNTS).map(|_| account(&mut dice, hazard));
            let (money, spells): (Vec<_>, Vec<_>) = drawn.unzip();
            (share(&money).unwrap(), Curve::of(&spells))
        };
        let ((share, curve), (other_share, other_curve)) = (arm(treated), arm(control));
        let days = |curve: &Curve| curve.mean(30).unwrap();
        let (long, other_long) = (days(&curve), days(&other_curve));
        let half = curve.median().unwrap();
        let hit = |found: Estimate, truth: f64| {
            let (from, to) = found.interval.unwrap();
            u32::from((from..=to).contains(&truth))
        };
        let truth = median(treated);
        let in_median =
            half.from.is_none_or(|from| from <= truth) && half.to.is_none_or(|to| truth <= to);
        for (sum, hit) in covered.iter_mut().zip([
            hit(share.told_as_share(), recovered(treated)),
            hit(other_share.told_as_share(), recovered(control)),
            hit(share.less(&other_share).told(), recovered(treated) - recovered(control)),
            hit(long.told(), mean(treated)),
            hit(long.less(&other_long).told(), mean(treated) - mean(control)),
            u32::from(in_median),
        ]) {
            *sum += hit;
        }
    }
    let percent = covered.map(|hits| f64::from(hits) * 100.0 / f64::from(EXPERIMENTS));
    println!("seed {SEED}: {percent:?} % of {EXPERIMENTS} experiments");
    // Three standard deviations of 3,000 draws are 1.2; skewed amounts cost a little.
    for (place, found) in percent[..5].iter().enumerate() {
        assert!((93.3..=96.4).contains(found), "seed {SEED}, interval {place}: {percent:?}");
    }
    // Days are whole: the interval of a median is wider than it has to be.
    assert!((94.0..=99.5).contains(&percent[5]), "seed {SEED}: {percent:?}");
}
