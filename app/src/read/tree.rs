//! JSON as it stands there, read by hand: the parser that the server uses brings numbers of every kind and its errors along,
//! and the browser needs neither.

/// Deeper than anything that the server sends.
const DEEPEST: u32 = 64;

/// A value of JSON. Numbers are whole: there are no others in what the server sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// `null`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// Names and their values.
    Map(Vec<(String, Self)>),
}

impl Tree {
    /// Reads a text; `None` where it is no JSON, or more than that.
    pub fn of(json: &str) -> Option<Self> {
        let mut reader = Reader { text: json, at: 0 };
        let tree = reader.value(DEEPEST)?;
        reader.skip_blanks();
        (reader.at == json.len()).then_some(tree)
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> &Self {
        let found = self.pairs().and_then(|pairs| pairs.iter().find(|(known, _)| known == name));
        found.map_or(&Self::Null, |(_, value)| value)
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The list, if it is one.
    pub fn list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// Names and values, if it has some.
    pub fn pairs(&self) -> Option<&[(String, Self)]> {
        if let Self::Map(pairs) = self { Some(pairs) } else { None }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Option<Tree> {
        let depth = depth.checked_sub(1)?;
        self.skip_blanks();
        match self.peek()? {
            b'n' => self.word("null", Tree::Null),
            b't' => self.word("true", Tree::Bool(true)),
            b'f' => self.word("false", Tree::Bool(false)),
            b'"' => self.string().map(Tree::Text),
            b'[' => self.list(depth),
            b'{' => self.map(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: u32) -> Option<Tree> {
        let mut list = Vec::new();
        while self.goes_on(b'[', b']', list.is_empty())? {
            list.push(self.value(depth)?);
        }
        Some(Tree::List(list))
    }

    fn map(&mut self, depth: u32) -> Option<Tree> {
        let mut pairs = Vec::new();
        while self.goes_on(b'{', b'}', pairs.is_empty())? {
            self.skip_blanks();
            let name = self.string()?;
            self.skip_blanks();
            self.take(b':')?;
            pairs.push((name, self.value(depth)?));
        }
        Some(Tree::Map(pairs))
    }

    /// Takes what stands before an item, or the end.
    fn goes_on(&mut self, begin: u8, end: u8, is_first: bool) -> Option<bool> {
        if is_first {
            self.take(begin)?;
        }
        self.skip_blanks();
        if self.peek()? == end {
            self.at += 1;
            return Some(false);
        }
        if !is_first {
            self.take(b',')?;
        }
        Some(true)
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"')?;
        let mut text = String::new();
        loop {
            let begin = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..0x20) {
                self.at += 1;
            }
            text.push_str(self.text.get(begin..self.at)?);
            let found = self.peek()?;
            self.at += 1;
            match found {
                b'"' => return Some(text),
                b'\\' => text.push(self.escaped()?),
                _ => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => char::from(letter),
            b'u' => {
                let first = self.four_digits()?;
                // Letters beyond the first plane are written in two halves.
                let halves = if matches!(first, 0xD800..0xDC00) { self.second_half()? } else { 0 };
                let units = [first, halves];
                char::decode_utf16(units.into_iter().take(if halves == 0 { 1 } else { 2 })).next()?.ok()?
            }
            _ => return None,
        })
    }

    fn second_half(&mut self) -> Option<u16> {
        self.take(b'\\')?;
        self.take(b'u')?;
        self.four_digits()
    }

    fn four_digits(&mut self) -> Option<u16> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u16::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Option<Tree> {
        let begin = self.at;
        while matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            self.at += 1;
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.text.get(begin..self.at)?.parse().ok().map(Tree::Number)
    }

    fn word(&mut self, word: &str, tree: Tree) -> Option<Tree> {
        let is_there = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        is_there.then_some(tree)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        let is_there = self.peek()? == wanted;
        self.at += 1;
        is_there.then_some(())
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(value: &serde_json::Value) -> Tree {
        use serde_json::Value;
        match value {
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Bool(*value),
            Value::Number(number) => Tree::Number(number.as_i64().unwrap()),
            Value::String(text) => Tree::Text(text.clone()),
            Value::Array(list) => Tree::List(list.iter().map(known).collect()),
            Value::Object(map) => Tree::Map(map.iter().map(|(name, value)| (name.clone(), known(value))).collect()),
        }
    }

    #[test]
    fn what_is_json_is_read_as_everybody_reads_it() {
        for json in [
            "null",
            " [ ] ",
            "{}",
            r#"{"a":[1,-20,{"b":null}],"c":{"d":true,"e":false}}"#,
            r#" { "a" : [ 1 , 2 ] , "b" : "" } "#,
            r#""a \"quoted\" \\ \/ \n\t\r\b\f ä\u00e4 \u2028 \ud83d\ude00 😀""#,
            "9007199254740993",
            r#"["<script>alert(1)</script>"]"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(Tree::of(json), Some(known(&value)), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_is_not_read() {
        for text in [
            "",
            " ",
            "nul",
            "[1",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "\"a",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ud83dx\"",
            "\"a\nb\"",
            "1 2",
            "1.5",
            "1e3",
            "--1",
            "-",
            "<html>",
            "[1}",
            "{]",
            "99999999999999999999",
        ] {
            assert_eq!(Tree::of(text), None, "{text}");
        }
        assert_eq!(Tree::of(&"[".repeat(10_000)), None);
    }
}
