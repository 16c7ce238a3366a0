//! `kulanz policy check` and `kulanz creditor check`: files, conditions, law; and the texts, each
//! of which is rendered with samples and measured; and the languages that the debtors of the book
//! read.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use jiff::{Timestamp, tz::TimeZone};
use kulanz_delivery::render::{self, Remark};
use kulanz_domain::{claim::Claim, ids::CreditorId};
use kulanz_engine::replay;
use kulanz_policies::{Diagnostic, LoadedPolicy, Severity};
use serde_json::{Value, json};

use crate::{
    data,
    house::{self, Places, SAMPLE_URL, count, letterhead},
    progress,
};

/// What `policy check` is asked for.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Folders of policies; `policies` in the configuration folder where left out
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks policies; exit code 1 where there is an error.
pub async fn check(places: &Places, options: &Check) -> Result<ExitCode> {
    let default = [places.config.join("policies")];
    let folders = if options.folders.is_empty() { &default[..] } else { &options.folders };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let readers = readers(places).await?;
    let mut found = Vec::new();
    for folder in folders {
        if !folder.is_dir() {
            bail!("no folder {}", folder.display());
        }
        let checked = kulanz_policies::examine(folder, today);
        found.extend(checked.found);
        for policy in &checked.policies {
            if let Some(file) = checked.creditors.get(&policy.policy.creditor) {
                found.extend(of_texts(policy, &letterhead(file)?.creditor));
            }
            let whose = (policy.policy.creditor.clone(), policy.policy.currency.code());
            if let Some(readers) = readers.get(&whose) {
                found.extend(policy.missing_languages(readers));
            }
        }
    }
    let errors = found.iter().filter(|d| d.is_error()).count();
    let warnings = found.iter().filter(|d| d.severity == Severity::Warning).count();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&found.iter().map(row).collect::<Vec<_>>())?);
    } else {
        found.iter().for_each(|diagnostic| eprint!("{}", diagnostic.render(crate::colour())));
        println!("{}, {}", count(errors, "error"), count(warnings, "warning"));
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is to be said of a policy's texts, each thing once.
pub fn of_texts(policy: &LoadedPolicy, creditor: &render::Creditor) -> Vec<Diagnostic> {
    let mut told: Vec<Diagnostic> = Vec::new();
    for treatment in policy.policy.treatments() {
        let remarks = render::examine(treatment, house::texts(policy), creditor, SAMPLE_URL);
        for remark in remarks.into_iter().map(|remark| finding(policy, remark)) {
            if !told.contains(&remark) {
                told.push(remark);
            }
        }
    }
    told
}

/// Numbers of debtors who owe something by language, for each creditor and currency.
type Readers = BTreeMap<(CreditorId, &'static str), BTreeMap<String, usize>>;

/// Who reads what in the book, where there are data. Whoever owes nothing gets no message.
async fn readers(places: &Places) -> Result<Readers> {
    let mut readers = Readers::new();
    if !data::is_there(places)? {
        return Ok(readers);
    }
    let store = match data::read(places).await {
        Ok(store) => store,
        Err(error) => {
            // Files can be checked where the book is out of reach.
            eprintln!("note: the languages of the book are not looked at: {error:#}");
            return Ok(readers);
        }
    };
    let bar = progress::things(0, "reading the languages of the book");
    let mut after = None;
    loop {
        let page = store.accounts(None, after, 1000).await?;
        let heads = store.heads(page.clone()).await?;
        bar.inc_length(page.len() as u64);
        for (id, head) in page.iter().zip(heads) {
            bar.inc(1);
            let Some(head) = head else { continue };
            let account = replay(&head)?;
            let Some(debtor) = account.profile().filter(|_| account.erased_at.is_none()) else {
                continue;
            };
            for currency in account.currencies() {
                let open = |claim: &Claim| {
                    claim.currency() == Some(currency) && claim.settled_on.is_none()
                };
                if account.claims.values().any(|claim| open(claim)) {
                    let whose = (id.creditor.clone(), currency.code());
                    let of = readers.entry(whose).or_default();
                    *of.entry(debtor.language.clone()).or_default() += 1;
                }
            }
        }
        after = page.last().cloned();
        if after.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(readers)
}

/// A remark about a text as a finding with its line.
fn finding(policy: &LoadedPolicy, remark: Remark) -> Diagnostic {
    let problem = remark.problem;
    let templates = policy.templates.iter();
    let mut sources = templates.filter(|(_, one)| one.file.display().to_string() == problem.file);
    let source = sources.next().map(|(_, one)| std::sync::Arc::clone(&one.source));
    let at = problem.line.checked_sub(1);
    let line = source.as_deref().zip(at).and_then(|(text, at)| text.lines().nth(at));
    let indent = line.map_or(0, |line| line.len() - line.trim_start().len());
    Diagnostic {
        severity: if remark.is_error { Severity::Error } else { Severity::Warning },
        file: problem.file,
        line: problem.line,
        column: indent + 1,
        length: line.map_or(1, |line| line.trim().chars().count().max(1)),
        message: problem.message,
        help: remark.help,
        source_line: line.map(str::to_owned),
    }
}

fn row(diagnostic: &Diagnostic) -> Value {
    json!({
        "severity": diagnostic.severity.name(), "file": diagnostic.file,
        "line": diagnostic.line, "column": diagnostic.column, "message": diagnostic.message,
        "help": diagnostic.help,
    })
}

/// Checks creditor files; exit code 1 where there is an error.
pub fn check_creditors(places: &Places, as_json: bool) -> Result<ExitCode> {
    let folder = places.config.join("policies");
    if !folder.is_dir() {
        bail!("no folder {}", folder.display());
    }
    let (number, found) = match kulanz_policies::load_creditors(&folder) {
        Ok((creditors, found)) => (creditors.len(), found),
        Err(found) => (0, found),
    };
    let errors = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
    if as_json {
        println!("{}", serde_json::to_string_pretty(&found.iter().map(row).collect::<Vec<_>>())?);
    } else {
        found.iter().for_each(|diagnostic| eprint!("{}", diagnostic.render(crate::colour())));
        match errors {
            0 => println!("{} in order", count(number, "creditor")),
            _ => println!("{}", count(errors, "error")),
        }
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
