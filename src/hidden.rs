//! What services are given and nobody is to see: taken out of everything that the Engine and the services themselves say.
//!
//! An error of the Engine quotes the command that it could not run, a program writes the address with the password that it
//! could not reach, a mistake in a stack file is told with the text that it became. Such texts go into verdicts, history,
//! pages, logs and notices to other houses, so the values are taken out where the texts come in.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::diff::FieldChange;
use crate::plan;
use crate::stack::{Object, Stack};

/// What stands in place of a value that may be secret.
pub const HIDDEN: &str = "(hidden)";

/// Shorter values are shown: `true`, `8080` or `prod` would take every other word out of a message.
const SHORTEST: usize = 6;
/// Of longer secrets only the whole is looked for, and not each line.
const MOST_LINES: usize = 1_000;

/// The texts that are taken out of what others say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hidden {
    texts: BTreeSet<String>,
}

impl Hidden {
    /// What the services of a stack are given: values of variables and env files, contents of secrets, and values that the
    /// stack file itself gives to what is called a secret. What everybody sees anyway hides nothing: names and images.
    pub fn of(stack: &Stack) -> Self {
        let mut hidden = Self::of_values(stack.given.iter().cloned());
        for spec in stack.services.values().map(|service| &service.spec) {
            let entries = spec.pointer("/TaskTemplate/ContainerSpec/Env").and_then(Value::as_array);
            let entries = entries.into_iter().flatten().filter_map(|entry| entry.as_str()?.split_once('='));
            entries.filter(|(name, _)| plan::is_telling(name)).for_each(|(_, value)| hidden.add(value));
        }
        for secret in stack.secrets.values() {
            let Object::Ours { spec } = secret else { continue };
            let data = spec.get("Data").and_then(Value::as_str).and_then(|data| STANDARD.decode(data).ok());
            if let Some(content) = data.and_then(|data| String::from_utf8(data).ok()) {
                hidden.add_content(&content);
            }
        }
        let shown = shown(stack);
        hidden.texts.retain(|text| !shown.iter().any(|shown| shown.contains(text)));
        hidden
    }

    /// These values, as far as they are long enough.
    pub fn of_values(values: impl IntoIterator<Item = String>) -> Self {
        let mut hidden = Self::default();
        values.into_iter().for_each(|value| hidden.add(&value));
        hidden
    }

    /// Takes over what another hides.
    pub fn extend(&mut self, other: Self) {
        self.texts.extend(other.texts);
    }

    /// The text without what is hidden, and without the beginning of such a value at the end of a text that was cut.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let cut = text.strip_suffix('…');
        for hidden in &self.texts {
            found.extend(text.match_indices(hidden.as_str()).map(|(at, part)| (at, at + part.len())));
            found.extend(cut.and_then(|cut| Some((cut_off(cut, hidden)?, cut.len()))));
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable();
        let (mut masked, mut until) = (String::with_capacity(text.len()), 0);
        for (from, to) in found {
            // What overlaps another is hidden with it.
            if from >= until && (from > until || until == 0) {
                masked.push_str(&text[until..from]);
                masked.push_str(HIDDEN);
            }
            until = until.max(to);
        }
        masked.push_str(&text[until..]);
        Cow::Owned(masked)
    }

    /// The change of a field without what is hidden. A field that gets a hidden value may have held another one before, which
    /// nobody here knows: then neither is shown.
    pub(crate) fn mask_change(&self, change: &mut FieldChange) {
        let masked = |text: &Option<String>| text.as_ref().map(|text| self.mask(text).into_owned());
        let (from, to) = (masked(&change.from), masked(&change.to));
        let gets_one = to != change.to;
        change.from = if gets_one { from.map(|_| HIDDEN.to_owned()) } else { from };
        change.to = to;
    }

    /// A value, and how the Engine writes it between quotes.
    fn add(&mut self, value: &str) {
        let value = value.trim();
        if !is_long_enough(value) {
            return;
        }
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        self.texts.insert(quoted);
        self.texts.insert(value.to_owned());
        self.add_lines(value);
    }

    /// What a file holds: the whole, and each line, for nobody writes more than a line at a time.
    fn add_content(&mut self, content: &str) {
        self.add(content);
        for line in content.lines().take(MOST_LINES) {
            if let Some((_, value)) = line.split_once(['=', ':']) {
                self.add(value.trim().trim_matches(['"', '\'', ',']));
            }
        }
    }

    fn add_lines(&mut self, value: &str) {
        let lines = value.lines().map(str::trim).take(MOST_LINES);
        self.texts.extend(lines.filter(|line| is_long_enough(line)).map(str::to_owned));
    }
}

/// Whether a value is looked for at all.
pub(crate) fn is_long_enough(value: &str) -> bool {
    value.trim().chars().count() >= SHORTEST
}

