//! Promises about events, versions, the inbox and the global order.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::rows::*;
use crate::{
    Append, KeyChange, OutboxChange, Outcome, Partitions, Share, Store, StoreError, StoredEvent,
    Wake,
};

/// Events, key and wake-up come back as they went in.
pub async fn what_was_appended_is_read_back(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let first = Append {
        key: KeyChange::Create(vec![9; 60]),
        wake: Wake::At(at(60)),
        ..append("shop/d1", 0, &[r#"{"a":1}"#, r#"{"b":"ü"}"#])
    };
    let outcomes = store.commit(vec![first, append("shop/d2", 0, &["{}"])]).await.unwrap();
    let [Outcome::Committed { last_position: one }, Outcome::Committed { last_position: two }] =
        outcomes[..]
    else {
        panic!("{outcomes:?}")
    };
    assert!(0 < one && one < two);

    let events = store.stream(account("shop/d1"), 0).await.unwrap();
    let (first, second) = (&events[0], &events[1]);
    assert_eq!((first.version, second.version, events.len()), (1, 2, 2));
    assert_eq!(second.position, one);
    let expected = StoredEvent {
        position: one,
        account: account("shop/d1"),
        version: 2,
        kind: "PaymentReceived".to_owned(),
        payload: r#"{"b":"ü"}"#.to_owned(),
        recorded_at: at(0),
        cause: "bank#1".to_owned(),
    };
    assert_eq!(*second, expected);
    assert_eq!(store.stream(account("shop/d1"), 1).await.unwrap(), vec![expected]);

    let asked = ["shop/d2", "shop/nobody", "shop/d1"].map(account).to_vec();
    let heads = store.heads(asked).await.unwrap();
    assert_eq!(heads[0].as_ref().map(|head| head.version), Some(1));
    assert_eq!(heads[1], None);
    let head = heads[2].as_ref().unwrap();
    assert_eq!((head.version, head.wake_at), (2, Some(at(60))));
    assert_eq!(head.key, Some(vec![9; 60]));
    assert_eq!((head.snapshot.as_ref(), &head.events), (None, &events));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// The loser of a batch learns so; the winners stand.
pub async fn a_conflict_leaves_the_others_untouched(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    commit(&*store, vec![append("shop/d1", 0, &["1"])]).await;
    let lost = Append {
        inbox: vec![key("shop", "lost")],
        wake: Wake::At(at(1)),
        secrets: vec![secret("debtor", "1", b"x")],
        outbox: vec![OutboxChange::Put(message("shop/d1", "N-1", at(0)))],
        ..append("shop/d1", 0, &["2"])
    };
    let batch = vec![append("shop/d0", 0, &["1"]), lost, append("shop/d2", 0, &["1"])];
    let outcomes = store.commit(batch).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Committed { .. }));
    assert_eq!(outcomes[1], Outcome::Conflict);
    assert!(matches!(outcomes[2], Outcome::Committed { .. }));
    assert_eq!(store.stream(account("shop/d1"), 0).await.unwrap().len(), 1);
    assert_eq!(store.recorded(vec![key("shop", "lost")]).await.unwrap(), [false]);
    assert_eq!(store.next_wake(Partitions::ALL).await.unwrap(), None);
    assert_eq!(store.secrets(account("shop/d1"), vec![]).await.unwrap(), []);
    assert_eq!(store.outbox(None, 9).await.unwrap(), []);
    let ahead = store.commit(vec![append("shop/d1", 2, &["2"])]).await.unwrap();
    assert_eq!(ahead, [Outcome::Conflict]);
}

/// A second append with a known inbox key is turned away, within a batch or later.
pub async fn an_inbound_event_takes_effect_once(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let with = |id: &str, keys: &[(&str, &str)]| Append {
        inbox: keys.iter().map(|(source, id)| key(source, id)).collect(),
        ..append(id, 0, &["{}"])
    };
    let batch = vec![
        with("shop/d1", &[("bank", "1"), ("bank", "2")]),
        with("shop/d2", &[("bank", "3"), ("bank", "2")]),
        with("shop/d3", &[("shop", "2")]),
    ];
    let outcomes = store.commit(batch).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Committed { .. }));
    assert_eq!(outcomes[1], Outcome::AlreadyRecorded(key("bank", "2")));
    assert!(matches!(outcomes[2], Outcome::Committed { .. }));

    let keys = [("bank", "1"), ("bank", "2"), ("bank", "3"), ("shop", "2"), ("bank2", "")];
    let known = store.recorded(keys.map(|(source, id)| key(source, id)).to_vec()).await.unwrap();
    assert_eq!(known, [true, true, false, true, false]);

    // What the loser brought besides is still free.
    let outcomes = store.commit(vec![with("shop/d2", &[("bank", "3")])]).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Committed { .. }));
    let again = Append { inbox: vec![key("bank", "1")], ..append("shop/d3", 1, &["{}"]) };
    let outcomes = store.commit(vec![again]).await.unwrap();
    assert_eq!(outcomes, [Outcome::AlreadyRecorded(key("bank", "1"))]);
}

