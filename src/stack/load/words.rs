//! Commands written as one string: they are split as the docker command splits them, without a shell.

/// Splits a command. Quotes group, a backslash makes the next character literal (inside double quotes too), a `#` at
/// the beginning of a word starts a comment; nothing is expanded.
pub(crate) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => {
                letters.by_ref().find(|c| *c == '\n');
            }
            '\'' => quoted(&mut letters, '\'', word.get_or_insert_default())?,
            '"' => quoted(&mut letters, '"', word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next().ok_or_else(unfinished_escape)?),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(letters: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), String> {
    loop {
        match letters.next() {
            None => return Err(format!("a quote {quote} is not closed")),
            Some(letter) if letter == quote => return Ok(()),
            Some('\\') if quote == '"' => word.push(letters.next().ok_or_else(unfinished_escape)?),
            Some(letter) => word.push(letter),
        }
    }
}

fn unfinished_escape() -> String {
    "the command ends with a backslash that escapes nothing".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(split(text).as_deref(), Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..]));
    }

    #[test]
    fn words_are_split_at_white_space() {
        check("a  b\tc\nd", &["a", "b", "c", "d"]);
        check("", &[]);
        check("   ", &[]);
    }

    #[test]
    fn quotes_group_and_join() {
        check(r#"sh -c 'echo "a b"'"#, &["sh", "-c", r#"echo "a b""#]);
        check(r#"a"b c"'d e'"#, &["ab cd e"]);
        check("a '' b", &["a", "", "b"]);
    }

    #[test]
    fn a_backslash_makes_the_next_character_literal() {
        check(r"a\ b", &["a b"]);
        check(r#""a\nb\"c""#, &["anb\"c"]);
        check(r"'a\nb'", &[r"a\nb"]);
    }

    #[test]
    fn a_comment_begins_a_word() {
        check("a #b c\nd", &["a", "d"]);
        check("a#b", &["a#b"]);
    }

    #[test]
    fn what_is_not_finished_is_refused() {
        for text in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
