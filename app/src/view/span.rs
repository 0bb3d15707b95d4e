//! Over which time insights look back.

/// A time to look back over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Span {
    /// Four weeks, day by day.
    Month,
    /// Twelve weeks, week by week.
    #[default]
    Quarter,
    /// A year, by four weeks.
    Year,
}

impl Span {
    /// All, the shortest first.
    pub const ALL: [Self; 3] = [Self::Month, Self::Quarter, Self::Year];

    /// The word in the URL.
    pub fn word(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The span of that word; the usual one where there is none.
    pub fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|span| span.word() == word).unwrap_or_default()
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Month => "4 weeks",
            Self::Quarter => "12 weeks",
            Self::Year => "A year",
        }
    }

    /// In how many steps.
    pub fn steps(self) -> u32 {
        match self {
            Self::Month => 28,
            Self::Quarter => 12,
            Self::Year => 13,
        }
    }

    /// How long a step is, in days.
    pub fn days(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 7,
            Self::Year => 28,
        }
    }
}
