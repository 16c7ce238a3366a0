use std::io::Write;

use serde_json::{Value, json};

use super::{
    events::{event, invoice, payment},
    world::{Installation, lines},
};

/// Three accounts: one owes, one paid in part, one paid more than it owed.
pub fn small_history() -> Vec<Value> {
    vec![
        invoice("atelier/K-1", "R-1", "89.90", "2026-03-15"),
        invoice("atelier/K-2", "R-2", "100.00", "2026-03-15"),
        payment("atelier/K-2", "P-2", "33.33", "2026-03-20", "R-2"),
        // Money before its invoice.
        payment("atelier/K-3", "P-3", "20.05", "2026-03-01", "R-3"),
        invoice("atelier/K-3", "R-3", "20.00", "2026-03-15"),
    ]
}

fn euros(book: &Value) -> Vec<&str> {
    let members = ["principal", "paid", "outstanding", "unallocated"];
    members.map(|name| book["currencies"]["EUR"][name].as_str().unwrap()).to_vec()
}

#[test]
fn a_history_is_recorded_once_however_often_it_is_imported() {
    let house = Installation::new();
    let file = house.events("history.ndjson", &small_history());
    let first = house.import(&file).well().json();
    assert_eq!(first, json!({ "accepted": 5, "duplicates": 0, "rejected": 0 }));
    let again = house.import(&file).well().json();
    assert_eq!(again, json!({ "accepted": 0, "duplicates": 5, "rejected": 0 }));
    let book = house.json(&["book"]);
    assert_eq!(
        (&book["events"], &book["accounts"], &book["claims"]),
        (&json!(5), &json!(3), &json!(3))
    );
    assert_eq!(euros(&book), ["209.90", "53.38", "156.57", "0.05"]);
    // Nobody was contacted, and nothing was decided.
    assert_eq!(house.count("SELECT count(*) FROM outbox"), 0);
    assert_eq!(house.kinds("atelier/K-1"), ["InvoiceIssued"]);
}

#[test]
fn the_same_event_twice_in_one_file_is_recorded_once() {
    let house = Installation::new();
    let events = small_history();
    let file = house.events("twice.ndjson", &[events.clone(), events].concat());
    let counts = house.import(&file).well().json();
    assert_eq!(counts, json!({ "accepted": 5, "duplicates": 5, "rejected": 0 }));
    assert_eq!(euros(&house.json(&["book"]))[0], "209.90");
}

#[test]
fn a_line_that_cannot_be_taken_is_kept_with_its_reason_and_its_bytes() {
    let house = Installation::new();
    let good = invoice("atelier/K-1", "R-1", "89.90", "2026-03-15");
    let with = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        event.to_string()
    };
    let wrong = [
        ("malformed", "{\"specversion\": \"1.0\", broken".to_owned()),
        ("malformed", format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
        ("unknown_type", with("/type", json!("kulanz.invoice.forgotten.v1"))),
        ("invalid", with("/data/amount", json!(89.9))),
        ("invalid", with("/data/amount", json!("89.901"))),
        ("invalid", with("/data/amount", json!("-1.00"))),
        ("invalid", with("/data/currency", json!("XXQ"))),
        ("invalid", with("/data/due_on", json!("2026-02-30"))),
        ("invalid", with("/subject", json!("atelier"))),
        ("invalid", with("/data/debtor", json!("K-2"))),
    ];
    let mut text = wrong.each_ref().map(|(_, line)| format!("{line}\n")).concat().into_bytes();
    text.extend_from_slice(b"\xff\xfe not text\n");
    text.extend_from_slice(lines(&[good]).as_bytes());
    let said = house.import(&house.file("wrong.ndjson", &text)).refused(&["dead-letters list"]);
    assert_eq!(said.json(), json!({ "accepted": 1, "duplicates": 0, "rejected": 11 }));

    let letters = house.json(&["dead-letters", "list"]);
    let letters = letters.as_array().unwrap();
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    assert_eq!(letters.len(), 11);
    for letter in letters {
        let origin = letter["origin"].as_str().unwrap();
        let line: usize = origin.rsplit(':').next().unwrap().parse().unwrap();
        let expected = wrong.get(line - 1).map_or("malformed", |(reason, _)| reason);
        assert_eq!(letter["reason"], *expected, "{letter}");
        assert!(!letter["detail"].as_str().unwrap().is_empty(), "{letter}");
        let shown = house.run(&["dead-letters", "show", &letter["number"].to_string()]).well();
        let shown = shown.bytes.strip_suffix(b"\n").unwrap();
        assert!(shown.ends_with(lines[line - 1]), "line {line} comes back changed");
    }
    // Trying them again changes nothing, and says so.
    let said = house.run(&["dead-letters", "retry", "--as", "ada"]);
    assert!(said.out.contains("11 still open"), "{said:?}");
    assert_eq!(house.json(&["dead-letters", "list"]).as_array().unwrap().len(), 11);
    // Nobody will mend them: they are closed together or not at all, and kept.
    let discard = |numbers: &[&str]| {
        house.run(&[&["dead-letters", "discard"], numbers, &["--as", "ada"]].concat())
    };
    discard(&["1", "99"]).refused(&["no open dead letter 99"]);
    assert_eq!(house.json(&["dead-letters", "list"]).as_array().unwrap().len(), 11);
    assert!(discard(&["1", "2"]).well().out.contains("2 dead letters discarded"));
    discard(&["1"]).refused(&["no open dead letter 1"]);
    assert_eq!(house.json(&["dead-letters", "list"]).as_array().unwrap().len(), 9);
    assert_eq!(house.json(&["dead-letters", "list", "--all"]).as_array().unwrap().len(), 11);
    house.run(&["dead-letters", "show", "1"]).well();
}

