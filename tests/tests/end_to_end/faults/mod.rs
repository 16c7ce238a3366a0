//! Faults, over real parts: Apache Kafka, PostgreSQL, an SMS gateway, several servers on one
//! database. Each test breaks something again and again under load and then asks one question,
//! [`verify::verify`]: is everything as if nothing had been broken?
//!
//! What happens is drawn from a seed, which is printed; KULANZ_SEED=… plays it again (the moments
//! of faults are times, and no two runs meet them exactly). Counts are printed as well: a run in
//! which nothing broke proves nothing.

#[cfg(target_os = "linux")]
mod clocks;
#[cfg(target_os = "linux")]
mod disk;
mod fleet;
mod late;
mod load;
mod outages;
mod reader;
mod servers;
pub mod sql;
mod verify;
