//! What several instances on one database have to have in common, and how each finds out: the
//! master key, and the folder that placements go into.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use kulanz_engine::vault::{Vault, random};
use kulanz_store::Store;

use crate::{house::House, in_force::hex};

/// Where the data keep which master key sealed them.
const KEY: &str = "master_key";
/// Where the data keep which folder placements go into, and the file there that says the same.
const FOLDER: &str = "placements_folder";
const FOLDER_FILE: &str = ".kulanz-placements";
/// What one instance does for all: it writes the folders.
pub const HANDOFF: &str = "handoff";

/// Refuses a master key that did not seal what is there. The first one that comes is kept in mind.
pub async fn same_key(store: &dyn Store, vault: &Vault, path: &Path) -> Result<()> {
    let own = hex(vault.fingerprint());
    let other = || {
        anyhow::anyhow!(
            "{} is not the master key of these data: what one instance seals, all have to open. \
             Copy the file from an instance that works on them, or name it with master_key_file \
             in kulanz.yaml",
            path.display()
        )
    };
    let kept = match store.meta(KEY.to_owned()).await? {
        Some(kept) => kept,
        None => {
            // Data of a release that did not keep it in mind.
            for id in store.accounts(None, None, 100).await? {
                let heads = store.heads(vec![id.clone()]).await?;
                if let Some(wrapped) = heads.into_iter().flatten().find_map(|head| head.key) {
                    vault.unwrap_key(&id, &wrapped).map_err(|_| other())?;
                    break;
                }
            }
            if store.swap_meta(KEY.to_owned(), None, Some(own.clone())).await? {
                return Ok(());
            }
            store.meta(KEY.to_owned()).await?.context("the master key was forgotten meanwhile")?
        }
    };
    if kept == own { Ok(()) } else { Err(other()) }
}

/// Whether something was sealed, so that a new master key would be of no use.
pub async fn is_sealed(store: &dyn Store) -> Result<bool> {
    Ok(store.meta(KEY.to_owned()).await?.is_some()
        || !store.accounts(None, None, 1).await?.is_empty()
        || !store.dead_letters(false, 1).await?.is_empty())
}

/// Whether this instance may write placements: it has the folder that the first one had which
/// wrote any. Agencies look into one folder; another one on another machine would be missed.
pub async fn has_the_folder(house: &House) -> Result<bool> {
    let store = house.engine.store();
    if !store.is_shared() {
        return Ok(true);
    }
    let base = placements(house);
    let file = base.join(FOLDER_FILE);
    let mut kept = store.meta(FOLDER.to_owned()).await?;
    if kept.is_none() {
        fs::create_dir_all(&base).with_context(|| base.display().to_string())?;
        let made = OpenOptions::new().write(true).create_new(true).open(&file);
        let id = hex(&random::<8>()?);
        match made.and_then(|mut made| writeln!(made, "{id}")) {
            // Another one that has the same folder may have been faster.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| file.display().to_string());
            }
            _ => {}
        }
        if let Some(id) = mark(&file)? {
            store.swap_meta(FOLDER.to_owned(), None, Some(id)).await?;
        }
        kept = store.meta(FOLDER.to_owned()).await?;
    }
    Ok(kept.is_some() && mark(&file)? == kept)
}

/// What a folder is marked with, once that is written.
fn mark(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.strip_suffix('\n').map(str::to_owned)),
        Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
        Err(other) => Err(other).with_context(|| file.display().to_string()),
    }
}

/// What to do where [`has_the_folder`] says no.
pub fn not_the_folder(house: &House) -> String {
    format!(
        "{} is not the folder that placements of these data go into: this instance writes none. \
         Name the folder that all instances reach with `handoff` in kulanz.yaml; where it has \
         moved, take its file {FOLDER_FILE} along",
        placements(house).display()
    )
}

/// The folder that placements go into.
pub fn placements(house: &House) -> PathBuf {
    match &house.settings.handoff {
        Some(folder) => house.places.data.join(folder),
        None => house.places.data.clone(),
    }
}

/// Refuses to seal with what is no key, and says where it is looked for.
pub async fn vault(path: &Path, store: &dyn Store) -> Result<Vault> {
    if !path.exists() && is_sealed(store).await? {
        bail!(
            "{} is missing: nothing sealed can be read without it. Restore it from where you \
             keep a copy",
            path.display()
        );
    }
    Ok(Vault::open_or_make(path)?)
}
