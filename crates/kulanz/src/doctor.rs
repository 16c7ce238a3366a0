//! `kulanz doctor` and `kulanz rebuild`.

use std::process::ExitCode;

use anyhow::Result;
use kulanz_engine::{rebuild, vault::Vault};
use kulanz_store::Store;
use serde_json::json;

use crate::{
    book, brake, data,
    house::{Places, count, load_policies, machine_day},
    in_force, instances, kafka,
    law::rates::Installed,
    progress,
    settings::Settings,
    webhooks,
};

/// Computes the read side again.
pub async fn rebuild(places: &Places, as_json: bool) -> Result<()> {
    let store = data::open_alone(&places.data, &Settings::read(&places.config)?).await?;
    let (accounts, _) = store.book(None).await?;
    let bar = progress::things(accounts, "accounts");
    let rebuilt = rebuild::rebuild(&*store, |done| bar.set_position(done)).await?;
    bar.finish_and_clear();
    if as_json {
        let wrong = &rebuilt.wrong_snapshots;
        println!("{}", json!({ "accounts": rebuilt.accounts, "wrong_snapshots": wrong }));
    } else {
        println!("{} accounts computed again from their events", rebuilt.accounts);
    }
    if !rebuilt.wrong_snapshots.is_empty() {
        let wrong: Vec<String> = rebuilt.wrong_snapshots.iter().map(ToString::to_string).collect();
        anyhow::bail!("snapshots that say something else than their events: {}", wrong.join(", "));
    }
    Ok(())
}

/// One thing that was looked at.
struct Check {
    what: &'static str,
    wrong: Option<String>,
    said: String,
}

/// Looks at everything; exit code 1 where something is wrong.
pub async fn run(places: &Places, as_json: bool) -> Result<ExitCode> {
    let mut checks = Vec::new();
    let mut note = |what, result: Result<String>| {
        checks.push(match result {
            Ok(said) => Check { what, wrong: None, said },
            Err(error) => Check { what, wrong: Some(format!("{error:#}")), said: String::new() },
        });
    };
    let today = machine_day();
    let loaded = load_policies(&places.config, today);
    let by_kafka = loaded
        .as_ref()
        .is_ok_and(|loaded| loaded.creditors.values().any(|file| !file.by_kafka.is_empty()));
    note(
        "policies",
        loaded.map(|loaded| {
            let policies = match loaded.policies.len() {
                1 => "1 policy".to_owned(),
                number => format!("{number} policies"),
            };
            format!("{policies}, {}", count(loaded.creditors.len(), "creditor"))
        }),
    );
    note(
        "settings",
        Settings::read(&places.config).and_then(|settings| {
            let own = if by_kafka { ", the shop's own by Kafka" } else { "" };
            Ok(match (settings.smtp.is_some(), settings.sms.is_some()) {
                _ if by_kafka && settings.kafka.is_none() => {
                    anyhow::bail!("a creditor has `via: kafka`, and no Kafka is named")
                }
                (false, false) if !by_kafka => {
                    "no gateway: messages are on the outbox page only".to_owned()
                }
                (mail, sms) => format!("mail server: {mail}, SMS gateway: {sms}{own}"),
            })
        }),
    );
    note("base rates", Installed::read(&places.data).map(|rates| rates.state(today)));
    let mut opened = None;
    match data::read(places).await {
        Err(error) => note("data", Err(error)),
        Ok(store) => {
            note("master key", master_key(places, &*store).await);
            note("policies in force", in_force(&*store).await);
            let where_they_are = Settings::read(&places.config)
                .map(|settings| data::place(&places.data, &settings))
                .unwrap_or_default();
            let whole = integrity(&*store).await;
            note("data", whole.map(|said| format!("{where_they_are}: {said}")));
            note("read side", agreement(&*store).await);
            note("brakes", brake::healthy(&*store).await);
            note("webhooks", webhooks::outlook(places, &*store).await);
            note("waiting for a person", waiting(&*store).await);
            opened = Some(store);
        }
    }
    if let Ok(Settings { kafka: Some(settings), .. }) = Settings::read(&places.config) {
        note("Kafka", kafka::state(&settings, opened.as_deref()).await);
    }
    let sick = checks.iter().any(|check| check.wrong.is_some());
    if as_json {
        let rows: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({ "what": check.what, "well": check.wrong.is_none(), "said": check.said,
                        "wrong": check.wrong })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        for check in &checks {
            match &check.wrong {
                None => println!("well   {:<22} {}", check.what, check.said),
                Some(wrong) => println!("WRONG  {:<22} {wrong}", check.what),
            }
        }
    }
    Ok(if sick { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether the master key is there and is that of the data.
async fn master_key(places: &Places, store: &dyn Store) -> Result<String> {
    let key = Settings::read(&places.config)?.master_key(&places.data);
    if !key.is_file() {
        anyhow::bail!(
            "{} is missing: nothing sealed can be read without it. Restore it from where you keep a \
             copy",
            key.display()
        );
    }
    let vault = Vault::open_or_make(&key)?;
    match instances::same_key(store, &vault, &key).await {
        // Nobody has kept it in mind yet, and whoever only looks does not.
        Err(error) if !error.is::<kulanz_store::StoreError>() => Err(error),
        _ => Ok("readable".to_owned()),
    }
}

/// What the data say is in force, which the folder need not agree with.
async fn in_force(store: &dyn Store) -> Result<String> {
    let slots = in_force::read(store).await?;
    let all = slots.iter().map(|(slot, one)| {
        let how = one
            .applied_by
            .as_ref()
            .map_or_else(|| "from the folder".to_owned(), |by| format!("applied by {by}"));
        format!("{slot}: {} version {}, {how}", one.policy, one.version)
    });
    Ok(all.collect::<Vec<_>>().join("; "))
}

async fn integrity(store: &dyn Store) -> Result<String> {
    match store.check().await {
        Ok(wrong) if wrong.is_empty() => Ok("whole".to_owned()),
        Ok(wrong) => anyhow::bail!("{}", wrong.join("; ")),
        // A server is writing: its own start has checked them.
        Err(kulanz_store::StoreError::ReadOnly) => Ok("readable".to_owned()),
        Err(error) => Err(error.into()),
    }
}

/// The read side's totals against those of the accounts.
async fn agreement(store: &dyn Store) -> Result<String> {
    let totals = book::totals(store, machine_day()).await?;
    let (_, rows) = store.book(None).await?;
    for row in rows {
        let code = row.currency.code();
        let from_accounts = totals
            .currencies
            .get(code)
            .map(|t| kulanz_engine::views::minor_units(t.outstanding, row.currency));
        if from_accounts != Some(row.outstanding) {
            anyhow::bail!(
                "{code}: the rows say {} outstanding, the accounts {from_accounts:?} (in cents). \
                 `kulanz rebuild` computes the rows again",
                row.outstanding
            );
        }
    }
    Ok(format!("{} accounts, {} claims agree", totals.accounts, totals.claims))
}

async fn waiting(store: &dyn Store) -> Result<String> {
    let work = store.work(None, 10_000).await?.len();
    let letters = store.dead_letters(true, 10_000).await?.len();
    Ok(format!("{work} in `kulanz work`, {letters} in `kulanz dead-letters list`"))
}
