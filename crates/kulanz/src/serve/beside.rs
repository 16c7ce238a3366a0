//! What a server does beside answering and sending: each in a task of its own. Whatever may go wrong
//! with one item is handled there; that a task dies is a bug, and a server without it would only
//! look well.

use std::collections::HashMap;

use anyhow::anyhow;
use kulanz_engine::panics;
use tokio::task::{Id, JoinSet};

/// The tasks. They end when this is dropped.
#[derive(Default)]
pub struct Beside {
    tasks: JoinSet<()>,
    does: HashMap<Id, &'static str>,
}

impl Beside {
    /// Begins with a task; `does` is what the server does by it: `writes placements`.
    pub fn spawn(&mut self, does: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.does.insert(self.tasks.spawn(work).id(), does);
    }

    /// Comes back once one has died, with a sentence. One that has nothing left to do may end.
    pub async fn died(&mut self) -> anyhow::Error {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                let does = self.does.get(&error.id()).copied().unwrap_or("works beside");
                return died(does, panics::ended(&error));
            }
        }
        std::future::pending().await
    }
}

/// The sentence with which a server ends.
pub fn died(does: &str, end: &str) -> anyhow::Error {
    anyhow!("the part of the server that {does} has died, so the server ends too: {end}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_is_told_and_one_that_is_done_is_not() {
        let mut beside = Beside::default();
        beside.spawn("looks at accounts anew", async {});
        beside.spawn("watches", std::future::pending());
        let lives = tokio::time::timeout(Duration::from_millis(50), beside.died()).await;
        assert!(lives.is_err());
        beside.spawn("writes placements", async { panic!("Kim lives at kim@example.org") });
        let told = beside.died().await.to_string();
        let ends = "the part of the server that writes placements has died, so the server ends too";
        assert!(told.starts_with(ends) && !told.contains("Kim"), "{told}");
    }
}
