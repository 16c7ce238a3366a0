//! The published JSON Schemas, generated from the file formats (draft 7, which editors know best).

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::file::{creditor::CreditorDoc, policy::PolicyDoc};

/// The schema of `policy.yaml` as pretty JSON with a line feed at the end:
/// `schemas/policy.schema.json`.
pub fn policy_schema() -> String {
    schema::<PolicyDoc>()
}

/// The schema of `creditors/<id>.yaml`: `schemas/creditor.schema.json`.
pub fn creditor_schema() -> String {
    schema::<CreditorDoc>()
}

fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    format!("{:#}\n", schema.as_value())
}
