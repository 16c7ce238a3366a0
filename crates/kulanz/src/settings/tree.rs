//! Settings as written, each with where it was written: a file's line or a variable of the
//! environment. Nothing is known of their meaning here.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_saphyr::Spanned;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File {
        /// Which.
        path: Arc<Path>,
        /// Its line, from 1.
        line: u64,
    },
    /// In this variable of the environment.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// A value, a list, or keys with values.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it was written.
    pub origin: Origin,
    /// What.
    pub content: Content,
}

/// What was written.
#[derive(Debug, Clone)]
pub enum Content {
    /// One value: as its text, so that no digit of an amount is lost, and as YAML means it.
    Scalar(String, Value),
    /// A list.
    List(Vec<Node>),
    /// Keys with values.
    Map(BTreeMap<String, Node>),
}

impl Node {
    /// Nothing but keys, and none yet.
    pub fn empty(origin: Origin) -> Self {
        Self { origin, content: Content::Map(BTreeMap::new()) }
    }

    /// A text.
    pub fn text(text: &str, origin: Origin) -> Self {
        let content = Content::Scalar(text.to_owned(), Value::String(text.to_owned()));
        Self { origin, content }
    }

    /// Reads YAML; a file without any value is one without keys. Of a variable all is written in
    /// one place.
    pub fn parse(text: &str, origin: &Origin) -> Result<Self, serde_saphyr::Error> {
        let raw: Option<Spanned<Raw>> = serde_saphyr::from_str(text)?;
        Ok(match raw {
            None => Self::empty(origin.clone()),
            Some(raw) => Self::of(raw, text, origin),
        })
    }

    fn of(raw: Spanned<Raw>, source: &str, origin: &Origin) -> Self {
        let at = raw.defined;
        let origin = match origin {
            Origin::File { path, .. } => {
                Origin::File { path: Arc::clone(path), line: raw.referenced.line() }
            }
            variable @ Origin::Environment(_) => variable.clone(),
        };
        let content = match raw.value {
            Raw::Scalar(Value::String(text)) => Content::Scalar(text.clone(), Value::String(text)),
            Raw::Scalar(value) => {
                let size = |n: u64| usize::try_from(n).unwrap_or(0);
                let from = size(at.span().byte_offset().unwrap_or(0));
                let until = from + size(at.span().byte_len().unwrap_or(0));
                let written = source.get(from..until).unwrap_or_default().trim();
                Content::Scalar(written.to_owned(), value)
            }
            Raw::List(items) => Content::List(
                items.into_iter().map(|item| Self::of(item, source, &origin)).collect(),
            ),
            Raw::Map(pairs) => Content::Map(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key, Self::of(value, source, &origin)))
                    .collect(),
            ),
        };
        Self { origin, content }
    }

    /// What stands under a path of keys and of places in lists.
    pub fn get<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, key| match &node.content {
            Content::Map(map) => map.get(key),
            Content::List(items) => items.get(key.parse::<usize>().ok()?),
            Content::Scalar(..) => None,
        })
    }

    /// Puts `value` under a path of keys; sections are made on the way.
    pub fn put(&mut self, path: &[String], value: Self) {
        let Some((key, rest)) = path.split_first() else {
            *self = value;
            return;
        };
        if !matches!(self.content, Content::Map(_)) {
            self.content = Content::Map(BTreeMap::new());
        }
        if let Content::Map(map) = &mut self.content {
            let origin = value.origin.clone();
            map.entry(key.clone()).or_insert_with(|| Self::empty(origin)).put(rest, value);
        }
    }
}

/// What the parser gives, in the types that it takes the plain values for.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(String, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or keys with values")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(text.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E: Error>(self) -> Result<Raw, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Raw, D::Error> {
        Raw::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Raw::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(pair) = pairs.next_entry()? {
            all.push(pair);
        }
        Ok(Raw::Map(all))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file() -> Origin {
        Origin::File { path: Path::new("k.yaml").into(), line: 1 }
    }

    fn scalar(node: &Node, path: &str) -> (String, Value, String) {
        let node = node.get(path.split('.')).unwrap();
        let Content::Scalar(text, value) = &node.content else { panic!("{node:?}") };
        (text.clone(), value.clone(), node.origin.to_string())
    }

    #[test]
    fn values_keep_their_text_and_their_line() {
        let text = "ä: &x 0.0750\nb:\n  - c: *x\n  - 'd: 1'\ne: { f: 0x10, g: ~ }\nh: true\n";
        let node = Node::parse(text, &file()).unwrap();
        assert_eq!(scalar(&node, "ä"), ("0.0750".into(), 0.075.into(), "k.yaml:1".into()));
        assert_eq!(scalar(&node, "b.0.c"), ("0.0750".into(), 0.075.into(), "k.yaml:3".into()));
        assert_eq!(scalar(&node, "b.1").0, "d: 1");
        assert_eq!(scalar(&node, "e.f").0, "0x10");
        assert_eq!(scalar(&node, "e.g").1, Value::Null);
        assert_eq!(scalar(&node, "h"), ("true".into(), true.into(), "k.yaml:6".into()));
        assert!(node.get(["e", "f", "g"]).is_none() && node.get(["b", "2"]).is_none());
    }

    #[test]
    fn a_file_of_remarks_alone_has_no_keys() {
        for text in ["", "# nothing\n", "---\n"] {
            let node = Node::parse(text, &file()).unwrap();
            assert!(matches!(&node.content, Content::Map(map) if map.is_empty()), "{text:?}");
        }
        assert!(Node::parse("a: 1\na: 2\n", &file()).is_err());
    }

    #[test]
    fn sections_are_made_on_the_way() {
        let mut node = Node::parse("a: 1\n", &file()).unwrap();
        let variable = Origin::Environment("V".to_owned());
        node.put(&["b".into(), "c".into()], Node::text("2", variable));
        assert_eq!(scalar(&node, "b.c"), ("2".into(), "2".into(), "V".into()));
        assert_eq!(scalar(&node, "a").2, "k.yaml:1");
    }
}
