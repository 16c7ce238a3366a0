//! `kulanz brake`: what is used of each creditor's limits, what waits behind a pulled brake, and
//! what a person decides about it.

use anyhow::{Result, anyhow, bail};
use clap::Subcommand;
use jiff::Timestamp;
use kulanz_domain::{
    brake::{ALWAYS_A_DAY, Used},
    calendar::Span,
    ids::{CreditorId, StepName},
};
use kulanz_engine::brake::{self, By as ByPerson, NotPulled, View};
use kulanz_store::{OutboxRow, Store};
use serde_json::{Value, json};

use crate::{
    cli::By,
    client, data,
    house::{House, Places, load_policies, machine_day},
    http::shown,
    in_force::{self, Take},
    orders::{Order, Outcome},
};

mod discard;

pub use discard::{Chosen, discard};

/// Messages that are listed or discarded at once.
const MOST: u32 = 1_000_000;

/// Beside the help of `kulanz brake`.
pub const EXAMPLES: &str = "\
A brake that is pulled stays pulled, also over a restart, until somebody releases it. Other
creditors go on, and links that debtors ask for.

Examples:
  kulanz brake                                    limits, what is used of them, what waits
  kulanz brake list lindenmoor --csv              the messages that wait
  kulanz brake release lindenmoor --messages 10 --as ada    ten of them, to look at
  kulanz brake release lindenmoor --all --as ada            all that was decided until now
  kulanz brake discard lindenmoor --step reminder --older-than 14d --as ada";

/// What may be asked about brakes.
#[derive(Debug, Subcommand)]
pub enum Brakes {
    /// The messages of a creditor that wait: account, step, channel, persona, since when
    List {
        /// Creditor
        creditor: CreditorId,
        /// Print JSON
        #[arg(long, conflicts_with = "csv")]
        json: bool,
        /// Print CSV
        #[arg(long)]
        csv: bool,
    },
    /// Let messages that wait leave: some, to look at, or all
    Release {
        /// Creditor
        creditor: CreditorId,
        /// So many; the brake stays pulled for all others
        #[arg(long, value_name = "N", conflicts_with = "all", required_unless_present = "all")]
        messages: Option<u64>,
        /// All that was decided until now
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        by: By,
    },
    /// Do not send messages that wait: their accounts decide again, by the policy in force
    Discard {
        /// Creditor
        creditor: CreditorId,
        /// Only those decided longer ago: 14d, 2w
        #[arg(long, value_name = "DAYS", value_parser = days)]
        older_than: Option<u32>,
        /// Only those of this step
        #[arg(long)]
        step: Option<StepName>,
        /// All of them
        #[arg(long, conflicts_with_all = ["older_than", "step"],
              required_unless_present_any = ["older_than", "step"])]
        all: bool,
        #[command(flatten)]
        by: By,
    },
}

/// Runs `kulanz brake`; without a command it shows where all brakes stand.
pub async fn run(places: &Places, command: Option<Brakes>, json: bool) -> Result<()> {
    match command {
        None => status(places, json).await,
        Some(Brakes::List { creditor, json, csv }) => {
            let form = match (json, csv) {
                (true, _) => Form::Json,
                (_, true) => Form::Csv,
                _ => Form::Text,
            };
            list(places, &creditor, form).await
        }
        Some(Brakes::Release { creditor, messages, all: _, by }) => {
            client::give(places, Order::ReleaseBrake { creditor, messages }, by.into()).await
        }
        Some(Brakes::Discard { creditor, older_than, step, all: _, by }) => {
            let older_than_days = older_than;
            let order = Order::DiscardBraked { creditor, older_than_days, step };
            client::give(places, order, by.into()).await
        }
    }
}

/// How messages are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// For people.
    Text,
    /// For scripts.
    Json,
    /// For a table.
    Csv,
}

