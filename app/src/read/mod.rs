//! Reads what the server sends. What is sent is JSON as serde writes it; what serde would make of each type to read it was a
//! third of the browser's program, so the text becomes a [`Tree`] once, and the types are picked from that.

mod codec;
mod tree;
mod types;

use std::collections::{BTreeMap, BTreeSet};

use release_manager::names::Actor;

pub use codec::{Picked, PickedEncoding};
pub use tree::Tree;

/// Structures, field by field; those behind `or` may be missing.
macro_rules! structures {
    ($($type:ident { $($name:ident),* $(; or $($later:ident),*)? })*) => {
        $(impl $crate::read::Read for $type {
            fn read(tree: &$crate::read::Tree) -> Option<Self> {
                Some(Self {
                    $($name: $crate::read::field(tree, stringify!($name))?,)*
                    $($($later: $crate::read::field_or_default(tree, stringify!($later))?,)*)?
                })
            }
        })*
    };
}
pub(crate) use structures;

/// What can be picked from a tree; `None` where it is something else.
pub trait Read: Sized {
    /// Picks it.
    fn read(tree: &Tree) -> Option<Self>;
}

/// Reads a text.
pub fn read<T: Read>(json: &str) -> Option<T> {
    T::read(&Tree::of(json)?)
}

/// Reads a field; one that is not there is as one that is null.
pub(crate) fn field<T: Read>(tree: &Tree, name: &str) -> Option<T> {
    T::read(tree.get(name))
}

/// Reads a field that may be missing where an older version has written it.
pub(crate) fn field_or_default<T: Read + Default>(tree: &Tree, name: &str) -> Option<T> {
    match tree.get(name) {
        Tree::Null => Some(T::default()),
        there => T::read(there),
    }
}

impl Read for bool {
    fn read(tree: &Tree) -> Option<Self> {
        if let Tree::Bool(value) = tree { Some(*value) } else { None }
    }
}

impl Read for i64 {
    fn read(tree: &Tree) -> Option<Self> {
        if let Tree::Number(value) = tree { Some(*value) } else { None }
    }
}

impl Read for u64 {
    fn read(tree: &Tree) -> Option<Self> {
        i64::read(tree)?.try_into().ok()
    }
}

impl Read for String {
    fn read(tree: &Tree) -> Option<Self> {
        tree.text().map(ToOwned::to_owned)
    }
}

impl Read for Actor {
    fn read(tree: &Tree) -> Option<Self> {
        String::read(tree).map(Self::from)
    }
}

impl<T: Read> Read for Option<T> {
    fn read(tree: &Tree) -> Option<Self> {
        match tree {
            Tree::Null => Some(None),
            there => T::read(there).map(Some),
        }
    }
}

impl<T: Read, E: Read> Read for Result<T, E> {
    fn read(tree: &Tree) -> Option<Self> {
        match tree.get("Err") {
            Tree::Null => field(tree, "Ok").map(Ok),
            error => E::read(error).map(Err),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(tree: &Tree) -> Option<Self> {
        let list = tree.list()?;
        let mut items = Self::with_capacity(list.len());
        for item in list {
            items.push(T::read(item)?);
        }
        Some(items)
    }
}

impl<T: Read + Ord> Read for BTreeSet<T> {
    fn read(tree: &Tree) -> Option<Self> {
        let mut set = Self::new();
        // One by one: what is put in as a whole is sorted first, by code that is made for each type.
        for item in tree.list()? {
            set.insert(T::read(item)?);
        }
        Some(set)
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read(tree: &Tree) -> Option<Self> {
        let [first, second] = tree.list()? else { return None };
        Some((A::read(first)?, B::read(second)?))
    }
}

impl<K: std::str::FromStr + Ord, V: Read> Read for BTreeMap<K, V> {
    fn read(tree: &Tree) -> Option<Self> {
        let mut map = Self::new();
        for (name, value) in tree.pairs()? {
            map.insert(name.parse().ok()?, V::read(value)?);
        }
        Some(map)
    }
}