#[test]
fn events_of_an_unknown_creditor_wait_until_there_is_a_file_for_it() {
    let house = Installation::new();
    let file = house.events(
        "early.ndjson",
        &[
            invoice("neuland/K-1", "R-1", "10.00", "2026-03-15"),
            payment("neuland/K-1", "P-1", "4.00", "2026-03-15", "R-1"),
        ],
    );
    let counts = house.import(&file).refused(&[]).json();
    assert_eq!(counts, json!({ "accepted": 0, "duplicates": 0, "rejected": 2 }));
    let letters = house.json(&["dead-letters", "list"]);
    assert_eq!(letters[0]["reason"], "unknown_creditor");
    assert!(letters[0]["detail"].as_str().unwrap().contains("policies/creditors/neuland.yaml"));

    let creditors = house.config().join("policies/creditors");
    let known = std::fs::read_to_string(creditors.join("kontor.yaml")).unwrap();
    std::fs::write(creditors.join("neuland.yaml"), known.replace("id: kontor", "id: neuland"))
        .unwrap();
    let said = house.run(&["dead-letters", "retry", "--as", "ada"]).well();
    assert!(said.out.contains("2 dead letters taken"), "{said:?}");
    assert_eq!(euros(&house.json(&["book"])), ["10.00", "4.00", "6.00", "0.00"]);
    assert_eq!(house.json(&["dead-letters", "list"]), json!([]));
    assert_eq!(house.json(&["dead-letters", "list", "--all"]).as_array().unwrap().len(), 2);
    // The file itself comes again: nothing is doubled.
    let counts = house.import(&file).well().json();
    assert_eq!(counts["duplicates"], 2);
}

#[test]
fn packed_files_and_the_standard_input_are_read_alike() {
    let text = lines(&small_history());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let packed =
        [gzip.finish().unwrap(), zstd::encode_all(text.as_bytes(), 1).unwrap(), text.into_bytes()];
    let mut books = Vec::new();
    for bytes in packed {
        let house = Installation::new();
        let counts = house.import(&house.file("packed", &bytes)).well().json();
        assert_eq!(counts["accepted"], 5);
        let again = house.run_with(&["import", "--json", "-"], &bytes).well().json();
        assert_eq!(again["duplicates"], 5);
        books.push(house.json(&["book"]));
    }
    assert!(books.iter().all(|book| *book == books[0]), "{books:?}");
}

