//! What goes wrong at every look is told when it begins, when it changes and when it ends.

use std::fmt::Display;

/// The trouble that was told of last.
#[derive(Debug, Default)]
pub(super) struct Told(Option<String>);

/// What a look is, compared with the one before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Another trouble, or the first.
    Trouble(String),
    /// The trouble that was told of is over.
    Over,
    /// Nothing that was not told before.
    None,
}

impl Told {
    /// Takes the outcome of a look into account.
    pub(super) fn hear<T, E: Display>(&mut self, look: &Result<T, E>) -> News {
        match look {
            Ok(_) if self.0.take().is_some() => News::Over,
            Ok(_) => News::None,
            Err(error) => {
                let message = error.to_string();
                if self.0.as_ref() == Some(&message) {
                    return News::None;
                }
                self.0 = Some(message.clone());
                News::Trouble(message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_until_it_changes_or_ends() {
        let mut told = Told::default();
        let looks = [Ok(()), Err("no answer"), Err("no answer"), Err("refused"), Ok(()), Ok(()), Err("refused")];
        let trouble = |message: &str| News::Trouble(message.to_owned());
        assert_eq!(
            looks.map(|look| told.hear(&look)),
            [
                News::None,
                trouble("no answer"),
                News::None,
                trouble("refused"),
                News::Over,
                News::None,
                trouble("refused")
            ]
        );
    }
}
