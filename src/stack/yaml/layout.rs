//! Layouts that the docker command's library takes although YAML 1.2 forbids them.
//!
//! go-yaml lets a closing bracket stand at the indent of its key, items left of it, a quoted text go on without an indent,
//! and tabs stand where only tokens are kept apart. All that is white space without a meaning. Here it is replaced by white
//! space that YAML 1.2 takes as well, a `-` that stands alone in a list of brackets by `"-"`, and nothing else is touched:
//! every line stays on its line.

/// More indent than this is no layout of a person.
const MAX_INDENT: usize = 1000;

/// The text with the white space that YAML 1.2 wants. `None` where nothing is to be replaced, or where it cannot be told
/// what is white space.
pub(super) fn relaid(text: &str, most_bytes: usize) -> Option<String> {
    let mut layout = Layout { next_is_value: true, ..Layout::default() };
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        if body.contains('\r') {
            return None;
        }
        layout.line(body)?;
        layout.out.push_str(line.get(body.len()..)?);
        if layout.out.len() > most_bytes {
            return None;
        }
    }
    (layout.is_closed() && layout.out != text).then_some(layout.out)
}

#[derive(Default)]
struct Layout {
    out: String,
    /// The brackets that are open.
    depth: usize,
    /// The quotation mark of the text that is open.
    quote: Option<char>,
    /// Between brackets: whether a value may begin here.
    next_is_value: bool,
    /// Between brackets: whether a quoted text or a collection has just ended.
    has_ended: bool,
    /// Where a line goes on that begins between brackets or quotation marks.
    indent: usize,
    /// A text behind `|` or `>` is open: it goes on in what is indented deeper than so many columns less one.
    block: Option<usize>,
    /// A text without quotation marks is open, in the same way.
    plain: Option<usize>,
    /// The first document has ended.
    is_over: bool,
}

