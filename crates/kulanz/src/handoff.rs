//! Placements on their way to an agency: released by persons, written as folders, recalled.
//!
//! What is out is known from the accounts; what was written, from the store's list. Whatever is
//! out and not on the list is written: after a crash, too, once and with the same contents.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use kulanz_delivery::placement::{
    CreditorCard, Handoff, Recall, Update, build,
    document::{self, PostalAddress},
    write_folder, write_recall, write_update,
};
use kulanz_domain::{
    Account, AccountEvent, Command, account::PlacementState, event::Suppression, ids::*,
};
use kulanz_engine::{Done, Extra, panics};
use kulanz_store::{PlacementRow, Store};
use serde_json::json;

use crate::{
    house::{House, count},
    instances,
    orders::{Hand, Outcome, rules},
};

mod copies;

pub use copies::erase as erase_copies;

const MOST: u32 = 100_000;
/// State of a placement whose folder was written; more may follow, see [`told_of`].
const DELIVERED: &str = "delivered";
/// State of one whose agency was told to stop.
const RECALLED: &str = "recalled";
/// Work lists that tell of placements.
const LISTS: [&str; 6] = [
    "release",
    "incomplete_placement",
    "with_agency",
    "recalled_placement",
    "rejected_placement",
    "closed_placement",
];

/// A person agrees to a placement; once enough have, its folder is written.
pub async fn release(
    house: &House,
    hand: &Hand<'_>,
    account: &AccountId,
    placement: &PlacementId,
    person: &str,
) -> Result<Outcome> {
    let engine = &house.engine;
    let loaded = engine.load(account).await?.context("no such account")?;
    if !loaded.account.placements.contains_key(placement) {
        bail!("no placement {placement} on {account}; `kulanz handoff list` shows those there are");
    }
    let command = Command::ReleasePlacement {
        placement: placement.clone(),
        by: person.to_owned(),
        now: engine.clock().now(),
        rules: rules(engine, account)?,
    };
    let released = |done: &Done| done.kinds.contains(&"PlacementReleased");
    let elsewhere =
        format!("{placement} is released; the instance that hands over writes its folder");
    let agreed = format!("{person} agreed to {placement}; a second person has to");
    let said = move |done: &Done| match released(done) {
        true => vec![elsewhere.clone()],
        false => vec![agreed.clone()],
    };
    let mut outcome = hand.give(account, command, Extra::default(), said).await?;
    let is_released = outcome.events.iter().any(|kind| kind == "PlacementReleased");
    if is_released && writes(house).await? {
        let folder = deliver(house, account, placement).await.with_context(|| {
            format!(
                "{placement} is released; its folder is not written yet, which a server tries again"
            )
        })?;
        outcome.said = vec![format!("{placement} is released: {}", folder.display())];
    }
    Ok(outcome)
}

/// The folder of an agency's placements: below the data folder unless the settings say otherwise.
fn root(house: &House, agency: &AgencyId, creditor: &CreditorId) -> Result<PathBuf> {
    let base = instances::placements(house);
    let file = house.loaded.creditors.get(creditor).context("the creditor's file is gone")?;
    let agency = file.agencies.iter().find(|known| known.id == *agency);
    let agency = agency.context("the agency is not in the creditor's file any more")?;
    Ok(base.join(&agency.directory))
}

/// The account as it stood right after the release, and when that was.
async fn at_release(
    store: &dyn Store,
    account: &AccountId,
    placement: &PlacementId,
) -> Result<(Account, Timestamp)> {
    let mut state = Account::default();
    for event in store.stream(account.clone(), 0).await? {
        let event: AccountEvent = serde_json::from_str(&event.payload)?;
        state.apply_event(&event);
        if let AccountEvent::PlacementReleased { placement: released, at, .. } = &event
            && released == placement
        {
            return Ok((state, *at));
        }
    }
    bail!("placement {placement} was never released")
}

