//! Every account is looked at once more where the rules are others than those it was last served
//! under: wake-ups were computed by the old ones.

use std::time::Duration;

use kulanz_domain::ids::AccountId;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Engine, Fault};

/// Where it is kept which rules were served last.
const SERVED: &str = "rules_served";

/// Rules under which accounts have been looked at, and how far that has come.
#[derive(Debug, Serialize, Deserialize)]
struct Served {
    /// Fingerprint of the rules.
    rules: String,
    /// The last account that was looked at; absent before the first, and once all were.
    after: Option<AccountId>,
    /// All were looked at.
    done: bool,
}

impl Engine {
    /// Decides for every account anew unless that was done under these `rules`, a fingerprint of
    /// them; how many were looked at. At most `per_second` a second, so that events and pages do
    /// not wait. The position is kept: what was interrupted goes on where it stopped. A change of
    /// rules in between begins it again, also one back to those of before.
    pub async fn look_again(&self, rules: &str, per_second: u32) -> Result<u64, Fault> {
        let at_once = (per_second / 8).clamp(1, 500);
        let mut after = match self.served().await? {
            Some(served) if served.rules == rules && served.done => return Ok(0),
            Some(served) if served.rules == rules => served.after,
            _ => {
                self.keep_served(rules, None, false).await?;
                None
            }
        };
        let begun = Instant::now();
        let mut count = 0_u64;
        loop {
            let page = self.store.accounts(None, after.clone(), at_once).await?;
            let Some(last) = page.last().cloned() else { break };
            if !self.is_in_force().await? {
                // Whoever serves other rules by now looks by those.
                return Ok(count);
            }
            count += page.len() as u64;
            self.looked_at(self.ledgers.decide(page).await?).await?;
            self.keep_served(rules, Some(last.clone()), false).await?;
            after = Some(last);
            let millis = count.saturating_mul(1000) / u64::from(per_second.max(1));
            tokio::time::sleep_until(begun + Duration::from_millis(millis)).await;
        }
        self.keep_served(rules, None, true).await?;
        Ok(count)
    }

    async fn served(&self) -> Result<Option<Served>, Fault> {
        let kept = self.store.meta(SERVED.to_owned()).await?;
        Ok(kept.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    async fn keep_served(
        &self,
        rules: &str,
        after: Option<AccountId>,
        done: bool,
    ) -> Result<(), Fault> {
        let served = Served { rules: rules.to_owned(), after, done };
        let text = serde_json::to_string(&served)?;
        Ok(self.store.put_meta(SERVED.to_owned(), Some(text)).await?)
    }
}

#[cfg(test)]
mod tests;
