//! A plan as it is kept: what it compared, and with which result.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use kulanz_domain::{ids::CreditorId, money::Currency};
use kulanz_engine::{plan::Report, token_hash};
use kulanz_policies::LoadedPolicy;
use serde::{Deserialize, Serialize};

use super::cost::Costs;
use crate::in_force::hex;

/// The folder of plans in the data folder.
const FOLDER: &str = "plans";

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Made of what it compared, when, and over which book.
    pub id: String,
    /// The moment from which both futures are told.
    pub made_at: Timestamp,
    /// Days ahead.
    pub days: u16,
    /// The creditor's zone, in which days are meant.
    pub zone: String,
    /// Whose book.
    pub creditor: CreditorId,
    /// In which currency the policy holds.
    pub currency: Currency,
    /// The candidate's folder.
    pub dir: PathBuf,
    /// The candidate.
    pub candidate: Version,
    /// What it would take the place of; absent: nothing.
    pub in_force: Option<Version>,
    /// Position of the newest event of the book.
    pub position: u64,
    /// What else there is to know.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the messages cost; absent without a price list.
    pub costs: Option<Costs>,
    /// The comparison.
    pub report: Report,
}

/// A version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Name.
    pub policy: String,
    /// Version.
    pub version: u32,
    /// SHA-256 over its files.
    pub hash: String,
    /// Its steps, lowest first.
    pub steps: Vec<String>,
}

impl Version {
    /// As it was loaded.
    pub fn of(policy: &LoadedPolicy) -> Self {
        let reference = &policy.policy.reference;
        Self {
            policy: reference.name.to_string(),
            version: reference.version,
            hash: policy.hash_full.clone(),
            steps: policy.policy.steps.iter().map(|step| step.name.to_string()).collect(),
        }
    }
}

impl Plan {
    /// The id of a plan: the same for the same question.
    pub fn name(
        candidate: &Version,
        in_force: Option<&Version>,
        from: Timestamp,
        days: u16,
        position: u64,
    ) -> String {
        let old = in_force.map_or("", |version| version.hash.as_str());
        let asked = format!("{} {old} {from} {days} {position}", candidate.hash);
        hex(&token_hash(&asked)[..6])
    }

    /// The candidate's files are not those in force.
    pub fn differs(&self) -> bool {
        self.in_force.as_ref().is_none_or(|version| version.hash != self.candidate.hash)
    }

    /// Writes it into the data folder: whole or not at all.
    pub fn keep(&self, data: &Path) -> Result<PathBuf> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join(format!("{}.json", self.id));
        let beside = folder.join(format!("{}.part", self.id));
        fs::write(&beside, serde_json::to_vec_pretty(self)?)
            .and_then(|()| fs::rename(&beside, &path))
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    }

    /// Reads a plan by its id, or from a file.
    pub fn read(data: &Path, named: &str) -> Result<Self> {
        let by_id = data.join(FOLDER).join(format!("{named}.json"));
        let as_path = PathBuf::from(named);
        let is_id = named.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let path = match (is_id && by_id.is_file(), as_path.is_file()) {
            (true, _) => by_id,
            (_, true) => as_path,
            _ => bail!(
                "there is no plan {named}: `kulanz policy plan DIR` makes one and says its id"
            ),
        };
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| {
            format!("{} is no plan that this release can read: plan again", path.display())
        })
    }
}
