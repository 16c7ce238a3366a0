#![allow(clippy::unwrap_used)]
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use kulanz_domain::{
    fact::{Fact, Stamp},
    ids::AccountId,
};
use kulanz_store::{InboxKey, Store, sqlite::SqliteStore};
use tempfile::TempDir;
use tracing::{Event, Metadata, Subscriber, span};

use super::*;
use crate::{
    Engine, Incoming, Mode, SharedRules,
    clock::Clock,
    plan::tests::{issued, policy, profile, rules},
    vault::Vault,
};

const KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_context_is_written_as_it_is_read() {
    let context = TraceContext::parse(KEPT).unwrap();
    assert_eq!(context.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    assert_eq!(context.span, 0x00f0_67aa_0ba9_02b7);
    assert_eq!(context.to_string(), KEPT);
}

#[test]
fn what_is_not_kept_or_names_nothing_is_no_context() {
    let with = |from: &str, to: &str| TraceContext::parse(&KEPT.replacen(from, to, 1));
    assert!(with("-01", "-03").is_some());
    assert_eq!(with("-01", "-00"), None);
    assert_eq!(with("-01", "-1"), None);
    assert_eq!(with("-01", "-01-x"), None);
    assert_eq!(with("00-", "01-"), None);
    assert_eq!(with("4bf92f", "4BF92F"), None);
    assert_eq!(with("00f067", "+0f067"), None);
    assert_eq!(with("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), None);
    assert_eq!(with("00f067aa0ba902b7", &"0".repeat(16)), None);
    assert_eq!(TraceContext::parse(""), None);
}

/// Takes everything, and counts spans and events of ours.
#[derive(Clone, Default)]
struct Counting(std::sync::Arc<[AtomicU64; 2]>);

impl Counting {
    fn counted(&self, at: usize, metadata: &Metadata<'_>) -> u64 {
        let ours = metadata.target().starts_with("kulanz") || metadata.target() == "metric";
        self.0[at].fetch_add(u64::from(ours), Ordering::Relaxed)
    }
}

impl Subscriber for Counting {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(self.counted(0, span.metadata()) + 1)
    }
    fn event(&self, event: &Event<'_>) {
        self.counted(1, event.metadata());
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn where_nobody_collects_no_span_is_made() {
    let counting = Counting::default();
    // A second one: where there is one alone, threads without it settle that nobody wants a span.
    let _second = tracing::Dispatch::new(counting.clone());
    let _all_here = tracing::subscriber::set_default(counting.clone());
    let folder = TempDir::new().unwrap();
    let store: std::sync::Arc<dyn Store> =
        std::sync::Arc::new(SqliteStore::open(folder.path()).unwrap());
    let now: Timestamp = "2026-01-12T10:00:00Z".parse().unwrap();
    let clock = Clock::standing(now);
    let rules = SharedRules::new([("shop".parse().unwrap(), rules(policy()))].into());
    let vault = std::sync::Arc::new(Vault::new([7; 32]));
    let engine = Engine::start(store, vault, clock.clone(), rules, Mode::Serving);
    assert_eq!(continued(Some(KEPT)), None);
    let told = |number: u32, fact: Fact| Incoming {
        key: InboxKey { source: "/test".to_owned(), id: format!("e-{number}") },
        account: AccountId::new("shop".parse().unwrap(), "D".parse().unwrap()),
        stamp: Stamp { at: now, id: format!("e-{number}") },
        fact,
        secrets: Vec::new(),
        recorded_at: None,
        trace: continued(Some(KEPT)),
    };
    let late = issued("R", jiff::civil::date(2026, 1, 1));
    let later = issued("S", jiff::civil::date(2026, 1, 12));
    let facts = [profile(), late, later];
    engine
        .record((0..).zip(facts).map(|(number, fact)| told(number, fact)).collect())
        .await
        .unwrap();
    clock.set("2026-02-12T10:00:00Z".parse().unwrap());
    assert_eq!(engine.run_due().await.unwrap(), 1);
    // A message each, by the event and by the wake-up, and lines of metrics about it.
    let messages = engine.store().outbox(None, 9).await.unwrap();
    assert!(!messages.is_empty() && messages.iter().all(|row| row.traceparent.is_none()));
    let [spans, events] = &*counting.0;
    assert!(events.load(Ordering::Relaxed) > 0);
    assert_eq!(spans.load(Ordering::Relaxed), 0);
}
