//! Dead letters: what came in and could not be taken, kept sealed until a person decides.

use std::io::Write;

use anyhow::{Result, bail};
use kulanz_store::{DeadLetter, Store};
use kulanz_wire::DecodeOptions;
use serde_json::json;

use crate::{
    house::{self, House, Places, count, harmless},
    intake,
    settings::Settings,
};

const MOST: u32 = 100_000;

/// Tries one dead letter again, or all open ones. Those that fail again stay open.
pub async fn retry(house: &House, number: Option<u64>) -> Result<String> {
    let store = house.engine.store();
    let mut letters = store.dead_letters(true, MOST).await?;
    if let Some(number) = number {
        letters.retain(|letter| letter.number == number);
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
        let decoded = kulanz_wire::decode(&bytes, &options);
        let decoded = match decoded {
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
    println!("`kulanz dead-letters retry` tries them again once what is wrong was mended");
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
