//! `kulanz policy simulate`: the live book some days ahead, with payments drawn from its own past.
//!
//! Reads only, also beside a server.

mod page;
mod text;
mod words;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use jiff::Timestamp;
use kulanz_domain::{calendar::day_in, ids::CreditorId, policy::Rules};
use kulanz_engine::simulate::{self as ahead, Report, Stage};
use kulanz_policies::Loaded;
use kulanz_store::Store;
use serde::Serialize;

use crate::{
    data,
    house::{Places, load_policies, machine_day, reachable},
    in_force::{self, Take},
    law::rates::Installed,
    progress,
    settings::Settings,
};

/// Beside the help of `policy simulate`.
pub const EXAMPLES: &str = "\
Each open account is played ahead by the code that decides. Payments are drawn for it many times,
as often as this book's debtors paid so far where they stood alike; what follows a payment does not
happen. The same is done for the last days of the history, and compared with what happened on them.
Nothing is changed, also beside a server. docs/simulate.md has the formulas, and what a forecast
cannot know.

Exit code 2: the history is too short for a forecast in any currency.

Examples:
  kulanz policy simulate
  kulanz policy simulate --days 30 --html forecast.html
  kulanz policy simulate --policy policies/shop-b2c --seed 7 --json";

/// Exit code where nothing could be forecast.
const TOO_LITTLE: u8 = 2;

/// Options of a forecast.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Days to look ahead
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// Play the policy in this folder instead of the one in force
    #[arg(long, value_name = "DIR")]
    policy: Option<PathBuf>,
    /// Whose book; needed where there are several
    #[arg(long)]
    creditor: Option<CreditorId>,
    /// All chance comes from it: the same seed, book and moment give the same bytes
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many futures are drawn
    #[arg(long, default_value_t = 200, value_name = "N",
          value_parser = clap::value_parser!(u16).range(20..=2000))]
    draws: u16,
    /// The moment from which is told, today or later; now where left out
    #[arg(long, value_name = "TIME", value_parser = crate::typed::moment)]
    from: Option<Timestamp>,
    /// Do not forecast days that are over to compare
    #[arg(long)]
    no_calibrate: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A forecast with what it was made of.
#[derive(Debug, Serialize)]
struct Simulation {
    /// The moment from which is told.
    from: Timestamp,
    /// The policies that were played, by currency.
    policies: BTreeMap<String, Version>,
    /// What it cannot know.
    cannot_know: Vec<String>,
    /// The forecast.
    report: Report,
}

/// A policy that was played.
#[derive(Debug, Serialize)]
struct Version {
    policy: String,
    version: u32,
    /// It is the one in force.
    in_force: bool,
}

/// Forecasts and prints.
pub async fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    let now = Timestamp::now();
    let store = data::read(places).await?;
    let settings = Settings::read(&places.config)?;
    let base_rates = Installed::read(&places.data)?;
    let folder_of_all = load_policies(&places.config, machine_day())?;
    let settled = in_force::settle(&*store, folder_of_all, now, Take::Nothing).await?;
    let loaded = &settled.loaded;
    let candidate =
        options.policy.as_deref().map(|folder| candidate(folder, loaded)).transpose()?;
    let creditor = match (&options.creditor, &candidate) {
        (Some(named), Some(policy)) if policy.policy.creditor != *named => bail!(
            "{} is a policy of {}, not of {named}",
            policy.dir.display(),
            policy.policy.creditor
        ),
        (_, Some(policy)) => policy.policy.creditor.clone(),
        (Some(named), None) => named.clone(),
        (None, None) => only_one(&*store, loaded).await?,
    };
    let rules = loaded.rules.get(&creditor);
    let rules = rules.with_context(|| format!("there is no creditor {creditor}"))?;
    let in_force = reachable(&base_rates.put_into(rules), &settings, &loaded.creditors);
    let mut played = Rules::clone(&in_force);
    if let Some(candidate) = &candidate {
        let policy = Arc::clone(&candidate.policy);
        played.policies.insert(policy.currency.code(), policy);
    }
    let from = options.from.unwrap_or(now);
    let zone = &in_force.creditor.zone;
    if day_in(from, zone) < day_in(now, zone) {
        bail!(
            "--from {from} is over: the book is known as it stands today. Days that are over are \
             forecast by the comparison that every forecast comes with"
        );
    }
    let policies = played.policies.iter().map(|(code, policy)| {
        let before = in_force.policies.get(code);
        let reference = &policy.reference;
        let version = Version {
            policy: reference.name.to_string(),
            version: reference.version,
            in_force: before.is_some_and(|before| before.reference == *reference),
        };
        ((*code).to_owned(), version)
    });
    let policies = policies.collect();
    let asked = ahead::Asked { rules: Arc::new(played), in_force };
    let report = forecast(store, asked, from, options).await?;
    let simulation =
        Simulation { from, policies, cannot_know: words::cannot_know(&report), report };
    if let Some(file) = &options.html {
        fs::write(file, page::render(&simulation)).with_context(|| file.display().to_string())?;
    }
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&simulation)?),
        false => {
            print!("{}", text::render(&simulation));
            if let Some(file) = &options.html {
                println!("\nThe same as a page: {}", file.display());
            }
        }
    }
    let outlooks = &simulation.report.currencies;
    let nothing = !outlooks.is_empty() && outlooks.values().all(|one| one.forecast.is_none());
    Ok(if nothing { ExitCode::from(TOO_LITTLE) } else { ExitCode::SUCCESS })
}

