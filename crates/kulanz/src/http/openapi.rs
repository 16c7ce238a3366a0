//! `schemas/openapi.yaml`: the paths by hand, all else from the types that are read and written.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{accounts, notices, paylinks, placements};
use crate::{
    intake::{Answer, Problem},
    orders::{Order, Outcome},
};

const ABOUT: &str = "\
What shops and their systems say to Kulanz, and ask of it. docs/http.md shows it with examples.

Whatever goes wrong is a problem by RFC 9457 with a `type` that stays. Where there is any token, \
each request needs one. What is not there and what is another creditor's are told in one way.";

struct Document {
    schemas: SchemaGenerator,
}

/// Collects the schemas of what is written, or of what is read.
fn generator(written: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let settings = if written { settings.for_serialize() } else { settings };
    settings.into_generator()
}

impl Document {
    fn schema<T: JsonSchema>(&mut self) -> Value {
        self.schemas.subschema_for::<T>().to_value()
    }

    /// A good answer.
    fn good<T: JsonSchema>(&mut self, about: &str) -> Value {
        let schema = self.schema::<T>();
        json!({ "description": about, "content": { "application/json": { "schema": schema } } })
    }
}

/// An answer that is a problem.
fn problem(about: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": about, "content": { "application/problem+json": { "schema": schema } } })
}

/// Answers by status, with the problems of those that have no more to say.
fn answers(own: &[(&str, Value)], problems: &[u16]) -> Value {
    let mut all: Map<String, Value> =
        own.iter().map(|(status, answer)| ((*status).to_owned(), answer.clone())).collect();
    for status in problems {
        let about = match status {
            400 => "It cannot be read.",
            401 => "No token, or one that is not known.",
            403 => "The token is not for this.",
            404 => "Not there, or another creditor's.",
            409 => "It is refused: `detail` says why.",
            413 => "The body is too large.",
            415 => "Another content type is needed.",
            422 => "The key came with another body before.",
            _ => "A fault of ours: ask again.",
        };
        all.insert(status.to_string(), problem(about));
    }
    Value::Object(all)
}

fn in_path(name: &str) -> Value {
    let about = match name {
        "creditor" => "Who is owed.",
        "debtor" => "Who owes.",
        "placement" => "What was placed.",
        _ => "The message.",
    };
    json!({ "name": name, "in": "path", "required": true, "description": about,
            "schema": { "$ref": "#/components/schemas/Id" } })
}

fn in_query(name: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}

fn limit() -> Value {
    in_query(
        "limit",
        "How many at most.",
        json!({
            "type": "integer", "minimum": 1, "maximum": 500, "default": 100
        }),
    )
}

fn idempotency_key() -> Value {
    let one = r"[!#-\[\]-~]{1,255}";
    json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "With a key a command is done once; asked again within 24 hours, the answer \
                        is the same. The quotes may be left out.",
        "schema": { "type": "string", "pattern": format!("^(\"{one}\"|{one})$") }
    })
}

fn events() -> Value {
    let receipts = json!({
        "description": "A receipt for each event, in their order.",
        "content": { "application/json": { "schema": {
            "type": "object", "required": ["receipts"],
            "properties": { "receipts": {
                "type": "array", "items": { "$ref": "#/components/schemas/Receipt" }
            } }
        } } }
    });
    let rejected = problem("The one event breaks the contract: `pointer` says where.");
    json!({ "post": {
        "operationId": "sendEvents", "tags": ["events"], "summary": "Send events",
        "description": "One structured event, a batch, or one event a line. Binary mode is taken \
                        too: `application/json` with the attributes in `ce-…` headers. The data of \
                        each type are described by the files in schemas/events. A token of role \
                        `events` or `admin`.",
        "requestBody": { "required": true, "content": {
            "application/cloudevents+json": {
                "schema": { "$ref": "#/components/schemas/CloudEvent" }
            },
            "application/cloudevents-batch+json": {
                "schema": { "description": "Structured events.", "type": "array", "items": {} }
            },
            "application/x-ndjson": {
                "schema": { "description": "A structured event a line.", "type": "string" }
            }
        } },
        "responses": answers(
            &[("202", receipts), ("422", rejected)],
            &[400, 401, 403, 413, 415, 503],
        )
    } })
}

fn order(document: &mut Document, order: &Value) -> Value {
    json!({ "post": {
        "operationId": "giveOrder", "tags": ["commands"], "summary": "Give an order",
        "description": "What persons ask of accounts, as `kulanz account …` does. A token of role \
                        `clerk`, `approver` or `admin`.",
        "parameters": [idempotency_key()],
        "requestBody": { "required": true, "content": { "application/json": { "schema": order } } },
        "responses": answers(
            &[("200", document.good::<Outcome>("It is done."))],
            &[400, 401, 403, 409, 413, 415, 422, 503],
        )
    } })
}

