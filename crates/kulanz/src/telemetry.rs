//! What a running Kulanz shows of itself: logs, traces and metrics. They carry ids, kinds, counts
//! and durations, never anything about a person.
//!
//! The other crates know nothing of OpenTelemetry: they open spans of `tracing` and write metrics as
//! its events (`monotonic_counter.…`, `histogram.…`, `gauge.…`, target `metric`). Here they become
//! OTLP for a collector and text for Prometheus. Nothing is collected by commands that only look.

mod measures;
mod traces;
mod watch;

use std::{io::IsTerminal, sync::OnceLock};

use anyhow::{Context, Result};
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::{Registry, TextEncoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_opentelemetry::MetricsLayer;
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, fmt::writer::MakeWriterExt, layer::SubscriberExt,
    util::SubscriberInitExt,
};

pub use self::watch::watch;

/// Target of the events that are metrics, not log lines.
pub const METRIC: &str = "metric";

/// Where traces and metrics go, and what logs look like.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// OpenTelemetry collector that takes OTLP over HTTP. Without one nothing leaves the machine.
    #[schemars(example = "http://127.0.0.1:4318")]
    pub otlp: Option<String>,
    /// Share of the traces begun here that are kept, 0 to 1. Whether a trace that a shop began is
    /// kept is the shop's decision.
    pub traces: f64,
    /// Name of the service in traces and metrics.
    pub service: String,
    /// How log lines look.
    pub logs: LogFormat,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        let service = "kulanz".to_owned();
        Self { otlp: None, traces: 1.0, service, logs: LogFormat::Text }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Metrics as collected, for `/metrics`.
static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// What has to be flushed at the end.
#[derive(Default)]
pub struct Telemetry {
    meters: Option<SdkMeterProvider>,
    tracers: Option<SdkTracerProvider>,
}

/// Logs alone, to the standard error.
pub fn logs_only(level: &str, format: LogFormat) {
    tracing_subscriber::registry().with(logs(level, format)).init();
}

/// Logs, traces and metrics, for a server. Outside of any runtime: the exporters have threads of
/// their own and block there.
///
/// # Errors
/// Where the collector's address is none.
pub fn start(level: &str, settings: &TelemetrySettings) -> Result<Telemetry> {
    let service = settings.service.clone();
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let registry = Registry::new();
    let shown = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
    let mut meters = SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_reader(shown)
        .with_view(measures::described);
    let mut tracers = None;
    if let Some(collector) = &settings.otlp {
        let base = collector.trim_end_matches('/');
        reqwest::Url::parse(base)
            .with_context(|| format!("telemetry.otlp: `{collector}` is no address"))?;
        kulanz_delivery::senders::use_ring();
        let client = reqwest::blocking::Client::new();
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(client.clone())
            .with_endpoint(format!("{base}/v1/metrics"))
            .build()?;
        meters = meters.with_reader(PeriodicReader::builder(exporter).build());
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(format!("{base}/v1/traces"))
            .build()?;
        // What is not kept has no span in the first place.
        traces::collect(settings.traces);
        let built = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_batch_exporter(exporter)
            .build();
        tracers = Some(built);
    }
    let meters = meters.build();
    let spans = tracers.as_ref().map(|tracers| {
        let ours = filter_fn(|span| span.is_span() && span.target().starts_with("kulanz"));
        let layer = tracing_opentelemetry::layer().with_tracer(tracers.tracer("kulanz"));
        layer.with_filter(ours)
    });
    tracing_subscriber::registry()
        .with(logs(level, settings.logs))
        // Its own filter is not seen from outside: without another one log lines would lose theirs.
        .with(MetricsLayer::new(meters.clone()).with_filter(filter_fn(|e| e.target() == METRIC)))
        .with(spans)
        .init();
    let _ = REGISTRY.set(registry);
    Ok(Telemetry { meters: Some(meters), tracers })
}

impl Telemetry {
    /// Sends what is still here.
    pub fn end(self) {
        // What could not be sent has been logged by the exporter; there is nobody else to tell.
        if let Some(tracers) = self.tracers {
            let _ = tracers.shutdown();
        }
        if let Some(meters) = self.meters {
            let _ = meters.shutdown();
        }
    }
}

/// All metrics in the text format of Prometheus; `None` where none are collected.
pub fn exposition() -> Option<Result<String>> {
    let registry = REGISTRY.get()?;
    let mut families = registry.gather();
    // Where a metric was written is nothing to whoever reads it: all come through one layer.
    for metric in families.iter_mut().flat_map(|family| family.mut_metric()) {
        let mut labels = metric.take_label();
        labels.retain(|label| !label.name().starts_with("otel_scope_"));
        metric.set_label(labels);
    }
    Some(TextEncoder::new().encode_to_string(&families).map_err(Into::into))
}

fn logs<S>(level: &str, format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let filter = EnvFilter::try_from_env("KULANZ_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let text = format == LogFormat::Text;
    // Libraries show what they work on at their lower levels, a template engine the debtor's name.
    // At the writer, where no combination of layers gets round it.
    let ours: fn(&tracing::Metadata<'_>) -> bool =
        |event| event.target().starts_with("kulanz") || *event.level() <= tracing::Level::WARN;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr.with_filter(ours));
    match text {
        true => layer.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
        false => layer.json().with_filter(filter).boxed(),
    }
}