/// The policy in a folder, beside the creditors that are known.
fn candidate(folder: &Path, loaded: &Loaded) -> Result<kulanz_policies::LoadedPolicy> {
    if !folder.join("policy.yaml").is_file() {
        bail!("no policy.yaml in {}: name the folder of a policy", folder.display());
    }
    let (candidate, _) =
        kulanz_policies::load_policy(folder, &loaded.creditors).map_err(|found| {
            let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
            errors.for_each(|error| eprint!("{}", error.render(crate::colour())));
            anyhow::anyhow!("{} cannot be used; nothing was forecast", folder.display())
        })?;
    Ok(candidate)
}

/// The creditor that has accounts, where it is the only one.
async fn only_one(store: &dyn Store, loaded: &Loaded) -> Result<CreditorId> {
    let mut with_accounts = Vec::new();
    for creditor in loaded.rules.keys() {
        let (accounts, _) = store.book(Some(creditor.clone())).await?;
        if accounts > 0 {
            with_accounts.push(creditor.clone());
        }
    }
    match with_accounts.as_slice() {
        [only] => Ok(only.clone()),
        [] => bail!("the book is empty: there is nothing to forecast"),
        several => {
            let names: Vec<&str> = several.iter().map(CreditorId::as_str).collect();
            bail!("name one with --creditor: {}", names.join(", "))
        }
    }
}

async fn forecast(
    store: Arc<dyn Store>,
    asked: ahead::Asked,
    from: Timestamp,
    options: &Options,
) -> Result<Report> {
    let (accounts, _) = store.book(Some(asked.rules.creditor.id.clone())).await?;
    let bars = Arc::new(Bars { accounts, shown: Mutex::new(None) });
    let told = Arc::clone(&bars);
    let how = ahead::Options {
        from,
        days: options.days,
        seed: options.seed,
        draws: usize::from(options.draws),
        calibrate: !options.no_calibrate,
        threads: None,
    };
    let report =
        ahead::forecast(store, asked, how, move |stage, count| told.pass(stage, count)).await;
    bars.finish();
    Ok(report?)
}

/// One progress bar after the other.
struct Bars {
    accounts: u64,
    shown: Mutex<Option<(Stage, ProgressBar)>>,
}

impl Bars {
    fn pass(&self, stage: Stage, count: usize) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|(last, _)| *last != stage) {
            if let Some((_, bar)) = shown.take() {
                bar.finish_and_clear();
            }
            let (total, what) = match stage {
                Stage::Survey => (self.accounts, "looking at the history"),
                Stage::Learn => (self.accounts, "learning"),
                Stage::Calibrate => (2 * self.accounts, "forecasting days that are over"),
                Stage::Play => (self.accounts, "playing ahead"),
            };
            *shown = Some((stage, progress::things(total, what)));
        }
        if let Some((_, bar)) = &*shown {
            bar.inc(count as u64);
        }
    }

    fn finish(&self) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = shown.take() {
            bar.finish_and_clear();
        }
    }
}