/// Whether a value stands anywhere in a spec, alone or within a text.
pub(crate) fn stands_in(spec: &Value, value: &str) -> bool {
    match spec {
        Value::String(text) => text.contains(value),
        Value::Array(items) => items.iter().any(|item| stands_in(item, value)),
        Value::Object(members) => members.values().any(|member| stands_in(member, value)),
        _ => false,
    }
}

/// Where the longest beginning of a value stands at the end of a text.
fn cut_off(text: &str, hidden: &str) -> Option<usize> {
    let ends = hidden.char_indices().map(|(at, _)| at).skip(SHORTEST).take_while(|end| *end <= text.len());
    let longest = ends.filter(|end| text.ends_with(&hidden[..*end])).last()?;
    Some(text.len() - longest)
}

/// What everybody sees: the names of services and objects, and the images.
fn shown(stack: &Stack) -> Vec<String> {
    let services = stack.services.iter().flat_map(|(name, service)| {
        let image = plan::image_of(&service.spec).unwrap_or_default();
        [stack.name.scope(name), image.to_owned()]
    });
    let objects = [&stack.networks, &stack.secrets, &stack.configs].into_iter().flat_map(|objects| objects.keys());
    services.chain(objects.cloned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::testkit::stack;

    #[track_caller]
    fn check(values: &[&str], text: &str, expected: &str) {
        assert_eq!(Hidden::of_values(values.iter().map(|&value| value.to_owned())).mask(text), expected);
    }

    #[test]
    fn a_value_is_taken_out_wherever_it_stands() {
        check(&["hunter22"], r#"exec: "--password=hunter22": not found"#, r#"exec: "--password=(hidden)": not found"#);
        check(&["hunter22"], "hunter22hunter22 and hunter22", "(hidden) and (hidden)");
        check(&["hunter22"], "nothing to see", "nothing to see");
        check(&["pässwört"], "ä pässwört ö", "ä (hidden) ö");
    }

    #[test]
    fn of_values_that_overlap_nothing_is_left() {
        check(&["abcdef", "defghi"], "x abcdefghi y", "x (hidden) y");
        check(&["hunter22", "hunter22-long"], "hunter22-long", "(hidden)");
        check(&["hunter", "(hidden)"], "a hunter", "a (hidden)");
    }

    #[test]
    fn a_value_in_quotes_is_known_as_the_engine_writes_it() {
        check(&[r#"a"b\c-long"#], r#"exec: "a\"b\\c-long""#, r#"exec: "(hidden)""#);
    }

    #[test]
    fn the_beginning_of_a_value_at_the_end_of_a_text_that_was_cut_is_taken_out() {
        check(&["hunter22-long"], "password=hunter22-l…", "password=(hidden)…");
        check(&["hunter22-long"], "password=hunt…", "password=hunt…");
        check(&["hunter22-long"], "password=hunter22-l", "password=hunter22-l");
    }

    #[test]
    fn a_line_of_a_value_is_taken_out_alone_too() {
        check(&["first line\nsecond line"], "it says: second line", "it says: (hidden)");
    }

    #[test]
    fn short_values_are_shown() {
        check(&["true", "8080", "prod", "  ab  "], "true: port 8080 of prod   ab  ", "true: port 8080 of prod   ab  ");
    }

    #[test]
    fn a_field_that_gets_a_hidden_value_shows_nothing_of_what_it_held() {
        let hidden = Hidden::of_values(["hunter22".to_owned()]);
        let check = |pair: (&str, &str), expected: (&str, &str)| {
            let text = |text: &str| Some(text.to_owned());
            let mut change = FieldChange { field: "Args".to_owned(), from: text(pair.0), to: text(pair.1) };
            hidden.mask_change(&mut change);
            assert_eq!((change.from, change.to), (text(expected.0), text(expected.1)));
        };
        check(("--pw=earlier", "--pw=hunter22"), (HIDDEN, "--pw=(hidden)"));
        check(("--pw=hunter22", "--none"), ("--pw=(hidden)", "--none"));
        check(("1", "2"), ("1", "2"));
    }

    fn hides(stack: &Stack, text: &str) -> bool {
        Hidden::of(stack).mask(text) != text
    }

    #[test]
    fn secrets_variables_and_what_is_called_a_secret_are_hidden_and_nothing_else_is() {
        let env = json!(["DATABASE_PASSWORD=in-the-file", "MODE=production"]);
        let mut stack =
            stack("web=registry.local/app:2024.1").with("web", &["TaskTemplate", "ContainerSpec", "Env"], env);
        let data = STANDARD.encode("user=somebody\npassword: \"of-the-file\"\n");
        let spec = json!({"Name": "home_key", "Data": data});
        stack.secrets.insert("home_key".to_owned(), Object::Ours { spec });
        stack.given = ["of-a-variable", "2024.1", "home_web"].map(str::to_owned).into();
        for secret in ["in-the-file", "of-the-file", "somebody", "of-a-variable"] {
            assert!(hides(&stack, secret), "{secret}");
        }
        for open in ["production", "2024.1", "home_web", "registry.local/app", "home_key"] {
            assert!(!hides(&stack, open), "{open}");
        }
    }
}
