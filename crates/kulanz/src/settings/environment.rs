//! Settings by variables of the environment, which win over the file: `KULANZ_`, the setting's
//! path in capitals, `__` between its parts. `kafka.brokers` is `KULANZ_KAFKA__BROKERS`.
//!
//! - A value is taken as it is; lists, and what has keys of its own choosing, are YAML.
//! - An empty variable is refused: where `KULANZ_DATABASE` comes empty from a template that lacks
//!   something, a server on a new, empty data folder is the last thing that is wanted.
//! - No variable holds a secret. `…__FILE` names a file with it; `…__ENV` names a variable with it,
//!   one of another name. Variables are inherited by children, stand in `docker inspect` and in
//!   manifests, and are copied into tickets; and those called `KULANZ_…` are settings, which
//!   `kulanz config show` shows. Who gets secrets in the environment all the same has to say so.
//! - A name that is none of a setting is refused, since whoever wrote it meant something.

use std::{collections::BTreeSet, ffi::OsString};

use super::{
    keys::{KEYS, Key, Kind, flat},
    tree::{Content, Node, Origin},
};

/// What all variables of ours begin with.
pub const PREFIX: &str = "KULANZ_";

/// Variables that are no settings: of the command line, and of the tests and the bench of this
/// project.
const OTHERS: &[&str] = &[
    "KULANZ_CHROMIUM",
    "KULANZ_CONFIG",
    "KULANZ_DATA",
    "KULANZ_EVENTS",
    "KULANZ_FUZZ",
    "KULANZ_HISTORIES",
    "KULANZ_LISTEN",
    "KULANZ_LOG",
    "KULANZ_PERSON",
    "KULANZ_PLAN_ACCOUNTS",
    "KULANZ_SEED",
    "KULANZ_TEST_KAFKA",
    "KULANZ_TEST_POSTGRES",
    "KULANZ_TOKEN",
];

/// The variable of a setting.
pub fn name<'a>(path: impl Iterator<Item = &'a str>) -> String {
    format!("{PREFIX}{}", path.collect::<Vec<_>>().join("__").to_uppercase())
}

