//! `kulanz policy test`: plays the stories of policies; what they do not show, and a report for
//! machines.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use kulanz_policies::{
    Creditors, Diagnostic, LoadedPolicy, Verdict, load_creditors, load_policy, stories, uncovered,
};
use serde_json::{Value, json};

use crate::{
    house::Places,
    junit::{Case, Outcome, Suite, document},
    progress,
};

/// What to play.
#[derive(Debug, Args)]
pub struct Options {
    /// Folders of policies; `policies` in the configuration folder where left out
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Fail a policy that has no story for one of its steps, personas or guards
    #[arg(long, conflicts_with = "filter")]
    require_tests: bool,
    /// Only stories whose policy, file or sentence contains this, in any case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write a report in JUnit's XML as well
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A story, or something else that has to hold, and what came of it.
struct Tested {
    policy: String,
    file: PathBuf,
    name: String,
    outcome: Outcome,
    verdict: Option<Verdict>,
    findings: Vec<Diagnostic>,
}

/// Plays them; exit code 1 where one fails.
pub fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    let default = [places.config.join("policies")];
    let folders = if options.folders.is_empty() { &default[..] } else { &options.folders };
    let mut policies = Vec::new();
    for folder in folders {
        policies.extend(policies_in(folder)?);
    }
    let bar = progress::things(policies.len() as u64, "policies");
    let mut tested = Vec::new();
    for (folder, creditors) in &policies {
        tested.extend(test(folder, creditors, options));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(filter) = options.filter.as_ref().filter(|_| tested.is_empty()) {
        bail!("no story's policy, file or sentence contains `{filter}`");
    }
    let failed = tested.iter().filter(|one| one.outcome != Outcome::Passed).count();
    let passed = tested.len() - failed;
    if let Some(file) = &options.junit {
        fs::write(file, document(&suites(&tested)))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    if options.json {
        let all: Vec<Value> = tested.iter().map(row).collect();
        let all = json!({ "passed": passed, "failed": failed, "stories": all });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        tested.iter().for_each(print);
        if tested.is_empty() {
            println!("no stories: write them to <policy>/tests/, see policies/README.md");
        }
        println!("{passed} passed, {failed} failed");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folders of policies in `folder`, or itself, each with its creditors.
fn policies_in(folder: &Path) -> Result<Vec<(PathBuf, Creditors)>> {
    if !folder.is_dir() {
        bail!(
            "no folder {}: name one that holds policies, or run this where `policies` is",
            folder.display()
        );
    }
    let single = folder.join("policy.yaml").is_file();
    let absolute = std::path::absolute(folder)?;
    let beside = match single {
        true => absolute.parent().unwrap_or(&absolute).to_owned(),
        false => absolute,
    };
    let creditors = load_creditors(&beside).map_err(|found| {
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
        errors.for_each(|error| eprint!("{}", error.render(crate::colour())));
        anyhow::anyhow!("the creditors of {} cannot be used", folder.display())
    });
    let (creditors, _) = creditors?;
    let mut folders = vec![folder.to_owned()];
    if !single {
        let inner = folder.join("policies");
        let root = if inner.is_dir() && !folder.join("creditors").is_dir() {
            inner
        } else {
            folder.to_owned()
        };
        let entries = fs::read_dir(&root).with_context(|| root.display().to_string())?;
        let entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>();
        folders = entries.with_context(|| root.display().to_string())?;
        folders.retain(|path| path.join("policy.yaml").is_file());
        folders.sort();
        if folders.is_empty() {
            bail!("no policy in {}: a policy is a folder with a policy.yaml", root.display());
        }
    }
    Ok(folders.into_iter().map(|folder| (folder, creditors.clone())).collect())
}

fn test(folder: &Path, creditors: &Creditors, options: &Options) -> Vec<Tested> {
    let named = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let whole = |name: &str, findings: Vec<Diagnostic>| Tested {
        policy: named.clone(),
        file: folder.join("policy.yaml"),
        name: name.to_owned(),
        outcome: Outcome::Broken(rendered(&findings)),
        verdict: None,
        findings,
    };
    let policy = match load_policy(folder, creditors) {
        Ok((policy, _)) => policy,
        Err(found) => {
            let errors = found.into_iter().filter(Diagnostic::is_error).collect();
            return vec![whole("the policy can be read", errors)];
        }
    };
    let Some(creditor) = creditors.get(&policy.policy.creditor) else { return Vec::new() };
    let (good, broken, found) = stories(&policy, creditor);
    found.iter().for_each(|diagnostic| eprint!("{}", diagnostic.render(crate::colour())));
    let wanted = |file: &Path, name: &str| {
        let Some(filter) = &options.filter else { return true };
        let text = format!("{} {} {name}", policy.policy.reference.name, file.display());
        text.to_lowercase().contains(&filter.to_lowercase())
    };
    let name = policy.policy.reference.name.to_string();
    let mut tested = Vec::new();
    for one in broken.into_iter().filter(|one| wanted(&one.file, "")) {
        let stem = one.file.file_stem().unwrap_or_default().to_string_lossy().replace('-', " ");
        tested.push(Tested {
            policy: name.clone(),
            name: stem,
            outcome: Outcome::Broken(rendered(&one.findings)),
            file: one.file,
            verdict: None,
            findings: one.findings,
        });
    }
    for story in good.iter().filter(|story| wanted(&story.file, &story.test)) {
        let verdict = story.play();
        let outcome = match verdict.passed() {
            true => Outcome::Passed,
            false => Outcome::Failed(verdict.difference()),
        };
        tested.push(Tested {
            policy: name.clone(),
            file: story.file.clone(),
            name: story.test.clone(),
            outcome,
            verdict: Some(verdict),
            findings: Vec::new(),
        });
    }
    tested.sort_by(|a, b| a.file.cmp(&b.file));
    if options.require_tests {
        lacking(&policy, creditor, &mut tested);
    }
    tested
}

/// One more test that fails for each step, persona and guard without a story.
fn lacking(
    policy: &LoadedPolicy,
    creditor: &kulanz_policies::CreditorFile,
    tested: &mut Vec<Tested>,
) {
    let verdicts = tested.iter().filter_map(|one| one.verdict.as_ref());
    for lack in uncovered(&policy.policy, &creditor.creditor, verdicts) {
        let name = lack.to_string();
        tested.push(Tested {
            policy: policy.policy.reference.name.to_string(),
            file: policy.dir.join("tests"),
            outcome: Outcome::Failed(format!("{name}\n")),
            name,
            verdict: None,
            findings: Vec::new(),
        });
    }
}

fn rendered(findings: &[Diagnostic]) -> String {
    findings.iter().map(|found| found.render(false)).collect()
}

fn print(tested: &Tested) {
    let word = match tested.outcome {
        Outcome::Passed => "ok    ",
        Outcome::Failed(_) => "FAILED",
        Outcome::Broken(_) => "BROKEN",
    };
    println!("{word}  {}  {}", tested.policy, tested.name);
    match (&tested.outcome, &tested.verdict) {
        (Outcome::Failed(difference), Some(_)) => {
            println!("        {}", tested.file.display());
            difference.lines().for_each(|line| println!("        {line}"));
        }
        (Outcome::Broken(_), _) => {
            for found in &tested.findings {
                let mut shown = String::new();
                for line in found.render(crate::colour()).lines() {
                    // Writing to a String cannot fail.
                    let _ = writeln!(shown, "        {line}");
                }
                print!("{shown}");
            }
        }
        _ => {}
    }
}

fn row(tested: &Tested) -> Value {
    let rows = tested.verdict.iter().flat_map(|verdict| &verdict.rows);
    let rows: Vec<Value> = rows
        .map(|row| {
            json!({ "mark": row.mark.name(), "when": row.when, "text": row.text,
                    "line": (row.line > 0).then_some(row.line) })
        })
        .collect();
    let findings: Vec<Value> = tested
        .findings
        .iter()
        .map(|found| {
            json!({ "severity": found.severity.name(), "file": found.file, "line": found.line,
                    "column": found.column, "message": found.message, "help": found.help })
        })
        .collect();
    let outcome = match tested.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Broken(_) => "broken",
    };
    json!({ "policy": tested.policy, "file": tested.file.display().to_string(),
            "story": tested.name, "outcome": outcome, "days": rows, "findings": findings })
}

fn suites(tested: &[Tested]) -> Vec<Suite<'_>> {
    let mut suites: Vec<Suite<'_>> = Vec::new();
    for one in tested {
        let case = Case { name: &one.name, file: &one.file, outcome: &one.outcome };
        match suites.iter_mut().find(|suite| suite.name == one.policy) {
            Some(suite) => suite.cases.push(case),
            None => suites.push(Suite { name: &one.policy, cases: vec![case] }),
        }
    }
    suites
}
