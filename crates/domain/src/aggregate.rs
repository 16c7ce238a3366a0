//! The thin adapter between [`Account`] and cqrs-es.

use cqrs_es::{Aggregate, event_sink::EventSink};

use crate::{
    account::Account,
    command::{Command, Refusal},
    event::AccountEvent,
};

impl Aggregate for Account {
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
        for event in self.clone().execute(&command)?.events {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        self.apply_event(&event);
    }
}