/// Where an account's append is turned away, none of its rows exist.
pub async fn an_append_takes_effect_as_a_whole_or_not_at_all(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let first = Append { inbox: vec![key("bank", "1")], ..append("shop/d1", 0, &["{}"]) };
    commit(&*store, vec![first]).await;
    let all = Append {
        inbox: vec![key("bank", "2"), key("bank", "1")],
        wake: Wake::At(at(5)),
        key: KeyChange::Create(vec![1; 8]),
        secrets: vec![secret("debtor", "1", b"x")],
        outbox: vec![OutboxChange::Put(message("shop/d2", "N-1", at(0)))],
        paylinks: vec![paylink("shop/d2", 1)],
        views: Some(crate::Views { claims: vec![claim("R-1", 1)], ..Default::default() }),
        ..append("shop/d2", 0, &["{}", "{}"])
    };
    let outcomes = store.commit(vec![all]).await.unwrap();
    assert_eq!(outcomes, [Outcome::AlreadyRecorded(key("bank", "1"))]);
    assert_eq!(store.heads(vec![account("shop/d2")]).await.unwrap(), [None]);
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 1);
    let only = store.events_after(0, 9).await.unwrap()[0].position;
    assert_eq!(store.position().await.unwrap(), only);
    assert_eq!(store.recorded(vec![key("bank", "2")]).await.unwrap(), [false]);
    assert_eq!(store.next_wake(Partitions::ALL).await.unwrap(), None);
    assert_eq!(store.outbox(None, 9).await.unwrap(), []);
    assert_eq!(store.paylink([1; 32]).await.unwrap(), None);
    assert_eq!(store.claims(account("shop/d2")).await.unwrap(), []);
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}

/// A message that exists, or is moved without existing, fails its call; calls that waited
/// together with it hold.
pub async fn a_misuse_undoes_the_whole_call_and_no_other(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let row = message("shop/d1", "N-1", at(0));
    commit(&*store, messages(std::slice::from_ref(&row))).await;
    let twice = Append { outbox: vec![OutboxChange::Put(row)], ..append("shop/d1", 1, &["{}"]) };
    let missing = Append {
        outbox: vec![OutboxChange::Move {
            notice: notice_id("N-0"),
            state: crate::OutboxState::Sent,
            next_at: at(0),
            changed_at: at(0),
            detail: None,
        }],
        ..append("shop/d1", 1, &["{}"])
    };
    let calls = [
        vec![append("shop/d2", 0, &["{}"]), twice],
        vec![append("shop/d3", 0, &["{}"])],
        vec![append("shop/d4", 0, &["{}"]), missing],
    ]
    .map(|batch| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(batch).await })
    });
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.unwrap());
    }
    assert!(matches!(results[0], Err(StoreError::Misused(_))), "{results:?}");
    assert!(matches!(results[1].as_deref(), Ok([Outcome::Committed { .. }])), "{results:?}");
    assert!(matches!(results[2], Err(StoreError::Misused(_))), "{results:?}");
    let accounts = store.accounts(None, None, 9).await.unwrap();
    assert_eq!(accounts, ["shop/d1", "shop/d3"].map(account));
    assert_eq!(store.events_after(0, 9).await.unwrap().len(), 2);
}

