//! `kulanz policy check` and `kulanz creditor check`: files, conditions, law; and the texts, each
//! of which is rendered with samples.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use jiff::{Timestamp, tz::TimeZone};
use kulanz_delivery::render::{Occasion, TemplateProblem, TextKey, samples};
use kulanz_domain::policy::StepAction;
use kulanz_policies::{Diagnostic, LoadedPolicy, Severity};
use serde_json::{Value, json};

use crate::house::{Places, count, letterhead, templates};

/// Where debtors' pages might be, for the length of sample texts.
const SAMPLE_URL: &str = "https://pay.lindenmoor.example";

/// Checks policies; exit code 1 where there is an error.
pub fn check(places: &Places, folders: &[PathBuf], as_json: bool) -> Result<ExitCode> {
    let default = [places.config.join("policies")];
    let folders = if folders.is_empty() { &default[..] } else { folders };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for folder in folders {
        if !folder.is_dir() {
            bail!("no folder {}", folder.display());
        }
        found.extend(kulanz_policies::check(folder, today));
        problems.extend(texts(folder)?);
    }
    let errors = found.iter().filter(|d| d.is_error()).count() + problems.len();
    let warnings = found.iter().filter(|d| d.severity == Severity::Warning).count();
    if as_json {
        let rows = found.iter().map(row).chain(problems.iter().map(problem_row));
        println!("{}", serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?);
    } else {
        found.iter().for_each(|diagnostic| eprint!("{}", diagnostic.render(crate::colour())));
        for problem in &problems {
            eprintln!("error: {}\n  --> {}:{}", problem.message, problem.file, problem.line);
        }
        println!("{}, {}", count(errors, "error"), count(warnings, "warning"));
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(diagnostic: &Diagnostic) -> Value {
    json!({
        "severity": diagnostic.severity.name(), "file": diagnostic.file,
        "line": diagnostic.line, "column": diagnostic.column, "message": diagnostic.message,
        "help": diagnostic.help,
    })
}

fn problem_row(problem: &TemplateProblem) -> Value {
    json!({ "severity": "error", "file": problem.file, "line": problem.line,
            "message": problem.message })
}

/// Renders every text of the policies in `folder` with samples. Files that cannot be read are
/// told by the other check.
fn texts(folder: &std::path::Path) -> Result<Vec<TemplateProblem>> {
    let single = folder.join("policy.yaml").is_file();
    let creditors = match single {
        true => folder.parent().map(PathBuf::from).unwrap_or_default(),
        false => folder.to_owned(),
    };
    let Ok((creditors, _)) = kulanz_policies::load_creditors(&creditors) else {
        return Ok(Vec::new());
    };
    let mut folders = Vec::new();
    if single {
        folders.push(folder.to_owned());
    } else {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.join("policy.yaml").is_file() {
                folders.push(path);
            }
        }
        folders.sort();
    }
    let mut problems = Vec::new();
    for folder in folders {
        let Ok((policy, _)) = kulanz_policies::load_policy(&folder, &creditors) else { continue };
        let Some(file) = creditors.get(&policy.policy.creditor) else { continue };
        let head = letterhead(file)?;
        match templates(&policy) {
            Err(found) => problems.extend(found),
            Ok(compiled) => problems.extend(rendered(&policy, &compiled, &head.creditor)),
        }
    }
    Ok(problems)
}

/// Each step's texts, with what that step has: a deadline, plans.
fn rendered(
    policy: &LoadedPolicy,
    compiled: &kulanz_delivery::render::Templates,
    creditor: &kulanz_delivery::render::Creditor,
) -> Vec<TemplateProblem> {
    let mut problems = Vec::new();
    for step in &policy.policy.steps {
        let plans: Vec<u32> = match &step.action {
            StepAction::HandOff { .. } => continue,
            StepAction::Offer { plans } => plans.iter().map(|plan| plan.rates).collect(),
            _ => Vec::new(),
        };
        let occasion = Occasion {
            creditor,
            currency: policy.policy.currency,
            deadline: step.deadline.is_some(),
            plans: &plans,
            base_url: SAMPLE_URL,
        };
        let messages = samples(&occasion);
        let keys: Vec<TextKey> =
            compiled.keys().filter(|key| key.text == *step.text).cloned().collect();
        for key in keys {
            for problem in compiled.check(&key, &messages) {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    problems
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
