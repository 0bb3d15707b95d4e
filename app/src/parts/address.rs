//! What the address of the page asks for, and what a part may ask of the page around it.

use leptos::prelude::*;

use crate::view::Tone;

/// The question in the address of the page.
#[derive(Clone, Copy)]
pub struct Address(RwSignal<Vec<(String, String)>>);

impl Address {
    /// With the pairs of the question.
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        Self(RwSignal::new(pairs))
    }

    /// One has come to the same page with another question.
    pub fn set(self, pairs: Vec<(String, String)>) {
        self.0.set(pairs);
    }

    /// The value of that name, empty where there is none.
    pub fn value(self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    /// Every value of that name.
    pub fn all(self, name: &str) -> Vec<String> {
        self.0.with(|pairs| pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect())
    }

    /// Whether it is asked for, with whatever value.
    pub fn has(self, name: &str) -> bool {
        self.0.with(|pairs| pairs.iter().any(|(known, _)| known == name))
    }
}

/// The address of the page.
pub fn use_address() -> Address {
    use_context().unwrap_or_else(|| Address::new(Vec::new()))
}

/// News to be shown in the corner: their feeling, their words, and where to look at it.
pub type News = (Tone, String, Option<String>);

/// The page around a part. There is none on the server, where nothing happens.
#[derive(Clone, Copy)]
pub struct Around {
    /// Puts another address of the same page into the bar.
    pub replace: Callback<String>,
    /// Shows news in the corner.
    pub say: Callback<News>,
    /// Asks for the page as a whole: who is logged out comes to the login.
    pub leave: Callback<()>,
    /// Has the server draw the page again, which also says why something cannot be had.
    pub draw: Callback<()>,
}

/// The page around a part.
pub fn use_around() -> Option<Around> {
    use_context()
}
