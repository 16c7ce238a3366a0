//! `kulanz law rates`: the tables in use, and how a newer one takes their place.
//!
//! A table in the data folder goes before the shipped one.

mod update;

use std::{
    borrow::Borrow,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
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

use super::derivation::{cents, days, print_json, table};
use crate::house::machine_day;

pub const SHOW_EXAMPLES: &str = "\
Examples:
  kulanz law rates show
  kulanz law rates show --table rvg --json";

/// Commands of `kulanz law rates`.
#[derive(Debug, Subcommand)]
pub enum Rates {
    /// The table in use, where it comes from, and how long it lasts
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Puts a newer table into the data folder
    #[command(after_help = update::EXAMPLES)]
    Update(update::Options),
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
        let needed = self.both().into_iter().filter(|(law, ..)| laws.contains(law));
        let found = needed.filter_map(|(_, country, which, used)| {
            warning(used, which, on).map(|said| format!("{country}: {said}"))
        });
        found.collect()
    }

    fn both(&self) -> [(Law, &str, RateTable, &InUse<Arc<BaseRates>>); 2] {
        [
            (Law::De, "Germany", RateTable::Germany, &self.germany),
            (Law::At, "Austria", RateTable::Austria, &self.austria),
        ]
    }

    /// How long both last, and where they come from.
    pub fn state(&self, on: Date) -> String {
        let said = self.both().map(|(_, country, which, used)| match warning(used, which, on) {
            Some(warning) => format!("{country}: {warning} ({})", used.origin()),
            None => format!("{country} to {} ({})", used.table.last_day(), used.origin()),
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

/// What to say where the base rates in use end soon, or have ended.
pub fn warning<T: Borrow<BaseRates>>(
    used: &InUse<T>,
    which: RateTable,
    on: Date,
) -> Option<String> {
    let table: &BaseRates = used.table.borrow();
    let last_day = table.last_day();
    if !table.ends_soon(on) {
        return None;
    }
    let ends = if last_day < on { "ended" } else { "end" };
    let longer = which.shipped().map(|shipped| shipped.last_day()).ok();
    let way = match (&used.file, longer.filter(|day| *day > last_day)) {
        (Some(path), Some(day)) => {
            format!("this release has them to {day}: remove {} to use those", path.display())
        }
        _ => "add the next half-year's and put it in place with `kulanz law rates update FILE`"
            .into(),
    };
    Some(format!("the base rates {ends} on {last_day}: {way}"))
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
            Some(which) => show_rates(&base_rates(data, which)?, which, options),
            None => show_fees(&fees(data)?, options),
        },
        Rates::Update(options) => update::run(data, options),
    }
}

fn show_rates(rates: &InUse<BaseRates>, which: RateTable, options: &Show) -> Result<()> {
    let (last_day, today) = (rates.table.last_day(), machine_day());
    let warning = warning(rates, which, today);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn used(rows: &str, file: Option<&str>) -> InUse<BaseRates> {
        let table = BaseRates::parse(&format!("valid_from,percent\n{rows}")).unwrap();
        InUse { table, file: file.map(PathBuf::from) }
    }

    #[test]
    fn a_table_that_ends_soon_is_warned_about_with_the_way_out() {
        let own = used("2026-01-01,1.27\n", Some("data/law/base-rates-de.csv"));
        let told = |used: &InUse<BaseRates>, on: &str| {
            warning(used, RateTable::Germany, on.parse().unwrap())
        };
        assert_eq!(told(&own, "2026-05-30"), None);
        let ends = told(&own, "2026-05-31").unwrap();
        assert!(ends.starts_with("the base rates end on 2026-06-30: this release has them to"));
        assert!(ends.ends_with("remove data/law/base-rates-de.csv to use those"), "{ends}");
        let far = used("2090-01-01,1.27\n", None);
        let ended = told(&far, "2090-07-01").unwrap();
        assert!(ended.starts_with("the base rates ended on 2090-06-30: add the next"), "{ended}");
    }
}
