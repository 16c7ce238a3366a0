//! `kulanz law rates`: the tables in use, and how a newer one takes their place.
//!
//! A table in the data folder goes before the shipped one. A new one is checked completely first,
//! written beside its place, synced and renamed: whoever reads sees the old or the new one, whole.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use kulanz_domain::{
    law::{
        FeeTable,
        rates::{BaseRates, RateTable},
    },
    money::Decimal,
    policy::{Law, Rules},
};
use serde_json::{Value, json};

use super::derivation::{cents, days, print_json, table, today};

pub const SHOW_EXAMPLES: &str = "\
Examples:
  kulanz law rates show
  kulanz law rates show --table rvg --json";

pub const UPDATE_EXAMPLES: &str = "\
Example:
  kulanz law rates show --csv > base-rates.csv   # add the line `2027-01-01,…` to it
  kulanz law rates update base-rates.csv

The columns are those of the shipped table, `valid_from,percent`. A table that ends earlier than
the one in use, or changes a figure of it, is refused; --force takes it.";

/// Commands of `kulanz law rates`.
#[derive(Debug, Subcommand)]
pub enum Rates {
    /// The table in use, where it comes from, and how long it lasts
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Puts a newer table into the data folder
    #[command(after_help = UPDATE_EXAMPLES)]
    Update(Update),
}

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Base rates of Germany (§ 247 BGB)
    De,
    /// Base rates of Austria
    At,
    /// Fees of § 13 RVG
    Rvg,
}