fn paths(document: &mut Document, asked: (&Value, &Value)) -> Value {
    let (wanted_order, wanted_link) = asked;
    let account = |more: &[Value]| -> Vec<Value> {
        [in_path("creditor"), in_path("debtor")].iter().chain(more).cloned().collect()
    };
    let name = json!({ "$ref": "#/components/schemas/AccountName" });
    let id = json!({ "$ref": "#/components/schemas/Id" });
    let readers = "A token of role `read`, `clerk`, `approver` or `admin`.";
    let found = &[400, 401, 403, 404, 503];
    let since = json!({ "type": "integer", "minimum": 0 });
    let list = document.good::<accounts::Accounts>("A page.");
    let shown = document.good::<accounts::AccountView>("How it stands.");
    let happened = document.good::<accounts::Events>("A page.");
    let placed = document.good::<placements::Placed>("The placement.");
    let message = document.good::<notices::NoticeView>("The message.");
    let link = document.good::<paylinks::Paylink>("The link; it is shown this once.");
    json!({
        "/v1/events": events(),
        "/v1/orders": order(document, wanted_order),
        "/v1/accounts": { "get": {
            "operationId": "listAccounts", "tags": ["accounts"], "summary": "List accounts",
            "description": readers,
            "parameters": [
                in_query("creditor", "Only this creditor's.", id),
                in_query("after", "The `next` of the page before.", name),
                limit(),
            ],
            "responses": answers(&[("200", list)], &[400, 401, 403, 503])
        } },
        "/v1/accounts/{creditor}/{debtor}": { "get": {
            "operationId": "showAccount", "tags": ["accounts"], "summary": "How an account stands",
            "description": readers,
            "parameters": account(&[]),
            "responses": answers(&[("200", shown)], &[401, 403, 404, 503])
        } },
        "/v1/accounts/{creditor}/{debtor}/events": { "get": {
            "operationId": "listEvents", "tags": ["accounts"],
            "summary": "What happened to an account",
            "description": readers,
            "parameters": account(&[
                in_query("after", "The `next` of the page before: an `accountversion`.", since),
                limit(),
            ]),
            "responses": answers(&[("200", happened)], found)
        } },
        "/v1/accounts/{creditor}/{debtor}/paylinks": { "post": {
            "operationId": "makePaylink", "tags": ["commands"],
            "summary": "Make a link to the debtor's page",
            "description": "For mails of your own. A token of role `events`, `clerk`, `approver` \
                            or `admin`.",
            "parameters": account(&[idempotency_key()]),
            "requestBody": { "content": { "application/json": { "schema": wanted_link } } },
            "responses": answers(
                &[("201", link)],
                &[400, 401, 403, 404, 409, 413, 415, 422, 503],
            )
        } },
        "/v1/accounts/{creditor}/{debtor}/placements/{placement}": { "get": {
            "operationId": "showPlacement", "tags": ["accounts"],
            "summary": "What was handed to an agency, and what came of it",
            "description": readers,
            "parameters": account(&[in_path("placement")]),
            "responses": answers(&[("200", placed)], &[401, 403, 404, 503])
        } },
        "/v1/notices/{notice}": { "get": {
            "operationId": "showNotice", "tags": ["notices"],
            "summary": "A message with its recipient",
            "description": "Personal data: who read which message is logged. A token of role \
                            `admin`, or of role `events` for one creditor.",
            "parameters": [in_path("notice")],
            "responses": answers(&[("200", message)], &[401, 403, 404, 503])
        } },
        "/healthz": { "get": {
            "operationId": "health", "tags": ["operation"], "summary": "Whether the store answers",
            "security": [],
            "responses": {
                "200": plain("It does."),
                "503": plain("It does not."),
            }
        } },
    })
}

fn plain(about: &str) -> Value {
    json!({ "description": about, "content": { "text/plain": { "schema": { "type": "string" } } } })
}

/// The whole document.
fn document() -> Value {
    let mut asked = generator(false);
    let order = asked.subschema_for::<Order>().to_value();
    let wanted = asked.subschema_for::<paylinks::Wanted>().to_value();
    let mut document = Document { schemas: generator(true) };
    document.schema::<Problem>();
    document.schema::<Answer>();
    document.schema::<super::schema::Id>();
    document.schema::<super::schema::AccountName>();
    let paths = paths(&mut document, (&order, &wanted));
    let mut schemas = asked.take_definitions(true);
    schemas.extend(document.schemas.take_definitions(true));
    let problem = &mut schemas["Problem"];
    problem["properties"]["status"] =
        json!({ "type": "integer", "description": "The HTTP status, where it is an answer." });
    problem["properties"]["id"] = json!({
        "type": ["string", "null"],
        "description": "The id of the one event that was rejected, where it could be told."
    });
    let mut envelope = kulanz_wire::schema::all().remove(0).schema;
    if let Some(envelope) = envelope.as_object_mut() {
        envelope.remove("$id");
        envelope.remove("$schema");
    }
    schemas.insert("CloudEvent".to_owned(), envelope);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kulanz", "version": "1", "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "http://127.0.0.1:8080", "description": "As `kulanz serve` starts" }],
        "security": [{ "token": [] }, {}],
        "tags": [
            { "name": "events", "description": "Events in." },
            { "name": "accounts", "description": "How accounts stand." },
            { "name": "commands", "description": "What changes something." },
            { "name": "notices", "description": "Messages, for gateways of your own." },
            { "name": "operation", "description": "For whoever runs it." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": "A token of `kulanz token create`."
            } }
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_committed_schema_of_http_is_what_the_types_give() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/openapi.yaml");
        let head = "# Made from the source: `make schemas`. Tests hold it against the server.\n";
        let text = format!("{head}{}", serde_saphyr::to_string(&document()).unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == text, "openapi.yaml differs: run `make schemas` and look at it");
        let again: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(again, document(), "what is written is what is meant");
    }

    #[test]
    fn every_reference_of_the_schema_leads_somewhere() {
        fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
            match value {
                Value::Object(members) => members.iter().for_each(|(name, member)| {
                    found.extend(member.as_str().filter(|_| name == "$ref"));
                    references(member, found);
                }),
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 30, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }
}