async fn deliver(house: &House, id: &AccountId, placement: &PlacementId) -> Result<PathBuf> {
    let engine = &house.engine;
    let loaded = engine.load(id).await?.context("no such account")?;
    let secrets = engine.secrets(id, &loaded, &[]).await?;
    let (account, at) = at_release(&**engine.store(), id, placement).await?;
    let file = house.loaded.creditors.get(&id.creditor).context("the creditor's file is gone")?;
    let card = CreditorCard {
        legal_name: file.legal_name.clone(),
        address: PostalAddress {
            street: file.address.street.clone(),
            postcode: file.address.postcode.clone(),
            city: file.address.city.clone(),
            region: None,
            country: Some(file.address.country.clone()),
        },
        iban: file.iban.clone(),
        input_tax_deduction: file.input_tax_deduction,
        support_email: file.support.email.clone(),
        support_phone: file.support.phone.clone(),
    };
    let creditor = &file.creditor;
    let from =
        Handoff { id, account: &account, placement, secrets: &secrets, creditor, card: &card, at };
    let data = build(&from)?;
    let root = root(house, &data.agency, &id.creditor)?;
    let agency = data.agency.to_string();
    let folder = beside(move || write_folder(&root, &data)).await??;
    mark(house, id, placement, agency, DELIVERED).await?;
    tracing::info!(account = %id, %placement, "placement written");
    Ok(folder)
}

async fn mark(
    house: &House,
    account: &AccountId,
    placement: &PlacementId,
    agency: String,
    state: &str,
) -> Result<()> {
    let row = PlacementRow {
        placement: placement.clone(),
        account: account.clone(),
        agency,
        state: state.to_owned(),
        changed_at: house.engine.clock().now(),
    };
    Ok(house.engine.store().put_placement(row).await?)
}

/// Writes the folders and recalls that are due and not written yet.
pub async fn deliver_released(house: &House) -> Result<()> {
    let store = house.engine.store();
    let rows = store.placements().await?;
    let written: HashMap<_, _> = rows.into_iter().map(|row| (row.placement, row.state)).collect();
    let mut failed = 0;
    for list in ["with_agency", "recalled_placement"] {
        for (account, row) in store.work(Some(list.to_owned()), MOST).await? {
            let placement = PlacementId::new(&row.item)?;
            let state = written.get(&placement).map(String::as_str);
            let work = async {
                match (list, state) {
                    ("with_agency", None) => deliver(house, &account, &placement).await.map(drop),
                    ("with_agency", Some(state)) if state != told_of(&row.detail) => {
                        update(house, &account, &placement, &told_of(&row.detail)).await
                    }
                    ("recalled_placement", Some(state)) if state.starts_with(DELIVERED) => {
                        recall(house, &account, &placement).await
                    }
                    _ => Ok(()),
                }
            };
            // One that cannot be written stays on its list, and holds up no other.
            if let Err(error) = alone(work).await {
                let error = format!("{error:#}");
                tracing::error!(%account, %placement, error, "a placement cannot be written");
                failed += 1;
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => bail!("{}", count(failed, "placement's file")),
    }
}

/// The state of a placement whose folder was written, with what the agency was told since.
fn told_of(detail: &str) -> String {
    match detail.split_once("; ") {
        Some((_, moved)) => format!("{DELIVERED}; {moved}"),
        None => DELIVERED.to_owned(),
    }
}

/// Tells the agency what is open by now of a placement that it has.
async fn update(house: &House, id: &AccountId, placement: &PlacementId, told: &str) -> Result<()> {
    let mut account = Account::default();
    let mut last = None;
    for event in house.engine.store().stream(id.clone(), 0).await? {
        account.apply_event(&serde_json::from_str(&event.payload)?);
        last = Some((event.version, event.recorded_at));
    }
    let (version, at) = last.context("no such account")?;
    let entry = account.placements.get(placement).context("no such placement")?;
    if entry.state != PlacementState::Released {
        return Ok(()); // it was called back meanwhile
    }
    let file = house.loaded.creditors.get(&id.creditor).context("the creditor's file is gone")?;
    let zone = &file.creditor.zone;
    let update = Update::new(id, placement, entry, &account, (at, zone));
    let root = root(house, &entry.agency, &id.creditor)?;
    beside(move || write_update(&root, &update, version)).await??;
    mark(house, id, placement, entry.agency.to_string(), told).await?;
    tracing::info!(account = %id, %placement, "the agency is told what is open by now");
    Ok(())
}

/// Works on one of many: one that makes the program panic fails like any other, and holds up none.
async fn alone<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    panics::caught_in("handoff", work).await?
}

/// Waits for what blocks. Of a panic nothing is told but that it was one.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(move || panics::caught("handoff", work)).await;
    Ok(done.map_err(|error| anyhow!("{}", panics::ended(&error)))??)
}