/// Within a batch the second append of an account builds on the first.
pub async fn two_appends_of_one_account_follow_each_other_in_a_batch(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let batch = vec![
        append("shop/d1", 0, &["1", "2"]),
        append("shop/d1", 2, &["3"]),
        append("shop/d1", 2, &["4"]),
        Append { wake: Wake::At(at(1)), ..append("shop/d1", 3, &[]) },
    ];
    let outcomes = store.commit(batch).await.unwrap();
    assert_eq!(outcomes[2..], [Outcome::Conflict, Outcome::Committed { last_position: 0 }]);
    let events = store.stream(account("shop/d1"), 0).await.unwrap();
    let payloads: Vec<&str> = events.iter().map(|event| event.payload.as_str()).collect();
    assert_eq!(payloads, ["1", "2", "3"]);
    assert_eq!(store.commit(Vec::new()).await.unwrap(), []);
}

/// The expected version decides, however many come at once.
pub async fn of_concurrent_commits_on_one_version_one_wins(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let calls: Vec<_> = (0..16)
        .map(|number| {
            let store = Arc::clone(&store);
            let payload = number.to_string();
            let batch = vec![append("shop/d1", 0, &[&payload])];
            tokio::spawn(async move { store.commit(batch).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        match call.await.unwrap()[..] {
            [Outcome::Committed { .. }] => won += 1,
            [Outcome::Conflict] => {}
            ref other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(store.stream(account("shop/d1"), 0).await.unwrap().len(), 1);
}

/// Who polls the global order from its last position sees each event once, in order, while
/// many commit.
pub async fn the_global_order_rises_and_a_polling_reader_skips_nothing(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    const WRITERS: u64 = 4;
    const ROUNDS: u64 = 40;
    let store = open().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen: Vec<StoredEvent> = Vec::new();
            loop {
                let last_round = done.load(Ordering::SeqCst);
                let after = seen.last().map_or(0, |event| event.position);
                let page = store.events_after(after, 7).await.unwrap();
                if page.is_empty() && last_round {
                    return seen;
                }
                seen.extend(page);
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let (own, fresh) = (format!("shop/w{writer}"), format!("w{writer}/r{round}"));
                    commit(
                        &*store,
                        vec![append(&own, round * 2, &["{}", "{}"]), append(&fresh, 0, &["{}"])],
                    )
                    .await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let seen = reader.await.unwrap();
    assert_eq!(seen.len() as u64, WRITERS * ROUNDS * 3);
    assert!(seen.windows(2).all(|pair| pair[0].position < pair[1].position));
    let mut versions: HashMap<_, u64> = HashMap::new();
    for event in &seen {
        let version = versions.entry(event.account.clone()).or_default();
        *version += 1;
        assert_eq!(event.version, *version, "{}", event.account);
    }
}

/// By the kind of an event in their log, however much else is in it.
pub async fn accounts_with_a_placement_are_told_from_others(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    assert_eq!(store.placed().await.unwrap(), []);
    let mut placed = append("shop/d1", 0, &["{}", "{}", "{}"]);
    placed.events[1].kind = "PlacementReleased";
    placed.events[2].kind = "PlacementReleased";
    let mut recalled = append("mall/d1", 0, &["{}"]);
    recalled.events[0].kind = "PlacementRecalled";
    commit(&*store, vec![placed, recalled, append("shop/d2", 0, &["{}"])]).await;
    assert_eq!(store.placed().await.unwrap(), [account("shop/d1")]);
}

/// A head brings the latest snapshot and only the events after it.
pub async fn a_head_starts_from_its_snapshot(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let with = |state: &[u8], expected, events| Append {
        snapshot: Some(state.to_vec()),
        ..append("shop/d1", expected, events)
    };
    commit(&*store, vec![with(b"two", 0, &["1", "2"])]).await;
    commit(&*store, vec![with(b"three", 2, &["3"])]).await;
    let at_three = store.heads(vec![account("shop/d1")]).await.unwrap().remove(0).unwrap();
    assert_eq!((at_three.snapshot, at_three.events), (Some((3, b"three".to_vec())), vec![]));
    commit(&*store, vec![append("shop/d1", 3, &["4"])]).await;
    let head = store.heads(vec![account("shop/d1")]).await.unwrap().remove(0).unwrap();
    assert_eq!((head.version, head.snapshot), (4, Some((3, b"three".to_vec()))));
    let rest: Vec<&str> = head.events.iter().map(|event| event.payload.as_str()).collect();
    assert_eq!(rest, ["4"]);
    assert_eq!(store.stream(account("shop/d1"), 0).await.unwrap().len(), 4);
}

/// What was committed is there for who opens the data next, and positions go on rising.
pub async fn all_is_there_after_opening_again(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let full = Append {
        snapshot: Some(b"state".to_vec()),
        wake: Wake::At(at(30)),
        inbox: vec![key("bank", "1")],
        key: KeyChange::Create(vec![3; 48]),
        secrets: vec![secret("debtor", "1", b"sealed")],
        outbox: vec![OutboxChange::Put(message("shop/d1", "N-1", at(0)))],
        paylinks: vec![paylink("shop/d1", 5)],
        views: Some(crate::Views {
            books: vec![book(kulanz_domain::money::Currency::EUR, 500)],
            claims: vec![claim("R-1", 380)],
            notices: vec![notice("N-1", at(0))],
            work: vec![item("hardship", "R-1", at(0))],
            ..crate::Views::default()
        }),
        ..append("shop/d1", 0, &["1", "2"])
    };
    commit(&*store, vec![full]).await;
    let before = picture(&*store).await;
    drop(store);
    let store = open().await;
    assert_eq!(picture(&*store).await, before);
    let last = store.events_after(0, 9).await.unwrap()[1].position;
    assert_eq!(store.position().await.unwrap(), last);
    let outcomes = store.commit(vec![append("shop/d1", 2, &["3"])]).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Committed { last_position } if last_position > last));
    let known = Append { inbox: vec![key("bank", "1")], ..append("shop/d1", 3, &["4"]) };
    let outcomes = store.commit(vec![known]).await.unwrap();
    assert_eq!(outcomes, [Outcome::AlreadyRecorded(key("bank", "1"))]);
}

async fn picture(store: &dyn Store) -> String {
    let one = account("shop/d1");
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        store.heads(vec![one.clone()]).await.unwrap(),
        store.events_after(0, 9).await.unwrap(),
        store.due(at(99), Share::ALL, 9).await.unwrap(),
        store.secrets(one.clone(), vec![]).await.unwrap(),
        store.outbox(None, 9).await.unwrap(),
        store.paylink([5; 32]).await.unwrap(),
        store.book(None).await.unwrap(),
        (store.claims(one.clone()).await.unwrap(), store.notices(Some(one), 9).await.unwrap()),
        store.work(None, 9).await.unwrap(),
    )
}

/// However many bring the same inbound event, to whichever accounts.
pub async fn of_concurrent_commits_with_one_inbox_key_one_takes_effect(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let calls: Vec<_> = (0..12)
        .map(|number| {
            let store = Arc::clone(&store);
            // Keys in another order each time: none may wait for one that waits for it.
            let mut inbox = vec![key("bank", "1"), key("bank", "2"), key("bank", "3")];
            inbox.rotate_left(number % 3);
            let own = Append { inbox, ..append(&format!("shop/d{number}"), 0, &["1"]) };
            let other = append(&format!("shop/other{number}"), 0, &["1"]);
            tokio::spawn(async move { store.commit(vec![own, other]).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        let outcomes = call.await.unwrap();
        match outcomes[0] {
            Outcome::Committed { .. } => won += 1,
            Outcome::AlreadyRecorded(_) => {}
            _ => panic!("{outcomes:?}"),
        }
        assert!(matches!(outcomes[1], Outcome::Committed { .. }), "{outcomes:?}");
    }
    assert_eq!(won, 1);
    assert_eq!(store.recorded_count().await.unwrap(), 3);
    assert_eq!(store.events_after(0, 99).await.unwrap().len(), 13);
}

/// Also an account that is asked for twice, or does not exist.
pub async fn heads_come_in_the_order_in_which_they_are_asked_for(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    commit(&*store, vec![append("shop/d1", 0, &["1"]), append("shop/d2", 0, &["1", "2"])]).await;
    let asked = ["shop/d2", "shop/none", "shop/d1", "shop/d2"].map(account).to_vec();
    let heads = store.heads(asked).await.unwrap();
    let told: Vec<_> = heads
        .iter()
        .map(|head| head.as_ref().map(|head| (head.version, head.events.len())))
        .collect();
    assert_eq!(told, [Some((2, 2)), None, Some((1, 1)), Some((2, 2))]);
    assert_eq!(store.heads(Vec::new()).await.unwrap(), []);
    assert_eq!(store.recorded(Vec::new()).await.unwrap(), Vec::<bool>::new());
}

/// Whatever is finer is rounded down, but for wake-ups and next tries.
pub async fn a_moment_is_kept_to_the_microsecond_and_no_later_than_it_was(
    open: impl AsyncFn() -> Arc<dyn Store>,
) {
    let store = open().await;
    let odd = jiff::Timestamp::from_nanosecond(at(10).as_nanosecond() + 1_999).unwrap();
    let micros = |more| jiff::Timestamp::from_microsecond(at(10).as_microsecond() + more).unwrap();
    let mut new = append("shop/d1", 0, &["1"]);
    new.events[0].recorded_at = odd;
    let row = crate::OutboxRow { next_at: odd, ..message("shop/d1", "N-1", odd) };
    new.outbox = vec![OutboxChange::Put(crate::OutboxRow { decided_at: odd, ..row })];
    commit(&*store, vec![new]).await;
    assert_eq!(store.events_after(0, 9).await.unwrap()[0].recorded_at, micros(1));
    let row = store.outbox_row(notice_id("N-1")).await.unwrap().unwrap();
    assert_eq!((row.decided_at, row.next_at), (micros(1), micros(2)));
}

/// More accounts and events than any page, block or array that a store may have inside.
pub async fn a_batch_of_many_appends_is_one_batch(open: impl AsyncFn() -> Arc<dyn Store>) {
    const MANY: usize = 2_300;
    let store = open().await;
    let batch = |version: u64| -> Vec<Append> {
        (0..MANY)
            .rev()
            .map(|number| Append {
                inbox: vec![key("bank", &format!("{number}/{version}"))],
                wake: Wake::At(at(number as i64)),
                ..append(&format!("shop/d{number}"), version, &["1", "2"])
            })
            .collect()
    };
    for version in [0, 2] {
        let outcomes = store.commit(batch(version)).await.unwrap();
        let positions: Vec<u64> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Committed { last_position } => *last_position,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(positions.windows(2).all(|pair| pair[0] + 2 <= pair[1]));
    }
    assert_eq!(store.events_after(0, 99_999).await.unwrap().len(), 4 * MANY);
    assert_eq!(store.recorded_count().await.unwrap(), 2 * MANY as u64);
    assert_eq!(store.due(at(99_999), Share::ALL, 9_999).await.unwrap().len(), MANY);
    let again = store.commit(batch(2)).await.unwrap();
    assert!(again.iter().all(|outcome| *outcome == Outcome::Conflict));
    assert_eq!(store.check().await.unwrap(), Vec::<String>::new());
}
