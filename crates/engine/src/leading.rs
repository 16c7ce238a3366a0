//! What one instance does for all of them: it holds a lease for as long as it does it.

use std::time::Duration;

use crate::{Engine, Fault};

/// For how long a lease is taken; it is renewed four times in that time.
const LEASE: Duration = Duration::from_secs(30);

impl Engine {
    /// Whether this instance is the one that does `what` for the next half minute. It stays so
    /// until it dies: who asks again renews it.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails.
    pub async fn leads(&self, what: &str) -> Result<bool, Fault> {
        let seconds = u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX);
        Ok(self.store.lease(what.to_owned(), self.instance.to_string(), seconds).await?)
    }

    /// Does `work` where this instance is the one that does `what`, and says so until it is done;
    /// `None` where another one does it, or came to do it meanwhile. Whatever must not be done
    /// twice needs more than this: an instance that is stopped for a while and goes on learns
    /// late that it is not the one any more.
    ///
    /// # Errors
    /// [`Fault::Store`] where the store fails before `work` begins.
    pub async fn leading<T>(
        &self,
        what: &str,
        work: impl Future<Output = T>,
    ) -> Result<Option<T>, Fault> {
        if !self.leads(what).await? {
            return Ok(None);
        }
        tokio::select! {
            done = work => Ok(Some(done)),
            () = self.led(what) => Ok(None),
        }
    }

    /// Renews a lease until that fails for so long that it may be another's.
    async fn led(&self, what: &str) {
        let mut missed = 0;
        while missed < 3 {
            tokio::time::sleep(LEASE / 4).await;
            match self.leads(what).await {
                Ok(true) => missed = 0,
                Ok(false) => return,
                Err(fault) => {
                    tracing::warn!(what, %fault, "the lease cannot be renewed");
                    missed += 1;
                }
            }
        }
    }
}