#[test]
fn what_a_cut_off_file_still_holds_is_recorded_and_the_cut_is_told() {
    let house = Installation::new();
    let events: Vec<Value> = (0..5_000)
        .map(|n| {
            invoice(&format!("atelier/K-{}", n % 500), &format!("R-{n}"), "1.00", "2026-03-15")
        })
        .collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(lines(&events).as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    let cut = house.file("cut.ndjson.gz", &whole[..whole.len() / 2]);
    let said = house.import(&cut).refused(&["cut off", "can be imported again"]);
    let accepted = said.json()["accepted"].as_u64().unwrap();
    assert!(accepted > 0, "{said:?}");
    assert_eq!(house.json(&["book"])["events"], accepted);
    let counts = house.import(&house.file("whole.ndjson.gz", &whole)).well().json();
    assert_eq!(counts["duplicates"].as_u64().unwrap(), accepted);
    assert_eq!(euros(&house.json(&["book"]))[0], "5000.00");
}

#[test]
fn a_file_that_is_missing_stops_the_import_before_anything_is_recorded() {
    let house = Installation::new();
    let file = house.events("there.ndjson", &small_history());
    let file = file.display().to_string();
    house
        .run(&["import", &file, "/nowhere/gone.ndjson"])
        .refused(&["no file /nowhere/gone.ndjson"]);
    house.run(&["book"]).refused(&["no data at"]);
}

/// Largest memory that the program ever held, in MB.
fn peak_mb(house: &Installation, arguments: &[&str]) -> u64 {
    let command = house.command(arguments);
    let mut measured = std::process::Command::new("python3");
    let script = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], capture_output=True)\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)";
    measured.args(["-c", script]);
    measured.arg(command.get_program()).args(command.get_args());
    let output = measured.output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

#[test]
fn lines_of_ten_megabytes_are_refused_without_being_held() {
    let house = Installation::new();
    let mut text = Vec::new();
    for number in 0..20 {
        let mut huge = invoice("atelier/K-1", &format!("H-{number}"), "1.00", "2026-03-15");
        huge["data"]["description"] = json!("x".repeat(10_000_000));
        text.extend_from_slice(lines(&[huge]).as_bytes());
    }
    text.extend_from_slice(lines(&small_history()).as_bytes());
    let file = house.file("huge.ndjson", &text).display().to_string();
    let peak = peak_mb(&house, &["import", &file]);
    assert!(peak < 120, "{peak} MB");
    assert_eq!(house.json(&["book"])["events"], 5);
    let letters = house.json(&["dead-letters", "list"]);
    assert_eq!(letters.as_array().unwrap().len(), 20);
    assert_eq!(letters[0]["reason"], "too_large");
}

#[test]
fn large_events_do_not_pile_up_in_memory() {
    let house = Installation::new();
    // 400 MB of events, each just within the limit.
    let mut event = invoice("atelier/K-1", "R-1", "1.00", "2026-03-15");
    event["data"]["unknown"] = json!("x".repeat(1_000_000));
    let text = lines(&[event]).repeat(400);
    let file = house.file("large.ndjson", &text).display().to_string();
    let peak = peak_mb(&house, &["import", &file]);
    assert!(peak < 300, "{peak} MB");
    assert_eq!(house.json(&["book"])["events"], 1);
}

#[test]
fn events_check_says_what_is_wrong_and_records_nothing() {
    let house = Installation::new();
    let mut odd = invoice("atelier/K-1", "R-1", "10.00", "2026-03-15");
    odd["data"]["colour"] = json!("green");
    let wrong = event("payment.received", "x", "atelier/K-1", "2026-01-01T00:00:00Z", json!({}));
    let file = house.events("mixed.ndjson", &[odd, wrong]).display().to_string();
    let said = house.run(&["events", "check", "--json", &file]);
    assert_eq!(said.code, 1, "{said:?}");
    let told = said.json();
    assert_eq!(told["good"], 1);
    let severities: Vec<&str> =
        told["found"].as_array().unwrap().iter().map(|f| f["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["note", "error"]);
    assert!(told["found"][1]["place"].as_str().unwrap().ends_with(":2"));
    assert!(!house.data().exists());
}
