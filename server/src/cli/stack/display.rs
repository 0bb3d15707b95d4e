//! The progress of a deployment on standard output: a block that is drawn anew on a terminal, lines elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::mem::{Discriminant, discriminant};

use release_manager::live::{Progress, ServicePhase};
use release_manager::names::{ServiceName, StackName};
use release_manager::plan::Action;
use release_manager::ports::JournalEntry;

use super::words;

/// A terminal has at least so many lines for the block.
const MOST_SERVICES: usize = 18;
/// Longer lines would wrap, and the block could not be drawn over.
const LONGEST: usize = 79;

/// What has been shown so far.
pub(super) struct Display {
    stack: StackName,
    actions: Vec<Action>,
    terminal: bool,
    /// How many entries of the journal have been shown.
    entries: usize,
    /// How many lines the block on the terminal has.
    block: usize,
    /// What was last said of each service.
    phases: BTreeMap<ServiceName, Discriminant<ServicePhase>>,
}

impl Display {
    pub(super) fn new(stack: &StackName, actions: &[Action]) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let (stack, actions) = (stack.clone(), actions.to_vec());
        Self { stack, actions, terminal, entries: 0, block: 0, phases: BTreeMap::new() }
    }

    /// How many entries of the journal have been shown.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// What to write to show what is new. `progress` is left out where nobody waits for the tasks.
    pub(super) fn update(&mut self, news: &[JournalEntry], progress: Option<&Progress>) -> String {
        self.entries += news.len();
        let mut text = self.erase();
        for line in news.iter().filter_map(|entry| words::entry(&self.stack, &self.actions, entry)) {
            let _ = writeln!(text, "{line}");
        }
        match progress {
            Some(progress) if self.terminal => self.draw(progress, &mut text),
            Some(progress) => self.tell(progress, &mut text),
            None => (),
        }
        text
    }

    /// What takes the block away again, before other text.
    pub(super) fn erase(&mut self) -> String {
        match std::mem::take(&mut self.block) {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A\u{1b}[J"),
        }
    }

    /// The services that are not over, as many as fit.
    fn draw(&mut self, progress: &Progress, text: &mut String) {
        let open = progress.services.iter().filter(|(_, known)| !matches!(known.phase, ServicePhase::Done { .. }));
        let open: Vec<_> = open.collect();
        for (service, known) in open.iter().take(MOST_SERVICES) {
            let line = format!("  {}: {}", self.stack.scope(service), words::phase(known));
            let _ = writeln!(text, "{}", line.chars().take(LONGEST).collect::<String>());
        }
        self.block = open.len().min(MOST_SERVICES);
        if open.len() > MOST_SERVICES {
            let _ = writeln!(text, "  and {} more", open.len() - MOST_SERVICES);
            self.block += 1;
        }
    }

    /// A line for each service that has come to another phase. Beginnings and ends stand in the journal.
    fn tell(&mut self, progress: &Progress, text: &mut String) {
        for (service, known) in &progress.services {
            let kind = discriminant(&known.phase);
            let is_news = self.phases.insert(service.clone(), kind) != Some(kind);
            let is_between = matches!(
                known.phase,
                ServicePhase::Updating | ServicePhase::Verifying { .. } | ServicePhase::Observing
            );
            if is_news && is_between {
                let _ = writeln!(text, "{}: {}", self.stack.scope(service), words::phase(known));
            }
        }
    }
}
