//! A JSON object, written member by member; what is empty can be left out.

use serde_json::{Map, Value};

#[derive(Debug, Default)]
pub(super) struct Json(Map<String, Value>);

impl Json {
    /// A member that always stands there.
    pub(super) fn put(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    pub(super) fn text(self, key: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.put(key, value) }
    }

    pub(super) fn flag(self, key: &str, value: bool) -> Self {
        if value { self.put(key, true) } else { self }
    }

    pub(super) fn number<N: Into<Value> + Default + PartialEq>(self, key: &str, value: N) -> Self {
        if value == N::default() { self } else { self.put(key, value) }
    }

    pub(super) fn list<V: Into<Value>>(self, key: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        if values.is_empty() { self } else { self.put(key, values) }
    }

    pub(super) fn strings<'a>(self, key: &str, values: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let values: Map<String, Value> =
            values.into_iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        if values.is_empty() { self } else { self.put(key, values) }
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        Self::Object(json.0)
    }
}
