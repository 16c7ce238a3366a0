//! Several servers on one database that share the topics, with all that is around them.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    super::{
        http::{self, NDJSON},
        kafka::Topics,
        processes::SmsServer,
        receiver::Receiver,
        world::{Dice, Installation, Server, lines},
    },
    reader::Reader,
};

/// Events that are sent at once.
const AT_ONCE: usize = 10;

/// One database, one broker, one gateway, and the folders of several servers.
pub struct Fleet {
    /// Of the database.
    pub url: String,
    pub houses: Vec<Installation>,
    pub topics: Topics,
    pub sms: SmsServer,
    pub reader: Reader,
    /// A shop that hears everything by webhook.
    pub shop: Receiver,
    /// Where servers listen that were not ended.
    addresses: Mutex<Vec<Option<String>>>,
}

/// What sending came to.
#[derive(Debug, Default)]
pub struct Fed {
    /// Records on topics, in all.
    pub records: usize,
    /// Of them such as had been sent before.
    pub duplicates: usize,
    /// Events that were posted as well, to some server that answered.
    pub posted: usize,
    /// Posts that were answered 503.
    pub refused: usize,
    /// Posts without an answer.
    pub unanswered: usize,
    pub took: Duration,
}

impl Fleet {
    /// Folders for so many servers, and topics; nobody runs yet.
    pub fn new(servers: usize, url: String, broker: &str) -> Self {
        let (before, place) = url.rsplit_once('@').unwrap();
        let (user, password) = before.rsplit_once(':').unwrap();
        let houses: Vec<_> = (0..servers).map(|_| Installation::new()).collect();
        let (topics, sms, shop) = (Topics::named(broker), SmsServer::moody(), Receiver::start());
        let key = houses[0].data().join("master.key");
        for house in &houses {
            let file = house.file("password", format!("{password}\n"));
            let secret = house.file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
            house.settings(&json!({
                "database": format!("{user}@{place}"),
                "database_password": { "file": file },
                "master_key_file": key,
                "sms": sms.settings(),
                "kafka": topics.settings(),
                "webhooks": [{ "name": "shop", "url": shop.url, "secret_file": secret,
                               "begin": "first" }],
            }));
        }
        houses[0].run(&["topics", "create"]).well();
        let reader = Reader::start(&topics);
        let addresses = Mutex::new(vec![None; servers]);
        Self { url, houses, topics, sms, reader, shop, addresses }
    }

    pub fn serve(&self, number: usize) -> Server {
        self.serve_with(number, &[])
    }

    pub fn serve_with(&self, number: usize, environment: &[(&str, &str)]) -> Server {
        let server = self.houses[number].serve_with(environment);
        self.addresses.lock().unwrap()[number] = Some(server.address.clone());
        server
    }

    /// All of them.
    pub fn serve_all(&self) -> Vec<Option<Server>> {
        (0..self.houses.len()).map(|number| Some(self.serve(number))).collect()
    }

    /// Nothing is posted to it any more.
    pub fn forget(&self, number: usize) {
        self.addresses.lock().unwrap()[number] = None;
    }

    /// Sends these events one after the other, with pauses, whatever happens meanwhile. Of what was
    /// sent some comes once more, by Kafka or by HTTP, now or much later.
    pub fn feed(&self, dice: &mut Dice, events: &[Value], pause: Duration) -> Fed {
        let (mut fed, begun) = (Fed::default(), Instant::now());
        for (at, chunk) in events.chunks(AT_ONCE).enumerate() {
            self.topics.queue(chunk);
            fed.records += chunk.len();
            if dice.below(3) == 0 {
                let from = dice.below((at * AT_ONCE) as u64 + 1) as usize;
                let again = &events[from..events.len().min(from + AT_ONCE)];
                self.topics.queue(again);
                fed.records += again.len();
                fed.duplicates += again.len();
            }
            if dice.below(4) == 0 {
                self.post(dice, chunk, &mut fed);
            }
            std::thread::sleep(pause);
        }
        fed.took = begun.elapsed();
        fed
    }

    /// Posts events that are on their topics as well, so that it does not matter what becomes of it.
    fn post(&self, dice: &mut Dice, events: &[Value], fed: &mut Fed) {
        let addresses: Vec<String> =
            self.addresses.lock().unwrap().iter().flatten().cloned().collect();
        if addresses.is_empty() {
            return;
        }
        let address = &addresses[dice.below(addresses.len() as u64) as usize];
        let body = lines(events);
        match http::request(address, "POST", "/v1/events", &[NDJSON], body.as_bytes()) {
            Err(_) => fed.unanswered += 1,
            Ok(answer) if answer.status == 503 => fed.refused += 1,
            Ok(answer) => {
                assert_eq!(answer.status, 202, "{answer:?}");
                for receipt in answer.json()["receipts"].as_array().unwrap() {
                    let status = receipt["status"].as_str().unwrap();
                    assert!(["accepted", "duplicate"].contains(&status), "{receipt}");
                }
                fed.posted += events.len();
            }
        }
    }

    /// How often the logs of all servers say this.
    pub fn logged(&self, words: &str) -> usize {
        self.houses.iter().map(|house| house.log().matches(words).count()).sum()
    }
}
