//! How far an endpoint is, kept with the data.

use anyhow::{Context, Result};
use jiff::Timestamp;
use kulanz_store::Store;
use serde::{Deserialize, Serialize};

/// Where an endpoint stands. It lies under `webhook/NAME` among the settings of the data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Position of the last event that it took, or was not meant for.
    pub position: u64,
    /// When it last took one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Attempts in a row that failed.
    #[serde(default)]
    pub failures: u32,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
    /// Nothing is sent until a person wants it: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<String>,
}

fn place(name: &str) -> String {
    format!("webhook/{name}")
}

fn wish(name: &str) -> String {
    format!("webhook-retry/{name}")
}

impl State {
    /// As it is kept; `None` for an endpoint that nothing was sent to yet.
    pub async fn read(store: &dyn Store, name: &str) -> Result<Option<Self>> {
        let Some(text) = store.meta(place(name)).await? else { return Ok(None) };
        let state = serde_json::from_str(&text);
        Ok(Some(state.with_context(|| format!("the place of webhook {name} is damaged"))?))
    }

    /// Begins a new endpoint, durably, so that a restart does not begin it elsewhere.
    pub async fn begin(store: &dyn Store, name: &str, from_start: bool) -> Result<Self> {
        let position = if from_start { 0 } else { store.position().await? };
        let state = Self { position, ..Self::default() };
        state.write(store, name).await?;
        Ok(state)
    }

    /// Keeps it.
    pub async fn write(&self, store: &dyn Store, name: &str) -> Result<()> {
        Ok(store.put_meta(place(name), Some(serde_json::to_string(self)?)).await?)
    }

    /// A person wants it to be tried again.
    pub async fn put_wish(store: &dyn Store, name: &str, by: &str) -> Result<()> {
        Ok(store.put_meta(wish(name), Some(by.to_owned())).await?)
    }

    /// Whether a person wanted that since it was last asked.
    pub async fn take_wish(store: &dyn Store, name: &str) -> Result<bool> {
        if store.meta(wish(name)).await?.is_none() {
            return Ok(false);
        }
        store.put_meta(wish(name), None).await?;
        Ok(true)
    }

    /// An event was taken.
    pub fn taken(&mut self, position: u64, at: Timestamp) {
        *self = Self { position, taken_at: Some(at), ..Self::default() };
    }

    /// An attempt failed.
    pub fn failed(&mut self, why: &str, now: Timestamp, next_try: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.why = Some(why.to_owned());
        self.next_try = Some(next_try);
    }

    /// Nothing is sent until a person wants it.
    pub fn park(&mut self, why: &str, now: Timestamp) {
        self.parked = Some(why.to_owned());
        self.failing_since.get_or_insert(now);
        self.next_try = None;
    }

    /// As if it had never failed.
    pub fn try_again(&mut self) {
        let (position, taken_at) = (self.position, self.taken_at);
        *self = Self { position, taken_at, ..Self::default() };
    }
}
