//! `kulanz backtest`: what a policy would have done over a history, alone or beside another one.

mod compare;

use std::{
    collections::HashMap,
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use kulanz_domain::{ids::CreditorId, policy::Rules};
use kulanz_engine::{
    SharedRules,
    backtest::{History, Options as Play, Outcome, Rejected, Told},
};
use kulanz_policies::{Creditors, LoadedPolicy};
use kulanz_wire::{DecodeOptions, files};

use crate::{book, house::Places, progress};

/// Bytes of lines that a thread decodes at once.
const CHUNK_BYTES: usize = 512 * 1024;
/// Events that broke the contract and are shown one by one.
const SHOWN: usize = 10;

/// Options of a back-test.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Event files: NDJSON, plain, .gz or .zst
    #[arg(long = "events", required = true, num_args = 1.., value_name = "FILE")]
    events: Vec<PathBuf>,
    /// Folder of the policy; its creditors lie beside it
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,
    /// Folder of another policy for the same claims, to be played beside it
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Folder for summary.json and timeline.csv, always needed without --against; with it for
    /// both timelines and difference.csv
    #[arg(long, value_name = "DIR", required_unless_present = "against")]
    out: Option<PathBuf>,
    /// Last day; the last event's where left out
    #[arg(long, value_name = "DAY", value_parser = crate::typed::day)]
    until: Option<Date>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub const EXAMPLES: &str = "\
Examples:
  kulanz backtest --events fines.ndjson.gz --policy policies/road-fines --out result
  kulanz backtest --events 2025.ndjson.gz --policy policies/shop-b2c --against drafts/shop-b2c";

/// Events that broke the contract: how many, and the first of them.
type Broken = (u64, Vec<String>);

/// Plays histories through a policy, and writes what came of it.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let (creditors, policy) = load(places, &options.policy)?;
    if let Some(against) = &options.against {
        let other = load(places, against)?;
        return compare::run(options, (creditors, policy), other);
    }
    let out = options.out.as_ref().context("--out DIR says where the result goes")?;
    let (history, broken) = gather(options, &creditors)?;
    let bar = progress::things(history.len() as u64, "events");
    let play = Play { until: options.until, threads: None };
    let rules = rules(&creditors, &policy);
    let outcome = history.play(&rules, &play, |count| bar.inc(count as u64));
    bar.finish_and_clear();
    made(out)?;
    let summary = serde_json::to_string_pretty(&outcome.summary)?;
    let file = out.join("summary.json");
    fs::write(&file, format!("{summary}\n")).with_context(|| file.display().to_string())?;
    let file = out.join("timeline.csv");
    write_timeline(&outcome, &file)?;
    match options.json {
        true => println!("{summary}"),
        false => {
            book::print(&outcome.summary);
            println!("\n  steps taken by claims");
            for (step, number) in &outcome.summary.steps {
                println!("    {:<18} {number:>8}", step.as_str());
            }
            println!("\n{} and {}", out.join("summary.json").display(), file.display());
        }
    }
    complain(broken, &outcome.rejected)
}

fn made(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))
}

fn write_timeline(outcome: &Outcome, file: &Path) -> Result<()> {
    let created = fs::File::create(file).with_context(|| file.display().to_string())?;
    let mut writer = BufWriter::new(created);
    outcome.timeline.write(&mut writer).with_context(|| file.display().to_string())?;
    writer.flush().with_context(|| file.display().to_string())
}

/// What was left out of the totals, as an error where there is any.
fn complain((number, shown): Broken, rejected: &[Rejected]) -> Result<()> {
    shown.iter().for_each(|line| eprintln!("left out: {line}"));
    for rejected in rejected.iter().take(SHOWN) {
        eprintln!("refused: {} {}: {}", rejected.account, rejected.event, rejected.reason);
    }
    if number > 0 || !rejected.is_empty() {
        bail!(
            "{number} events break the contract and {} were refused: the totals lack them",
            rejected.len()
        );
    }
    Ok(())
}

/// Reads the event files.
fn gather(options: &Options, creditors: &Creditors) -> Result<(History, Broken)> {
    let harmless = |creditor: &CreditorId, attribute: &str| {
        let file = creditors.get(creditor);
        file.is_some_and(|file| file.harmless_attributes.iter().any(|known| known == attribute))
    };
    let decode = DecodeOptions { harmless_attributes: &harmless };
    let mut history = History::default();
    let broken: Mutex<Broken> = Mutex::default();
    for path in &options.events {
        let mut lines = files::open(path)?;
        let read = lines.progress();
        let bar = progress::bytes(read.total());
        bar.set_message(path.display().to_string());
        let chunks = std::iter::from_fn(|| {
            bar.set_position(read.read());
            next_chunk(&mut lines).transpose()
        });
        history.gather(None, chunks, |chunk: Vec<u8>| {
            let lines = kulanz_wire::lines(&chunk);
            lines
                .filter_map(|(_, line)| match kulanz_wire::decode(line, &decode) {
                    Ok(inbound) => {
                        let (source, id) = &inbound.key;
                        Some(Told::new(source, id, inbound.account, inbound.stamp, inbound.fact))
                    }
                    Err(rejection) => {
                        let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        broken.0 += 1;
                        if broken.1.len() < SHOWN {
                            let event = rejection.event.unwrap_or_else(|| "an event".to_owned());
                            let (at, why) = (rejection.pointer, rejection.sentence);
                            broken.1.push(format!("{event}: {at}: {why}"));
                        }
                        None
                    }
                })
                .collect()
        })?;
        bar.finish_and_clear();
    }
    Ok((history, broken.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

fn next_chunk(lines: &mut files::Lines) -> Result<Option<Vec<u8>>> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 4096);
    while chunk.len() < CHUNK_BYTES {
        let Some(line) = lines.next_line()? else { break };
        match line.content {
            Ok(bytes) => {
                chunk.extend_from_slice(bytes);
                chunk.push(b'\n');
            }
            Err(rejection) => bail!("line {}: {}", line.number, rejection.sentence),
        }
    }
    Ok((!chunk.is_empty()).then_some(chunk))
}

fn load(places: &Places, folder: &Path) -> Result<(Creditors, LoadedPolicy)> {
    if !folder.join("policy.yaml").is_file() {
        bail!("no policy.yaml in {}", folder.display());
    }
    let absolute = std::path::absolute(folder)?;
    let beside = absolute.parent().unwrap_or(&places.config);
    let told = |found: Vec<kulanz_policies::Diagnostic>| {
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error());
        errors.for_each(|error| eprint!("{}", error.render(crate::colour())));
        anyhow::anyhow!("{} cannot be used", folder.display())
    };
    let (creditors, _) = kulanz_policies::load_creditors(beside).map_err(told)?;
    let (policy, _) = kulanz_policies::load_policy(folder, &creditors).map_err(told)?;
    Ok((creditors, policy))
}

fn rules(creditors: &Creditors, policy: &LoadedPolicy) -> SharedRules {
    let mut rules = HashMap::new();
    for (id, file) in creditors {
        let mut one = Rules { creditor: file.creditor.clone(), policies: Default::default() };
        if policy.policy.creditor == *id {
            one.policies.insert(policy.policy.currency.code(), Arc::clone(&policy.policy));
        }
        rules.insert(id.clone(), Arc::new(one));
    }
    SharedRules::new(rules)
}
