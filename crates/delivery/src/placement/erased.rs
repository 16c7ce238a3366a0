//! A placement's folder once its debtor is erased: emptied, with a note that tells so.
//!
//! A placement is one account's, so nobody else is in its folder. The manifest goes first: a
//! folder without one is no placement, so nobody takes half of it in. The note comes last: where it
//! is, nothing else is. An erasure that was interrupted is done by doing it again.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use kulanz_domain::ids::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    folder::{MANIFEST, WriteError, at, clear, enter, json, partial, sync_folder, write_file},
    words::Id,
};

/// Name of the note.
const NOTE: &str = "erased.json";
const FRESH_NOTE: &str = ".erased.partial";

/// `erased.json`, all that is left in the folder of a placement whose debtor was erased (Art. 17
/// GDPR). Whoever took a copy of the folder has to erase that too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Erased {
    /// Form of the file: `kulanz.placement.v1`.
    pub format: &'static str,
    /// Which placement.
    #[schemars(with = "Id")]
    pub placement: PlacementId,
    /// The agency that has it.
    #[schemars(with = "Id")]
    pub agency: AgencyId,
    /// Who is owed.
    #[schemars(with = "Id")]
    pub creditor: CreditorId,
    /// When the debtor's data were erased.
    pub erased_at: Timestamp,
}

/// Where the folder of a placement is, whether or not it is there.
pub fn folder_of(root: &Path, creditor: &CreditorId, placement: &PlacementId) -> PathBuf {
    root.join(creditor.as_str()).join(placement.as_str())
}

/// Removes all that is in `<root>/<creditor>/<placement>/`, and what an attempt to write it left
/// behind, and leaves `erased.json`. `false`: there is no such folder. A second call finds its
/// work done, and the first note stands.
pub fn erase_folder(root: &Path, erased: &Erased) -> Result<bool, WriteError> {
    let creditor = root.join(erased.creditor.as_str());
    let folder = folder_of(root, &erased.creditor, &erased.placement);
    let partial = partial(&creditor, &erased.placement);
    if !is_there(&folder)? && !is_there(&partial)? {
        return Ok(false);
    }
    let _lock = enter(root, &creditor)?;
    clear(&partial)?;
    if !is_there(&folder)? {
        sync_folder(&creditor)?;
        return Ok(false);
    }
    clear(&folder.join(MANIFEST))?;
    for entry in fs::read_dir(&folder).map_err(at(&folder))? {
        let entry = entry.map_err(at(&folder))?;
        if entry.file_name() != NOTE {
            clear(&entry.path())?;
        }
    }
    sync_folder(&folder)?;
    let note = folder.join(NOTE);
    if !note.is_file() {
        let fresh = folder.join(FRESH_NOTE);
        write_file(&fresh, &json(erased)?)?;
        fs::rename(&fresh, &note).map_err(at(&note))?;
        sync_folder(&folder)?;
    }
    Ok(true)
}

/// Whether something is at `path`; that it cannot be looked at is an error, not a no.
fn is_there(path: &Path) -> Result<bool, WriteError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err::<bool, io::Error>(error).map_err(at(path)),
    }
}
