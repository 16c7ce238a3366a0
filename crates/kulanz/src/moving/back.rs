//! `kulanz move --back`: from the PostgreSQL database that `kulanz.yaml` names into the data folder.
//!
//! The copy is whole and durable beside its place before the database is given up, and comes to its
//! place after that: at no moment can both be served. Where this is broken off between the two, the
//! copy waits, and the database says where it is.

use std::{
    fs::{self, File},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use kulanz_store::StoreError;
use serde_json::json;

use super::Options;
use crate::{data, house::Places, progress, settings::Settings};

/// The folder of the copy until it comes to its place.
const COPY: &str = "kulanz.db.moving";

/// Moves the data. Nothing is deleted in the database, but nobody can go on with it.
pub(super) async fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    let settings = Settings::read(&places.config)?;
    let Some(config) = data::config(&settings)? else {
        bail!(
            "kulanz.yaml names no database to move from: name it, e.g. `database: \
             postgres://kulanz@localhost/kulanz`, and take it out again after the move"
        );
    };
    let place = places.data.join(data::EMBEDDED);
    let copy = places.data.join(COPY);
    if place.exists() {
        bail!("there are data at {} already: --data DIR names another folder", place.display());
    }
    if copy.exists() {
        bail!(
            "{} is there, of an earlier move that was broken off: delete it, unless the database \
             says that its data were moved to {}. Then bring {} there",
            copy.display(),
            place.display(),
            copy.join(data::EMBEDDED).display()
        );
    }
    let bar = progress::things(0, "rows");
    let told = |done, of| {
        bar.set_length(of);
        bar.set_position(done);
    };
    let there = config.place();
    let left = kulanz_store::leave(config, &copy, told).await;
    bar.finish_and_clear();
    let left = match left {
        Ok(left) => left,
        Err(error) => {
            // Of no use, and in the way of the next try.
            if copy.exists() {
                fs::remove_dir_all(&copy)?;
            }
            return Err(match error {
                StoreError::InUse => {
                    anyhow::anyhow!("another `kulanz` works on {there}: stop all instances first")
                }
                other => anyhow::Error::new(other).context("nothing was moved"),
            });
        }
    };
    let from = copy.join(data::EMBEDDED);
    let whole = fs::canonicalize(&places.data)?.join(data::EMBEDDED);
    let moved = left.for_good(&whole.display().to_string()).await.with_context(|| {
        format!(
            "the move was broken off at its end. Where the database turns out to have been given \
             up (`kulanz doctor`), bring {} to {}; else delete {}",
            from.display(),
            place.display(),
            copy.display()
        )
    })?;
    bring(&copy, &from, &place).with_context(|| {
        format!(
            "all was moved, but could not be brought to its place: bring {} to {}",
            from.display(),
            place.display()
        )
    })?;
    if options.json {
        println!(
            "{}",
            json!({ "accounts": moved.accounts, "events": moved.events, "rows": moved.rows,
                    "data": place })
        );
    } else {
        println!(
            "{} accounts with {} events are in {}.",
            moved.accounts,
            moved.events,
            place.display()
        );
        println!(
            "Take `database` out of kulanz.yaml before you serve them. In {there} all is as it was, \
             but no `kulanz` works on it any more. Erasures do not reach it: drop it once you have a \
             copy of the folder (`kulanz backup`)."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Brings the copy to its place, durably; never over something that is there.
fn bring(copy: &Path, from: &Path, place: &Path) -> std::io::Result<()> {
    fs::hard_link(from, place)?;
    if let Some(folder) = place.parent() {
        File::open(folder)?.sync_all()?;
    }
    fs::remove_dir_all(copy)
}
