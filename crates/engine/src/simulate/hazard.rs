//! How likely a claim is paid on a day, by the cell it stands in.
//!
//! **Counting.** Of each cell we know the days that claims stood in it and how many of these were
//! the day on which one was paid in full. The day of payment counts half, since nobody waited on it
//! to its end. The rate of a cell is payments by days.
//!
//! **Small cells.** A cell of few days says little by itself, so it borrows from the one above it
//! (see [`Cell::at`]): as if it had seen `m` more payments at that one's rate `r`,
//!
//! ```text
//! rate = (payments + m) / (days + m / r)
//! ```
//!
//! which is the mean of the gamma posterior with shape `payments + m`. How alike the cells of a
//! level are, the data say: `m` is the one of [`STRENGTHS`] under which the counts of that level
//! are most probable (negative binomial). A cell that nobody ever stood in has the rate above it.
//!
//! **Weeks.** Books have good and bad weeks beyond the luck of single debtors. Past weeks, their
//! payments compared with what the rates expect, say how much (variance) and how long it lasts
//! (correlation from week to week), and how the last week stood (a Kalman filter over them). Each
//! replicate of the future draws its own weeks from there.
//!
//! **Outs.** Not every claim is paid or waits: some are disputed, held, put into a plan, cancelled,
//! credited. How often claims are taken out in such ways is learnt in the same cells, how long
//! stays last from those that ended.
//!
//! **Drawing.** Each replicate draws its own rates, from the top down, each cell's posterior around
//! the rate that was drawn above it, so that what is known little of varies much. Streams of random
//! numbers are named by the seed and what they are for: nothing depends on threads or on order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rand::{SeedableRng, rngs::ChaCha8Rng};
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};
use sha2::{Digest, Sha256};

use super::{
    cells::{Cell, DayNumber, LEVELS, STEPS},
    learn::{Count, Table},
};

/// What a cell may borrow, in payments.
const STRENGTHS: [f64; 13] =
    [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];
/// Days of a week.
const WEEK: DayNumber = 7;
/// A past week says something where so many payments were expected in it.
const TELLING: f64 = 5.0;
/// So many telling weeks are needed to say how weeks differ.
const WEEKS: usize = 8;
/// Where there are fewer: a standard deviation of a quarter, and half of it stays for the next
/// week.
const UNKNOWN_WEEKS: Weeks = Weeks { variance: 0.0625, stays: 0.5, seen: 0, last: (0.0, 0.0625) };

/// How weeks differ from what the rates expect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weeks {
    /// Variance of the factor that a week has on all rates; its mean is 1.
    pub variance: f64,
    /// Correlation with the week before.
    pub stays: f64,
    /// Weeks that say so; none: assumed.
    pub seen: usize,
    /// The last week's factor less 1, as far as it is known: mean and variance.
    pub last: (f64, f64),
}

/// Rates of all cells with their uncertainty.
#[derive(Debug)]
pub(super) struct Model {
    /// Counts by level.
    levels: Vec<BTreeMap<Cell, Count>>,
    /// What a cell of each level borrows from the one above; the first has none above.
    strengths: [f64; LEVELS],
    pub weeks: Weeks,
    /// How claims are taken out; `None` where that never happened.
    outs: Option<Box<Outs>>,
}

/// How claims are taken out.
#[derive(Debug)]
pub(super) struct Outs {
    /// How often.
    model: Arc<Model>,
    /// The share that comes to its end.
    gone: f64,
    /// Days that stays lasted, and how many of them ended.
    stayed: Count,
    /// The share of stays that end with nothing left to pay.
    stayed_gone: f64,
}

fn days(count: &Count) -> f64 {
    count.days as f64 - count.paid as f64 / 2.0
}

impl Model {
    /// Learns from what was counted.
    pub fn fit(table: &Table) -> Self {
        let mut levels = vec![BTreeMap::<Cell, Count>::new(); LEVELS];
        for (cell, count) in &table.cells {
            for (level, cells) in levels.iter_mut().enumerate() {
                cells.entry(cell.at(level)).or_default().add(count);
            }
        }
        let taken: u64 = table.taken.values().sum();
        let outs = (taken > 0 || table.stayed.days > 0).then(|| {
            let model = Arc::new(Self::fit(&table.outs()));
            let gone = table.gone as f64 / taken.max(1) as f64;
            let stayed_gone = table.stayed_gone as f64 / table.stayed.paid.max(1) as f64;
            Box::new(Outs { model, gone, stayed: table.stayed, stayed_gone })
        });
        let strengths = [1.0; LEVELS];
        let mut model = Self { levels, strengths, weeks: UNKNOWN_WEEKS, outs };
        for level in 1..LEVELS {
            model.strengths[level] = model.strength_of(level);
        }
        model.weeks = model.weeks_of(table);
        model
    }

