//! The published form of a placement's files: JSON Schema 2020-12, made from the types that are
//! written, so that the two cannot differ. The files lie under `schemas/`.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{
    document::{Manifest, PlacementData, Recall, Update},
    erased::Erased,
};

/// Name of each file under `schemas/` with its schema.
pub fn all() -> [(&'static str, Value); 5] {
    [
        ("placement-claims.schema.json", made::<PlacementData>("placement-claims")),
        ("placement-manifest.schema.json", made::<Manifest>("placement-manifest")),
        ("placement-recall.schema.json", made::<Recall>("placement-recall")),
        ("placement-update.schema.json", made::<Update>("placement-update")),
        ("placement-erased.schema.json", made::<Erased>("placement-erased")),
    ]
}

fn made<T: JsonSchema>(word: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), Value::String(format!("urn:kulanz:schema:{word}:v1")));
    schema.insert("title".to_owned(), Value::String(format!("kulanz.{word}.v1")));
    schema.to_value()
}
