//! How spans of `tracing` become parts of traces that go over instances and days: what the engine's
//! [`Collector`] does with OpenTelemetry.

use std::sync::OnceLock;

use kulanz_engine::trace::{self, Collector, TraceContext};
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Share of the traces begun here that are kept, 0 to 1.
static SHARE: OnceLock<f64> = OnceLock::new();

/// From now on traces are collected; of those begun here `share` are kept.
pub(super) fn collect(share: f64) {
    // Set once, as the logs are.
    let _ = SHARE.set(share);
    trace::collect(Collector { keeps, adopt, link, context });
}

/// Decided before there is a span, so that one which is not kept costs nothing.
fn keeps() -> bool {
    is_within(RandomIdGenerator::default().new_trace_id(), SHARE.get().copied().unwrap_or(0.0))
}

/// Whether a random id is within a share of all.
fn is_within(id: TraceId, share: f64) -> bool {
    let bytes = id.to_bytes();
    let mut low = [0; 4];
    low.copy_from_slice(&bytes[12..]);
    f64::from(u32::from_be_bytes(low)) / f64::from(u32::MAX) < share || share >= 1.0
}

/// A failure means that the layer is not there: then there is no trace to belong to.
fn adopt(span: &Span, parent: TraceContext) {
    let parent = Context::new().with_remote_span_context(named(parent));
    let _ = span.set_parent(parent);
}

fn link(span: &Span, other: TraceContext) {
    span.add_link(named(other));
}

fn context(span: &Span) -> Option<TraceContext> {
    if span.is_none() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let known = span.span_context();
    let (trace, span) = (known.trace_id().to_bytes(), known.span_id().to_bytes());
    let named = TraceContext { trace: u128::from_be_bytes(trace), span: u64::from_be_bytes(span) };
    (known.is_valid() && known.is_sampled()).then_some(named)
}

fn named(context: TraceContext) -> SpanContext {
    let (trace, span) = (context.trace.to_be_bytes(), context.span.to_be_bytes());
    let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_kept() {
        let ids = RandomIdGenerator::default();
        let kept = |share| (0..10_000).filter(|_| is_within(ids.new_trace_id(), share)).count();
        assert_eq!((kept(0.0), kept(1.0)), (0, 10_000));
        assert!((800..1200).contains(&kept(0.1)), "{}", kept(0.1));
    }
}