fn is_white(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// Whether white space or the end of the line is next.
fn is_apart(rest: &str) -> bool {
    rest.chars().next().is_none_or(is_white)
}

fn after_white(rest: &str) -> &str {
    rest.trim_start_matches(is_white)
}

impl Layout {
    fn is_closed(&self) -> bool {
        self.depth == 0 && self.quote.is_none()
    }

    /// Takes a line without its end.
    fn line(&mut self, body: &str) -> Option<()> {
        let marker = ["---", "..."].into_iter().find(|marker| body.strip_prefix(marker).is_some_and(is_apart));
        if !self.is_closed() {
            let rest = after_white(body);
            if marker.is_some() {
                return None;
            }
            if !rest.is_empty() {
                self.out.push_str(&" ".repeat(self.indent));
                self.within(rest);
            }
            return Some(());
        }
        self.is_over |= marker == Some("...");
        let rest = after_white(body);
        let column = body.len() - body.trim_start_matches(' ').len();
        let goes_on = self.block.or(self.plain).is_some_and(|limit| column >= limit);
        let ends_plain = self.plain.is_some() && rest.starts_with('#');
        if rest.is_empty() || self.is_over || body.starts_with('%') || (goes_on && !ends_plain) {
            self.out.push_str(body);
            return Some(());
        }
        (self.block, self.plain) = (None, None);
        self.begin(body, marker, column)
    }

    /// Takes a line that begins outside brackets and texts.
    fn begin(&mut self, body: &str, marker: Option<&str>, column: usize) -> Option<()> {
        if after_white(body).starts_with('#') {
            self.put_apart(body);
            return Some(());
        }
        if column > MAX_INDENT {
            return None;
        }
        let skipped = marker.map_or(column, str::len);
        let (skipped, rest) = body.split_at_checked(skipped)?;
        self.out.push_str(skipped);
        self.block_value(rest, skipped.len());
        Some(())
    }

    /// Takes what stands where a value or a key may begin, at this column.
    fn block_value(&mut self, mut rest: &str, mut column: usize) {
        // What belongs to the value is indented by so much at least; and where a key has begun.
        let (mut least, mut key) = (column, None);
        loop {
            let start = rest;
            rest = self.put_white(rest);
            let Some(first) = rest.chars().next() else { return };
            match first {
                '#' => return self.out.push_str(rest),
                '-' | '?' if is_apart(&rest[1..]) => {
                    column += start.len() - rest.len();
                    (least, key) = (column + 1, None);
                    rest = self.put(rest, 1);
                    column += 1;
                    continue;
                }
                '&' | '!' => {
                    let end = rest.find(is_white).unwrap_or(rest.len());
                    column += start.len() - rest.len();
                    key.get_or_insert(column);
                    column += end;
                    rest = self.put(rest, end);
                    continue;
                }
                '|' | '>' => {
                    self.block = Some(least);
                    return self.out.push_str(rest);
                }
                _ => (),
            }
            column += start.len() - rest.len();
            let before = rest.len();
            let is_text = !matches!(first, '[' | '{' | '"' | '\'');
            rest = if is_text { self.plain_text(rest) } else { self.enclosed(rest, first, least) };
            if !self.is_closed() {
                return;
            }
            let white = rest.len() - after_white(rest).len();
            let Some(value) = after_white(rest).strip_prefix(':').filter(|value| is_apart(value)) else {
                return self.end_value(rest, is_text, least);
            };
            self.put(rest, white + 1);
            least = key.take().unwrap_or(column) + 1;
            column += before - value.len();
            if let Some(tabs) = value.find(|c| !is_white(c)).filter(|_| value.starts_with('\t')) {
                self.out.push_str(&" ".repeat(tabs));
                rest = &value[tabs..];
            } else {
                rest = value;
            }
        }
    }

    /// Takes what stands behind a value: a comment, or nothing.
    fn end_value(&mut self, rest: &str, is_text: bool, least: usize) {
        if rest.starts_with('#') {
            self.out.push(' ');
        }
        self.plain = (is_text && rest.is_empty()).then_some(least);
        self.put_apart(rest);
    }

    /// Takes a text without quotation marks, up to the `:` of a key, a comment, or the end of the line.
    fn plain_text<'a>(&mut self, rest: &'a str) -> &'a str {
        let ends = |(at, c): &(usize, char)| match c {
            ':' => is_apart(&rest[at + 1..]),
            ' ' | '\t' => after_white(&rest[*at..]).starts_with('#'),
            _ => false,
        };
        let end = rest.char_indices().find(ends).map_or(rest.len(), |(at, _)| at);
        self.put(rest, end)
    }

    /// Takes a text in quotation marks or a collection in brackets, as far as it goes on this line.
    fn enclosed<'a>(&mut self, rest: &'a str, first: char, least: usize) -> &'a str {
        self.indent = least;
        let rest = self.put(rest, 1);
        if matches!(first, '"' | '\'') {
            self.quote = Some(first);
        } else {
            (self.depth, self.next_is_value, self.has_ended) = (1, true, false);
        }
        self.within(rest)
    }

    /// Takes what stands between brackets or quotation marks, and returns what stands behind the last of them.
    fn within<'a>(&mut self, mut rest: &'a str) -> &'a str {
        while !self.is_closed() && !rest.is_empty() {
            rest = match self.quote {
                Some(mark) => self.quoted(rest, mark),
                None => self.between_brackets(rest),
            };
        }
        if self.is_closed() { rest } else { "" }
    }

    fn quoted<'a>(&mut self, rest: &'a str, mark: char) -> &'a str {
        let mut characters = rest.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            let is_doubled = c == mark && mark == '\'' && characters.peek().is_some_and(|(_, next)| *next == mark);
            if is_doubled || (c == '\\' && mark == '"') {
                characters.next();
            } else if c == mark {
                (self.quote, self.next_is_value, self.has_ended) = (None, false, true);
                return self.put(rest, at + 1);
            }
        }
        self.put(rest, rest.len())
    }

    fn between_brackets<'a>(&mut self, rest: &'a str) -> &'a str {
        let Some(first) = rest.chars().next() else { return rest };
        let next = &rest[first.len_utf8()..];
        let ends_key = self.has_ended || next.starts_with([' ', '\t', ',', '[', ']', '{', '}']) || next.is_empty();
        match first {
            ' ' | '\t' => return self.white_between_brackets(rest),
            '#' if self.has_ended => {
                self.out.push(' ');
                return self.put(rest, rest.len());
            }
            '"' | '\'' if self.next_is_value => self.quote = Some(first),
            '[' | '{' => {
                self.depth += 1;
                (self.next_is_value, self.has_ended) = (true, false);
            }
            ']' | '}' => {
                self.depth -= 1;
                (self.next_is_value, self.has_ended) = (false, true);
            }
            ',' => (self.next_is_value, self.has_ended) = (true, false),
            ':' if ends_key => (self.next_is_value, self.has_ended) = (true, false),
            '?' if self.next_is_value && is_apart(next) => (),
            '-' if self.next_is_value && next.starts_with([',', ']', '}']) => {
                self.next_is_value = false;
                self.out.push_str("\"-\"");
                return next;
            }
            '&' | '!' if self.next_is_value => {
                let end = rest.find([' ', '\t', ',', '[', ']', '{', '}']).unwrap_or(rest.len());
                return self.put(rest, end);
            }
            _ => (self.next_is_value, self.has_ended) = (false, false),
        }
        self.put(rest, first.len_utf8())
    }

    /// Takes white space between brackets: a tab in it is a space where it only keeps tokens apart.
    fn white_between_brackets<'a>(&mut self, rest: &'a str) -> &'a str {
        let next = after_white(rest);
        let white = rest.len() - next.len();
        if next.starts_with('#') {
            self.put_apart(rest);
            return "";
        }
        if self.next_is_value || self.has_ended || next.is_empty() || next.starts_with([',', ']', '}']) {
            self.out.push_str(&" ".repeat(white));
            return next;
        }
        self.put(rest, white)
    }

    /// Puts the first bytes as they are, and returns the others.
    fn put<'a>(&mut self, rest: &'a str, bytes: usize) -> &'a str {
        let (taken, others) = rest.split_at(bytes);
        self.out.push_str(taken);
        others
    }

    fn put_white<'a>(&mut self, rest: &'a str) -> &'a str {
        self.put(rest, rest.len() - after_white(rest).len())
    }

    /// Puts what stands behind white space as it is, and spaces for the white space.
    fn put_apart(&mut self, rest: &str) {
        let others = after_white(rest);
        self.out.push_str(&" ".repeat(rest.len() - others.len()));
        self.out.push_str(others);
    }
}
