//! From what is written to typed settings. A value is read as what its place asks for, so that a
//! number may come as a text, as all of the environment does; what is wrong is told with its key,
//! where it was written, and what to do.

use std::fmt::{self, Display};

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer,
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::Value;

use super::{
    environment,
    tree::{Content, Node, Origin},
};

/// What is wrong with one setting.
#[derive(Debug)]
pub struct Wrong {
    /// Where it was written.
    origin: Option<Origin>,
    /// Its key, or that of the section.
    key: Option<String>,
    what: What,
}

#[derive(Debug)]
enum What {
    Said(String),
    Unknown { key: String, there: &'static [&'static str] },
    Missing(&'static str),
}

impl Wrong {
    /// Says where, unless that is known better already.
    fn at(mut self, key: &str, node: &Node) -> Self {
        self.key.get_or_insert_with(|| key.to_owned());
        self.origin.get_or_insert_with(|| node.origin.clone());
        self
    }
}

impl de::Error for Wrong {
    fn custom<T: Display>(message: T) -> Self {
        Self { origin: None, key: None, what: What::Said(message.to_string()) }
    }

    fn unknown_field(field: &str, there: &'static [&'static str]) -> Self {
        let what = What::Unknown { key: field.to_owned(), there };
        Self { origin: None, key: None, what }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { origin: None, key: None, what: What::Missing(field) }
    }

    fn unknown_variant(word: &str, there: &'static [&'static str]) -> Self {
        Self::custom(format!("`{word}` is not known here: write one of {}", there.join(", ")))
    }
}

impl std::error::Error for Wrong {}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        let key = self.key.as_deref().unwrap_or_default();
        match &self.what {
            What::Said(said) if key.is_empty() => f.write_str(said),
            What::Said(said) => write!(f, "{key}: {said}"),
            What::Missing(field) => {
                let whole = join(key, field);
                let variable = environment::name(whole.split('.'));
                write!(f, "{whole} is missing: write it there, or set {variable}")
            }
            What::Unknown { key, there } => {
                write!(f, "there is no setting {key}; ")?;
                let last = key.rsplit('.').next().unwrap_or_default();
                match kulanz_policies::nearest(last, there.iter().copied()) {
                    Some(near) => write!(f, "did you mean {near}?"),
                    None => write!(f, "there are {}", there.join(", ")),
                }
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Reads what is written as a `T`.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Wrong> {
    T::deserialize(Reader { node, key: String::new() })
}

struct Reader<'a> {
    node: &'a Node,
    key: String,
}

impl Reader<'_> {
    fn wrong(&self, said: impl Display) -> Wrong {
        Wrong::custom(said).at(&self.key, self.node)
    }

    /// The text of a single value.
    fn text(&self) -> Result<&str, Wrong> {
        match &self.node.content {
            Content::Scalar(_, Value::Null) => Err(self.wrong("there is no value; give it one")),
            Content::Scalar(text, _) => Ok(text),
            Content::List(_) => Err(self.wrong("one value is wanted here, not a list")),
            Content::Map(_) => Err(self.wrong("one value is wanted here, not keys with values")),
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let text = self.text()?;
            let number: $type = text.parse().map_err(|_| {
                let (least, most) = (<$type>::MIN, <$type>::MAX);
                self.wrong(format!("`{text}` is no whole number from {least} to {most}"))
            })?;
            visitor.$visit(number).map_err(|wrong: Wrong| wrong.at(&self.key, self.node))
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Wrong;

    whole_numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i64 visit_i64 i64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.content {
            Content::Scalar(_, value) => {
                let read = value.clone().deserialize_any(visitor);
                read.map_err(|error| self.wrong(error))
            }
            Content::List(_) => self.deserialize_seq(visitor),
            Content::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.text()? {
            "true" | "True" | "TRUE" => visitor.visit_bool(true),
            "false" | "False" | "FALSE" => visitor.visit_bool(false),
            other => Err(self.wrong(format!("`{other}` is neither true nor false"))),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let text = self.text()?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        match number {
            Some(number) => visitor.visit_f64(number),
            None => Err(self.wrong(format!("`{text}` is no number"))),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let read = visitor.visit_str(self.text()?);
        read.map_err(|wrong: Wrong| wrong.at(&self.key, self.node))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.node.content {
            Content::Scalar(_, Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Content::List(items) = &self.node.content else {
            return Err(self.wrong("a list is wanted here: [a, b]"));
        };
        let items = Items { items: items.iter().enumerate(), key: &self.key };
        visitor.visit_seq(items).map_err(|wrong| wrong.at(&self.key, self.node))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Content::Map(map) = &self.node.content else {
            return Err(self.wrong("keys with values are wanted here"));
        };
        let pairs = Pairs { pairs: map.iter(), key: &self.key, next: None };
        visitor.visit_map(pairs).map_err(|wrong| wrong.at(&self.key, self.node))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let read = match &self.node.content {
            // Without quoting what stands there.
            Content::Scalar(..) | Content::List(_) if name == "Secret" => Err(Wrong::custom(
                "a secret does not stand here: name its place, { file: PATH } or { env: NAME }",
            )),
            Content::Map(map) if map.len() == 1 => {
                let pairs = Pairs { pairs: map.iter(), key: &self.key, next: None };
                visitor.visit_enum(MapAccessDeserializer::new(pairs))
            }
            Content::Map(_) => {
                Err(Wrong::custom(format!("exactly one is wanted: {}", variants.join(" or "))))
            }
            _ => {
                let text: StrDeserializer<'_, Wrong> = self.text()?.into_deserializer();
                visitor.visit_enum(text)
            }
        };
        read.map_err(|wrong| wrong.at(&self.key, self.node))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// Items of a list, which are counted from 0 in their keys.
struct Items<'a, I> {
    items: I,
    key: &'a str,
}

impl<'de, 'a, I: Iterator<Item = (usize, &'a Node)>> SeqAccess<'de> for Items<'a, I> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some((at, node)) = self.items.next() else { return Ok(None) };
        let key = join(self.key, &at.to_string());
        let read = seed.deserialize(Reader { node, key: key.clone() });
        read.map(Some).map_err(|wrong| wrong.at(&key, node))
    }
}

/// Keys with values.
struct Pairs<'a, I> {
    pairs: I,
    key: &'a str,
    next: Option<(&'a str, &'a Node)>,
}

impl<'de, 'a, I: Iterator<Item = (&'a String, &'a Node)>> MapAccess<'de> for Pairs<'a, I> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some((key, node)) = self.pairs.next() else { return Ok(None) };
        self.next = Some((key, node));
        let name: StrDeserializer<'_, Wrong> = key.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|mut wrong| {
            let whole = join(self.key, key);
            if let What::Unknown { key, .. } = &mut wrong.what {
                key.clone_from(&whole);
            }
            wrong.at(&whole, node)
        })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let (key, node) = self.next.take().ok_or_else(|| Wrong::custom("a value has no key"))?;
        let key = join(self.key, key);
        let read = seed.deserialize(Reader { node, key: key.clone() });
        read.map_err(|wrong| wrong.at(&key, node))
    }
}
