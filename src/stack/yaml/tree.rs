//! The tree, and a cursor that walks it while keeping the place.

use crate::stack::findings::Place;

/// A value and the line where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) yaml: Yaml,
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) node: Node,
}

/// A value. Keys of mappings are unique.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    /// Any integer of 64 bits, with or without sign.
    Int(i128),
    Float(f64),
    Text(String),
    /// An unquoted date or time, printed as Go prints it.
    Time(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A text whose variables could not be filled in. That was reported; nothing more is to be said about it.
    Broken,
}

impl Yaml {
    /// What people call this kind of value, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) | Self::Broken => "a string",
            Self::Time(_) => "a date",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// The value as a text that only an equal value has. Mappings are compared key by key, in any order.
    pub(crate) fn to_key(&self) -> String {
        match self {
            Self::Null => "~".to_owned(),
            Self::Broken => "!".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            // `1.0` and `1` are the same number.
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => format!("{value:.0}"),
            Self::Float(value) => format!("{value:e}"),
            Self::Text(text) => format!("{text:?}"),
            Self::Time(time) => format!("@{time}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.yaml.to_key()).collect();
                format!("[{}]", items.join(","))
            }
            Self::Map(entries) => {
                let mut entries: Vec<String> =
                    entries.iter().map(|entry| format!("{:?}:{}", entry.key, entry.node.yaml.to_key())).collect();
                entries.sort();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    /// A scalar in the words in which it reaches labels and environments. `None` for null and containers.
    pub(crate) fn to_words(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Float(value) => Some(super::format_float(*value)),
            Self::Text(text) | Self::Time(text) => Some(text.clone()),
            Self::Null | Self::Broken | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// A node together with its place.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) node: &'a Node,
    pub(crate) place: Place,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(node: &'a Node, place: Place) -> Self {
        Self { node, place }
    }

    pub(crate) fn yaml(&self) -> &'a Yaml {
        &self.node.yaml
    }

    pub(crate) fn is_null(&self) -> bool {
        self.node.yaml == Yaml::Null
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.node.yaml == Yaml::Broken
    }

    /// The value of a key that stands in this mapping, null included.
    pub(crate) fn get(&self, key: &str) -> Option<Cursor<'a>> {
        let entry = self.map().iter().find(|entry| entry.key == key)?;
        Some(Cursor { node: &entry.node, place: self.place.below(key, entry.line) })
    }

    /// The value of a key, unless it is null.
    pub(crate) fn some(&self, key: &str) -> Option<Cursor<'a>> {
        self.get(key).filter(|value| !value.is_null())
    }

    fn map(&self) -> &'a [Entry] {
        if let Yaml::Map(entries) = &self.node.yaml { entries } else { &[] }
    }

    /// The entries of a mapping; nothing for other values.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Cursor<'a>)> {
        let place = self.place.clone();
        self.map().iter().map(move |entry| {
            (entry.key.as_str(), Cursor { node: &entry.node, place: place.below(&entry.key, entry.line) })
        })
    }

    /// The items of a list; nothing for other values.
    pub(crate) fn items(&self) -> impl Iterator<Item = Cursor<'a>> {
        let items: &'a [Node] = if let Yaml::List(items) = &self.node.yaml { items } else { &[] };
        let place = self.place.clone();
        items
            .iter()
            .enumerate()
            .map(move |(index, node)| Cursor { node, place: place.below(&index.to_string(), node.line) })
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        if let Yaml::Text(text) = &self.node.yaml { Some(text) } else { None }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        if let Yaml::Bool(value) = self.node.yaml { Some(value) } else { None }
    }

    /// A number without its fraction.
    pub(crate) fn int(&self) -> Option<i128> {
        match self.node.yaml {
            Yaml::Int(value) => Some(value),
            #[expect(clippy::cast_possible_truncation, reason = "the docker command cuts fractions off here")]
            Yaml::Float(value) => Some(value as i128),
            _ => None,
        }
    }

    pub(crate) fn float(&self) -> Option<f64> {
        match self.node.yaml {
            #[expect(clippy::cast_precision_loss, reason = "a ratio is no large number")]
            Yaml::Int(value) => Some(value as f64),
            Yaml::Float(value) => Some(value),
            _ => None,
        }
    }
}