/// All creditors' brakes.
async fn views(places: &Places) -> Result<Vec<View>> {
    let (store, now) = (data::read(places).await?, Timestamp::now());
    let folder = load_policies(&places.config, machine_day())?;
    let settled = in_force::settle(&*store, folder, now, Take::Nothing).await?;
    let brakes = brake::read(&*store).await?;
    let mut rules: Vec<_> = settled.loaded.rules.values().collect();
    rules.sort_by(|a, b| a.creditor.id.cmp(&b.creditor.id));
    let mut views = Vec::with_capacity(rules.len());
    for rules in rules {
        views.push(brake::view(&*store, rules, &brakes, now).await?);
    }
    Ok(views)
}

/// Prints each creditor's limits, what is used of them, and what waits.
async fn status(places: &Places, as_json: bool) -> Result<()> {
    let views = views(places).await?;
    if as_json {
        println!("{}", serde_json::to_string_pretty(&views)?);
        return Ok(());
    }
    for view in &views {
        println!("{}", view.creditor);
        if let Some(pulled) = &view.pulled {
            println!(
                "  PULLED since {}: {} was reached. {} ({} then)",
                shown(pulled.at),
                reached(&pulled.by),
                waits(view.waiting),
                pulled.waiting
            );
            if let Some(through) = &pulled.let_through {
                let (left, all) = (view.may_leave, through.messages);
                println!("  {} let {all} through; {left} of them may still leave", through.by);
            }
            println!(
                "  look: kulanz brake list {0}; then: kulanz brake release {0}",
                view.creditor
            );
        }
        if view.limits.is_none() {
            println!("  no brake: its policies have no limits");
        }
        for used in &view.used {
            println!("  {:<12} {} of {} used", used.limit.name(), used.used, used.allowed);
        }
        let times = view.limits.and_then(|limits| limits.times_usual);
        match (times, view.usual) {
            (Some(_), None) => {
                println!("  times_usual  holds once messages have left on five days");
            }
            (Some(times), Some(usual)) => println!(
                "  usual        {usual} a day; {times} times that, and never below {ALWAYS_A_DAY}"
            ),
            _ => {}
        }
        if let Some(released) = &view.released {
            println!("  released     {} by {}", shown(released.at), released.by);
        }
        if view.pulled.is_none() {
            println!("  on their way {}", view.waiting);
        }
    }
    Ok(())
}

/// `per_hour: 2000`.
fn reached(by: &Used) -> String {
    format!("{}: {}", by.limit.name(), by.allowed)
}

fn waits(messages: u64) -> String {
    match messages {
        1 => "1 message waits".to_owned(),
        many => format!("{many} messages wait"),
    }
}

/// Brakes that are pulled: creditor, since when, and a sentence.
pub async fn pulled(store: &dyn Store) -> Result<Vec<(CreditorId, Timestamp, String)>> {
    let mut found = Vec::new();
    for (creditor, state) in brake::read(store).await? {
        let Some(pulled) = state.pulled else { continue };
        let waiting = store.queued_count(creditor.clone(), None, None).await?;
        let detail = format!(
            "{} was reached; {}: `kulanz brake list {creditor}`",
            reached(&pulled.by),
            waits(waiting)
        );
        found.push((creditor, pulled.at, detail));
    }
    Ok(found)
}

/// For `kulanz doctor`: an error where a brake is pulled.
pub async fn healthy(store: &dyn Store) -> Result<String> {
    let pulled = pulled(store).await?;
    if pulled.is_empty() {
        return Ok("none is pulled".to_owned());
    }
    let all = pulled.iter().map(|(creditor, since, detail)| {
        format!("{creditor} is pulled since {}: {detail}", shown(*since))
    });
    bail!("{}", all.collect::<Vec<_>>().join("; "))
}