    /// The strength under which the counts of `level` are most probable.
    fn strength_of(&self, level: usize) -> f64 {
        let rows: Vec<(f64, f64, f64)> = self.levels[level]
            .iter()
            .map(|(cell, count)| (count.paid as f64, days(count), self.rate_at(*cell, level - 1)))
            .collect();
        let probability = |strength: f64| -> f64 {
            let row = |(paid, days, above): &(f64, f64, f64)| {
                let rate = strength / above;
                ln_gamma(paid + strength) - ln_gamma(strength) + strength * rate.ln()
                    - (paid + strength) * (rate + days).ln()
            };
            rows.iter().map(row).sum()
        };
        let mut best = (f64::NEG_INFINITY, STRENGTHS[0]);
        for strength in STRENGTHS {
            let found = probability(strength);
            if found > best.0 {
                best = (found, strength);
            }
        }
        best.1
    }

    fn count(&self, cell: Cell, level: usize) -> (f64, f64) {
        self.levels[level].get(&cell.at(level)).map_or((0.0, 0.0), |c| (c.paid as f64, days(c)))
    }

    /// The mean rate of `cell`, as seen from `level`.
    pub fn rate_at(&self, cell: Cell, level: usize) -> f64 {
        let (paid, days) = self.count(cell, level);
        if level == 0 {
            return (paid + 0.5) / (days + 1.0);
        }
        let strength = self.strengths[level];
        (paid + strength) / (days + strength / self.rate_at(cell, level - 1))
    }

    /// Compares past weeks with what the rates of time and step expect.
    fn weeks_of(&self, table: &Table) -> Weeks {
        let mut weeks: BTreeMap<DayNumber, (f64, f64)> = BTreeMap::new();
        for (cell, daily) in &table.daily {
            let rate = self.rate_at(*cell, STEPS);
            let mut standing = 0_i64;
            for (at, (change, paid)) in daily.iter().enumerate() {
                standing += change;
                let at = DayNumber::try_from(at).unwrap_or(DayNumber::MAX);
                let week = weeks.entry(at / WEEK).or_default();
                let paid = f64::from(*paid);
                week.0 += (standing as f64 - paid / 2.0) * rate;
                week.1 += paid;
            }
        }
        let telling: Vec<(DayNumber, f64, f64)> = weeks
            .iter()
            .filter(|(_, (expected, _))| *expected >= TELLING)
            .map(|(week, (expected, paid))| (*week, *expected, paid / expected - 1.0))
            .collect();
        if telling.len() < WEEKS {
            return UNKNOWN_WEEKS;
        }
        // Each week counts by the payments expected in it; the luck of single debtors is taken off.
        let total: f64 = telling.iter().map(|(_, expected, _)| expected).sum();
        let spread = telling.iter().map(|(_, expected, off)| expected * off * off - 1.0);
        let variance = (spread.sum::<f64>() / total).clamp(0.0, 1.0);
        let pairs = telling.windows(2).filter(|pair| pair[1].0 == pair[0].0 + 1);
        let (mut weight, mut product) = (0.0, 0.0);
        for pair in pairs {
            let expected = (pair[0].1 * pair[1].1).sqrt();
            weight += expected;
            product += expected * pair[0].2 * pair[1].2;
        }
        let stays = match weight > 0.0 && variance > 0.0 {
            true => (product / weight / variance).clamp(0.0, 0.98),
            false => 0.0,
        };
        // What is known of the last week: the factor of each comes from the one before it and from
        // what was paid in it.
        let mut last = (0.0, variance);
        for (expected, paid) in weeks.values().filter(|(expected, _)| *expected >= 1.0) {
            let before =
                (stays * last.0, stays * stays * last.1 + variance * (1.0 - stays * stays));
            let gain = before.1 / (before.1 + 1.0 / expected);
            let off = paid / expected - 1.0;
            last = (before.0 + gain * (off - before.0), before.1 * (1.0 - gain));
        }
        Weeks { variance, stays, seen: telling.len(), last }
    }
}

/// A stream of random numbers with a name.
pub(super) fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

/// The rates and weeks of all replicates.
pub(super) struct Draws {
    model: Arc<Model>,
    seed: u64,
    pub replicates: usize,
    rates: HashMap<(Cell, usize), Arc<[f64]>>,
    /// By day and then replicate: the sum of the factors of all days before it.
    factors: Vec<f64>,
    /// How claims are taken out.
    pub outs: Option<Box<DrawnOuts>>,
}

/// How claims are taken out, in all replicates.
pub(super) struct DrawnOuts {
    pub draws: Draws,
    /// The share that comes to its end.
    pub gone: f64,
    /// How likely a stay ends on a day, by replicate.
    pub ends: Vec<f64>,
    /// The share of stays that end with nothing left to pay.
    pub stayed_gone: f64,
}

/// What makes the streams of outs others than those of payments.
const OUTS: u64 = 0x6f75_7473_6f75_7473;

