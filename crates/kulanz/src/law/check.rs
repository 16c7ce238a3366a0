//! `kulanz law check`: runs a file of worked examples and prints each difference.
//!
//! An example whose form is not understood counts as failed and says so; none is skipped. One
//! marked `unsure` is compared with the default setting. `expected_error` asks for a refusal.

mod allocation;
mod calendar;
mod collection_cost;
mod compare;
mod default_start;
mod entry;
mod interest;
mod limitation;
mod reference;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::Args;
use kulanz_domain::law::{
    FeeTable,
    rates::{BaseRates, RateTable},
};
use serde_json::{Value, json};

use self::{
    compare::{Difference, compare},
    entry::{Entry, Odd},
};
use super::{derivation::print_json, rates};

pub const EXAMPLES: &str = "\
Example:
  kulanz law check worked-examples.json

The file is a JSON object with a list of examples for each topic: interest, interest_errors,
interest_at, interest_ch, default_start, rvg_inkasso, rvg_table, allocation, limitation,
business_days, holidays, epc_qr, references. Exit code 1 where any fails, 2 where the file cannot
be read as one.";

/// What to check.
#[derive(Debug, Args)]
pub struct Options {
    /// File of worked examples
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The tables in use.
pub struct Tables {
    germany: BaseRates,
    austria: BaseRates,
    fees: FeeTable,
}

/// An example as computed: what was to come out, and what did.
pub struct Computed {
    expected: Value,
    found: Value,
}

/// What came of an example.
struct Verdict {
    list: String,
    id: String,
    unsure: bool,
    differences: Vec<Difference>,
}

/// The file is no file of worked examples: the place and the reason.
#[derive(Debug)]
struct Malformed(String);

type Rule = fn(&Entry<'_>, &Tables) -> Result<Computed, Odd>;

/// Topics whose examples are lists of entries.
const RULES: [(&str, Rule); 10] = [
    ("interest", interest::germany),
    ("interest_errors", interest::germany),
    ("interest_at", interest::austria),
    ("interest_ch", interest::switzerland),
    ("default_start", default_start::run),
    ("rvg_inkasso", collection_cost::run),
    ("allocation", allocation::run),
    ("limitation", limitation::run),
    ("business_days", calendar::business_day),
    ("epc_qr", reference::epc_qr),
];

/// Runs a file; exit code 1 where an example fails, 2 where the file is malformed.
pub fn run(data: &Path, options: &Options) -> Result<ExitCode> {
    let tables = Tables {
        germany: rates::base_rates(data, RateTable::Germany)?.table,
        austria: rates::base_rates(data, RateTable::Austria)?.table,
        fees: rates::fees(data)?.table,
    };
    let path = options.file.display();
    let read = match std::fs::read_to_string(&options.file) {
        Ok(text) => parse(&text).and_then(|all| verdicts(&all, &tables)),
        Err(error) => Err(Malformed(error.to_string())),
    };
    match read {
        Ok(verdicts) => report(&verdicts, options.json).context("the report"),
        Err(Malformed(reason)) => {
            eprintln!("error: {path}: {reason}");
            Ok(ExitCode::from(2))
        }
    }
}

fn parse(text: &str) -> Result<Value, Malformed> {
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| Malformed(format!("not JSON: {error}")))
}

fn verdicts(all: &Value, tables: &Tables) -> Result<Vec<Verdict>, Malformed> {
    let Value::Object(lists) = all else {
        return Err(Malformed("not an object with a list of examples for each topic".to_owned()));
    };
    let mut verdicts = Vec::new();
    for (name, rule) in RULES {
        if let Some(list) = lists.get(name) {
            for (at, entry) in entries(name, list)?.iter().enumerate() {
                verdicts.push(judge(name, &Entry::new(entry, name, at)?, rule, tables));
            }
        }
    }
    if let Some(years) = lists.get("holidays") {
        verdicts.extend(calendar::holidays(years)?);
    }
    if let Some(tariffs) = lists.get("rvg_table") {
        verdicts.extend(collection_cost::table(tariffs, &tables.fees)?);
    }
    if let Some(texts) = lists.get("references") {
        verdicts.extend(reference::references(texts)?);
    }
    let known = |name: &str| {
        matches!(name, "holidays" | "rvg_table" | "references" | "meta")
            || RULES.iter().any(|(rule, _)| *rule == name)
    };
    for (name, list) in lists.iter().filter(|(name, _)| !known(name)) {
        verdicts.extend(not_understood(name, list));
    }
    match verdicts.is_empty() {
        true => Err(Malformed("no worked examples in it".to_owned())),
        false => Ok(verdicts),
    }
}

fn entries<'a>(name: &str, list: &'a Value) -> Result<&'a [Value], Malformed> {
    let list = list.as_array().map(Vec::as_slice);
    list.ok_or_else(|| Malformed(format!("{name}: not a list of examples")))
}

/// A topic that we do not know: its examples fail, each by itself.
fn not_understood(name: &str, list: &Value) -> Vec<Verdict> {
    let number = match list {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        _ => 1,
    };
    let reason = format!("the topic `{name}` is not understood");
    let failed = |at| Verdict {
        list: name.to_owned(),
        id: format!("{name}[{at}]"),
        unsure: false,
        differences: vec![Difference::NotUnderstood(reason.clone())],
    };
    (0..number).map(failed).collect()
}

fn judge(list: &str, entry: &Entry<'_>, rule: Rule, tables: &Tables) -> Verdict {
    let computed = rule(entry, tables);
    let differences = match (entry.expected_error(), computed) {
        (Some(expected), Ok(computed)) => vec![Difference::Member {
            member: "expected_error".to_owned(),
            expected: expected.to_owned(),
            found: compare::shown(&computed.found),
        }],
        (Some(expected), Err(Odd::Refused(reason))) => compare::refusals(expected, &reason),
        (None, Ok(Computed { expected, found })) => compare(&expected, &found),
        (None, Err(Odd::Refused(reason))) => vec![Difference::Refused(reason)],
        (_, Err(Odd::NotUnderstood(reason))) => vec![Difference::NotUnderstood(reason)],
    };
    Verdict { list: list.to_owned(), id: entry.id(), unsure: entry.unsure(), differences }
}

fn report(verdicts: &[Verdict], as_json: bool) -> Result<ExitCode> {
    let failed = verdicts.iter().filter(|verdict| !verdict.differences.is_empty()).count();
    let passed = verdicts.len() - failed;
    if as_json {
        let entries: Vec<Value> = verdicts.iter().map(row).collect();
        print_json(&json!({ "passed": passed, "failed": failed, "entries": entries }))?;
    } else {
        for verdict in verdicts {
            for difference in &verdict.differences {
                let unsure = if verdict.unsure { " (unsure in law)" } else { "" };
                println!("{} {difference}{unsure}", verdict.id);
            }
        }
        println!("{passed} passed, {failed} failed");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(verdict: &Verdict) -> Value {
    let differences: Vec<Value> = verdict.differences.iter().map(Difference::row).collect();
    json!({ "list": verdict.list, "id": verdict.id, "passed": differences.is_empty(),
            "unsure": verdict.unsure, "differences": differences })
}

#[cfg(test)]
mod tests;
