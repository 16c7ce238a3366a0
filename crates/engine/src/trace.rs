//! Traces: what one event or one wake-up led to, over batches, instances and days.
//!
//! Whoever runs the engine may collect traces ([`collect`]). Then a [`TraceContext`] goes with a fact
//! to its batch, from there to the decision, and with the message that was decided upon to whoever sends
//! it. Where nobody collects, or a trace is not kept, there is no context, and what asks for one has
//! looked at a flag.
//!
//! Spans hold ids, kinds and numbers. What is kept of a trace is decided where it begins: by the shop
//! for its own, here for those of wake-ups.

use std::{fmt, sync::OnceLock};

use tracing::Span;

/// A span of a trace that is kept, as its children name it. A trace that is not kept has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: u128,
    /// The span.
    pub span: u64,
}

/// Who takes spans, and what it can do with them that `tracing` cannot say.
#[derive(Debug, Clone, Copy)]
pub struct Collector {
    /// Whether a trace that begins now is kept: asked once for each.
    pub keeps: fn() -> bool,
    /// Makes a new span a child of another one, wherever that is.
    pub adopt: fn(&Span, TraceContext),
    /// Says that a span also belongs to another one.
    pub link: fn(&Span, TraceContext),
    /// How children of a span name it; `None` where it is not kept.
    pub context: fn(&Span) -> Option<TraceContext>,
}

static COLLECTOR: OnceLock<Collector> = OnceLock::new();

/// From now on spans are made, in this process. The first one who says so is the collector.
pub fn collect(collector: Collector) {
    // Whoever comes second starts the program's logs twice, which fails by itself.
    let _ = COLLECTOR.set(collector);
}

/// The span that a W3C `traceparent` names, where spans are made and its trace is kept.
pub fn continued(traceparent: Option<&str>) -> Option<TraceContext> {
    COLLECTOR.get()?;
    TraceContext::parse(traceparent?)
}

/// The span that this code runs in, where that is kept.
pub fn current() -> Option<TraceContext> {
    (COLLECTOR.get()?.context)(&Span::current())
}

/// How children of `span` name it, where it is kept.
pub fn context(span: &Span) -> Option<TraceContext> {
    (COLLECTOR.get()?.context)(span)
}

/// Whether something that begins here is to begin a trace.
pub(crate) fn begins() -> bool {
    COLLECTOR.get().is_some_and(|collector| (collector.keeps)())
}

/// Says that `span` also belongs to another one.
pub(crate) fn link(span: &Span, other: TraceContext) {
    if let Some(collector) = COLLECTOR.get() {
        (collector.link)(span, other);
    }
}

impl TraceContext {
    /// Reads a W3C `traceparent` of version 00; `None` where it is none, or of a trace that is not
    /// kept.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, rest) = text.split_once('-')?;
        let (trace, rest) = rest.split_once('-')?;
        let (span, flags) = rest.split_once('-')?;
        let kept = hex(flags, 2)? & 1 == 1;
        let (trace, span) = (hex(trace, 32)?, u64::try_from(hex(span, 16)?).ok()?);
        (version == "00" && kept && trace != 0 && span != 0).then_some(Self { trace, span })
    }

    /// Makes a new span a child of this one.
    pub fn adopt(self, span: Span) -> Span {
        if let Some(collector) = COLLECTOR.get() {
            (collector.adopt)(&span, self);
        }
        span
    }
}

fn hex(text: &str, length: usize) -> Option<u128> {
    let plain =
        text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u128::from_str_radix(text, 16).ok())?
}

/// As a W3C `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

#[cfg(test)]
mod tests;
