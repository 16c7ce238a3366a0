//! On disk: a folder appears whole, with its final content, or not at all.
//!
//! Everything is written into a hidden folder beside the final one, synced, and renamed. A lock on
//! the creditor's folder keeps two writers apart, so that what an earlier attempt left behind can
//! be cleared. Files are readable by their owner alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use kulanz_domain::ids::{CreditorId, PlacementId};
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    csv,
    document::{DocumentEntry, FileEntry, Manifest, PlacementData, Recall, Update},
};

/// Written last and, where a placement is erased, removed first.
pub(super) const MANIFEST: &str = "manifest.json";
const DOCUMENTS: &str = "documents";
const RECALLS: &str = "recalls";
const UPDATES: &str = "updates";
const LOCK: &str = ".lock";

/// Why a placement or recall is not in its place.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file system refused; nothing is in the final place.
    #[error("{path} cannot be written")]
    Io {
        /// What was being written or read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was written before, with another content: the agency may have it already.
    #[error("{path} is there already, with another content")]
    Differs {
        /// The folder or file.
        path: PathBuf,
    },
    /// The content has no JSON form.
    #[error("the placement cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    move |source| WriteError::Io { path: path.to_owned(), source }
}

/// Writes `<root>/<creditor>/<placement>/` and gives its path. `root` is made where it is not
/// there. A second call with the same data finds its work done; with other data it is refused.
///
/// An agency that takes folders away makes room for a second copy: whoever calls remembers what
/// was delivered.
pub fn write_folder(root: &Path, data: &PlacementData) -> Result<PathBuf, WriteError> {
    let files = files(data)?;
    let creditor = root.join(data.creditor.id.as_str());
    let _lock = enter(root, &creditor)?;
    let folder = creditor.join(data.placement.as_str());
    if fs::symlink_metadata(&folder).is_ok() {
        return if holds(&folder, &files) { Ok(folder) } else { Err(differs(folder)) };
    }
    let fresh = partial(&creditor, &data.placement);
    clear(&fresh)?;
    make_folder(&fresh)?;
    for (name, bytes) in &files {
        write_file(&fresh.join(name), bytes)?;
    }
    let documents = fresh.join(DOCUMENTS);
    make_folder(&documents)?;
    sync_folder(&documents)?;
    sync_folder(&fresh)?;
    fs::rename(&fresh, &folder).map_err(at(&folder))?;
    sync_folder(&creditor)?;
    Ok(folder)
}

/// Writes `<root>/<creditor>/recalls/<placement>.json` and gives its path. The first recall of a
/// placement stands: a later one with the same reason and moment finds its work done, any other
/// is refused.
pub fn write_recall(root: &Path, recall: &Recall) -> Result<PathBuf, WriteError> {
    write_word(root, &recall.creditor, RECALLS, recall.placement.as_str(), recall)
}

/// Writes `<root>/<creditor>/updates/<placement>-<number>.json` and gives its path. Numbers of one
/// placement rise; a second call with the same number and data finds its work done.
pub fn write_update(root: &Path, update: &Update, number: u64) -> Result<PathBuf, WriteError> {
    let name = format!("{}-{number}", update.placement);
    write_word(root, &update.creditor, UPDATES, &name, update)
}

fn write_word(
    root: &Path,
    creditor: &CreditorId,
    folder: &str,
    name: &str,
    word: &impl Serialize,
) -> Result<PathBuf, WriteError> {
    let bytes = json(word)?;
    let creditor = root.join(creditor.as_str());
    let _lock = enter(root, &creditor)?;
    let folder = creditor.join(folder);
    ensure_folder(&folder)?;
    let file = folder.join(format!("{name}.json"));
    match fs::read(&file) {
        Ok(present) if present == bytes => return Ok(file),
        Ok(_) => return Err(differs(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&file)(error)),
    }
    let fresh = folder.join(format!(".{name}.partial"));
    clear(&fresh)?;
    write_file(&fresh, &bytes)?;
    fs::rename(&fresh, &file).map_err(at(&file))?;
    sync_folder(&folder)?;
    Ok(file)
}

/// Name and content of each file, in the order in which they are written: the manifest comes last,
/// so that where it is, the rest is.
pub(super) fn files(data: &PlacementData) -> Result<[(&'static str, Vec<u8>); 3], WriteError> {
    let claims = json(data)?;
    let table = csv::text(data).into_bytes();
    let manifest = json(&manifest(data, &claims, &table))?;
    Ok([("claims.json", claims), ("claims.csv", table), (MANIFEST, manifest)])
}

pub(super) fn json(content: &impl Serialize) -> Result<Vec<u8>, WriteError> {
    let mut bytes = serde_json::to_vec_pretty(content).map_err(WriteError::Json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn manifest(data: &PlacementData, claims: &[u8], table: &[u8]) -> Manifest {
    let file = |name: &'static str, bytes: &[u8]| FileEntry {
        name,
        bytes: bytes.len(),
        sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let document = |claim: &super::document::ClaimEntry| {
        Some(DocumentEntry { invoice: claim.invoice.clone(), url: claim.document_url.clone()? })
    };
    Manifest {
        format: data.format,
        placement: data.placement.clone(),
        agency: data.agency.clone(),
        creditor: data.creditor.id.clone(),
        debtor: data.debtor.id.clone(),
        created_at: data.created_at,
        files: vec![file("claims.json", claims), file("claims.csv", table)],
        documents: data.claims.iter().filter_map(document).collect(),
        totals: data.totals.clone(),
    }
}

/// Where a placement's folder is made, before it is renamed.
pub(super) fn partial(creditor: &Path, placement: &PlacementId) -> PathBuf {
    creditor.join(format!(".{placement}.partial"))
}

/// Makes the creditor's folder where needed, and holds its lock until the file is dropped.
pub(super) fn enter(root: &Path, creditor: &Path) -> Result<File, WriteError> {
    ensure_folder(root)?;
    ensure_folder(creditor)?;
    let path = creditor.join(LOCK);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let lock = owned(&mut options).open(&path).map_err(at(&path))?;
    lock.lock().map_err(at(&path))?;
    Ok(lock)
}

fn differs(path: PathBuf) -> WriteError {
    WriteError::Differs { path }
}

/// Whether `folder` has exactly these files with these contents.
fn holds(folder: &Path, files: &[(&str, Vec<u8>)]) -> bool {
    files.iter().all(|(name, bytes)| fs::read(folder.join(name)).is_ok_and(|is| is == *bytes))
}

/// Removes what an attempt that did not come to its end left behind.
pub(super) fn clear(path: &Path) -> Result<(), WriteError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = owned(&mut options).open(path).map_err(at(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(at(path))
}

/// The folder with all above it; those that are new are synced into their parents.
fn ensure_folder(path: &Path) -> Result<(), WriteError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        ensure_folder(parent)?;
    }
    match make_folder(path) {
        // Somebody else was faster.
        Err(_) if path.is_dir() => {}
        made => made?,
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

fn make_folder(path: &Path) -> Result<(), WriteError> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(at(path))
}

fn owned(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes names in a folder durable; where folders cannot be synced the rename is all there is.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> Result<(), WriteError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at(path))
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> Result<(), WriteError> {
    Ok(())
}
