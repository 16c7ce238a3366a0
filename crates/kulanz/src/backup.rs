//! `kulanz backup`: a copy of the embedded data, made beside a running server. The key that opens it is
//! left out: both together are what a thief would want.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use kulanz_store::{Store, sqlite::SqliteStore};
use serde_json::json;

use crate::{data, house::Places, settings::Settings};

/// What `backup` is asked for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// New folder for the copy
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Copies the data and opens the copy to see that it can be read.
pub async fn run(places: &Places, options: &Options) -> Result<ExitCode> {
    if Settings::read(&places.config)?.database.is_some() {
        bail!(
            "the data are in PostgreSQL, whose own tools make better copies: `pg_dump \
             --format=custom`, or what your provider has. Copy erasures.txt beside it, and keep \
             master.key elsewhere; docs/operations.md has the steps"
        );
    }
    if !data::is_there(places)? {
        bail!("no data at {}; --data DIR names another folder", places.data.display());
    }
    let to = &options.to;
    if to.exists() {
        bail!("{} is there already: name a new folder", to.display());
    }
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    private(to)?;
    let (from, copy) = (places.data.clone(), to.join(data::EMBEDDED));
    let file = copy.clone();
    tokio::task::spawn_blocking(move || SqliteStore::copy_to(&from, &file))
        .await?
        .with_context(|| format!("the data were not copied; remove {}", to.display()))?;
    // After the database: whoever is erased in between is on the list, though the key is in the copy.
    let erasures = places.data.join("erasures.txt");
    if erasures.exists() {
        fs::copy(&erasures, to.join("erasures.txt")).context("erasures.txt was not copied")?;
    }
    let copied = SqliteStore::open_read_only(to).context("the copy cannot be read")?;
    let faults = copied.check().await.context("the copy cannot be read")?;
    if !faults.is_empty() {
        bail!("the copy is damaged: {}", faults.join("; "));
    }
    let (accounts, _) = copied.book(None).await?;
    let position = copied.position().await?;
    let bytes = fs::metadata(&copy).with_context(|| copy.display().to_string())?.len();
    if options.json {
        println!("{}", json!({ "accounts": accounts, "position": position, "bytes": bytes }));
    } else {
        println!("{accounts} accounts up to event {position}, {bytes} bytes: {}", to.display());
        println!(
            "master.key is not in it: keep it elsewhere. To restore, put the copy and master.key \
             into an empty data folder, with the newest erasures.txt that you have."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// For its owner alone.
fn private(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .with_context(|| folder.display().to_string())?;
    }
    Ok(())
}
