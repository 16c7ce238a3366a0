//! `kulanz experiment report`: what came of what policies try, from the log. Reads only, also beside a
//! server.

mod figures;
mod page;
mod text;

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kulanz_domain::{
    ids::{CreditorId, ExperimentName, PolicyName},
    money::Decimal,
    policy::{Policy, StepAction, WHOLE},
};
use kulanz_engine::trial::{self, Known, LEAST, Report};
use kulanz_policies::{Creditors, load_creditors};
use kulanz_store::Store;
use serde::Serialize;

use crate::{
    data,
    house::{Places, count},
    in_force, progress,
};

/// Beside the help of `experiment report`.
pub const EXAMPLES: &str = "\
An account is enrolled on the first day on which a claim of it is overdue while its policy runs the
experiment. What is counted and how, and what it does not promise: docs/experiments.md.

Examples:
  kulanz experiment report
  kulanz experiment report evening-sms --days 45 --html evening-sms.html";

/// Options of a report.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The experiment; all where left out
    name: Option<ExperimentName>,
    /// Of this creditor alone
    #[arg(long)]
    creditor: Option<CreditorId>,
    /// Count what came in within so many days after the enrolment
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A report with what its readers have to know.
#[derive(Debug, Serialize)]
pub struct Told {
    #[serde(flatten)]
    report: Report,
    /// Shares by version.
    shares: Vec<Shares>,
    notes: Vec<String>,
}

/// Shares of a version, in percent.
#[derive(Debug, PartialEq, Serialize)]
struct Shares {
    version: u32,
    treated: Decimal,
    control: Decimal,
}

/// Creditor, policy, version.
type Version = (CreditorId, PolicyName, u32);

/// Prints the reports.
pub async fn report(places: &Places, options: &Options) -> Result<()> {
    let store = data::read(places).await?;
    let position = store.position().await?;
    let bar = progress::things(position, "reading the log");
    let enrolled = trial::enrolled(&*store, options.creditor.as_ref(), |passed| bar.inc(passed));
    let enrolled = enrolled.await;
    bar.finish_and_clear();
    let enrolled = enrolled?;
    let policies = policies(places, &*store, enrolled.policies.iter()).await?;
    let known = policies.iter().map(|(version, (_, known))| (version.clone(), known.clone()));
    let known: BTreeMap<Version, Known> = known.collect();
    // Of the days after the newest event nobody knows whether anything was paid.
    let now = latest(&*store, position).await?;
    let asked = trial::Options { now, days: options.days, experiment: options.name.clone() };
    let bar = progress::things(0, "accounts");
    let reports = trial::reports(&*store, &enrolled, &known, &asked, |accounts| {
        bar.inc(accounts as u64);
    });
    let reports = reports.await;
    bar.finish_and_clear();
    let told: Vec<Told> = reports?.into_iter().map(|one| told(one, &policies)).collect();
    if let Some(name) = options.name.as_ref().filter(|_| told.is_empty()) {
        bail!(
            "no account has met a policy that runs the experiment {name}; `kulanz experiment \
             report` tells all there are"
        );
    }
    if let Some(file) = &options.html {
        fs::write(file, page::render(&told)).with_context(|| file.display().to_string())?;
    }
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&told)?),
        false => {
            if told.is_empty() {
                println!("No account has met a policy that runs an experiment.");
            }
            print!("{}", text::render(&told));
            if let Some(file) = &options.html {
                println!("The same as a page: {}", file.display());
            }
        }
    }
    Ok(())
}

/// When the newest event was recorded.
async fn latest(store: &dyn Store, position: u64) -> Result<Timestamp> {
    let last = store.events_after(position.saturating_sub(1), 1).await?;
    Ok(last.last().map_or(Timestamp::MIN, |event| event.recorded_at))
}

