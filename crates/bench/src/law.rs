//! A million computations of default interest over ten half-years, one after the other.

use std::{hint::black_box, time::Instant};

use anyhow::{Result, ensure};
use jiff::civil::date;
use kulanz_domain::{
    law::{
        interest::{DayCount, Rate, interest},
        rates::RateTable,
    },
    money::Decimal,
};

/// How many.
const COMPUTATIONS: u32 = 1_000_000;

/// Seconds that they take on one core; the sum of all is checked against ten of them.
pub fn a_million() -> Result<f64> {
    let rates = RateTable::Germany.shipped()?;
    let (nine, days) = (Rate::OverBase(Decimal::from(9)), (date(2021, 7, 1), date(2026, 6, 30)));
    let one = |cents: u32| -> Result<Decimal> {
        let principal = Decimal::new(i64::from(cents), 2);
        Ok(interest(principal, nine, &rates, DayCount::ActAct, days)?.rounded(2))
    };
    let start = Instant::now();
    let mut sum = Decimal::ZERO;
    for number in 0..COMPUTATIONS {
        sum += black_box(one(black_box(100 + number % 1_000_000))?);
    }
    let took = start.elapsed().as_secs_f64();
    // Rounding aside, interest is linear: the mean is that of the mean principal.
    let mean = one(500_100)?;
    let found = sum / Decimal::from(COMPUTATIONS);
    ensure!((found - mean).abs() < Decimal::new(5, 2), "{found} is not about {mean}");
    Ok(took)
}
