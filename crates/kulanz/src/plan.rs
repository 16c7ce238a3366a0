//! `kulanz policy plan`: what a policy would change on the live book, before it does.
//!
//! Reads only, also beside a server; the plan itself is a file in the data folder.

mod apply;
mod cost;
mod figures;
mod file;
pub mod page;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kulanz_domain::policy::Rules;
use kulanz_engine::plan::{self as ahead, Pair, Report};
use kulanz_policies::LoadedPolicy;
use kulanz_store::Store;

pub use self::{
    apply::{Applied, apply, percent, put_in_force},
    file::Plan,
    page::escaped,
};
use self::{cost::Costs, file::Version};
use crate::{
    data,
    house::{Places, letterhead, load_policies, machine_day, reachable},
    in_force::{self, InForce, Take, slot},
    law::rates::Installed,
    progress,
    settings::Settings,
};

/// Beside the help of `policy plan`.
pub const EXAMPLES: &str = "\
Both futures are told as if nobody paid and nobody answered. Nothing is changed, also beside a
server; the plan is kept under plans/ in the data folder.

Examples:
  kulanz policy plan policies/shop-b2c
  kulanz policy plan policies/shop-b2c --days 60 --html plan.html --list 50

With `prices: { letter: 0.95, sms: 0.075 }` in kulanz.yaml it says what the messages cost.";

/// Beside the help of `policy apply`.
pub const APPLY_EXAMPLES: &str = "\
Refused where the files or the policy in force changed since the plan, or a fresh plan differs by
more than the tolerance. From the first apply on, a changed file in the folder comes into force for
that creditor and currency by another apply alone.

Example:
  kulanz policy apply 3f2a9c01d4e5 --as ada";

/// Exit code where a policy changes something.
const CHANGES: u8 = 2;

/// Options of a plan.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of the policy
    #[arg(value_name = "DIR")]
    policy: PathBuf,
    /// Days to look ahead
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Name at most so many claims in each list; the others are counted
    #[arg(long, default_value_t = 10, value_name = "N")]
    list: usize,
}

/// Plans, prints and keeps the plan.
pub async fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    let plan =
        Planner::new(places, &options.policy).await?.plan(options.days, options.list).await?;
    let path = plan.keep(&places.data)?;
    if let Some(file) = &options.html {
        fs::write(file, page::render(&plan)).with_context(|| file.display().to_string())?;
    }
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&plan)?),
        false => {
            print!("{}", text::render(&plan));
            println!("\nPlan {} is kept in {}.", plan.id, path.display());
            if let Some(file) = &options.html {
                println!("The same as a page: {}", file.display());
            }
            if plan.differs() {
                println!("`kulanz policy apply {}` puts it in force.", plan.id);
            }
        }
    }
    Ok(match plan.report.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(CHANGES),
    })
}

/// A candidate beside what is in force.
struct Planner {
    store: Arc<dyn Store>,
    settings: Settings,
    candidate: LoadedPolicy,
    in_force: Option<(InForce, LoadedPolicy)>,
    rules: Pair,
    notes: Vec<String>,
    letterhead: kulanz_delivery::render::Creditor,
}

