//! Where something stands in the stack files, and what was found there.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{StackError, Variables, Warning};
use crate::hidden;

/// A place in a stack file. The order of places is the order in which people read the files.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The number of the file in the order of `-c`.
    order: usize,
    file: Arc<str>,
    /// From 1; 0 where no line is known.
    line: usize,
    /// The last key or list index on the way here; `None` for the whole file.
    step: Option<Arc<Step>>,
}

/// A key or list index, and the way to it. Places share their ways: written out, those of a hostile file would fill the
/// memory.
#[derive(Debug)]
struct Step {
    before: Option<Arc<Step>>,
    key: Box<str>,
}

impl Place {
    /// A whole file.
    pub(crate) fn of_file(order: usize, file: &str) -> Self {
        Self { order, file: file.into(), line: 0, step: None }
    }

    /// The same path at a known line.
    pub(crate) fn at_line(mut self, line: usize) -> Self {
        self.line = line;
        self
    }

    /// What stands below this place under a key or a list index.
    pub(crate) fn below(&self, key: &str, line: usize) -> Self {
        let step = Step { before: self.step.clone(), key: key.into() };
        Self { order: self.order, file: Arc::clone(&self.file), line, step: Some(Arc::new(step)) }
    }

    /// The keys and list indexes that lead here.
    fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> =
            std::iter::successors(self.step.as_deref(), |step| step.before.as_deref()).map(|step| &*step.key).collect();
        keys.reverse();
        keys
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let whole = (self.order, &self.file, self.line).cmp(&(other.order, &other.file, other.line));
        whole.then_with(|| match (&self.step, &other.step) {
            (Some(one), Some(same)) if Arc::ptr_eq(one, same) => Ordering::Equal,
            _ => self.keys().cmp(&other.keys()),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        if self.step.is_some() {
            write!(formatter, ": {}", self.keys().join("."))?;
        }
        Ok(())
    }
}

/// A value with the place it comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// So many problems, and so many warnings, are told. Nobody reads more, and a hostile file could have a million.
const MOST_TOLD: usize = 200;
/// So many ports a whole stack may publish, ranges counted with all that they stand for.
const MOST_PORTS: usize = 65_536;
/// So many bytes a whole stack may have once its variables, env files, files and volumes' labels are put in.
const MOST_TEXT: usize = 64 * 1024 * 1024;
/// A longer message is cut: it quotes what stands in the file.
const LONGEST_MESSAGE: usize = 2_000;

/// Everything that was found while a stack was rendered: not only the first.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<(Place, String)>,
    warnings: Vec<(Place, String)>,
    /// Problems and warnings that were not kept.
    untold: (usize, usize),
    ports: usize,
    text: usize,
    /// The variables that stand in the files, whether they are set or not.
    variables: BTreeSet<String>,
    /// Those of them that stand in an `image`: versions, which everybody may see.
    in_images: BTreeSet<String>,
    /// What the env files of services say.
    from_env_files: BTreeSet<String>,
}

impl Findings {
    /// Notes what makes the stack impossible to render.
    pub(crate) fn refuse(&mut self, place: &Place, message: impl Into<String>) {
        note(&mut self.problems, &mut self.untold.0, place, message);
    }

    /// Notes what a person should know.
    pub(crate) fn warn(&mut self, place: &Place, message: impl Into<String>) {
        note(&mut self.warnings, &mut self.untold.1, place, message);
    }

    /// Keeps the value, or notes why there is none.
    pub(crate) fn take<T>(&mut self, place: &Place, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.refuse(place, message)).ok()
    }

    /// Whether the stack may publish so many ports more; if not, that was noted.
    pub(crate) fn take_ports(&mut self, place: &Place, count: usize) -> bool {
        let before = self.ports;
        self.ports = before.saturating_add(count);
        if self.ports > MOST_PORTS && before <= MOST_PORTS {
            self.refuse(place, format!("the stack publishes more than {MOST_PORTS} ports: publish fewer"));
        }
        self.ports <= MOST_PORTS
    }

    /// Whether the stack may have so many bytes more; if not, that was noted.
    pub(crate) fn take_text(&mut self, place: &Place, bytes: usize) -> bool {
        let before = self.text;
        self.text = before.saturating_add(bytes);
        if self.text > MOST_TEXT && before <= MOST_TEXT {
            let message = "the stack is larger than 64 MiB once its variables and files are put in: make it smaller";
            self.refuse(place, message);
        }
        self.has_room()
    }

    /// Whether the stack may still grow: when it may not, that was noted, and nothing more need be read.
    pub(crate) fn has_room(&self) -> bool {
        self.text <= MOST_TEXT
    }

    /// Notes that the files name these variables.
    pub(crate) fn note_variables<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        for name in names.filter(|name| name.len() <= LONGEST_MESSAGE) {
            if !self.variables.contains(name) {
                self.variables.insert(name.to_owned());
            }
        }
    }

    /// Notes that these variables stand in an `image`.
    pub(crate) fn note_in_image<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.in_images.extend(names.filter(|name| name.len() <= LONGEST_MESSAGE).map(str::to_owned));
    }

    /// Notes a value from the env file of a service.
    pub(crate) fn note_from_env_file(&mut self, value: &str) {
        self.from_env_files.insert(value.to_owned());
    }

    /// The values that services are given and that are nobody's to see: those of the variables that the files name, except
    /// in an `image`, and those of the services' env files.
    pub(crate) fn given(&self, variables: &Variables) -> BTreeSet<String> {
        let named = self.variables.difference(&self.in_images).filter(|name| *name != "ENV_NAME");
        let values = named.filter_map(|name| variables.get(name)).chain(&self.from_env_files);
        values.filter(|value| hidden::is_long_enough(value)).cloned().collect()
    }

    /// The variables that the files name.
    pub(crate) fn into_variables(self) -> BTreeSet<String> {
        self.variables
    }

    /// The value with its warnings if nothing is wrong, else the problems in reading order.
    pub(crate) fn conclude<T>(self, value: T) -> Result<(T, Vec<Warning>), Vec<StackError>> {
        let (problems, warnings) = self.untold;
        if self.problems.is_empty() {
            let line = |(place, message): (String, String)| Warning(format!("{place}: {message}"));
            return Ok((value, told(self.warnings, warnings, "warnings").into_iter().map(line).collect()));
        }
        let error = |(place, message): (String, String)| StackError { place, message };
        Err(told(self.problems, problems, "mistakes").into_iter().map(error).collect())
    }
}

fn note(list: &mut Vec<(Place, String)>, untold: &mut usize, place: &Place, message: impl Into<String>) {
    if list.len() < MOST_TOLD {
        let mut message: String = message.into();
        if message.len() > LONGEST_MESSAGE {
            message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
            message.push('…');
        }
        list.push((place.clone(), message));
    } else {
        *untold += 1;
    }
}

/// In reading order, each only once, and how many there are besides.
fn told(mut list: Vec<(Place, String)>, untold: usize, word: &str) -> Vec<(String, String)> {
    list.sort();
    list.dedup();
    let rest = list.last().map(|(place, _)| place.file.to_string()).filter(|_| untold > 0);
    let lines = list.into_iter().map(|(place, message)| (place.to_string(), message));
    lines.chain(rest.map(|file| (file, format!("there are {untold} {word} more")))).collect()
}
