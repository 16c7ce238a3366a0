//! Tokens: random, shown once, kept as a hash.

use anyhow::{Result, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use kulanz_domain::ids::CreditorId;
use kulanz_engine::{token_hash, vault::random};
use kulanz_store::{Store, TokenRow};
use serde_json::json;

use crate::{data, house::Places, settings::Settings};

/// Makes a token and prints it.
pub async fn create(
    places: &Places,
    person: &str,
    role: &str,
    creditor: Option<CreditorId>,
    as_json: bool,
) -> Result<()> {
    let person = person.trim();
    if person.is_empty() || person.len() > 64 || person.chars().any(char::is_control) {
        bail!("a person's name has 1 to 64 characters");
    }
    let token = format!("kz_{}", URL_SAFE_NO_PAD.encode(random::<24>()?));
    let settings = Settings::read(&places.config)?;
    let store = data::open(&places.data, &settings).await.map_err(|error| {
        error.context("tokens are made while no server runs on the data: stop it for a moment")
    })?;
    store
        .put_token(TokenRow {
            token_hash: token_hash(&token),
            person: person.to_owned(),
            role: role.to_owned(),
            creditor: creditor.clone(),
            created_at: Timestamp::now(),
        })
        .await?;
    if as_json {
        let row = json!({ "token": token, "person": person, "role": role, "creditor": creditor });
        println!("{}", serde_json::to_string_pretty(&row)?);
    } else {
        println!("{token}");
        eprintln!("This is the only time that it is shown. It says: {person}, {role}.");
    }
    Ok(())
}

/// Prints who holds tokens.
pub async fn list(store: &dyn Store, as_json: bool) -> Result<()> {
    let rows = store.tokens().await?;
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({ "person": row.person, "role": row.role, "creditor": row.creditor,
                        "created_at": row.created_at.to_string() })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if rows.is_empty() {
        println!("no tokens: whoever is on this machine may do everything");
    }
    for row in rows {
        let scope = row.creditor.as_ref().map_or("all creditors", |creditor| creditor.as_str());
        println!("{:<24} {:<9} {scope}", row.person, row.role);
    }
    Ok(())
}
