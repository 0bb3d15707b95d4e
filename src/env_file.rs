//! Env files: text to variables.
//!
//! ```text
//! # A comment, up to the end of the line.
//! NAME=value                      blanks around the value are cut off; ` #` begins a comment
//! export NAME='taken verbatim'    single quotes: nothing means anything
//! NAME="two\nlines"               double quotes: \n \" \\ and \$ are understood
//! ```
//!
//! Values are literal. There is no shell: no `$(…)`, and neither `$X` nor `${X}` is filled in. A value ends with its
//! line. Byte order marks and Windows line ends are passed over. A file without any variable is an error: something
//! that could not be read must never look like something that is empty.
//!
//! Messages never show a value, for values are secret.

use std::collections::BTreeMap;
use std::fmt;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The longest file that is read.
const MAX_FILE: usize = 1024 * 1024;
/// The longest line that is read.
const MAX_LINE: usize = 64 * 1024;

/// A mistake in an env file, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvFileError {
    /// From 1; `None` for the whole file.
    pub line: Option<usize>,
    /// In characters, from 1; `None` for the whole line.
    pub column: Option<usize>,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What can be wrong with an env file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Mistake {
    /// Not a single variable.
    #[error("the file declares no variable")]
    Empty,
    /// Larger than anybody would write.
    #[error("the file is larger than 1 MiB")]
    TooLarge,
    /// A pointer that stands for the file.
    #[error("this is a Git LFS pointer, not the file itself: env files cannot be kept in Git LFS")]
    LfsPointer,
    /// A web page that stands for the file, such as a login form.
    #[error("this is HTML, not an env file")]
    Html,
    /// Bytes that are no text.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// A NUL character.
    #[error("the NUL character is not allowed")]
    Nul,
    /// What git leaves behind where two changes meet.
    #[error("a merge conflict was committed: resolve it")]
    MergeConflict,
    /// A line that is longer than anybody would write.
    #[error("the line is longer than 64 KiB")]
    LineTooLong,
    /// No `=`.
    #[error("not `NAME=value`: there is no `=`")]
    NoAssignment,
    /// A name that no variable can have.
    #[error("not a variable's name: use A-Z, a-z, 0-9 and `_`, no digit first, no blanks around `=`")]
    BadName,
    /// Which of the two counts would be a guess.
    #[error("`{name}` is declared a second time; the first is in line {first}")]
    DeclaredTwice {
        /// The variable.
        name: String,
        /// The line of the first declaration.
        first: usize,
    },
    /// A quote without its partner on the same line.
    #[error("the quote is not closed on this line")]
    UnclosedQuote,
    /// Something behind a closing quote that is no comment.
    #[error("text after the closing quote: put the whole value in quotes")]
    AfterQuote,
}

impl std::error::Error for EnvFileError {}

impl fmt::Display for EnvFileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, "line {line}, column {column}: {}", self.mistake),
            (Some(line), None) => write!(formatter, "line {line}: {}", self.mistake),
            _ => self.mistake.fmt(formatter),
        }
    }
}

/// Reads an env file. All its mistakes are reported, in the order of the lines.
pub fn parse(text: &[u8]) -> Result<Variables, Vec<EnvFileError>> {
    let whole = |mistake| vec![EnvFileError { line: None, column: None, mistake }];
    if text.len() > MAX_FILE {
        return Err(whole(Mistake::TooLarge));
    }
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let start = text.trim_ascii_start();
    if start.starts_with(b"version https://git-lfs") {
        return Err(whole(Mistake::LfsPointer));
    }
    if is_html(start) {
        return Err(whole(Mistake::Html));
    }
    let mut file = File::default();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if let Err((column, mistake)) = file.line(index + 1, line.strip_suffix(b"\r").unwrap_or(line)) {
            file.errors.push(EnvFileError { line: Some(index + 1), column, mistake });
        }
    }
    match (file.errors.is_empty(), file.variables.is_empty()) {
        (true, true) => Err(whole(Mistake::Empty)),
        (true, false) => Ok(file.variables),
        (false, _) => Err(file.errors),
    }
}

