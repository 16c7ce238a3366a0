use std::collections::BTreeSet;

use kulanz_wire::schema;

use crate::{files, published, same_as_committed};

#[test]
fn the_committed_schemas_are_those_that_the_reading_structs_give() {
    let all = schema::all();
    for one in &all {
        assert!(
            same_as_committed(&published().join(&one.file), &one.text()),
            "{} differs: run the tests with UPDATE_SCHEMAS=1 and look at the difference",
            one.file
        );
    }
    let expected: BTreeSet<_> = all.iter().map(|one| published().join(&one.file)).collect();
    // What goes out is not read here, and held to what flows by the tests of the whole program.
    let outbound = published().join("events/out");
    let present = files(&published().join("events")).into_iter();
    let present: BTreeSet<_> = present.filter(|file| !file.starts_with(&outbound)).collect();
    assert_eq!(present, expected);
}

#[test]
fn every_schema_is_valid_and_describes_each_member() {
    for one in schema::all() {
        assert!(jsonschema::meta::is_valid(&one.schema), "{}", one.file);
        assert!(one.schema["description"].is_string(), "{}", one.file);
        for (name, member) in one.schema["properties"].as_object().unwrap() {
            assert!(member["description"].is_string(), "{}: {name}", one.file);
        }
    }
}
