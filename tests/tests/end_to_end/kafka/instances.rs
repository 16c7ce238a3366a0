//! Several servers on one database that share a group: each event in once, the log out in order.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    super::{
        crash::{history, sums},
        postgres::{self, keep_in},
        world::{Dice, Installation, Server},
    },
    Topics,
    outbound::in_order,
};

const SERVERS: usize = 3;

/// How far the log was written, and how far it goes, as `doctor` says.
pub fn written(house: &Installation) -> (u64, u64) {
    let said = house.run(&["doctor"]).out;
    let (_, rest) = said.split_once("written to kulanz.accounts up to ").unwrap();
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let mut next = || numbers.next().unwrap().parse().unwrap();
    (next(), next())
}

#[test]
fn servers_that_share_the_topics_are_killed_in_turn_and_lose_and_mix_up_nothing() {
    let mut dice = Dice::new("killed instances with Kafka");
    let url = postgres::server::database();
    let houses: Vec<_> = (0..SERVERS).map(|_| Installation::new()).collect();
    let topics = Topics::new(&houses[0]);
    let key = houses[0].data().join("master.key");
    for house in &houses {
        keep_in(house, &url);
        let text = std::fs::read_to_string(house.config().join("kulanz.yaml")).unwrap();
        let mut settings: Value = serde_json::from_str(&text).unwrap();
        settings["kafka"] = topics.settings();
        settings["master_key_file"] = json!(key);
        house.settings(&settings);
    }
    let mut servers: Vec<_> = houses.iter().map(|house| Some(house.serve())).collect();
    let events = history(&mut dice);
    let mut sent = 0;
    for round in 0..SERVERS {
        let upto = events.len() * (round + 1) / SERVERS;
        topics.send_all(&events[sent..upto]);
        sent = upto;
        // Some of them once more.
        topics.send_all(&events[dice.below(upto as u64) as usize..upto]);
        // Each of them once; whichever it is, it has partitions, and one of them writes the log.
        servers[round].take().unwrap().kill();
        servers[round] = Some(houses[round].serve());
    }
    topics.drained(&houses[0]);
    let (principal, paid) = sums(&events);
    let book = houses[1].json(&["book"]);
    assert_eq!(book["events"], json!(events.len()));
    assert_eq!(book["currencies"]["EUR"]["principal"], principal.to_string());
    assert_eq!(book["currencies"]["EUR"]["paid"], paid.to_string());
    assert_eq!(houses[2].json(&["dead-letters", "list"]), json!([]));
    // The lease of one that was killed runs out first.
    let deadline = Instant::now() + Duration::from_secs(90);
    while matches!(written(&houses[0]), (at, end) if at != end) {
        assert!(Instant::now() < deadline, "the log is not written: {:?}", written(&houses[0]));
    }
    servers.into_iter().flatten().for_each(Server::stop);
    let (at, end) = written(&houses[0]);
    let told: BTreeSet<u64> = topics
        .read("kulanz.accounts")
        .iter()
        .map(|record| record.json()["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!((at, told.last()), (end, Some(&end)), "written to the end");
    in_order(&topics);
}
