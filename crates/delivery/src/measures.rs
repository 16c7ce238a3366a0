//! What delivery counts of itself, as events of `tracing` that whoever runs it makes metrics of.

use std::time::Duration;

use kulanz_domain::fact::Channel;
use tracing::{Level, Span, event};

/// An attempt came to its one end, durably but for `sent`; its span says so too.
pub(crate) fn ended(channel: Channel, end: &'static str) {
    Span::current().record("end", end);
    let channel = channel.name();
    event!(target: "metric", Level::TRACE, monotonic_counter.kulanz_messages = 1_u64, channel, end);
}

/// A gateway takes nothing and is left alone for a while: that of a channel, or `own`.
pub(crate) fn paused(gateway: &'static str) {
    event!(target: "metric", Level::TRACE, monotonic_counter.kulanz_gateway_pauses = 1_u64, gateway);
}

/// A gateway answered, with whatever.
pub(crate) fn answered(channel: Channel, took: Duration) {
    let (seconds, channel) = (took.as_secs_f64(), channel.name());
    event!(target: "metric", Level::TRACE, histogram.kulanz_send_seconds = seconds, channel);
}

/// A connection to a mail server was opened.
pub(crate) fn connected() {
    event!(target: "metric", Level::TRACE, monotonic_counter.kulanz_smtp_connections = 1_u64);
}
