//! The published JSON Schemas, generated from the file formats (draft 7, which editors know best).

use schemars::{JsonSchema, generate::SchemaSettings};

use serde_json::Value;

use crate::file::{creditor::CreditorDoc, policy::PolicyDoc, story::StoryDoc};

/// The schema of `policy.yaml` as pretty JSON with a line feed at the end:
/// `schemas/policy.schema.json`.
pub fn policy_schema() -> String {
    schema::<PolicyDoc>()
}

/// The schema of `creditors/<id>.yaml`: `schemas/creditor.schema.json`.
pub fn creditor_schema() -> String {
    schema::<CreditorDoc>()
}

/// The schema of a story in `tests/`: `schemas/story.schema.json`.
pub fn story_schema() -> String {
    schema::<StoryDoc>()
}

fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    filled(&mut schema);
    format!("{schema:#}\n")
}

/// A key may be left out, but not left empty: no value is `null`.
fn filled(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            let mut kind = None;
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                kind = (kinds.len() == 1).then(|| kinds.remove(0));
            }
            members.extend(kind.map(|kind| ("type".to_owned(), kind)));
            if let Some(Value::Array(ways)) = members.get_mut("anyOf") {
                ways.retain(|way| way.get("type").is_none_or(|kind| kind != "null"));
            }
            members.values_mut().for_each(filled);
        }
        Value::Array(items) => items.iter_mut().for_each(filled),
        _ => {}
    }
}
