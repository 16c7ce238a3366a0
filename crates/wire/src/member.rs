//! Reading JSON members into typed structs in one pass, with what serde's derive does not give:
//! the pointer of the fault, duplicate members refused, unknown members listed, and sentences that
//! never repeat a value.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Unknown members that are listed by name; more are only left out.
const MAX_IGNORED: usize = 32;
/// Items of a list and members of a string map.
const MAX_ITEMS: usize = 1_000;
/// Characters of an unknown member's name that are repeated.
const MAX_NAME: usize = 64;

/// Where the reader stands and what it has met.
#[derive(Default)]
pub(crate) struct Context {
    path: Vec<Step>,
    /// Pointers of unknown members.
    pub(crate) ignored: Vec<String>,
    /// The sentence of the fault that ended reading; `path` then points at it.
    pub(crate) fault: Option<Cow<'static, str>>,
}

enum Step {
    Member(&'static str),
    Item(usize),
}

impl Context {
    /// The pointer of the member being read.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Member(name) => pointer.push_str(name),
                Step::Item(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }

    /// Ends reading with a sentence of ours; serde's own error carries nothing.
    pub(crate) fn fail<E: de::Error>(&mut self, sentence: impl Into<Cow<'static, str>>) -> E {
        self.fault = Some(sentence.into());
        E::custom("")
    }

    fn ignore(&mut self, name: &str) {
        if self.ignored.len() < MAX_IGNORED {
            let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
            let name = name.replace('~', "~0").replace('/', "~1");
            self.ignored.push(format!("{}/{name}", self.pointer()));
        }
    }

    /// Starts at the member `name`, for readers that begin inside a document.
    pub(crate) fn inside(name: &'static str) -> Self {
        let mut path = Vec::with_capacity(6);
        path.push(Step::Member(name));
        Self { path, ..Self::default() }
    }

    /// Reads the value of the known member `name`, which may occur once.
    pub(crate) fn member<'de, T: Member<'de>, A: MapAccess<'de>>(
        &mut self,
        name: &'static str,
        slot: &mut Option<T>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        self.path.push(Step::Member(name));
        if slot.is_some() {
            return Err(self.fail("occurs twice"));
        }
        *slot = Some(map.next_value_seed(Seed::new(self))?);
        self.path.pop();
        Ok(())
    }

    /// Skips the unknown member `name` and lists it.
    pub(crate) fn unknown<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        map.next_value::<IgnoredAny>()?;
        self.ignore(name);
        Ok(())
    }

    /// What was read under `name`, or what its absence means.
    pub(crate) fn require<'de, T: Member<'de>, E: de::Error>(
        &mut self,
        name: &'static str,
        slot: Option<T>,
    ) -> Result<T, E> {
        match slot.or_else(T::absent) {
            Some(value) => Ok(value),
            None => {
                self.path.push(Step::Member(name));
                Err(self.fail("is missing"))
            }
        }
    }
}

/// Something that a JSON value can be read as.
pub(crate) trait Member<'de>: Sized {
    /// Reads the value; faults go to the context.
    fn read<D: Deserializer<'de>>(from: D, context: &mut Context) -> Result<Self, D::Error>;

    /// The value where the member is absent; `None`: it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// Carries the context into a nested value.
pub(crate) struct Seed<'c, T>(&'c mut Context, PhantomData<T>);

impl<'c, T> Seed<'c, T> {
    pub(crate) fn new(context: &'c mut Context) -> Self {
        Self(context, PhantomData)
    }
}

impl<'de, T: Member<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(from, self.0)
    }
}

/// A name of a member, borrowed where it holds no escapes.
pub(crate) struct Name<'de>(pub(crate) Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// A JSON value as far as leaves tell them apart; lists and objects are skipped.
pub(crate) enum Scalar<'de> {
    /// A string.
    Text(Cow<'de, str>),
    /// Any number.
    Number,
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// `[…]` or `{…}`.
    Nested,
}

impl<'de> de::Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(flag))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Number)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Number)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Number)
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Nested)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Nested)
            }
        }
        from.deserialize_any(Any)
    }
}

/// A value without parts. The sentence of its refusal never repeats the value.
pub(crate) trait Leaf<'de>: Sized {
    /// Checks and converts.
    fn check(value: Scalar<'de>) -> Result<Self, Cow<'static, str>>;
}

