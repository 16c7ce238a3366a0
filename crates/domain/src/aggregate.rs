//! The thin adapter between [`Account`] and cqrs-es.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    account::Account,
    command::{Command, Refusal},
    event::AccountEvent,
};

/// The account that the framework handles a command for.
#[derive(Debug, Serialize, Deserialize)]
pub enum Subject {
    /// It.
    Account(Box<Account>),
    /// Nobody: what the framework applies to it was applied already.
    Nobody,
}

impl Default for Subject {
    fn default() -> Self {
        Self::Account(Box::default())
    }
}

impl Aggregate for Subject {
    const TYPE: &'static str = "account";
    type Command = Command;
    type Event = AccountEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        let Self::Account(account) = self else { return Ok(()) };
        // `execute` applies what it raises, since each rule sees the ones before it. The sink would
        // do so a second time.
        let executed = account.execute(&command)?;
        account.wake = executed.wake;
        for event in executed.events {
            sink.write(event, &mut Self::Nobody).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        if let Self::Account(account) = self {
            account.apply_event(&event);
        }
    }
}