/// Prints the messages of a creditor that wait, in the order in which they would leave.
async fn list(places: &Places, creditor: &CreditorId, form: Form) -> Result<()> {
    let rows = data::read(places).await?.queued(creditor.clone(), MOST).await?;
    if rows.is_empty() {
        let known = load_policies(&places.config, machine_day())?.creditors;
        if !known.contains_key(creditor) {
            let names: Vec<_> = known.keys().map(ToString::to_string).collect();
            bail!("there is no creditor {creditor}; there are: {}", names.join(", "));
        }
    }
    match form {
        Form::Json => {
            let rows: Vec<Value> = rows.iter().map(|(row, persona)| member(row, persona)).collect();
            println!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Form::Csv => {
            println!("account,notice,step,channel,persona,since,not_before");
            rows.iter().for_each(|(row, persona)| println!("{}", cells(row, persona)));
        }
        Form::Text => {
            if rows.is_empty() {
                println!("no messages of {creditor} wait");
            }
            for (row, persona) in &rows {
                println!(
                    "{:<24} {:<12} {:<6} {:<14} {}",
                    row.account.to_string(),
                    row.step.as_ref().map_or("", |step| step.as_str()),
                    row.channel.name(),
                    persona.as_deref().unwrap_or(""),
                    shown(row.decided_at)
                );
            }
        }
    }
    if rows.len() == MOST as usize {
        eprintln!("only the first {MOST} are listed");
    }
    Ok(())
}

fn member(row: &OutboxRow, persona: &Option<String>) -> Value {
    json!({ "account": row.account, "notice": row.notice, "step": row.step,
            "channel": row.channel.name(), "persona": persona,
            "since": row.decided_at.to_string(), "not_before": row.next_at.to_string() })
}

fn cells(row: &OutboxRow, persona: &Option<String>) -> String {
    let cells = [
        row.account.to_string(),
        row.notice.to_string(),
        row.step.as_ref().map_or_else(String::new, ToString::to_string),
        row.channel.name().to_owned(),
        persona.clone().unwrap_or_default(),
        row.decided_at.to_string(),
        row.next_at.to_string(),
    ];
    let cell = |text: &String| match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.clone(),
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",")
}

fn not_pulled(creditor: &CreditorId) -> anyhow::Error {
    anyhow!("the brake of {creditor} is not pulled: nothing waits for it. `kulanz brake` shows all")
}

/// Lets `messages` through, or with `None` all that was decided until now.
pub async fn release(
    house: &House,
    creditor: &CreditorId,
    messages: Option<u64>,
    by: ByPerson<'_>,
) -> Result<Outcome> {
    let (store, person) = (&**house.engine.store(), by.person);
    let said = match messages {
        Some(0) => bail!("0 messages would let nothing through: name 1 or more, or --all"),
        Some(messages) => {
            let done = brake::let_through(store, creditor, by, messages).await?;
            let messages = done.map_err(|NotPulled| not_pulled(creditor))?;
            format!(
                "{messages} of {creditor} may leave; the brake stays pulled for all others. \
                 Whoever has paid meanwhile is not written to and does not count"
            )
        }
        None => {
            let released = brake::release(store, creditor, by).await?;
            let waiting = released.map_err(|NotPulled| not_pulled(creditor))?;
            format!(
                "the brake of {creditor} is released: {} and may leave, looked at once more before \
                 it does. What is decided from now on is counted from nothing",
                waits(waiting)
            )
        }
    };
    tracing::info!(%creditor, person, ?messages, "a brake was released");
    Ok(Outcome { said: vec![said], events: Vec::new() })
}

/// `14d`, `2w`: days of 24 hours.
fn days(text: &str) -> Result<u32, String> {
    let days = match text.parse::<Span>() {
        Ok(Span::Days(days)) => u32::try_from(days).ok(),
        Ok(Span::Weeks(weeks)) => u32::try_from(weeks).ok().and_then(|weeks| weeks.checked_mul(7)),
        _ => None,
    };
    days.filter(|days| *days <= 36_500).ok_or_else(|| format!("`{text}`: write it as 14d or 2w"))
}