impl<'de, T: Leaf<'de>> Member<'de> for T {
    fn read<D: Deserializer<'de>>(from: D, context: &mut Context) -> Result<Self, D::Error> {
        let value = <Scalar<'de> as de::Deserialize>::deserialize(from)?;
        T::check(value).map_err(|sentence| context.fail(sentence))
    }
}

impl<'de, T: Member<'de>> Member<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(from: D, context: &mut Context) -> Result<Self, D::Error> {
        struct Maybe<'c, T>(&'c mut Context, PhantomData<T>);
        impl<'de, T: Member<'de>> Visitor<'de> for Maybe<'_, T> {
            type Value = Option<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or null")
            }
            fn visit_none<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }
            fn visit_unit<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }
            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Option<T>, D::Error> {
                T::read(from, self.0).map(Some)
            }
        }
        from.deserialize_option(Maybe(context, PhantomData))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<'de, T: Member<'de>> Member<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(from: D, context: &mut Context) -> Result<Self, D::Error> {
        struct Items<'c, T>(&'c mut Context, PhantomData<T>);
        impl<'de, T: Member<'de>> Visitor<'de> for Items<'_, T> {
            type Value = Vec<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
                let mut items = Vec::new();
                loop {
                    self.0.path.push(Step::Item(items.len()));
                    let item = list.next_element_seed(Seed::new(&mut *self.0))?;
                    self.0.path.pop();
                    match item {
                        Some(_) if items.len() == MAX_ITEMS => {
                            return Err(self.0.fail("has more than 1000 items"));
                        }
                        Some(item) => items.push(item),
                        None => return Ok(items),
                    }
                }
            }
        }
        let items = from.deserialize_seq(Items(&mut *context, PhantomData));
        items.inspect_err(|_| context.suppose("must be a list"))
    }
}

impl<'de, T: Leaf<'de>> Member<'de> for BTreeMap<String, T> {
    fn read<D: Deserializer<'de>>(from: D, context: &mut Context) -> Result<Self, D::Error> {
        struct Entries<'c, T>(&'c mut Context, PhantomData<T>);
        impl<'de, T: Leaf<'de>> Visitor<'de> for Entries<'_, T> {
            type Value = BTreeMap<String, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(Name(name)) = map.next_key()? {
                    // The name is the producer's and may tell something: it is not repeated.
                    let value = map.next_value_seed(Seed::new(&mut *self.0))?;
                    if name.is_empty()
                        || name.len() > MAX_NAME
                        || name.chars().any(char::is_control)
                    {
                        return Err(self.0.fail(
                            "has a name that is not 1 to 64 bytes without control characters",
                        ));
                    }
                    if entries.len() == MAX_ITEMS {
                        return Err(self.0.fail("has more than 1000 members"));
                    }
                    if entries.insert(name.into_owned(), value).is_some() {
                        return Err(self.0.fail("has a member that occurs twice"));
                    }
                }
                Ok(entries)
            }
        }
        let entries = from.deserialize_map(Entries(&mut *context, PhantomData));
        entries.inspect_err(|_| context.suppose("must be an object of strings"))
    }
}

impl Context {
    /// Names the fault where serde met another JSON type than the reader can take.
    pub(crate) fn suppose(&mut self, sentence: &'static str) {
        if self.fault.is_none() {
            self.fault = Some(Cow::Borrowed(sentence));
        }
    }
}

/// Declares wire structs: the members as published, their schema, and the reader.
macro_rules! members {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$about:meta])* $field:ident: $type:ty, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(schemars::JsonSchema)]
        pub(crate) struct $name {
            $( $(#[$about])* pub(crate) $field: $type, )*
        }

        impl<'de> $crate::member::Member<'de> for $name {
            fn read<D: serde::Deserializer<'de>>(
                from: D,
                context: &mut $crate::member::Context,
            ) -> Result<Self, D::Error> {
                struct Object<'c>(&'c mut $crate::member::Context);
                impl<'de> serde::de::Visitor<'de> for Object<'_> {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        $( let mut $field: Option<$type> = None; )*
                        while let Some($crate::member::Name(name)) = map.next_key()? {
                            match &*name {
                                $( stringify!($field) => self.0.member(
                                    stringify!($field),
                                    &mut $field,
                                    &mut map,
                                )?, )*
                                other => self.0.unknown(other, &mut map)?,
                            }
                        }
                        Ok($name {
                            $( $field: self.0.require(stringify!($field), $field)?, )*
                        })
                    }
                }
                let object = from.deserialize_map(Object(&mut *context));
                object.inspect_err(|_| context.suppose("must be an object"))
            }
        }
    )*};
}
pub(crate) use members;