impl Draws {
    /// Draws the weeks of `days` days, `silent` weeks after the end of the history; rates are drawn
    /// as they are asked for.
    pub fn new(
        model: Arc<Model>,
        seed: u64,
        replicates: usize,
        days: usize,
        silent: DayNumber,
    ) -> Self {
        let mut factors = vec![0.0; (days + 1) * replicates];
        let Weeks { variance, stays, last, .. } = model.weeks;
        let spread = (1.0 + variance).ln();
        // From the last week that is known to the first one to come.
        let kept = stays.powi(silent.saturating_add(1));
        let mean = (1.0 + last.0.max(-0.95)).ln() * kept;
        let known = last.1.min(variance) * kept * kept + variance * (1.0 - kept * kept);
        let deviation = (1.0 + known).ln().sqrt();
        for replicate in 0..replicates {
            let mut random = stream(seed, &format!("weeks/{replicate}"));
            let mut normal = move || -> f64 { StandardNormal.sample(&mut random) };
            let mut state = mean + deviation * normal();
            let mut sum = 0.0;
            for day in 0..days {
                if day > 0 && day % 7 == 0 {
                    let fresh = (spread * (1.0 - stays * stays)).sqrt() * normal();
                    state = stays * state + fresh;
                }
                sum += (state - spread / 2.0).exp();
                factors[(day + 1) * replicates + replicate] = sum;
            }
        }
        let outs = model.outs.as_ref().map(|outs| {
            let seed = seed ^ OUTS;
            let ended = Gamma::new(outs.stayed.paid as f64 + 0.5, 1.0);
            let mut random = stream(seed, "ends");
            let mut end =
                |gamma: &Gamma<f64>| gamma.sample(&mut random) / (outs.stayed.days as f64 + 1.0);
            let ends = ended.map(|gamma| (0..replicates).map(|_| end(&gamma)).collect());
            Box::new(DrawnOuts {
                draws: Self::new(Arc::clone(&outs.model), seed, replicates, days, 0),
                gone: outs.gone,
                stayed_gone: outs.stayed_gone,
                ends: ends.unwrap_or_else(|_| vec![0.0; replicates]),
            })
        });
        Self { model, seed, replicates, rates: HashMap::new(), factors, outs }
    }

    /// The stream of what is named, of this seed.
    pub fn stream(&self, name: &str) -> ChaCha8Rng {
        stream(self.seed, name)
    }

    /// The sums of factors of all days before `day`, by replicate.
    pub fn factors_before(&self, day: usize) -> &[f64] {
        let from = day * self.replicates;
        self.factors.get(from..from + self.replicates).unwrap_or_default()
    }

    /// The rate of a cell, by replicate.
    pub fn rates(&mut self, cell: Cell) -> Arc<[f64]> {
        self.rates_at(cell, LEVELS - 1)
    }

    fn rates_at(&mut self, cell: Cell, level: usize) -> Arc<[f64]> {
        let cell = cell.at(level);
        if let Some(known) = self.rates.get(&(cell, level)) {
            return Arc::clone(known);
        }
        let Cell { stayed, timing, step, persona, size } = cell;
        let name = format!("rate/{level}/{stayed}/{timing}/{step}/{persona}/{size}");
        let mut random = stream(self.seed, &name);
        let (paid, days) = self.model.count(cell, level);
        let (borrowed, above) = match level {
            0 => (0.5, None),
            _ => (self.model.strengths[level], Some(self.rates_at(cell, level - 1))),
        };
        // A shape above zero is all that it asks for, and it is at least a half.
        let Ok(gamma) = Gamma::new(paid + borrowed, 1.0) else { return Arc::from([]) };
        let drawn = (0..self.replicates).map(|replicate| {
            let days = days + above.as_ref().map_or(1.0, |above| borrowed / above[replicate]);
            // Neither nought nor without end, so that what borrows from it has a number too.
            (gamma.sample(&mut random) / days).clamp(1e-9, 1e3)
        });
        let rates: Arc<[f64]> = drawn.collect();
        self.rates.insert((cell, level), Arc::clone(&rates));
        rates
    }

    /// The luck of a debtor, by replicate: the claims of one are paid once their rates, added up
    /// day by day, reach it.
    pub fn luck(&self, account: &str, luck: &mut Vec<f64>) {
        let mut random = stream(self.seed, account);
        luck.clear();
        luck.extend((0..self.replicates).map(|_| -> f64 { Exp1.sample(&mut random) }));
    }
}

/// Logarithm of the gamma function by Stirling's series, for arguments above zero.
fn ln_gamma(of: f64) -> f64 {
    let (mut at, mut lower) = (of, 0.0);
    while at < 10.0 {
        lower += at.ln();
        at += 1.0;
    }
    let series = 1.0 / (12.0 * at) - 1.0 / (360.0 * at.powi(3)) + 1.0 / (1260.0 * at.powi(5));
    (at - 0.5) * at.ln() - at + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - lower
}