fn is_html(start: &[u8]) -> bool {
    let beginning = start[..start.len().min(16)].to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body", "<?xml", "<!--"].iter().any(|tag| beginning.starts_with(tag.as_bytes()))
}

/// A mistake with its column.
type Wrong = (Option<usize>, Mistake);

#[derive(Default)]
struct File {
    variables: Variables,
    /// The line in which each name was first declared.
    declared: BTreeMap<String, usize>,
    errors: Vec<EnvFileError>,
}

impl File {
    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), Wrong> {
        if line.len() > MAX_LINE {
            return Err((None, Mistake::LineTooLong));
        }
        let line = str::from_utf8(line).map_err(|error| (Some(error.valid_up_to() + 1), Mistake::NotUtf8))?;
        if let Some(at) = line.find('\0') {
            return Err((Some(column(line, at)), Mistake::Nul));
        }
        if is_conflict_marker(line) {
            return Err((None, Mistake::MergeConflict));
        }
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            return Ok(());
        }
        let content = match content.strip_prefix("export") {
            Some(rest) if rest.starts_with([' ', '\t']) => rest.trim_start(),
            _ => content,
        };
        let start = line.len() - content.len();
        let Some((name, value)) = content.split_once('=') else { return Err((None, Mistake::NoAssignment)) };
        if !is_name(name) {
            return Err((Some(column(line, start)), Mistake::BadName));
        }
        let value = value_of(value, |rest| column(line, line.len() - rest.len()))?;
        if let Some(first) = self.declared.get(name) {
            return Err((None, Mistake::DeclaredTwice { name: name.to_owned(), first: *first }));
        }
        self.declared.insert(name.to_owned(), number);
        self.variables.insert(name.to_owned(), value);
        Ok(())
    }
}

/// The column of a byte, in characters from 1.
fn column(line: &str, at: usize) -> usize {
    line[..at].chars().count() + 1
}

