//! Clocks that differ, with a gateway that takes messages and does not say so.

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use super::{
    super::{kafka::server, postgres, processes::shim, world::Server},
    fleet::Fleet,
    verify::{begin, verify},
};

/// What gives a process another wall clock, built where it is first needed.
static CLOCK: LazyLock<PathBuf> = LazyLock::new(|| shim("clock"));

/// A server whose wall clock is ahead by so many seconds.
fn serve(fleet: &Fleet, number: usize, seconds: i32) -> Server {
    let (library, seconds) = (CLOCK.to_str().unwrap(), seconds.to_string());
    fleet.serve_with(number, &[("LD_PRELOAD", library), ("CLOCK_SKEW", &seconds)])
}

/// The moment that a log ends with is by the clock of its server.
fn shows(log: &str) -> jiff::Timestamp {
    let moments = log.lines().rev().filter_map(|line| line.split(' ').next()?.parse().ok());
    moments.into_iter().next().expect("a moment")
}

#[test]
fn clocks_differ_by_five_minutes_and_the_gateway_takes_without_saying_so() {
    let what = "clocks_differ_by_five_minutes_and_the_gateway_takes_without_saying_so";
    if !server::is_real(what) {
        return;
    }
    let (mut dice, events) = begin(what, 200);
    let fleet = Fleet::new(3, postgres::server::database(), &server::shared().address());
    let skews = [0, -150, 150];
    let servers: Vec<_> = (0..3).map(|number| Some(serve(&fleet, number, skews[number]))).collect();
    let fed = fleet.feed(&mut dice, &events, Duration::from_millis(120));
    let [_, behind, ahead] = [0, 1, 2].map(|number| shows(&fleet.houses[number].log()));
    let between = ahead.duration_since(behind).as_secs();
    println!("{what}: one log ends {between} s after another");
    assert!((240..360).contains(&between), "{between}");
    verify(what, &fleet, servers, &events, &fed);
}