/// The versions as they were kept, with what the log does not say of them.
async fn policies(
    places: &Places,
    store: &dyn Store,
    versions: impl Iterator<Item = &Version>,
) -> Result<BTreeMap<Version, (Policy, Known)>> {
    let folder = places.config.join("policies");
    let creditors: Creditors =
        load_creditors(&folder).map(|(creditors, _)| creditors).map_err(|found| {
            found.iter().filter(|one| one.is_error()).for_each(|error| {
                eprint!("{}", error.render(crate::colour()));
            });
            anyhow::anyhow!("the creditors in {} cannot be read", folder.display())
        })?;
    let mut policies = BTreeMap::new();
    for version in versions {
        let (creditor, name, number) = version;
        let Some(file) = creditors.get(creditor) else {
            bail!("there is no file policies/creditors/{creditor}.yaml");
        };
        let row = store.policy(name.to_string(), *number).await?;
        let row = row.with_context(|| {
            format!("policy {name} version {number} decided, and its files are not in the data")
        })?;
        let sources = serde_json::from_str(&row.sources)?;
        let loaded = in_force::from_sources(sources, name.as_str(), *number, &creditors)?;
        let policy = Policy::clone(&loaded.policy);
        let zone = file.creditor.zone.clone();
        let known = Known { currency: policy.currency, seat: file.creditor.seat(), zone };
        policies.insert(version.clone(), (policy, known));
    }
    Ok(policies)
}

/// A report with its shares and what has to be said of it.
fn told(report: Report, policies: &BTreeMap<Version, (Policy, Known)>) -> Told {
    let of =
        |version: u32| policies.get(&(report.creditor.clone(), report.policy.clone(), version));
    let percent = |millionths: u32| {
        (Decimal::from(millionths) * Decimal::ONE_HUNDRED / Decimal::from(WHOLE)).normalize()
    };
    let mut shares = Vec::new();
    let mut before_due = false;
    for version in &report.versions {
        let Some((policy, _)) = of(*version) else { continue };
        before_due |= policy.steps.iter().any(|step| step.action == StepAction::Notice);
        let trials = policy.trials.as_ref();
        let mut experiments = trials.map_or(&[][..], |trials| trials.experiments()).iter();
        let found = experiments.find(|one| one.name == report.experiment);
        shares.extend(found.map(|one| Shares {
            version: *version,
            treated: percent(one.treated),
            control: percent(one.control),
        }));
    }
    let notes = notes(&report, &shares, before_due);
    Told { report, shares, notes }
}

fn notes(report: &Report, shares: &[Shares], before_due: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let few = report.treated.followed.min(report.control.followed) < LEAST as u64;
    match report.share_difference.and_then(|one| one.interval) {
        Some((from, to)) if from > 0.0 || to < 0.0 => notes.push(
            "The interval of the difference in the recovered share does not hold 0: chance alone \
             would rarely bring that about, where one looks once."
                .to_owned(),
        ),
        Some(_) => notes.push(
            "The interval of the difference in the recovered share has 0 in it: there may be none."
                .to_owned(),
        ),
        None if few => notes.push(format!(
            "No difference can be told yet: fewer than {LEAST} accounts of an arm have their {} days \
             behind them.",
            report.days
        )),
        None => notes.push("Accounts of an arm are all alike: no interval can be told.".to_owned()),
    }
    let changed =
        |pair: &[Shares]| (pair[0].treated, pair[0].control) != (pair[1].treated, pair[1].control);
    if shares.windows(2).any(changed) {
        notes.push(
            "The shares changed from version to version: what the weeks brought weighs differently \
             in the arms, and the difference is weaker evidence."
                .to_owned(),
        );
    }
    if report.moved > 0 {
        notes.push(format!(
            "{} came into the other arm later and counts where it began: the difference is weaker \
             evidence.",
            count(usize::try_from(report.moved).unwrap_or(usize::MAX), "account")
        ));
    }
    if before_due {
        notes.push(
            "The policy writes before the due date as well. Whoever pays by then is not enrolled: \
             what such messages do is not told here."
                .to_owned(),
        );
    }
    notes.push(
        "Intervals hold for one look at a time fixed beforehand; whoever looks until something shows \
         will find something."
            .to_owned(),
    );
    notes
}
