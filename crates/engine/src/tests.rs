#![allow(clippy::unwrap_used)]
use std::{collections::HashMap, sync::Arc, time::Duration};

use kulanz_store::{Store, sqlite::SqliteStore};

use crate::{Engine, Fault, Mode, SharedRules, clock::Clock, vault::Vault};

async fn looked_at(engine: &Engine) -> Result<usize, Fault> {
    let answers = engine.ledgers.decide(vec!["shop/D-1".parse().unwrap()]).await?;
    let answer = answers.into_iter().next().unwrap();
    answer.await.map_err(|_| Fault::Stopped)?
}

#[test]
fn a_ledger_that_dies_is_told_of_and_nothing_is_taken_after_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (theirs, ours) = (runtime(), runtime());
    let folder = tempfile::TempDir::new().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).unwrap());
    let (vault, rules) = (Arc::new(Vault::new([7; 32])), SharedRules::new(HashMap::new()));
    let engine = {
        let _inside = theirs.enter();
        Engine::start(store, vault, Clock::wall(), rules, Mode::Serving)
    };
    ours.block_on(async {
        let lives = tokio::time::timeout(Duration::from_millis(50), engine.died()).await;
        assert!(lives.is_err());
        assert_eq!(looked_at(&engine).await.unwrap(), 1);
    });
    // Its task ends with its runtime, as it would where it panics.
    theirs.shutdown_background();
    ours.block_on(engine.died());
    let refused = ours.block_on(looked_at(&engine));
    assert!(matches!(refused, Err(Fault::Stopped)), "{refused:?}");
}

#[test]
fn a_key_lies_on_the_partition_that_kafka_gives_it() {
    // Values of the reference implementation's own tests.
    let known = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    for (key, hash) in known {
        assert_eq!(crate::murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
    }
}
