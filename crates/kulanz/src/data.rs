//! Opens what an installation keeps: the embedded store in its data folder, or the PostgreSQL
//! database that `kulanz.yaml` names.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use kulanz_store::{
    Store, StoreError,
    postgres::{PostgresConfig, PostgresStore},
    sqlite::SqliteStore,
};

use crate::{house::Places, settings::Settings};

/// The embedded database within the data folder.
pub const EMBEDDED: &str = "kulanz.db";

/// Opens the data for writing: an embedded store for this process alone, a database beside other
/// instances.
pub async fn open(data: &Path, settings: &Settings) -> Result<Arc<dyn Store>> {
    opened(try_open(data, settings, false).await?, data, settings)
}

/// Opens the data for this process alone.
pub async fn open_alone(data: &Path, settings: &Settings) -> Result<Arc<dyn Store>> {
    opened(try_open(data, settings, true).await?, data, settings)
}

/// Whether several processes may work on the data at once.
pub fn is_shared(places: &Places) -> Result<bool> {
    Ok(Settings::read(&places.config)?.database.is_some())
}

fn opened(
    opened: std::result::Result<Arc<dyn Store>, StoreError>,
    data: &Path,
    settings: &Settings,
) -> Result<Arc<dyn Store>> {
    opened.map_err(|error| match error {
        StoreError::InUse => {
            anyhow::anyhow!(
                "{} is in use: another `kulanz` is working on it; end that one first",
                place(data, settings)
            )
        }
        other => refused(other, data, settings),
    })
}

/// Whether a server works on the data.
pub async fn is_served(places: &Places) -> Result<bool> {
    let settings = Settings::read(&places.config)?;
    if settings.database.is_none() && !places.data.join(EMBEDDED).exists() {
        bail!("no data at {}; --data DIR names another folder", places.data.display());
    }
    if let Some(config) = config(&settings)? {
        let served = PostgresStore::is_served(&config).await;
        return served.map_err(|error| refused(error, &places.data, &settings));
    }
    match SqliteStore::open(&places.data) {
        Ok(_) => Ok(false),
        Err(StoreError::InUse) => Ok(true),
        Err(other) => Err(refused(other, &places.data, &settings)),
    }
}

/// Whether there are data that could be read.
pub fn is_there(places: &Places) -> Result<bool> {
    let named = Settings::read(&places.config)?.database.is_some();
    Ok(named || places.data.join(EMBEDDED).exists())
}

/// Opens the data for reading, also while a server works on them.
pub async fn read(places: &Places) -> Result<Arc<dyn Store>> {
    let (data, settings) = (&places.data, Settings::read(&places.config)?);
    if let Some(config) = config(&settings)? {
        let opened = PostgresStore::open_read_only(config).await;
        return Ok(Arc::new(opened.map_err(|error| refused(error, data, &settings))?));
    }
    if !data.join(EMBEDDED).exists() {
        bail!(
            "no data at {}: `kulanz import` and `kulanz serve` make it; --data DIR names another \
             folder",
            data.display()
        );
    }
    Ok(Arc::new(SqliteStore::open_read_only(data)?))
}

/// Where the data are, for people.
pub fn place(data: &Path, settings: &Settings) -> String {
    match config(settings) {
        Ok(None) => format!("the data folder {}", data.display()),
        Ok(Some(config)) => format!("the database of {}", config.place()),
        Err(_) => "the database in kulanz.yaml".to_owned(),
    }
}

async fn try_open(
    data: &Path,
    settings: &Settings,
    alone: bool,
) -> Result<std::result::Result<Arc<dyn Store>, StoreError>> {
    let Some(config) = config(settings)? else {
        return Ok(SqliteStore::open(data).map(|store| Arc::new(store) as Arc<dyn Store>));
    };
    std::fs::create_dir_all(data)
        .with_context(|| format!("the data folder {} cannot be made", data.display()))?;
    if data.join(EMBEDDED).exists() {
        let embedded = data.join(EMBEDDED);
        tracing::warn!(
            embedded = %embedded.display(),
            "left alone: the data are in PostgreSQL (`kulanz move` takes a folder's into an empty \
             database)"
        );
    }
    let opened = match alone {
        true => PostgresStore::open_alone(config).await,
        false => PostgresStore::open_shared(config).await,
    };
    Ok(opened.map(|store| Arc::new(store) as Arc<dyn Store>))
}

/// The database that the settings name, with its password.
pub fn config(settings: &Settings) -> Result<Option<PostgresConfig>> {
    let Some(url) = &settings.database else {
        if settings.database_password.is_some() {
            bail!("database_password in kulanz.yaml is of no use without `database`");
        }
        return Ok(None);
    };
    let config: PostgresConfig = url.parse().context("`database` in kulanz.yaml")?;
    if config.has_password() {
        bail!(
            "`database` in kulanz.yaml holds a password: secrets stand in the environment or in \
             files of their own. Name the place with database_password: {{ env: NAME }}"
        );
    }
    Ok(Some(match &settings.database_password {
        Some(secret) => {
            let password = secret.reveal().context("database_password in kulanz.yaml")?;
            config.with_password(&password)
        }
        None => config,
    }))
}

fn refused(error: StoreError, data: &Path, settings: &Settings) -> anyhow::Error {
    let place = place(data, settings);
    anyhow::Error::new(error).context(format!("{place} cannot be opened"))
}
