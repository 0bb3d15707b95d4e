//! Where something stands in the stack files, and what was found there.

use std::fmt;
use std::sync::Arc;

use super::{StackError, Warning};

/// A place in a stack file. The order of places is the order in which people read the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The number of the file in the order of `-c`.
    order: usize,
    file: Arc<str>,
    /// From 1; 0 where no line is known.
    line: usize,
    /// Keys and list indexes, joined with dots; empty for the whole file.
    path: String,
}

impl Place {
    /// A whole file.
    pub(crate) fn of_file(order: usize, file: &str) -> Self {
        Self { order, file: file.into(), line: 0, path: String::new() }
    }

    /// The same path at a known line.
    pub(crate) fn at_line(mut self, line: usize) -> Self {
        self.line = line;
        self
    }

    /// What stands below this place under a key or a list index.
    pub(crate) fn below(&self, key: &str, line: usize) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { order: self.order, file: Arc::clone(&self.file), line, path }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        if !self.path.is_empty() {
            write!(formatter, ": {}", self.path)?;
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

/// Everything that was found while a stack was rendered: all of it, not only the first.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<(Place, String)>,
    warnings: Vec<(Place, String)>,
}

impl Findings {
    /// Notes what makes the stack impossible to render.
    pub(crate) fn refuse(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push((place.clone(), message.into()));
    }

    /// Notes what a person should know.
    pub(crate) fn warn(&mut self, place: &Place, message: impl Into<String>) {
        self.warnings.push((place.clone(), message.into()));
    }

    /// Keeps the value, or notes why there is none.
    pub(crate) fn take<T>(&mut self, place: &Place, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.refuse(place, message)).ok()
    }

    /// The value with its warnings if nothing is wrong, else all problems in reading order.
    pub(crate) fn conclude<T>(mut self, value: T) -> Result<(T, Vec<Warning>), Vec<StackError>> {
        if self.problems.is_empty() {
            self.warnings.sort();
            self.warnings.dedup();
            let line = |(place, message): (Place, String)| Warning(format!("{place}: {message}"));
            return Ok((value, self.warnings.into_iter().map(line).collect()));
        }
        self.problems.sort();
        self.problems.dedup();
        let error = |(place, message): (Place, String)| StackError { place: place.to_string(), message };
        Err(self.problems.into_iter().map(error).collect())
    }
}
