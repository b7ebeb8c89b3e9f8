//! The configuration as it is written: a tree of values, each with its place. It knows no keys.

use std::{collections::HashSet, fmt, marker::PhantomData, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap as _, SerializeSeq as _},
};
use serde_saphyr::{Location, Spanned};

use super::error::Position;

/// One value and its position.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Its position in the file.
    pub(super) spot: Position,
}

/// What YAML and JSON have in common. Clones share their lists and sections until one of them changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value {
    #[default]
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Arc<Vec<Node>>),
    /// Keys in the order of the file.
    Map(Arc<Vec<(Node, Node)>>),
}

impl Value {
    /// What it is, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "a number",
            Self::Float(_) => "a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a section with keys",
        }
    }
}

impl Node {
    /// A text that did not come from a file.
    pub(super) fn text(text: &str) -> Self {
        Self { value: Value::Text(text.to_owned()), spot: Position::UNKNOWN }
    }

    /// A number that did not come from a file.
    pub(super) fn integer(number: impl Into<i64>) -> Self {
        Self { value: Value::Integer(number.into()), spot: Position::UNKNOWN }
    }

    /// The text, if it is one.
    pub(super) const fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The entry of a section.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Whether a key of a section is missing, or has no value.
    pub(super) fn has_no(&self, key: &str) -> bool {
        self.get(key).is_none_or(|node| matches!(node.value, Value::Null))
    }

    /// The entry of a section, to be changed.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.value {
            Value::Map(entries) => Arc::make_mut(entries)
                .iter_mut()
                .find(|(name, _)| name.as_text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The list under a key of a section, made if there is none; `None` when this is no section, or
    /// something else is under the key.
    pub(super) fn list_mut(&mut self, key: &str) -> Option<&mut Vec<Self>> {
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        let entries = Arc::make_mut(entries);
        let index =
            entries.iter().position(|(name, _)| name.as_text() == Some(key)).unwrap_or_else(|| {
                entries.push((Self::text(key), Self::default()));
                entries.len() - 1
            });
        let (_, node) = entries.get_mut(index)?;
        if node.value == Value::Null {
            node.value = Value::List(Arc::default());
        }
        match &mut node.value {
            Value::List(items) => Some(Arc::make_mut(items)),
            _ => None,
        }
    }

    /// The items of the list under a key of a section; none when there is no such list.
    pub(super) fn items(&self, key: &str) -> &[Self] {
        match self.get(key).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// Sets the entry of a section.
    pub(super) fn set(&mut self, key: &str, value: Self) {
        if let Some(present) = self.get_mut(key) {
            *present = value;
        } else if let Value::Map(entries) = &mut self.value {
            Arc::make_mut(entries).push((Self::text(key), value));
        }
    }

    /// Removes the entry of a section; returns whether it was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        if let Value::Map(entries) = &mut self.value {
            Arc::make_mut(entries).retain(|(name, _)| name.as_text() != Some(key));
        }
        true
    }

    /// Makes this a part of a file, from 1; says how many values it is, keys included.
    pub(super) fn assign(&mut self, file: u16) -> usize {
        self.spot.file = file;
        match &mut self.value {
            Value::List(items) => {
                1 + Arc::make_mut(items).iter_mut().map(|item| item.assign(file)).sum::<usize>()
            }
            Value::Map(entries) => {
                let each = |(key, value): &mut (Self, Self)| key.assign(file) + value.assign(file);
                1 + Arc::make_mut(entries).iter_mut().map(each).sum::<usize>()
            }
            _ => 1,
        }
    }

    /// Whether this is the same section as the other (an unchanged clone), not only an equal one.
    pub(super) fn is_same_section(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Map(one), Value::Map(two)) => Arc::ptr_eq(one, two) && self.spot == other.spot,
            _ => false,
        }
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items.iter() {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Value::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries.iter() {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// A node without a place, from a format that has none.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = deserializer.deserialize_any(Values::<Self>(PhantomData))?;
        Ok(Self { value, spot: Position::UNKNOWN })
    }
}

/// A node of a YAML file, with its place.
pub(super) struct Located(pub(super) Node);

impl From<Located> for Node {
    fn from(located: Located) -> Self {
        located.0
    }
}

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<LocatedValue>::deserialize(deserializer)?;
        Ok(Self(Node { value: value.0, spot: spot(&referenced) }))
    }
}

/// Where the reader stood.
pub(super) fn spot(location: &Location) -> Position {
    let small = |number: u64| u32::try_from(number).unwrap_or(0);
    Position { file: 0, line: small(location.line()), column: small(location.column()) }
}

struct LocatedValue(Value);

impl<'de> Deserialize<'de> for LocatedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values::<Located>(PhantomData)).map(Self)
    }
}

/// Builds values whose children are read as `C`.
struct Values<C>(PhantomData<C>);

impl<'de, C: Child<'de>> Visitor<'de> for Values<C> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number)
            .map(Value::Integer)
            .map_err(|_| E::custom(format!("the number {number} is too large")))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<C>()? {
            list.push(item.into());
        }
        Ok(Value::List(Arc::new(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map: Vec<(Node, Node)> = Vec::new();
        let mut names = HashSet::new();
        while let Some(key) = entries.next_key::<C::Key>()? {
            let (name, spot) = key.into();
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("the key `{name}` occurs twice")));
            }
            let value = entries.next_value::<C>()?;
            map.push((Node { value: Value::Text(name), spot }, value.into()));
        }
        Ok(Value::Map(Arc::new(map)))
    }
}

/// A child of a list or section.
trait Child<'de>: Deserialize<'de> + Into<Node> {
    /// A key of a section: a text and its place.
    type Key: Deserialize<'de> + Into<(String, Position)>;
}

impl Child<'_> for Node {
    type Key = Key;
}

impl Child<'_> for Located {
    type Key = LocatedKey;
}

/// A key without a place.
struct Key(String);

impl From<Key> for (String, Position) {
    fn from(key: Key) -> Self {
        (key.0, Position::UNKNOWN)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// A key of a YAML file, with its place.
struct LocatedKey(Spanned<Key>);

impl From<LocatedKey> for (String, Position) {
    fn from(key: LocatedKey) -> Self {
        let spot = spot(&key.0.referenced);
        (key.0.value.0, spot)
    }
}

impl<'de> Deserialize<'de> for LocatedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

/// Takes texts, and numbers and truth values as they are written in JSON: no key is one, so that
/// they end as unknown keys, with their path.
struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text as key")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Key, E> {
        Ok(Key(truth.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Key, E> {
        Ok(Key(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Key, E> {
        Ok(Key(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Key, E> {
        Ok(Key(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Key, E> {
        Ok(Key(text.to_owned()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Key, E> {
        Err(E::custom("a key is empty; keys are texts"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Key, A::Error> {
        Err(A::Error::custom("a key is a list; keys are texts"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Key, A::Error> {
        Err(A::Error::custom("a key is a section; keys are texts"))
    }
}