/// What to show.
#[derive(Debug, Args)]
pub struct Show {
    /// Table
    #[arg(long, value_enum, default_value = "de")]
    table: Which,
    /// Print it as a file that `kulanz law rates update` takes
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What to put in its place.
#[derive(Debug, Args)]
pub struct Update {
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

/// A table, and where it comes from.
#[derive(Debug, Clone)]
pub struct InUse<T> {
    /// The table.
    pub table: T,
    /// Its file in the data folder; `None`: shipped with this release.
    pub file: Option<PathBuf>,
}

impl<T> InUse<T> {
    fn origin(&self) -> String {
        match &self.file {
            Some(path) => path.display().to_string(),
            None => "shipped with this release".to_owned(),
        }
    }
}

fn own_file(data: &Path, name: &str) -> Result<Option<(PathBuf, String)>> {
    let path = data.join("law").join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// The base rates in use: the data folder's, else the shipped ones.
pub fn base_rates(data: &Path, which: RateTable) -> Result<InUse<BaseRates>> {
    match own_file(data, which.file_name())? {
        Some((path, text)) => {
            let table = BaseRates::parse(&text).with_context(|| path.display().to_string())?;
            Ok(InUse { table, file: Some(path) })
        }
        None => Ok(InUse { table: which.shipped().context("the shipped table")?, file: None }),
    }
}

/// The base rates of both countries in use.
#[derive(Debug, Clone)]
pub struct Installed {
    germany: InUse<Arc<BaseRates>>,
    austria: InUse<Arc<BaseRates>>,
}

impl Installed {
    /// Reads them.
    pub fn read(data: &Path) -> Result<Self> {
        let shared = |which| {
            let InUse { table, file } = base_rates(data, which)?;
            anyhow::Ok(InUse { table: Arc::new(table), file })
        };
        Ok(Self { germany: shared(RateTable::Germany)?, austria: shared(RateTable::Austria)? })
    }

    fn of(&self, law: Law) -> &InUse<Arc<BaseRates>> {
        match law {
            Law::At => &self.austria,
            Law::De | Law::Ch | Law::None => &self.germany,
        }
    }

    /// The rules with the base rates in use.
    pub fn put_into(&self, rules: &Arc<Rules>) -> Arc<Rules> {
        let used = self.of(rules.creditor.law);
        if used.file.is_none() {
            return Arc::clone(rules);
        }
        let mut rules = Rules::clone(rules);
        rules.creditor.base_rates = Arc::clone(&used.table);
        Arc::new(rules)
    }

    /// What to say of the tables that creditors under these laws need.
    pub fn warnings(&self, laws: impl IntoIterator<Item = Law>, on: Date) -> Vec<String> {
        let laws: Vec<Law> = laws.into_iter().collect();
        let tables = [(Law::De, "Germany"), (Law::At, "Austria")];
        let needed = tables.into_iter().filter(|(law, _)| laws.contains(law));
        let found = needed.filter_map(|(law, country)| {
            warning(&self.of(law).table, on).map(|said| format!("{country}: {said}"))
        });
        found.collect()
    }

    /// How long both last, and where they come from.
    pub fn state(&self, on: Date) -> String {
        let said =
            [("Germany", &self.germany), ("Austria", &self.austria)].map(|(country, used)| {
                match warning(&used.table, on) {
                    Some(warning) => format!("{country}: {warning} ({})", used.origin()),
                    None => format!("{country} to {} ({})", used.table.last_day(), used.origin()),
                }
            });
        said.join("; ")
    }
}

/// The fee table in use.
pub fn fees(data: &Path) -> Result<InUse<FeeTable>> {
    match own_file(data, Which::Rvg.file_name())? {
        Some((path, text)) => {
            let table = FeeTable::parse(&text).with_context(|| path.display().to_string())?;
            Ok(InUse { table, file: Some(path) })
        }
        None => Ok(InUse { table: FeeTable::shipped().context("the shipped table")?, file: None }),
    }
}

/// What to say where base rates end soon, or have ended.
pub fn warning(rates: &BaseRates, on: Date) -> Option<String> {
    let (last_day, left) = (rates.last_day(), (rates.last_day() - on).get_days());
    let ends = match left {
        _ if !rates.ends_soon(on) => return None,
        ..0 => "ended",
        _ => "end",
    };
    Some(format!(
        "the base rates {ends} on {last_day}: add the next half-year's and put it in place with \
         `kulanz law rates update FILE`"
    ))
}

impl Which {
    const fn file_name(self) -> &'static str {
        match self {
            Self::De => RateTable::Germany.file_name(),
            Self::At => RateTable::Austria.file_name(),
            Self::Rvg => "rvg.csv",
        }
    }

    const fn base_rates(self) -> Option<RateTable> {
        match self {
            Self::De => Some(RateTable::Germany),
            Self::At => Some(RateTable::Austria),
            Self::Rvg => None,
        }
    }
}

/// Runs a command.
pub fn run(data: &Path, command: &Rates) -> Result<()> {
    match command {
        Rates::Show(options) => match options.table.base_rates() {
            Some(which) => show_rates(&base_rates(data, which)?, options),
            None => show_fees(&fees(data)?, options),
        },
        Rates::Update(options) => update(data, options),
    }
}

fn show_rates(rates: &InUse<BaseRates>, options: &Show) -> Result<()> {
    let (last_day, today) = (rates.table.last_day(), today());
    let warning = warning(&rates.table, today);
    let left = (last_day - today).get_days();
    if options.csv {
        println!("valid_from,percent");
        rates.table.rows().for_each(|(day, percent)| println!("{day},{percent}"));
    } else if options.json {
        let rows: Vec<Value> = rates
            .table
            .rows()
            .map(|(day, percent)| json!({ "valid_from": day, "percent": percent.to_string() }))
            .collect();
        print_json(&json!({ "origin": rates.origin(), "first_day": rates.table.first_day(),
                            "last_day": last_day, "days_left": left, "warning": warning,
                            "rates": rows }))?;
        return Ok(());
    } else {
        let rows: Vec<Vec<String>> = rates
            .table
            .rows()
            .map(|(day, percent)| vec![day.to_string(), percent.to_string()])
            .collect();
        table(&["from", "percent"], &rows).iter().for_each(|line| println!("{line}"));
        println!("Origin: {}", rates.origin());
        println!(
            "Last day: {last_day}, {}",
            match left {
                0.. => format!("{} from today", days(left)),
                _ => format!("{} ago", days(-left)),
            }
        );
    }
    if let Some(warning) = warning {
        eprintln!("warning: {warning}");
    }
    Ok(())
}

fn show_fees(fees: &InUse<FeeTable>, options: &Show) -> Result<()> {
    if options.json {
        return print_json(&json!({ "origin": fees.origin(), "tariffs": fees.table }));
    }
    if options.csv {
        print!("{}", fees.table.to_csv());
        return Ok(());
    }
    for tariff in fees.table.tariffs() {
        println!("Mandates from {}:", tariff.valid_from);
        let row = |up_to: Option<Decimal>, fee: Decimal, how: String| {
            vec![up_to.map_or_else(|| "more".to_owned(), cents), cents(fee), how]
        };
        let mut rows = vec![
            row(Some(tariff.small_claim_up_to), tariff.small_claim_fee, "undisputed".to_owned()),
            row(Some(tariff.first_up_to), tariff.first_fee, String::new()),
        ];
        let steps = tariff.steps.iter();
        rows.extend(steps.map(|step| row(step.up_to, step.fee, format!("each {}", step.each))));
        table(&["up to", "fee", ""], &rows).iter().for_each(|line| println!("{line}"));
    }
    println!("Origin: {}", fees.origin());
    Ok(())
}

fn update(data: &Path, options: &Update) -> Result<()> {
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
