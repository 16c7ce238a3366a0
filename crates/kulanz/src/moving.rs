//! `kulanz move`: from the data folder into the PostgreSQL database that `kulanz.yaml` names, or back.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result, bail};
use kulanz_store::StoreError;
use serde_json::json;

use crate::{data, house::Places, progress, settings::Settings};

mod back;

/// For people.
pub const EXAMPLES: &str = "Stop the server, name an empty database in kulanz.yaml, then:\n  \
                            kulanz move\n  kulanz doctor && kulanz serve\n\nAnd back, with \
                            `database` in kulanz.yaml still:\n  kulanz move --back\n  take \
                            `database` out, then: kulanz doctor && kulanz serve";

/// What `move` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// From the database into the data folder, which has none yet
    #[arg(long)]
    back: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Moves the data. The embedded database is put aside under another name: nobody may go on with it.
pub async fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    if options.back {
        return back::run(places, options).await;
    }
    let settings = Settings::read(&places.config)?;
    let Some(config) = data::config(&settings)? else {
        bail!(
            "kulanz.yaml names no database to move to: make an empty one and name it, e.g. \
             `database: postgres://kulanz@localhost/kulanz`"
        );
    };
    let embedded = places.data.join(data::EMBEDDED);
    let aside = places.data.join(format!("{}.moved", data::EMBEDDED));
    if !embedded.exists() && aside.exists() {
        bail!(
            "{} was moved already, and is {} now: `kulanz serve` works on the database that \
             kulanz.yaml names",
            embedded.display(),
            aside.display()
        );
    }
    if !embedded.exists() {
        bail!(
            "there is no kulanz.db to move at {}; --data DIR names another folder",
            places.data.display()
        );
    }
    if aside.exists() {
        bail!("{} is there already, of an earlier move: take it elsewhere", aside.display());
    }
    let there = config.place();
    let bar = progress::things(0, "rows");
    let told = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let moved = kulanz_store::transfer(&places.data, config, told).await;
    bar.finish_and_clear();
    let moved = moved.map_err(|error| match error {
        StoreError::InUse => anyhow::anyhow!(
            "another `kulanz` works on the folder {} or on the database: stop it first",
            places.data.display()
        ),
        // The last word of the database may be what was lost.
        lost @ StoreError::Unreachable(..) => anyhow::Error::new(lost).context(
            "the move was broken off, and the folder is as it was. Where the database turns out \
             to have all of it (`kulanz doctor`), put kulanz.db aside before you serve that",
        ),
        other => anyhow::Error::new(other).context("nothing was moved"),
    })?;
    fs::rename(&embedded, &aside).with_context(|| {
        format!(
            "all was moved, but {} could not be renamed: take it elsewhere, since whoever served \
             it would contact debtors a second time",
            embedded.display()
        )
    })?;
    if options.json {
        println!(
            "{}",
            json!({ "accounts": moved.accounts, "events": moved.events, "rows": moved.rows,
                    "aside": aside })
        );
    } else {
        println!(
            "{} accounts with {} events are in the database of {there}.",
            moved.accounts, moved.events
        );
        println!(
            "{} is what was moved. Erasures do not reach it: delete it once you have a copy of \
             the database. master.key and the rest of the folder stay in use.",
            aside.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
