//! `webhooks` in `kulanz.yaml`.

use std::path::PathBuf;

use kulanz_domain::ids::CreditorId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where events of accounts are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Its own name: 1 to 64 of A-Z a-z 0-9 . _ -. What was sent is kept under it; the URL may
    /// change.
    #[schemars(example = &"shop")]
    pub name: String,
    /// Where to: `https`, or `http` on the same machine.
    #[schemars(example = "https://shop.example.org/kulanz")]
    pub url: String,
    /// Only this creditor's accounts. Where left out: those of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"lindenmoor")]
    pub creditor: Option<CreditorId>,
    /// Only these, such as `notice_sent`; all where left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["notice_sent", "claim_settled"])]
    pub events: Vec<String>,
    /// File with the secret, `whsec_…`, beside `kulanz.yaml` unless absolute; two lines while it is
    /// replaced by another.
    #[schemars(example = "/run/secrets/webhook")]
    pub secret_file: PathBuf,
    /// Where a new endpoint begins: with what happens from `now` on, or with the `first` event.
    #[serde(default)]
    pub begin: Begin,
    /// Days of failure after which it is parked.
    #[serde(default = "five")]
    pub give_up_after_days: u16,
}

/// Where a new endpoint begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// With what happens from now on.
    #[default]
    Now,
    /// With the first event of all.
    First,
}

const fn five() -> u16 {
    5
}
