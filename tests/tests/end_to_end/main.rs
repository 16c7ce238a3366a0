//! The program as a whole: its processes, its data folder, its server, real mail and SMS servers.
//! Nothing of its own code is linked in: what a test knows of Kulanz, it was told by the program.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod agency;
mod api;
mod brake;
mod crash;
mod delivery;
mod deploy;
#[cfg(target_os = "linux")]
mod disk;
mod erased_copies;
mod events;
mod experiments;
mod explain;
mod faults;
mod fuzz;
mod histories;
mod http;
mod import;
mod instances;
mod kafka;
mod keys;
mod law;
mod lost_answers;
mod moving;
mod orders;
mod outbound;
mod panics;
mod plan;
mod policy_check;
mod policy_new;
mod postgres;
mod preview;
mod privacy;
mod processes;
mod receiver;
mod replies;
mod server;
mod settings;
mod simulate;
mod stories;
mod telemetry;
mod together;
mod traces;
mod webhooks;
mod world;
