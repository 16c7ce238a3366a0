//! Orders on the command line whose answer is lost on the way: done once, and told.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{
    events::invoice,
    world::{Installation, Said, Server},
};

/// How a request ends on its way.
#[derive(Clone, Copy)]
enum End {
    /// It is answered.
    Answered,
    /// The server does what it asks for, and the answer is lost.
    Lost,
    /// As by a server at which the same is being worked on.
    InFlight,
    /// As [`End::Lost`]; the server is found elsewhere after that.
    Moved,
}

/// The keys of the requests that took a way.
type Keys = Arc<Mutex<Vec<String>>>;

fn listens_at(house: &Installation, address: &str) {
    let told = json!({ "url": format!("http://{address}") });
    fs::write(house.data().join("server.json"), told.to_string()).unwrap();
}

/// A request with its body, on a connection that ends after it.
fn request(client: &mut TcpStream) -> String {
    let (mut read, mut piece) = (String::new(), [0; 4096]);
    loop {
        let length = client.read(&mut piece).unwrap();
        read.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        let Some((head, body)) = read.split_once("\r\n\r\n") else { continue };
        let told = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == told.unwrap().parse::<usize>().unwrap() {
            return read.replacen("\r\n", "\r\nconnection: close\r\n", 1);
        }
    }
}

/// Puts a way before the server on which one request after the other ends like this.
fn way(house: &Installation, server: &Server, ends: &[End]) -> Keys {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listens_at(house, &listener.local_addr().unwrap().to_string());
    let keys = Keys::default();
    let (ends, server, told) = (ends.to_vec(), server.address.clone(), Arc::clone(&keys));
    let file = house.data().join("server.json");
    std::thread::spawn(move || {
        for end in ends {
            let (mut client, _) = listener.accept().unwrap();
            let asked = request(&mut client);
            let key = asked.lines().find(|line| line.starts_with("idempotency-key: "));
            told.lock().unwrap().push(key.unwrap_or_default().to_owned());
            if let End::InFlight = end {
                let problem = json!({ "type": "urn:kulanz:problem:idempotency_in_flight" });
                let problem = problem.to_string();
                let head = "HTTP/1.1 409 Conflict\r\nretry-after: 1\r\nconnection: close\r\n";
                write!(client, "{head}content-length: {}\r\n\r\n{problem}", problem.len()).unwrap();
                continue;
            }
            let mut to = TcpStream::connect(&server).unwrap();
            to.write_all(asked.as_bytes()).unwrap();
            let mut answer = Vec::new();
            to.read_to_end(&mut answer).unwrap();
            match end {
                End::Answered => client.write_all(&answer).unwrap(),
                End::Moved => {
                    let url = json!({ "url": format!("http://{server}") });
                    fs::write(&file, url.to_string()).unwrap();
                }
                End::Lost | End::InFlight => {}
            }
        }
    });
    keys
}

fn hold(house: &Installation) -> Said {
    house.run(&["account", "hold", "atelier/K-1", "--reason", "called", "--as", "ada"])
}

#[test]
fn an_order_whose_answer_is_lost_is_asked_for_again_and_done_once() {
    let house = Installation::new();
    let server = house.serve();
    server.accept(&[invoice("atelier/K-1", "R-1", "10.00", "2036-01-01")]);
    let keys = way(&house, &server, &[End::Lost, End::Lost, End::Answered]);
    let said = hold(&house).well();
    assert!(said.out.contains("atelier/K-1 is on hold"), "{said:?}");
    for word in ["went away before it answered", "under the same key", "nothing is done twice"] {
        assert_eq!(said.err.matches(word).count(), 2, "{said:?}");
    }
    let holds = |house: &Installation| {
        house.kinds("atelier/K-1").iter().filter(|kind| *kind == "HoldPlaced").count()
    };
    assert_eq!(holds(&house), 1);
    let first = keys.lock().unwrap().clone();
    assert!(first.len() == 3 && first[0] == first[1] && first[0] == first[2], "{first:?}");

    // The same order given once more is another one, and a server that was started anew is found.
    let keys = way(&house, &server, &[End::Moved]);
    let said = hold(&house).well();
    assert_eq!(holds(&house), 2, "{said:?}");
    assert_ne!(keys.lock().unwrap()[0], first[0]);
    server.stop();
}

#[test]
fn an_order_that_is_being_worked_on_is_waited_for() {
    let house = Installation::new();
    assert_eq!(house.import(&house.file("wrong.ndjson", "1\n")).code, 1);
    let server = house.serve();
    let keys = way(&house, &server, &[End::InFlight, End::Answered]);
    let said = house.run(&["dead-letters", "retry", "--as", "ada"]).well();
    assert!(said.err.contains("the order is being worked on"), "{said:?}");
    let keys = keys.lock().unwrap().clone();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    let letters: Value = house.json(&["dead-letters", "list"]);
    assert!(letters.is_array(), "{letters}");
    server.stop();
}