impl Planner {
    /// Loads the policy in `folder`, and what is in force in its place.
    async fn new(places: &Places, folder: &Path) -> Result<Self> {
        if !folder.join("policy.yaml").is_file() {
            bail!("no policy.yaml in {}: name the folder of a policy", folder.display());
        }
        let now = Timestamp::now();
        let store = data::read(places).await?;
        let settings = Settings::read(&places.config)?;
        let base_rates = Installed::read(&places.data)?;
        let folder_of_all = load_policies(&places.config, machine_day())?;
        let settled = in_force::settle(&*store, folder_of_all, now, Take::Nothing).await?;
        let creditors = &settled.loaded.creditors;
        let (candidate, _) = kulanz_policies::load_policy(folder, creditors).map_err(|found| {
            let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
            errors.for_each(|error| eprint!("{}", error.render(crate::colour())));
            anyhow::anyhow!("{} cannot be used; nothing was planned", folder.display())
        })?;
        let reference = &candidate.policy.reference;
        let known = store.policy(reference.name.to_string(), reference.version).await?;
        if let Some(row) = known.filter(|row| row.hash != candidate.hash_full) {
            return Err(in_force::other_content(&candidate, row.registered_at));
        }
        let creditor = &candidate.policy.creditor;
        let code = candidate.policy.currency.code();
        let rules = settled.loaded.rules.get(creditor);
        let rules = rules.with_context(|| format!("there is no creditor {creditor}"))?;
        let now_rules = reachable(&base_rates.put_into(rules), &settings, creditors);
        let mut then_rules = Rules::clone(&now_rules);
        then_rules.policies.insert(code, Arc::clone(&candidate.policy));
        let record = settled.slots.get(&slot(creditor, code)).cloned();
        let in_force = match record {
            Some(record) => {
                let find = |one: &&LoadedPolicy| one.hash_full == record.hash;
                let found = settled.loaded.policies.iter().find(find);
                let policy = found.with_context(|| format!("{} has no files", record.policy))?;
                Some((record, policy.clone()))
            }
            None => None,
        };
        let reworded = in_force.as_ref().map(|(_, old)| reworded(old, &candidate));
        let mut notes = Vec::new();
        if let Some(from) = candidate.valid_from.filter(|from| *from > machine_day()) {
            notes.push(format!("Its first day is {from}; this is told as if it were today."));
        }
        let brakes = kulanz_engine::brake::read(&*store).await?;
        if brakes.get(creditor).is_some_and(|state| state.pulled.is_some()) {
            notes.push(format!(
                "The brake of {creditor} is pulled; this is told as if it were released now."
            ));
        }
        let rules = Pair {
            in_force: now_rules,
            candidate: Arc::new(then_rules),
            reworded: reworded.unwrap_or_default(),
        };
        let file = creditors.get(&candidate.policy.creditor);
        let file = file.with_context(|| format!("there is no creditor {creditor}"))?;
        let letterhead = letterhead(file)?.creditor;
        Ok(Self { store, settings, candidate, in_force, rules, notes, letterhead })
    }

    /// Plays the book ahead from now.
    async fn plan(self, days: u16, list: usize) -> Result<Plan> {
        let from = Timestamp::now();
        let creditor = self.candidate.policy.creditor.clone();
        let position = self.store.position().await?;
        let (accounts, _) = self.store.book(Some(creditor.clone())).await?;
        let bar = progress::things(accounts, "accounts");
        let told = bar.clone();
        let options = ahead::Options { from, days, list, threads: None };
        let report = ahead::compare(Arc::clone(&self.store), self.rules.clone(), options, {
            move |count| told.inc(count as u64)
        })
        .await;
        bar.finish_and_clear();
        let report = report?;
        let costs = match &self.settings.prices {
            Some(prices) => {
                let old = self.in_force.as_ref().map(|(_, policy)| policy);
                let new = (&self.candidate, &report.candidate);
                Some(Costs::of(prices, (old, &report.in_force), new, &self.letterhead)?)
            }
            None => None,
        };
        let zone = self.rules.in_force.creditor.zone.iana_name().unwrap_or("UTC").to_owned();
        Ok(self.file(report, costs, (from, days, position), zone))
    }

    fn file(
        self,
        report: Report,
        costs: Option<Costs>,
        (from, days, position): (Timestamp, u16, u64),
        zone: String,
    ) -> Plan {
        let dir = std::path::absolute(&self.candidate.dir).unwrap_or(self.candidate.dir.clone());
        let candidate = Version::of(&self.candidate);
        let in_force = self.in_force.as_ref().map(|(_, policy)| Version::of(policy));
        Plan {
            id: Plan::name(&candidate, in_force.as_ref(), from, days, position),
            made_at: from,
            days,
            zone,
            creditor: self.candidate.policy.creditor.clone(),
            currency: self.candidate.policy.currency,
            dir,
            candidate,
            in_force,
            position,
            notes: self.notes,
            costs,
            report,
        }
    }
}

/// Texts that both policies have, with other words in them.
fn reworded(old: &LoadedPolicy, new: &LoadedPolicy) -> BTreeSet<String> {
    let texts = |policy: &LoadedPolicy| -> BTreeMap<String, Arc<str>> {
        let name = |file: String| file.trim_end_matches(".hbs").to_owned();
        let all = policy.templates.iter();
        all.map(|(key, text)| (name(key.file_name()), Arc::clone(&text.source))).collect()
    };
    let (old, new) = (texts(old), texts(new));
    let differs = |(name, source): (&String, &Arc<str>)| {
        new.get(name).is_some_and(|other| other != source).then(|| name.clone())
    };
    old.iter().filter_map(differs).collect()
}
