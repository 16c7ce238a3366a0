//! Estimates with intervals, over accounts as units. Formulas and their limits are in
//! `docs/experiments.md`; floats are good enough here, since no amount comes out of them.

use serde::Serialize;

/// Below so many accounts in an arm no interval is told: it would promise too much.
pub const LEAST: usize = 20;

/// Half the width of a 95 % interval of a normal distribution, in standard errors.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// From and to; absent where there are too few accounts, or all are alike.
    pub interval: Option<(f64, f64)>,
}

/// An estimate that can still be compared with another one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The figure.
    pub value: f64,
    /// Of the figure, not of the accounts.
    variance: f64,
    /// Degrees of freedom; infinite where the normal distribution is used.
    freedom: f64,
    enough: bool,
}

impl Measured {
    fn new(value: f64, variance: f64, freedom: f64, count: usize) -> Self {
        Self { value, variance, freedom, enough: count >= LEAST }
    }

    /// With its interval.
    pub fn told(&self) -> Estimate {
        let reach = self.reach();
        let interval = self.has_interval().then_some((self.value - reach, self.value + reach));
        Estimate { value: self.value, interval }
    }

    /// With its interval on the scale of logits: that of a share never reaches 0 or 1, and is
    /// lopsided near them.
    pub fn told_as_share(&self) -> Estimate {
        let share = self.value;
        let told = self.has_interval() && share > 0.0 && share < 1.0;
        let interval = told.then(|| {
            let (at, reach) =
                ((share / (1.0 - share)).ln(), self.reach() / (share * (1.0 - share)));
            let back = |logit: f64| 1.0 / (1.0 + (-logit).exp());
            (back(at - reach), back(at + reach))
        });
        Estimate { value: share, interval }
    }

    fn has_interval(&self) -> bool {
        self.enough && self.variance > 0.0
    }

    fn reach(&self) -> f64 {
        student(self.freedom) * self.variance.sqrt()
    }

    /// `self` less `other`, of two independent samples (Welch).
    pub fn less(&self, other: &Self) -> Self {
        let (a, b) = (self.variance, other.variance);
        let freedom = match self.freedom.is_finite() && other.freedom.is_finite() && a + b > 0.0 {
            true => (a + b).powi(2) / (a * a / self.freedom + b * b / other.freedom),
            false => f64::INFINITY,
        };
        Self {
            value: self.value - other.value,
            variance: a + b,
            freedom,
            enough: self.enough && other.enough,
        }
    }
}

/// The share of what was open that came in, over accounts with (open, recovered): the ratio of the
/// sums, and its variance by the jackknife, which leaves out each account in turn. (The delta method
/// promises too much where a few accounts owe most.) `None` where nothing was open.
pub fn share(accounts: &[(f64, f64)]) -> Option<Measured> {
    let count = accounts.len() as f64;
    let (open, came) = accounts.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if open <= 0.0 {
        return None;
    }
    let without = |one: &(f64, f64)| (open > one.0).then(|| (came - one.1) / (open - one.0));
    let others: Option<Vec<f64>> = accounts.iter().map(without).collect();
    // Where one account owes all of it, nothing can be said of what another one would do.
    let variance = others.map_or(0.0, |others| {
        let mean = others.iter().sum::<f64>() / count;
        others.iter().map(|one| (one - mean).powi(2)).sum::<f64>() * (count - 1.0) / count
    });
    Some(Measured::new(came / open, variance, (count - 1.0).max(1.0), accounts.len()))
}

/// How long something took, or for how long it was seen not to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spell {
    /// Days.
    pub days: u32,
    /// It happened on the last of them; otherwise nobody looked any further.
    pub ended: bool,
}

/// The survival curve of Kaplan and Meier.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    steps: Vec<Step>,
    count: usize,
    longest: u32,
}

/// A day on which something happened.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    day: u32,
    /// Share that is left after it.
    left: f64,
    /// Greenwood's term of this day alone; infinite where nobody is left.
    term: f64,
}

