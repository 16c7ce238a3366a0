//! Topics out of step: whole topics before those that they speak of, backwards, and all again.

use std::{collections::BTreeMap, time::Instant};

use serde_json::Value;

use super::{
    super::{
        kafka::{server, topic_of},
        postgres,
        world::within,
    },
    fleet::{Fed, Fleet},
    load::shuffle,
    verify::{begin, verify},
};

#[test]
fn whole_topics_come_late_backwards_and_twice() {
    let what = "whole_topics_come_late_backwards_and_twice";
    if !server::is_real(what) {
        return;
    }
    let (mut dice, events) = begin(what, 250);
    let fleet = Fleet::new(2, postgres::server::database(), &server::shared().address());
    let servers = fleet.serve_all();
    let (mut fed, begun) = (Fed::default(), Instant::now());
    let mut send = |events: &[Value]| {
        fleet.topics.send_all(events);
        fed.records += events.len();
        within(90, &format!("all is committed; {}", fleet.houses[0].log()), || {
            (fleet.topics.lag() == Some(0)).then_some(())
        });
    };
    let mut topics: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for event in &events {
        topics.entry(topic_of(event)).or_default().push(event.clone());
    }
    // What money did, before anybody knows of an invoice; who somebody is, last.
    for topic in ["kulanz.payments", "kulanz.invoices", "kulanz.debtors"] {
        let mut all = topics.remove(topic).unwrap();
        // Newest first, in each account.
        all.sort_by(|one, other| other["time"].as_str().cmp(&one["time"].as_str()));
        send(&all);
    }
    assert!(topics.is_empty(), "{topics:?}");
    let mut again = events.clone();
    shuffle(&mut dice, &mut again);
    send(&again);
    fed.duplicates = again.len();
    fed.took = begun.elapsed();
    verify(what, &fleet, servers, &events, &fed);
}
