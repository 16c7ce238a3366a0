//! Tokens: random, shown once, kept as a hash.

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use jiff::Timestamp;
use kulanz_domain::ids::CreditorId;
use kulanz_engine::{token_hash, vault::random};
use kulanz_store::{Store, TokenRow};
use serde_json::json;

use crate::{data, house::Places, settings::Settings, typed};

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// Make a token; it is shown once
    #[command(after_help = "Roles: events (send events, make paylinks, with --creditor read \
                            messages), read (accounts), clerk (holds, waivers, plans), approver \
                            (also erasures, write-offs), admin (all).\n\nExample:\n  kulanz \
                            token create --person shop --role events --creditor lindenmoor")]
    Create {
        /// Person or system that holds it
        #[arg(long, value_parser = typed::person)]
        person: String,
        /// What it may do
        #[arg(long, value_parser = ["events", "read", "clerk", "approver", "admin"])]
        role: String,
        /// Only this creditor
        #[arg(long)]
        creditor: Option<CreditorId>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Who holds tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Makes a token or lists them.
pub async fn run(places: &Places, command: Tokens) -> Result<()> {
    match command {
        Tokens::Create { person, role, creditor, json } => {
            create(places, &person, &role, creditor, json).await
        }
        Tokens::List { json } => list(&*data::read(places).await?, json).await,
    }
}

/// Makes a token and prints it.
async fn create(
    places: &Places,
    person: &str,
    role: &str,
    creditor: Option<CreditorId>,
    as_json: bool,
) -> Result<()> {
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
        let file = |id: &CreditorId| places.config.join(format!("policies/creditors/{id}.yaml"));
        if let Some(id) = creditor.filter(|id| !file(id).exists()) {
            eprintln!("note: it is good for {id} alone, and there is no {}", file(&id).display());
        }
    }
    Ok(())
}

/// Prints who holds tokens.
async fn list(store: &dyn Store, as_json: bool) -> Result<()> {
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