impl Curve {
    /// The curve of `spells`, in any order.
    pub fn of(spells: &[Spell]) -> Self {
        let mut spells = spells.to_vec();
        spells.sort_unstable();
        let (mut steps, mut left, mut at) = (Vec::new(), 1.0, 0);
        while let Some(first) = spells.get(at) {
            let same = spells[at..].iter().take_while(|one| one.days == first.days);
            let (all, ended) = same.fold((0usize, 0usize), |(all, ended), one| {
                (all + 1, ended + usize::from(one.ended))
            });
            if ended > 0 {
                let (risk, gone) = ((spells.len() - at) as f64, ended as f64);
                left *= 1.0 - gone / risk;
                steps.push(Step { day: first.days, left, term: gone / (risk * (risk - gone)) });
            }
            at += all;
        }
        let longest = spells.last().map_or(0, |last| last.days);
        Self { steps, count: spells.len(), longest }
    }

    /// The share that is left at the end of each day up to `horizon`, beginning with day 0.
    pub fn left(&self, horizon: u32) -> Vec<f64> {
        let mut steps = self.steps.iter().peekable();
        let mut left = 1.0;
        (0..=horizon)
            .map(|day| {
                while let Some(step) = steps.next_if(|step| step.day <= day) {
                    left = step.left;
                }
                left
            })
            .collect()
    }

    /// The mean number of days, where more than `horizon` counts as `horizon`: the area below the
    /// curve, whose last day is the one before `horizon`. `None` where nobody was looked at for so
    /// long.
    pub fn mean(&self, horizon: u32) -> Option<Measured> {
        let all_ended = self.steps.last().is_some_and(|last| last.left <= 0.0);
        if self.count == 0 || (self.longest + 1 < horizon && !all_ended) {
            return None;
        }
        let steps: Vec<&Step> = self.steps.iter().filter(|step| step.day < horizon).collect();
        // From the right: the area between each step and the horizon.
        let (mut area, mut variance, mut right) = (0.0, 0.0, f64::from(horizon));
        for step in steps.iter().rev() {
            area += step.left * (right - f64::from(step.day));
            right = f64::from(step.day);
            if step.term.is_finite() {
                variance += area * area * step.term;
            }
        }
        Some(Measured::new(area + right, variance, f64::INFINITY, self.count))
    }

    /// The day by which half of them have ended, with the interval of Brookmeyer and Crowley on the
    /// scale of log(-log). `None` where less than half have ended; an interval may be open above.
    pub fn median(&self) -> Option<Median> {
        let crosses = |left: &dyn Fn(&Step, f64) -> f64| {
            let mut sum = 0.0;
            let mut steps = self.steps.iter();
            steps.find_map(|step| {
                sum += step.term;
                (left(step, sum) <= 0.5 + 1e-12).then_some(step.day)
            })
        };
        let band = |step: &Step, sum: f64, sign: f64| match step.left {
            left if left <= 0.0 || !sum.is_finite() => left,
            left => left.powf((sign * NORMAL * sum.sqrt() / left.ln().abs()).exp()),
        };
        let value = crosses(&|step, _| step.left)?;
        let enough = self.count >= LEAST;
        let from = crosses(&|step, sum| band(step, sum, 1.0)).filter(|_| enough);
        let to = crosses(&|step, sum| band(step, sum, -1.0)).filter(|_| enough);
        Some(Median { days: value, from, to })
    }
}

/// The day by which half of the accounts have paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Median {
    /// Days.
    pub days: u32,
    /// Where the interval begins; absent where there are too few accounts.
    pub from: Option<u32>,
    /// Where it ends; absent: cannot be told yet.
    pub to: Option<u32>,
}

/// The factor of a 95 % interval by Student's distribution: the expansion of Cornish and Fisher,
/// exact to four decimals from five degrees of freedom on.
fn student(freedom: f64) -> f64 {
    let (z, n) = (NORMAL, freedom);
    if !n.is_finite() {
        return z;
    }
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    let fourth = (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5)
        - 1920.0 * z.powi(3)
        - 945.0 * z)
        / 92160.0;
    z + first / n + second / n.powi(2) + third / n.powi(3) + fourth / n.powi(4)
}

#[cfg(test)]
mod tests;
