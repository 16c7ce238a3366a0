//! Secrets of senders: named in the configuration, read once at start, never printed.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SenderConfigError;

/// Where a secret is kept; configuration files hold no secrets themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// In an environment variable of this name.
    Env(String),
    /// In a file; a line break at its end does not belong to it.
    File(PathBuf),
}

/// A secret in memory.
#[derive(Clone)]
pub(super) struct Hidden(String);

impl Hidden {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl Secret {
    /// The secret itself, for what is no sender; keep it short and out of sight.
    pub fn reveal(&self) -> Result<String, SenderConfigError> {
        Ok(self.read()?.0)
    }

    pub(super) fn read(&self) -> Result<Hidden, SenderConfigError> {
        let (place, found) = match self {
            Self::Env(name) => (
                format!("environment variable {name}"),
                std::env::var(name).map_err(|error| error.to_string()),
            ),
            Self::File(path) => (
                format!("file {}", path.display()),
                std::fs::read_to_string(path).map_err(|error| error.to_string()),
            ),
        };
        let failed = |reason| SenderConfigError::Secret { place, reason };
        let text = match found {
            Ok(text) => text,
            Err(reason) => return Err(failed(reason)),
        };
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(failed("it is empty".to_owned())),
            secret => Ok(Hidden(secret.to_owned())),
        }
    }
}
