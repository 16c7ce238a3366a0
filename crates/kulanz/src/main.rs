//! Kulanz: dunning and collections as part of the shopping experience. The command line.

mod account;
mod backtest;
mod backup;
mod book;
mod brake;
mod cli;
mod client;
mod data;
mod demo;
mod doctor;
mod erasures;
mod experiment;
mod explain;
mod handoff;
mod health;
mod house;
mod http;
mod import;
mod in_force;
mod instances;
mod intake;
mod junit;
mod kafka;
mod law;
mod letters;
mod moving;
mod orders;
mod outbound;
mod outbox;
mod outbox_page;
mod overrides;
mod plan;
mod policy;
mod policy_test;
mod preview;
mod progress;
mod serve;
mod settings;
mod simulate;
mod starter;
mod statement;
mod telemetry;
mod token;
mod typed;
mod webhooks;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;

/// Many small allocations on several threads: the system's own took a third of a back-test.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whether findings are printed in colour.
pub fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Whoever reads our output may have seen enough (`kulanz … | head`): that is no fault.
fn end_quietly_where_nobody_reads() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str().unwrap_or_default();
        if text.starts_with("failed printing to stdout") && text.contains("Broken pipe") {
            std::process::exit(0);
        }
        told(panic);
    }));
}

/// From now on a panic is told by where it was, and not by what it says: in a server's log that may
/// show what a record says of a person.
pub fn tell_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(place, "the program panicked");
    }));
}

fn main() -> ExitCode {
    end_quietly_where_nobody_reads();
    let cli = cli::Cli::parse();
    let telemetry = match cli.telemetry() {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(cli::run(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    telemetry.end();
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
