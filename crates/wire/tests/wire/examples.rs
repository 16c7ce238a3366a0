use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use kulanz_wire::{EventType, Reason, Transport, decode, decode_binary, schema};
use serde_json::Value;

use crate::{OPTIONS, files, published, same_as_committed};

fn example(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_type_has_a_minimal_and_a_full_example() {
    for kind in EventType::ALL {
        let folder = published().join(format!("examples/{}.v1", kind.word()));
        for name in ["minimal.json", "full.json"] {
            assert_eq!(example(&folder.join(name))["type"], kind.name());
        }
    }
}

#[test]
fn every_example_keeps_to_its_schema() {
    let envelope = jsonschema::validator_for(&schema::all()[0].schema).unwrap();
    for kind in EventType::ALL {
        let data = jsonschema::validator_for(&schema::of(*kind)).unwrap();
        for path in files(&published().join(format!("examples/{}.v1", kind.word()))) {
            let event = example(&path);
            for (what, fault) in [
                ("envelope", envelope.validate(&event).err()),
                ("data", data.validate(&event["data"]).err()),
            ] {
                assert!(fault.is_none(), "{} ({what}): {}", path.display(), fault.unwrap());
            }
        }
    }
}

#[test]
fn every_example_gives_the_fact_it_always_gave() {
    let mut told = String::new();
    for kind in EventType::ALL {
        for path in files(&published().join(format!("examples/{}.v1", kind.word()))) {
            let inbound = decode(&fs::read(&path).unwrap(), &OPTIONS).unwrap();
            assert_eq!(inbound.kind, *kind);
            let name = path.file_stem().unwrap().to_str().unwrap();
            writeln!(told, "{} {name}: {} at {}", kind.word(), inbound.account, inbound.at)
                .unwrap();
            writeln!(told, "  fact   {:?}", inbound.fact).unwrap();
            for (slot, personal) in inbound.secrets {
                let members = Value::Object(personal.into_inner());
                writeln!(told, "  secret {slot} {members}").unwrap();
            }
            for pointer in inbound.ignored {
                writeln!(told, "  left out {pointer}").unwrap();
            }
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/facts.txt");
    let committed = fs::read_to_string(&file).unwrap_or_default();
    if !same_as_committed(&file, &told) {
        for (now, then) in told.lines().zip(committed.lines()) {
            assert_eq!(now, then);
        }
        panic!("the facts differ in their number");
    }
}

#[test]
fn no_personal_text_of_any_example_is_in_its_fact() {
    // All texts that a person could be told by; the harmless attribute is not among them.
    let personal = [
        "Beispiel",
        "Probe",
        "Vorlage",
        "Muster",
        "Petra",
        "example.org",
        "Amselweg",
        "44137",
        "49171392",
        "1988",
        "gold standard",
        "DE8937",
        "Oma",
        "Schwester",
        "Tochter",
        "Gehalt",
        "Karte",
        "Loch",
        "Akte",
        "Dortmund",
        "Laufschuhe",
        "insufficient",
    ];
    for kind in EventType::ALL {
        for path in files(&published().join(format!("examples/{}.v1", kind.word()))) {
            let inbound = decode(&fs::read(&path).unwrap(), &OPTIONS).unwrap();
            let shown = format!("{inbound:?}");
            for text in personal {
                assert!(!shown.contains(text), "{} shows {text:?}: {shown}", path.display());
            }
        }
    }
}

#[test]
fn every_rejected_example_says_what_is_wrong_where() {
    let rewrite = std::env::var_os("UPDATE_SCHEMAS").is_some();
    for path in files(&published().join("examples/rejected")) {
        let mut wrong = example(&path);
        let text = match &wrong["event"] {
            Value::Null => wrong["text"].as_str().unwrap().to_owned(),
            event => event.to_string(),
        };
        let rejection = decode(text.as_bytes(), &OPTIONS).unwrap_err();
        if rewrite {
            wrong["sentence"] = Value::String(rejection.sentence.clone());
            fs::write(&path, format!("{wrong:#}\n")).unwrap();
        }
        assert_eq!(rejection.reason.name(), wrong["reason"], "{}", path.display());
        assert_eq!(rejection.pointer, wrong["pointer"], "{}: {rejection}", path.display());
        assert_eq!(rejection.sentence, wrong["sentence"], "{}", path.display());
        for personal in ["Mara", "Beispiel", "3920001", "Schuh", "Amselweg", "1988"] {
            assert!(!rejection.to_string().contains(personal), "{}", path.display());
        }
    }
}

#[test]
fn a_rejected_event_still_names_its_id_and_account() {
    let path = published().join("examples/rejected/amount_number.json");
    let rejection = decode(example(&path)["event"].to_string().as_bytes(), &OPTIONS).unwrap_err();
    assert_eq!(rejection.event.as_deref(), Some("bad-1"));
    assert_eq!(rejection.account.unwrap().to_string(), "lindenmoor/D-1001");
}

#[test]
fn binary_mode_gives_the_same_as_structured_mode() {
    for kind in EventType::ALL {
        let path = published().join(format!("examples/{}.v1/full.json", kind.word()));
        let event = example(&path);
        let body = event["data"].to_string();
        let structured = decode(&fs::read(&path).unwrap(), &OPTIONS).unwrap();
        for (transport, prefix) in [(Transport::Http, "Ce-"), (Transport::Kafka, "ce_")] {
            let attributes: BTreeMap<String, String> = event
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| *name != "data" && *name != "datacontenttype")
                .map(|(name, value)| {
                    let text = value.as_str().unwrap();
                    let text = match transport {
                        Transport::Http => text.replace('/', "%2F"),
                        Transport::Kafka => text.to_owned(),
                    };
                    (format!("{prefix}{name}"), text)
                })
                .chain([("Content-Type".to_owned(), "application/json".to_owned())])
                .collect();
            let headers = attributes.iter().map(|(name, value)| (&**name, value.as_bytes()));
            let binary = decode_binary(transport, headers, body.as_bytes(), &OPTIONS);
            assert_eq!(binary.as_ref(), Ok(&structured), "{}", path.display());
        }
    }
}

#[test]
fn a_binary_event_that_is_not_json_or_lacks_an_attribute_is_refused() {
    let headers = |content_type: &'static str| {
        [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/shop"),
            ("ce-type", "kulanz.hold.released.v1"),
            ("ce-subject", "lindenmoor/D-1"),
            ("ce-time", "2026-03-29T09:00:00Z"),
            ("content-type", content_type),
        ]
        .map(|(name, value)| (name, value.as_bytes()))
    };
    let body = br#"{"creditor":"lindenmoor","debtor":"D-1","hold":"H-1"}"#;
    let take = |headers: &[(&'static str, &'static [u8])], body: &'static [u8]| {
        decode_binary(Transport::Http, headers.iter().copied(), body, &OPTIONS)
    };
    let json = headers("application/json; charset=utf-8");
    assert!(take(&json, body).is_ok());
    assert_eq!(take(&headers("text/csv"), body).unwrap_err().pointer, "/datacontenttype");
    assert_eq!(take(&json[1..], body).unwrap_err().pointer, "/specversion");
    assert_eq!(take(&json, b"{} {}").unwrap_err().reason, Reason::Invalid);
    assert_eq!(take(&json, b"").unwrap_err().reason, Reason::Malformed);
    let twice = [&json[..], &json[1..2]].concat();
    assert_eq!(take(&twice, body).unwrap_err().pointer, "/id");
}
