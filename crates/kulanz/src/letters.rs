//! Dead letters: what came in and could not be taken, kept sealed until a person decides.

use std::io::Write;

use anyhow::{Result, bail};
use kulanz_store::{DeadLetter, Store};
use kulanz_wire::DecodeOptions;
use serde_json::json;

use crate::{
    cli::By,
    client, data,
    house::{self, House, Places, count, harmless},
    intake,
    orders::Order,
    settings::Settings,
};

const MOST: u32 = 100_000;

/// `kulanz dead-letters …`.
#[derive(Debug, clap::Subcommand)]
pub enum Letters {
    /// Dead letters with their reasons
    List {
        /// Closed ones too
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// One dead letter with its original bytes
    Show {
        /// Number
        number: u64,
    },
    /// Try one again, or all
    Retry {
        /// Number; all where left out
        number: Option<u64>,
        #[command(flatten)]
        by: By,
    },
    /// Close some that nobody will mend, such as those of a wrong file
    #[command(after_help = "Examples:\n  kulanz dead-letters discard 7 --as ada\n  kulanz \
                            dead-letters discard $(seq 2 226) --as ada\n\nThey are kept, and shown \
                            by `list --all`. An event that is sent once more is taken as ever.")]
    Discard {
        /// Their numbers
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<u64>,
        #[command(flatten)]
        by: By,
    },
}

/// Runs `kulanz dead-letters …`.
pub async fn run(places: &Places, command: Letters) -> Result<()> {
    match command {
        Letters::List { all, json } => list(&*data::read(places).await?, all, json).await,
        Letters::Show { number } => show(&*data::read(places).await?, places, number).await,
        Letters::Retry { number, by } => {
            client::give(places, Order::RetryDeadLetters { number }, by.into()).await
        }
        Letters::Discard { numbers, by } => {
            client::give(places, Order::DiscardDeadLetters { numbers }, by.into()).await
        }
    }
}

/// Closes dead letters for good: all that are named, or none where one of them is not open. Where
/// the order is gone on with, `again`, some are closed already.
pub async fn discard(house: &House, numbers: &[u64], person: &str, again: bool) -> Result<String> {
    let store = house.engine.store();
    let there = store.dead_letters(!again, MOST).await?;
    if let Some(number) = numbers.iter().find(|&&n| there.iter().all(|one| one.number != n)) {
        bail!("no open dead letter {number}; `kulanz dead-letters list` shows those there are");
    }
    let mut closed = 0;
    for number in numbers {
        closed += usize::from(store.close_dead_letter(*number).await? || again);
        tracing::info!(number, person, "a dead letter was discarded");
    }
    Ok(format!("{} discarded", count(closed, "dead letter")))
}

/// Tries one dead letter again, or all open ones. Those that fail again stay open. An event that was
/// taken before is not taken twice: where the order is gone on with, `again`, some are closed already.
pub async fn retry(house: &House, number: Option<u64>, again: bool) -> Result<String> {
    let store = house.engine.store();
    let mut letters = store.dead_letters(true, MOST).await?;
    if let Some(number) = number {
        letters.retain(|letter| letter.number == number);
        if letters.is_empty() && again {
            return Ok(format!("dead letter {number} is closed already"));
        }
        if letters.is_empty() {
            bail!("no open dead letter {number}; `kulanz dead-letters list` shows those there are");
        }
    }
    let harmless = harmless(&house.loaded);
    let options = DecodeOptions { harmless_attributes: &harmless };
    let (mut taken, mut failed) = (0, Vec::new());
    for letter in letters {
        let engine = &house.engine;
        let opened = engine.open_letter(letter.account.as_ref(), &letter.sealed).await?;
        let Some(bytes) = opened else {
            failed.push(format!("{}: its account was erased", letter.number));
            continue;
        };
        let decoded = match intake::decoded(|| kulanz_wire::decode(&bytes, &options)) {
            Ok(inbound) => inbound,
            Err(rejection) => {
                failed.push(format!("{}: {}", letter.number, rejection.sentence));
                continue;
            }
        };
        let receipts = engine.record(vec![intake::incoming(&decoded)?]).await?;
        match receipts.first() {
            Some(kulanz_engine::Receipt::Accepted | kulanz_engine::Receipt::Duplicate) => {
                store.close_dead_letter(letter.number).await?;
                taken += 1;
            }
            Some(other) => failed.push(format!("{}: {other:?}", letter.number)),
            None => failed.push(format!("{}: no answer", letter.number)),
        }
    }
    let mut said = format!("{} taken", count(taken, "dead letter"));
    if !failed.is_empty() {
        said.push_str(&format!(", {} still open:\n  {}", failed.len(), failed.join("\n  ")));
    }
    Ok(said)
}

/// Prints the dead letters, open ones or all.
pub async fn list(store: &dyn Store, all: bool, as_json: bool) -> Result<()> {
    let letters = store.dead_letters(!all, MOST).await?;
    if as_json {
        let rows: Vec<_> = letters.iter().map(row).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if letters.is_empty() {
        println!("no {}dead letters", if all { "" } else { "open " });
        return Ok(());
    }
    for letter in &letters {
        println!(
            "{:>6}  {}  {:<16} {}\n        {}",
            letter.number,
            letter.received_at.strftime("%Y-%m-%d %H:%M"),
            letter.reason,
            letter.origin,
            letter.detail
        );
    }
    println!(
        "`kulanz dead-letters retry` tries them again once what is wrong was mended; `discard` closes \
         what nobody will mend"
    );
    Ok(())
}

fn row(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "number": letter.number, "received_at": letter.received_at.to_string(),
        "origin": letter.origin, "reason": letter.reason, "detail": letter.detail,
        "account": letter.account, "open": letter.open,
    })
}

/// Prints one dead letter with its original bytes.
pub async fn show(store: &dyn Store, places: &Places, number: u64) -> Result<()> {
    let letters = store.dead_letters(false, MOST).await?;
    let Some(letter) = letters.into_iter().find(|letter| letter.number == number) else {
        bail!("no dead letter {number}");
    };
    let settings = Settings::read(&places.config)?;
    let vault = house::vault(&places.data, &settings, store).await?;
    let key = match &letter.account {
        None => Some(vault.service_key().clone()),
        Some(account) => {
            let heads = store.heads(vec![account.clone()]).await?;
            let wrapped = heads.into_iter().flatten().find_map(|head| head.key);
            wrapped.map(|wrapped| vault.unwrap_key(account, &wrapped)).transpose()?
        }
    };
    println!("{}", serde_json::to_string_pretty(&row(&letter))?);
    match key {
        Some(key) => {
            let bytes = key.open("dead letter", &letter.sealed)?;
            // As they came, also where they are no text.
            let mut out = std::io::stdout().lock();
            out.write_all(&bytes)?;
            out.write_all(b"\n")?;
        }
        None => println!("its account was erased: the original cannot be read any more"),
    }
    Ok(())
}