/// Puts what the environment says over what the file says. Returns all that is wrong.
pub fn put(
    node: &mut Node,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<String> {
    let keys = flat(&KEYS);
    let mut wrong = Vec::new();
    let mut unknown = Vec::new();
    let mut secrets = BTreeSet::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let Some(key) = keys.iter().find(|key| key.variables().iter().any(|one| one == name))
        else {
            unknown.push((name.to_owned(), value));
            continue;
        };
        let Some(text) = value.to_str() else {
            wrong.push(format!("{name}: its value is not UTF-8"));
            continue;
        };
        if text.trim().is_empty() {
            wrong.push(format!("{name} is empty: give it a value, or do not set it"));
            continue;
        }
        if matches!(key.kind, Kind::Secret) && !secrets.insert(key.name()) {
            wrong.push(format!("{} are both set: one is enough", key.variables().join(" and ")));
            continue;
        }
        match written(key, name, text) {
            Ok(value) => node.put(&key.path, value),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    let holds_secret = holders(node, &keys);
    for (name, value) in unknown {
        let link = value.to_str().is_some_and(|value| is_link(&name, value));
        if !link && !OTHERS.contains(&name.as_str()) && !holds_secret.contains(&name) {
            wrong.push(nearest(&name, &keys));
        }
    }
    wrong
}

/// A variable's value, as if it stood in the file.
fn written(key: &Key, name: &str, text: &str) -> Result<Node, String> {
    let origin = Origin::Environment(name.to_owned());
    match key.kind {
        Kind::Secret => {
            let how = if name.ends_with("__FILE") { "file" } else { "env" };
            let mut place = Node::empty(origin.clone());
            place.put(&[how.to_owned()], Node::text(text, origin));
            Ok(place)
        }
        Kind::Free | Kind::Items(_) => {
            let node = Node::parse(text, &origin);
            // The parser's own words quote the text, which may be long.
            node.map_err(|error| format!("this is no YAML: {}", error.without_snippet()))
        }
        Kind::Section(_) | Kind::Choice(_) | Kind::Value => Ok(Node::text(text, origin)),
    }
}

/// Variables that settings name as holding a secret.
fn holders(node: &Node, keys: &[&Key]) -> BTreeSet<String> {
    keys.iter()
        .filter(|key| matches!(key.kind, Kind::Secret))
        .filter_map(|key| {
            let path = key.path.iter().map(String::as_str).chain(["env"]);
            match &node.get(path)?.content {
                Content::Scalar(name, _) => Some(name.clone()),
                _ => None,
            }
        })
        .collect()
}

/// Whether a variable was made by Kubernetes (or Docker's links) in all pods beside a service whose
/// name begins with `kulanz`, ours for example: `KULANZ_PORT=tcp://10.0.0.1:80` and its like.
fn is_link(name: &str, value: &str) -> bool {
    let words: Vec<&str> = name.split('_').collect();
    let is_protocol = |word: &str| matches!(word, "TCP" | "UDP" | "SCTP");
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|one| value.starts_with(one));
    match words.as_slice() {
        [.., "SERVICE", "HOST" | "PORT"] => true,
        [.., "PORT", number, word] | [.., "PORT", number, word, "PROTO" | "PORT" | "ADDR"]
            if is_protocol(word) =>
        {
            number.parse::<u16>().is_ok()
        }
        [.., "PORT"] => is_address,
        words => words.windows(2).any(|two| two == ["SERVICE", "PORT"]),
    }
}

/// A sentence on a variable that is no setting.
fn nearest(name: &str, keys: &[&Key]) -> String {
    let secret = keys.iter().find(|key| {
        matches!(key.kind, Kind::Secret)
            && self::name(key.path.iter().map(String::as_str)).replace("__", "_")
                == name.replace("__", "_")
    });
    if let Some(key) = secret {
        let places = key.variables();
        return format!(
            "{name}: no variable holds a secret of a setting. Name its place: {}=PATH of a file, \
             or {}=NAME of a variable with another name",
            places.first().map_or("", String::as_str),
            places.last().map_or("", String::as_str),
        );
    }
    let all: Vec<String> = keys.iter().flat_map(|key| key.variables()).collect();
    if let Some(near) = kulanz_policies::nearest(name, all.iter().map(String::as_str)) {
        return format!("{name} is no setting; did you mean {near}?");
    }
    let section = name.rsplit_once("__").map(|(section, _)| format!("{section}__"));
    let beside: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|one| section.as_ref().is_some_and(|section| one.starts_with(section)))
        .collect();
    match beside.is_empty() {
        true => format!("{name} is no setting; `kulanz config default` shows all that there are"),
        false => format!("{name} is no setting; there are {}", beside.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::settings::Settings;

    fn given(file: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let path = Path::new("kulanz.yaml");
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let given = crate::settings::Given::of(file, path, variables);
        given.map(|given| given.settings).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let file = "kafka: { brokers: 'a:1', group: file }\nsms: { url: u, from: f }\n";
        let settings = given(
            file,
            &[
                ("KULANZ_KAFKA__BROKERS", "b:2"),
                ("KULANZ_KAFKA__PARTITIONS", "32"),
                ("KULANZ_KAFKA__SECURITY__TLS", "false"),
                ("KULANZ_SMS__BAD_NUMBER_STATUSES", "[404, 410]"),
                ("KULANZ_SMS__FROM", "4915"),
                ("KULANZ_SMS__BODY", "{\"to\": \"{to}\", \"text\": \"{text}\", \"parts\": 2}"),
                ("KULANZ_PRICES__SMS", "0.0750"),
                ("KULANZ_TELEMETRY__TRACES", "0.5"),
                ("PATH", "/bin"),
            ],
        )
        .unwrap();
        let kafka = settings.kafka.unwrap();
        assert_eq!((kafka.brokers.as_str(), kafka.group.as_str()), ("b:2", "file"));
        assert_eq!((kafka.partitions, kafka.security.unwrap().tls), (32, false));
        assert_eq!(
            (settings.telemetry.traces, settings.telemetry.service.as_str()),
            (0.5, "kulanz")
        );
        let sms = settings.sms.unwrap();
        assert_eq!((sms.from.as_str(), sms.bad_number_statuses), ("4915", vec![404, 410]));
        assert_eq!((&sms.body["parts"], sms.timeout_ms), (&2.into(), 20_000));
        assert_eq!(settings.prices.unwrap().sms.0.to_string(), "0.0750");
    }

    #[test]
    fn every_setting_can_be_set_by_its_variable() {
        for key in flat(&KEYS) {
            for variable in key.variables() {
                let example = key.default.as_ref().or(key.example.as_ref());
                let text = match (&key.kind, example) {
                    (Kind::Secret, _) => "PLACE".to_owned(),
                    (_, Some(serde_json::Value::String(text))) => text.clone(),
                    (_, Some(other)) => other.to_string(),
                    (_, None) => "[]".to_owned(),
                };
                if text.is_empty() {
                    continue;
                }
                let mut node = Node::empty(Origin::Environment(String::new()));
                let wrong = put(&mut node, [(variable.clone().into(), text.clone().into())]);
                assert_eq!(wrong, Vec::<String>::new());
                let set = node.get(key.path.iter().map(String::as_str)).unwrap();
                assert_eq!(set.origin.to_string(), variable);
            }
        }
    }

    #[test]
    fn what_is_no_setting_is_refused_and_the_nearest_named() {
        for (name, value, word) in [
            ("KULANZ_KAFKA_BROKERS", "b:1", "did you mean KULANZ_KAFKA__BROKERS?"),
            ("KULANZ_KAFKA__BOOTSTRAP_SERVERS", "b:1", "KULANZ_KAFKA__BROKERS"),
            ("KULANZ_DATABSE", "x", "did you mean KULANZ_DATABASE?"),
            ("KULANZ_NOTHING_LIKE_IT_AT_ALL", "x", "kulanz config default"),
            ("KULANZ_SMTP__PASSWORD", "hunter2", "KULANZ_SMTP__PASSWORD__FILE=PATH"),
            ("KULANZ_SMTP_PASSWORD", "hunter2", "KULANZ_SMTP__PASSWORD__ENV=NAME"),
            ("KULANZ_DATABASE", "", "is empty"),
            ("KULANZ_KAFKA", "{}", "is no setting"),
            ("KULANZ_WEBHOOKS", "[{", "this is no YAML"),
            ("KULANZ_KAFKA__PARTITIONS", "many", "no whole number from 0 to 65535"),
            ("KULANZ_KAFKA__SECURITY__TLS", "yes", "neither true nor false"),
            ("KULANZ_KAFKA__GROUP", "g", "kafka.brokers is missing"),
            ("KULANZ_PRICES__SMS", "7 ct", "is no price"),
            ("KULANZ_SMTP__TLS", "ssl", "none, starttls, implicit"),
        ] {
            let error = given("", &[(name, value)]).unwrap_err();
            assert!(error.contains(word) && error.contains(name.trim()), "{name}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let both = [("KULANZ_SMS__AUTH__FILE", "a"), ("KULANZ_SMS__AUTH__ENV", "B")];
        assert!(given("", &both).unwrap_err().contains("one is enough"));
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        let named = "database: postgres://a@b/c\ndatabase_password: { env: KULANZ_DB }\n";
        let settings = given(
            named,
            &[
                ("KULANZ_DB", "hunter2"),
                ("KULANZ_LOG", "debug"),
                ("KULANZ_PORT", "tcp://10.0.0.1:80"),
                ("KULANZ_PORT_80_TCP", "tcp://10.0.0.1:80"),
                ("KULANZ_PORT_80_TCP_PROTO", "tcp"),
                ("KULANZ_PORT_80_TCP_ADDR", "10.0.0.1"),
                ("KULANZ_SERVICE_HOST", "10.0.0.1"),
                ("KULANZ_SERVICE_PORT_HTTP", "80"),
                ("KULANZ_KAFKA_PORT", "tcp://10.0.0.2:9092"),
                ("KULANZ_KAFKA_SERVICE_HOST", "10.0.0.2"),
            ],
        );
        assert!(settings.unwrap().database.is_some());
        assert!(given("", &[("KULANZ_DB", "hunter2")]).is_err());
        // Whoever wrote these meant something.
        for name in ["KULANZ_SMTP__PROT", "KULANZ_SMTP_PORT", "KULANZ_PORT"] {
            assert!(given("", &[(name, "25")]).is_err(), "{name}");
        }
    }

    #[test]
    fn a_place_of_a_secret_replaces_that_of_the_file() {
        let file = "database: postgres://a@b/c\ndatabase_password: { env: DB }\n";
        let settings = given(file, &[("KULANZ_DATABASE_PASSWORD__FILE", "/run/secrets/db")]);
        let place = settings.unwrap().database_password;
        let file = kulanz_delivery::senders::Secret::File("/run/secrets/db".into());
        assert_eq!(place, Some(file));
    }
}
