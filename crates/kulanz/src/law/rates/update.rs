//! `kulanz law rates update`.
//!
//! A new table is checked completely first, written beside its place, synced and renamed: whoever
//! reads sees the old or the new one, whole.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use kulanz_domain::law::{FeeTable, rates::BaseRates};
use serde_json::json;

use super::{Which, base_rates, fees};
use crate::law::derivation::print_json;

pub const EXAMPLES: &str = "\
Example:
  kulanz law rates show --csv > base-rates.csv   # add the line `2027-01-01,…` to it
  kulanz law rates update base-rates.csv

The columns are those of the shipped table, `valid_from,percent`. A table that ends earlier than
the one in use, or changes a figure of it, is refused; --force takes it.";

/// What to put in its place.
#[derive(Debug, Args)]
pub struct Options {
    /// New table
    file: PathBuf,
    /// Table
    #[arg(long, value_enum, default_value = "de")]
    table: Which,
    /// Also where it ends earlier, or changes a figure in use
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Puts a newer table in its place.
pub fn run(data: &Path, options: &Options) -> Result<()> {
    let path = options.file.display();
    let text =
        fs::read_to_string(&options.file).with_context(|| format!("{path} cannot be read"))?;
    let (last, faults) = match options.table.base_rates() {
        Some(which) => {
            let new = BaseRates::parse(&text).with_context(|| path.to_string())?;
            (Some(new.last_day()), rate_faults(&base_rates(data, which)?.table, &new))
        }
        None => {
            let new = FeeTable::parse(&text).with_context(|| path.to_string())?;
            (None, fee_faults(&fees(data)?.table, &new))
        }
    };
    if let Some(first) = faults.first()
        && !options.force
    {
        let more = match faults.len() {
            1 => String::new(),
            number => format!(" (and {} more)", number - 1),
        };
        bail!("{path}: {first}{more}. Nothing was changed; --force takes it all the same");
    }
    let file = put(&data.join("law"), options.table.file_name(), text.as_bytes())?;
    if options.json {
        return print_json(&json!({ "file": file, "last_day": last, "overridden": faults }));
    }
    for fault in &faults {
        println!("Taken by force: {fault}");
    }
    let lasts = last.map_or_else(String::new, |day| format!(", lasts to {day}"));
    println!("{} is in place{lasts}", file.display());
    println!("Commands use it now, a server from its next start.");
    Ok(())
}

/// What a newer table may not do without being told so.
fn rate_faults(used: &BaseRates, new: &BaseRates) -> Vec<String> {
    let mut faults = Vec::new();
    if new.last_day() < used.last_day() {
        let (ends, in_use) = (new.last_day(), used.last_day());
        faults.push(format!("it ends on {ends}, the one in use on {in_use}"));
    }
    if new.first_day() > used.first_day() {
        let (begins, in_use) = (new.first_day(), used.first_day());
        faults.push(format!("it begins on {begins}, the one in use on {in_use}"));
    }
    let changed = used.rows().filter_map(|(day, percent)| {
        let other = new.percent_on(day).ok().filter(|other| *other != percent)?;
        Some(format!("the rate from {day} is {other}, in use is {percent}"))
    });
    faults.extend(changed);
    faults
}

fn fee_faults(used: &FeeTable, new: &FeeTable) -> Vec<String> {
    let faults = used.tariffs().iter().filter_map(|tariff| {
        let from = tariff.valid_from;
        match new.tariffs().iter().find(|other| other.valid_from == from) {
            None => Some(format!("the tariff from {from} is missing")),
            Some(other) if other != tariff => Some(format!("the tariff from {from} is another")),
            Some(_) => None,
        }
    });
    faults.collect()
}

/// Puts a file in its place at once or not at all.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let place = folder.join(name);
    let fresh = folder.join(format!(".{name}.{}", std::process::id()));
    let done = fs::create_dir_all(folder)
        .and_then(|()| write_synced(&fresh, bytes))
        .and_then(|()| fs::rename(&fresh, &place))
        .and_then(|()| File::open(folder)?.sync_all());
    if done.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    done.with_context(|| format!("{} cannot be written", place.display()))?;
    Ok(place)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
