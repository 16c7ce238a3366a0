//! From a record in Kafka to the reminder in the outbox.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, ToSpan, Zoned};

use super::{Place, ask, load, run};
use crate::report::Figure;

/// Half the rate where the maximal one was not measured in this run, in events a second.
const HALF: f64 = 8000.0;
/// One event of so many is an overdue invoice, which causes a reminder at once.
const OVERDUE: u32 = 40;
/// How long the stream goes on, in seconds.
const SECONDS: f64 = 20.0;
/// The first seconds, in which the server gets warm, do not count.
const WARM: f64 = 4.0;

/// The slowest reminder of a hundred.
pub fn reminder(place: &mut Place, rate: Option<f64>) -> Result<Vec<Figure>> {
    let half = rate.map_or(HALF, |rate| rate / 2.0);
    let (house, database, shop) = place.house("reminder")?;
    let events = (half * SECONDS) as u32;
    let zone = load::zone_at_noon()?;
    // A number that shares no factor with `OVERDUE`: each overdue invoice is another account's.
    let accounts = events / 100 * 10 + 1;
    for number in 0..accounts {
        shop.send(&load::debtor(number, &zone))?;
    }
    shop.flush()?;
    let mut server = house.serve()?;
    server.ready()?;
    run::recorded(&mut server, &database, u64::from(accounts))?;
    let today = Zoned::now().date();
    let (late, later) = (today.checked_sub(6.days())?, today.checked_add(10.days())?);
    let begun = Instant::now();
    let mut sent = HashMap::new();
    for nth in 0..events {
        let due_at = Duration::from_secs_f64(f64::from(nth) / half);
        while begun.elapsed() < due_at {
            shop.poll();
            std::thread::sleep(Duration::from_micros(300));
        }
        let (number, round) = (nth % accounts, nth / accounts);
        let overdue = nth % OVERDUE == 0;
        let event = load::invoice(number, round, if overdue { late } else { later })?;
        if overdue {
            sent.insert(number, (Timestamp::now().as_microsecond(), begun.elapsed().as_secs_f64()));
        }
        shop.send(&event)?;
    }
    shop.flush()?;
    let took = begun.elapsed().as_secs_f64();
    run::recorded(&mut server, &database, u64::from(events + accounts))?;
    server.stop()?;
    let rows = ask(
        &database,
        "SELECT debtor, min(extract(epoch FROM pg_xact_commit_timestamp(events.xmin)) * 1000000)::bigint
         FROM kulanz.events JOIN kulanz.accounts ON accounts.number = events.account
         WHERE kind = 'NoticeDecided' GROUP BY debtor",
    )?;
    let (mut waits, mut quarters) = (Vec::new(), [const { Vec::new() }; 4]);
    for row in &rows {
        let [debtor, committed] = row.as_slice() else { bail!("two columns") };
        let number: u32 = debtor.trim_start_matches("K-").parse()?;
        let (at, second) =
            sent.remove(&number).with_context(|| format!("{debtor} was not late"))?;
        if second > WARM {
            let wait = (committed.parse::<i64>()? - at) as f64 / 1000.0;
            let quarter = ((second - WARM) / (SECONDS - WARM) * 4.0) as usize;
            quarters[quarter.min(3)].push(wait);
            waits.push(wait);
        }
    }
    if !sent.is_empty() {
        bail!("{} overdue invoices had no reminder", sent.len());
    }
    waits.sort_by(f64::total_cmp);
    quarters.iter_mut().for_each(|waits| waits.sort_by(f64::total_cmp));
    let at = |part: f64| of(&waits, part);
    let p99 = at(0.99);
    // Tells a server that is at its limit from one that stood still once.
    let quarters = quarters.map(|waits| format!("{:.0}", of(&waits, 0.99)));
    eprintln!(
        "reminder: {} at {:.0} events/s: median {:.0} ms, p99 {p99:.0} ms ({} by quarters of the time), \
         longest {:.0} ms",
        waits.len(),
        f64::from(events) / took,
        at(0.5),
        quarters.join(", "),
        at(1.0)
    );
    Ok(vec![Figure {
        name: "reminder_p99_ms",
        value: p99,
        unit: "ms",
        ratio: p99 / 250.0,
        against: "at most 250 ms at half the maximal rate".to_owned(),
        spread: (at(0.5), at(1.0)),
        held: p99 <= 250.0,
    }])
}

/// The value below which this part of `sorted` lies; zero where there is none.
fn of(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part) as usize).copied().unwrap_or_default()
}
