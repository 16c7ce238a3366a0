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
        // `execute` applies what it raises, since each rule sees the ones before it. The sink would
        // apply a second time, so it is given an account that nobody looks at.
        let executed = self.execute(&command)?;
        self.wake = executed.wake;
        let mut unused = Self::default();
        for event in executed.events {
            sink.write(event, &mut unused).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        self.apply_event(&event);
    }
}
