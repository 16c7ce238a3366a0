//! `kulanz law`: the law that Kulanz keeps, to be asked and checked. Each answer comes with its
//! derivation and the paragraph; none needs an installation.

mod business_day;
mod collection_cost;
mod derivation;
mod limitation;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// Commands of `kulanz law`.
#[derive(Debug, Subcommand)]
pub enum Law {
    /// Whether a day is a business day, where a deadline on it ends, the n-th one from it
    #[command(after_help = business_day::EXAMPLES)]
    BusinessDay(business_day::Options),
    /// When a claim or a title is barred (§§ 195 to 214 BGB)
    #[command(after_help = limitation::EXAMPLES)]
    Limitation(limitation::Options),
    /// What a collection agency would add to a claim (§ 13e RDG, RVG)
    #[command(after_help = collection_cost::EXAMPLES)]
    CollectionCost(collection_cost::Options),
}

/// Runs a command.
pub fn run(command: &Law) -> Result<ExitCode> {
    match command {
        Law::BusinessDay(options) => business_day::run(options)?,
        Law::Limitation(options) => limitation::run(options)?,
        Law::CollectionCost(options) => collection_cost::run(options)?,
    }
    Ok(ExitCode::SUCCESS)
}
