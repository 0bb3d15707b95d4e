//! JSON as YAML that people can read; any YAML parser reads it back to the same.

use std::fmt::Write as _;

use serde_json::Value;

/// The value as a YAML document.
pub(super) fn emit(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                let _ = write!(text, "{indent}{}:", scalar(&Value::from(key.as_str())));
                nested(value, depth, text);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for element in elements {
                let _ = write!(text, "{indent}-");
                nested(element, depth, text);
            }
        }
        value => {
            let _ = writeln!(text, "{indent}{}", scalar(value));
        }
    }
}

/// What follows a key or a dash: on its line, or indented below it.
fn nested(value: &Value, depth: usize, text: &mut String) {
    if is_block(value) {
        text.push('\n');
        block(value, depth + 1, text);
    } else {
        let _ = writeln!(text, " {}", scalar(value));
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        _ => false,
    }
}

/// JSON is YAML, so that only texts which need no quotes are written otherwise.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Whether a text can stand without quotes and is still a text: no number, date, boolean or null in any YAML.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '@'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_indented_and_only_plain_words_go_without_quotes() {
        let value = json!({
            "name": "shop",
            "empty": {"list": [], "map": {}},
            "words": ["yes", "Null", "1.10", "0x1F", "2020-01-02", "a: b", "", "#", "app:1", "é", "line\nline"],
            "nested": [{"a": 1, "b": [true, null]}],
        });
        let expected = r##"empty:
  list: []
  map: {}
name: shop
nested:
  -
    a: 1
    b:
      - true
      - null
words:
  - "yes"
  - "Null"
  - "1.10"
  - "0x1F"
  - "2020-01-02"
  - "a: b"
  - ""
  - "#"
  - "app:1"
  - "é"
  - "line\nline"
"##;
        assert_eq!(emit(&value), expected);
    }
}
