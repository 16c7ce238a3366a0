//! The rules of an account, as sentences, as timelines and as properties.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod arrangements;
mod catching_up;
mod delivery;
mod early_and_late;
mod experiments;
mod explain;
mod guards;
mod handoff;
mod interest;
mod kit;
mod limitation;
mod money;
mod notices;
mod order;
mod overrides;
mod quiet;
mod refusals;
mod start;
mod story;
mod timelines;
mod upgrades;
mod vectors;
mod waits;
mod walk;
mod world;
