//! `kulanz law`: the law that Kulanz keeps, to be asked and checked. Each answer comes with its
//! derivation and the paragraph; none needs an installation.

mod allocate;
mod business_day;
mod check;
mod collection_cost;
mod default;
mod derivation;
mod interest;
mod limitation;
pub mod rates;

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use clap::Subcommand;

/// Commands of `kulanz law`.
#[derive(Debug, Subcommand)]
pub enum Law {
    /// Default interest, segment by segment (§ 288 BGB; Austria, Switzerland)
    #[command(after_help = interest::EXAMPLES)]
    Interest(interest::Options),
    /// When default begins, and on which ground (§ 286 BGB)
    #[command(after_help = default::EXAMPLES)]
    Default(default::Options),
    /// Who of several debts gets a payment, and which part of it (§§ 366, 367, 497 BGB)
    #[command(after_help = allocate::EXAMPLES)]
    Allocate(allocate::Options),
    /// Whether a day is a business day, where a deadline on it ends, the n-th one from it
    #[command(after_help = business_day::EXAMPLES)]
    BusinessDay(business_day::Options),
    /// When a claim or a title is barred (§§ 195 to 214 BGB)
    #[command(after_help = limitation::EXAMPLES)]
    Limitation(limitation::Options),
    /// What a collection agency would add to a claim (§ 13e RDG, RVG)
    #[command(after_help = collection_cost::EXAMPLES)]
    CollectionCost(collection_cost::Options),
    /// Base rates and fees: the tables in use, and newer ones
    #[command(subcommand)]
    Rates(rates::Rates),
    /// Runs a file of worked examples and prints each difference
    #[command(after_help = check::EXAMPLES)]
    Check(check::Options),
}

/// Runs a command; `data` is the data folder, where newer tables lie.
pub fn run(data: &Path, command: &Law) -> Result<ExitCode> {
    match command {
        Law::Interest(options) => interest::run(data, options)?,
        Law::Default(options) => default::run(options)?,
        Law::Allocate(options) => allocate::run(options)?,
        Law::BusinessDay(options) => business_day::run(options)?,
        Law::Limitation(options) => limitation::run(options)?,
        Law::CollectionCost(options) => collection_cost::run(data, options)?,
        Law::Rates(command) => rates::run(data, command)?,
        Law::Check(options) => return check::run(data, options),
    }
    Ok(ExitCode::SUCCESS)
}
