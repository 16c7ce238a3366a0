//! Settings of an installation: `kulanz.yaml` in the configuration folder, all of it optional.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kulanz_delivery::senders::{Secret, SmsGatewayConfig, SmtpConfig};
use serde::{Deserialize, Serialize};

/// The file. What is left out has a default that works on one machine without any service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where debtors reach their pages, without a slash at its end. Default: the address that
    /// the server listens on.
    pub base_url: Option<String>,
    /// Mail server. Without one there is no e-mail; without any gateway, messages are on the
    /// outbox page.
    pub smtp: Option<SmtpConfig>,
    /// SMS gateway. Without one there are no text messages; see `smtp`.
    pub sms: Option<SmsGatewayConfig>,
    /// PostgreSQL database that holds the data, `postgres://USER@HOST/DATABASE` with libpq's
    /// parameters. Without one they are in the data folder. Keys, erasures and placements always
    /// are.
    pub database: Option<String>,
    /// Password of the user in `database`, where the server wants one.
    pub database_password: Option<Secret>,
    /// Folder into which placements are written, below the data folder unless absolute.
    pub handoff: Option<PathBuf>,
}

impl Settings {
    /// Reads `kulanz.yaml` in `folder`, where there is one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("kulanz.yaml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(other) => {
                return Err(other).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        serde_saphyr::from_str(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    /// No message leaves the machine: test pages and the sandbox provider may be offered.
    pub const fn is_sandbox(&self) -> bool {
        self.smtp.is_none() && self.sms.is_none()
    }
}
