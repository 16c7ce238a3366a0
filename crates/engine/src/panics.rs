//! What works on many items, one by one, works on each of them in here: an item that makes the
//! program panic is its own trouble, and whoever works on it hears so and puts it aside.
//!
//! What a panic says may show what the item says of a person: it is neither told nor kept. Where it
//! was, the panic hook tells.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use tokio::task::JoinError;
use tracing::{Level, event};

use crate::Fault;

/// Does `work` for one item of a `part` of the program.
///
/// # Errors
/// [`Fault::Panicked`] where it panics; that is counted.
pub fn caught<T>(part: &'static str, work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| fault(part))
}

/// As [`caught`], for what waits meanwhile.
///
/// # Errors
/// [`Fault::Panicked`] where it panics; that is counted.
pub async fn caught_in<T>(part: &'static str, work: impl Future<Output = T>) -> Result<T, Fault> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(fault(part))),
        }
    })
    .await
}

/// How a task ended that was not to end, without what a panic says.
pub fn ended(error: &JoinError) -> &'static str {
    if error.is_panic() { "it panicked; the log says where" } else { "it was cancelled" }
}

/// Counts a panic that was caught.
pub(crate) fn fault(part: &'static str) -> Fault {
    event!(target: "metric", Level::TRACE, monotonic_counter.kulanz_panics = 1_u64, part);
    Fault::Panicked
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_fault_that_says_nothing_of_the_item() {
        let failed = caught("test", || -> u8 { panic!("Kim lives at kim@example.org") });
        assert_eq!(failed.unwrap_err().to_string(), Fault::Panicked.to_string());
        let later = async {
            tokio::task::yield_now().await;
            panic!("Kim lives at kim@example.org")
        };
        let failed: Result<u8, Fault> = caught_in("test", later).await;
        assert!(matches!(failed, Err(Fault::Panicked)));
        assert_eq!(caught_in("test", async { 7 }).await.unwrap(), 7);
        let task = tokio::spawn(async { panic!("Kim lives at kim@example.org") });
        assert!(!ended(&task.await.unwrap_err()).contains("Kim"));
    }
}