/// Whether this instance writes folders: one does, and has the folder that they go into.
async fn writes(house: &House) -> Result<bool> {
    Ok(instances::has_the_folder(house).await? && house.engine.leads(instances::HANDOFF).await?)
}

/// Looks for folders and recalls to write, for ever.
pub async fn run(house: Arc<House>) {
    let mut told = false;
    let mut looked_through = false;
    loop {
        let turn = async {
            if !house.engine.is_in_force().await? {
                return Ok(());
            }
            if !instances::has_the_folder(&house).await? {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!("{}", instances::not_the_folder(&house));
                }
                return Ok(());
            }
            let due = async {
                // A folder that cannot be erased keeps nobody else's placement back.
                match copies::erase_left(&house, !looked_through).await {
                    Ok(()) => looked_through = true,
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::error!(error, "copies of erased persons are left");
                    }
                }
                deliver_released(&house).await
            };
            let led = house.engine.leading(instances::HANDOFF, due).await?;
            led.unwrap_or(Ok(()))
        };
        if let Err(error) = turn.await {
            tracing::error!(error = format!("{error:#}"), "placements cannot be written");
        }
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
}

async fn recall(house: &House, id: &AccountId, placement: &PlacementId) -> Result<()> {
    let mut found: Option<(Suppression, Timestamp)> = None;
    for event in house.engine.store().stream(id.clone(), 0).await? {
        if let AccountEvent::PlacementRecalled { placement: recalled, reason } =
            serde_json::from_str(&event.payload)?
            && recalled == *placement
        {
            found.get_or_insert((reason, event.recorded_at));
        }
    }
    let Some((reason, at)) = found else { return Ok(()) };
    let loaded = house.engine.load(id).await?.context("no such account")?;
    let entry = loaded.account.placements.get(placement).context("no such placement")?;
    let recall = Recall {
        format: document::FORMAT,
        placement: placement.clone(),
        agency: entry.agency.clone(),
        creditor: id.creditor.clone(),
        claims: entry.claims.clone(),
        recalled_at: at,
        reason: reason.into(),
    };
    let root = root(house, &entry.agency, &id.creditor)?;
    beside(move || write_recall(&root, &recall)).await??;
    mark(house, id, placement, entry.agency.to_string(), RECALLED).await
}

/// Prints the placements that wait, lack something, are out, or are not erased yet.
pub async fn list(store: &dyn Store, as_json: bool) -> Result<()> {
    let mut rows = Vec::new();
    for list in LISTS {
        let found = store.work(Some(list.to_owned()), MOST).await?.into_iter();
        rows.extend(found.map(|(account, row)| (row.item, account, row.list, row.detail)));
    }
    for left in copies::unfinished(store).await? {
        let detail = format!("its copy for {} is not erased yet", left.agency);
        let state = "erasure_unfinished".to_owned();
        rows.push((left.placement.to_string(), left.account, state, detail));
    }
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(placement, account, state, detail)| {
                json!({ "placement": placement, "account": account, "state": state,
                        "detail": detail })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if rows.is_empty() {
        println!("no placements");
    }
    for (placement, account, state, detail) in &rows {
        println!("{placement:<28} {:<24} {state:<22} {detail}", account.to_string());
    }
    Ok(())
}

/// The account of a placement that waits to be released.
pub async fn account_of(store: &dyn Store, placement: &PlacementId) -> Result<AccountId> {
    for list in LISTS {
        let rows = store.work(Some(list.to_owned()), MOST).await?;
        if let Some((account, _)) = rows.into_iter().find(|(_, r)| r.item == placement.as_str()) {
            return Ok(account);
        }
    }
    bail!("no placement {placement}; `kulanz handoff list` shows those there are")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn says_nothing_of_it(told: &anyhow::Error) {
        assert!(matches!(told.downcast_ref(), Some(kulanz_engine::Fault::Panicked)), "{told:#}");
        assert!(!format!("{told:#}").contains("Kim"));
    }

    #[tokio::test]
    async fn what_makes_the_program_panic_fails_alone_and_is_told_without_what_it_says() {
        let folder = || -> u8 { panic!("Kim lives at kim@example.org") };
        says_nothing_of_it(&beside(folder).await.unwrap_err());
        assert_eq!(beside(|| 7).await.unwrap(), 7);
        let copy = async { panic!("Kim lives at kim@example.org") };
        says_nothing_of_it(&alone::<u8>(copy).await.unwrap_err());
        assert_eq!(alone(async { Ok(7) }).await.unwrap(), 7);
    }
}