fn is_conflict_marker(line: &str) -> bool {
    let markers = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
    markers.iter().any(|marker| line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads what stands behind the `=`. `column` finds the column of a rest of the line.
fn value_of(text: &str, column: impl Fn(&str) -> usize) -> Result<String, Wrong> {
    let trimmed = text.trim_start();
    let Some(quote) = trimmed.chars().next().filter(|quote| matches!(quote, '\'' | '"')) else {
        return Ok(unquoted(text));
    };
    let (value, rest) = quoted(&trimmed[1..], quote).ok_or_else(|| (Some(column(trimmed)), Mistake::UnclosedQuote))?;
    let after = rest.trim_start();
    if after.is_empty() || (after.starts_with('#') && after.len() < rest.len()) {
        return Ok(value);
    }
    Err((Some(column(after)), Mistake::AfterQuote))
}

/// A value without quotes ends before a blank that a `#` follows.
fn unquoted(text: &str) -> String {
    let comment = text.char_indices().find(|(at, c)| *c == '#' && (*at == 0 || text[..*at].ends_with([' ', '\t'])));
    text[..comment.map_or(text.len(), |(at, _)| at)].trim().to_owned()
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return Some((value, &text[at + 1..]));
        }
        if letter != '\\' || quote == '\'' {
            value.push(letter);
            continue;
        }
        match letters.next()?.1 {
            'n' => value.push('\n'),
            escaped @ ('"' | '\\' | '$') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(parse(text.as_bytes()), Ok(expected), "{text:?}");
    }

    #[track_caller]
    fn check_refused(text: &[u8], expected: &[&str]) {
        let errors = parse(text).expect_err("the file should be refused");
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_stand_before_the_first_equals_sign() {
        check("A=1\nB_2=x=y\n", &[("A", "1"), ("B_2", "x=y")]);
        check("  export A=1\nexport\tB=2", &[("A", "1"), ("B", "2")]);
        check("export=1", &[("export", "1")]);
        check("A=", &[("A", "")]);
    }

    #[test]
    fn comments_and_blank_lines_are_passed_over() {
        check(
            "# one\n\n   \n  # two\nA=1 # three\nB=a#b\nC= # four\nD=#five",
            &[("A", "1"), ("B", "a#b"), ("C", ""), ("D", "")],
        );
    }

    #[test]
    fn blanks_around_a_value_are_cut_off_unless_quoted() {
        check("A=  x y \t\nB=' x '\nC=\" x \" # c", &[("A", "x y"), ("B", " x "), ("C", " x ")]);
    }

    #[test]
    fn quotes_decide_what_a_backslash_means() {
        check(r#"A="a\nb\"c\\d\$e\x""#, &[("A", "a\nb\"c\\d$e\\x")]);
        check(r"A='a\nb'", &[("A", r"a\nb")]);
        check(r"A=a\nb", &[("A", r"a\nb")]);
        check("A=it's", &[("A", "it's")]);
    }

    #[test]
    fn values_are_literal() {
        check("A=$B\nB=${A}\nC=\"$(rm) $A\"", &[("A", "$B"), ("B", "${A}"), ("C", "$(rm) $A")]);
    }

    #[test]
    fn byte_order_mark_and_windows_line_ends_mean_nothing() {
        check("\u{feff}A=1\r\nB=\"2\"\r\n", &[("A", "1"), ("B", "2")]);
    }

    #[test]
    fn a_file_without_variables_is_no_empty_set_of_variables() {
        for text in ["", "\n\n", "# only a comment\n", "\u{feff}"] {
            check_refused(text.as_bytes(), &["the file declares no variable"]);
        }
    }

    #[test]
    fn every_mistake_of_a_file_is_reported() {
        check_refused(
            b"A=1\nnothing\n2B=1\nC D=1\nA=2\nE='x\nF=\"x\" y\nG=\0\n=v",
            &[
                "line 2: not `NAME=value`: there is no `=`",
                "line 3, column 1: not a variable's name: use A-Z, a-z, 0-9 and `_`, no digit first, no blanks around `=`",
                "line 4, column 1: not a variable's name: use A-Z, a-z, 0-9 and `_`, no digit first, no blanks around `=`",
                "line 5: `A` is declared a second time; the first is in line 1",
                "line 6, column 3: the quote is not closed on this line",
                "line 7, column 7: text after the closing quote: put the whole value in quotes",
                "line 8, column 3: the NUL character is not allowed",
                "line 9, column 1: not a variable's name: use A-Z, a-z, 0-9 and `_`, no digit first, no blanks around `=`",
            ],
        );
    }

    #[test]
    fn what_is_no_env_file_is_called_by_its_name() {
        let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 3\n";
        check_refused(lfs.as_bytes(), &[&Mistake::LfsPointer.to_string()]);
        check_refused(b"\n<!DOCTYPE html><html>", &[&Mistake::Html.to_string()]);
        check_refused(b"A=1\nB=\xff\n", &["line 2, column 3: not valid UTF-8"]);
        let conflict = "A=0\n<<<<<<< HEAD\nA=1\n=======\nA=2\n>>>>>>> theirs\n";
        assert!(
            parse(conflict.as_bytes())
                .expect_err("refused")
                .iter()
                .any(|error| error.mistake == Mistake::MergeConflict)
        );
    }

    #[test]
    fn lengths_are_bounded() {
        check_refused(format!("A={}", "x".repeat(MAX_LINE)).as_bytes(), &["line 1: the line is longer than 64 KiB"]);
        check_refused(&vec![b'\n'; MAX_FILE + 1], &["the file is larger than 1 MiB"]);
    }

    #[test]
    fn a_message_never_shows_a_value() {
        for text in ["s3cret", "s3cret =1", "A='s3cret", "A='x's3cret", "A=1\nA=s3cret"] {
            let errors = parse(text.as_bytes()).expect_err("refused");
            assert!(errors.iter().all(|error| !error.to_string().contains("s3cret")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_single_quoted_value_comes_back_as_it_is(value in "[^'\0\n\r]*") {
            let parsed = parse(format!("A='{value}'").as_bytes());
            prop_assert_eq!(parsed.map(|variables| variables["A"].clone()), Ok(value));
        }
    }
}
