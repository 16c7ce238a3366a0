//! `schemas/events/out`: the data of each type that leaves, made from the events themselves.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use kulanz_domain::AccountEvent;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{NAMES, event_type, word};

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "schemas", "events", "out"].iter().collect()
}

/// The variants as the log has them, each an object with its kind as the only member.
fn variants() -> Vec<Value> {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings = settings.with(|settings| settings.inline_subschemas = true);
    let all = settings.into_generator().into_root_schema_for::<AccountEvent>().to_value();
    all["oneOf"].as_array().unwrap().clone()
}

/// The schema of the data of a kind, without what stays in the house.
fn of(kind: &str, variants: &[Value]) -> Value {
    let variant = variants.iter().find(|one| one["properties"].get(kind).is_some()).unwrap();
    let mut schema = variant["properties"][kind].clone();
    let about = variant.get("description").unwrap_or(&schema["description"]).clone();
    for name in NAMES {
        schema["properties"].as_object_mut().unwrap().remove(name);
        if let Some(required) = schema["required"].as_array_mut() {
            required.retain(|one| one != name);
        }
    }
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$id"] = json!(format!("urn:kulanz:schema:out:{}:v1", word(kind)));
    schema["title"] = json!(event_type(kind));
    schema["description"] = about;
    schema
}

#[test]
fn the_committed_schemas_of_what_leaves_are_what_the_events_give() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let (variants, mut expected) = (variants(), BTreeSet::new());
    if update {
        fs::create_dir_all(folder()).unwrap();
    }
    for kind in AccountEvent::KINDS {
        let path = folder().join(format!("{}.v1.json", word(kind)));
        let text = format!("{:#}\n", of(kind, &variants));
        if update {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap();
        assert!(committed == text, "{kind} differs: run `make schemas` and look at it");
        expected.insert(path);
    }
    let present = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(present.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_schema_of_what_leaves_describes_each_member() {
    let variants = variants();
    for kind in AccountEvent::KINDS {
        let schema = of(kind, &variants);
        assert!(schema["description"].is_string(), "{kind}");
        for (name, member) in schema["properties"].as_object().unwrap() {
            assert!(member["description"].is_string(), "{kind}: {name}");
        }
    }
}
