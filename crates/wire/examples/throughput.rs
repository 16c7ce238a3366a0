//! Decodes an event file and says how fast: `KULANZ_EVENTS=FILE cargo run --release --example
//! throughput`. One core; the file is read and unpacked before the clock starts.

use std::{path::Path, time::Instant};

use kulanz_wire::{DecodeOptions, decode, files};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::var_os("KULANZ_EVENTS").ok_or("set KULANZ_EVENTS to an event file")?;
    let started = Instant::now();
    let mut lines = files::open(Path::new(&path))?;
    let mut events = Vec::new();
    while let Some(line) = lines.next_line()? {
        events.push(line.content?.to_vec());
    }
    println!("{} events read in {:.2?}", events.len(), started.elapsed());
    for _ in 0..5 {
        let started = Instant::now();
        let mut secrets = 0usize;
        for event in &events {
            secrets += decode(event, &DecodeOptions::STRICT)?.secrets.len();
        }
        let seconds = started.elapsed().as_secs_f64();
        let rate = events.len() as f64 / seconds;
        println!("{rate:.0} events/s, {secrets} slots of personal data, {seconds:.3} s");
    }
    Ok(())
}
