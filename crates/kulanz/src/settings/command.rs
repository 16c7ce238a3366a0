//! `kulanz config`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::{Given, check, default, show};
use crate::house::Places;

/// What is done with settings.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print all settings with their defaults and what they mean, as a file to begin with
    #[command(after_help = "Example:\n  kulanz config default > kulanz.yaml")]
    Default,
    /// What counts, and where each comes from: default, file and line, or variable
    #[command(after_help = "Examples:\n  kulanz config show\n  KULANZ_KAFKA__BROKERS=kafka:9092 \
                            kulanz config show\n  kulanz config show --json --config \
                            /etc/kulanz\n\nSecrets are not shown, only where they are kept.")]
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Whether a server could start with them; exit 1 where not
    #[command(after_help = "Examples:\n  kulanz config check\n  kulanz config check --config \
                            deploy/staging --json\n\nLooks at kulanz.yaml, the environment, and \
                            the files and secrets that they name; at no other machine. `kulanz \
                            doctor` looks at policies, data and Kafka as well.")]
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of them.
pub fn run(places: &Places, command: &Config) -> Result<ExitCode> {
    match command {
        Config::Default => print!("{}", default::text()),
        Config::Show { json } => {
            let rows = show::rows(&Given::read(&places.config)?)?;
            match json {
                true => println!("{}", serde_json::to_string_pretty(&rows)?),
                false => print!("{}", show::text(&rows)),
            }
        }
        Config::Check { json } => return look(places, *json),
    }
    Ok(ExitCode::SUCCESS)
}

fn look(places: &Places, as_json: bool) -> Result<ExitCode> {
    let wrong = match Given::read(&places.config) {
        Ok(given) => check::thorough(&given, places),
        Err(error) => format!("{error:#}").split("\n  ").map(str::to_owned).collect(),
    };
    if as_json {
        println!("{}", json!({ "well": wrong.is_empty(), "wrong": wrong }));
    } else if wrong.is_empty() {
        println!("the settings are well");
    } else {
        wrong.iter().for_each(|one| eprintln!("error: {one}"));
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
