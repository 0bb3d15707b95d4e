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
    /// The block that stands on the terminal.
    block: String,
    /// What was last said of each service.
    phases: BTreeMap<ServiceName, Discriminant<ServicePhase>>,
}

impl Display {
    pub(super) fn new(stack: &StackName, actions: &[Action]) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let (stack, actions) = (stack.clone(), actions.to_vec());
        Self { stack, actions, terminal, entries: 0, block: String::new(), phases: BTreeMap::new() }
    }

    /// How many entries of the journal have been shown.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// What to write to show what is new. `progress` is left out where nobody waits for the tasks.
    pub(super) fn update(&mut self, news: &[JournalEntry], progress: Option<&Progress>) -> String {
        self.entries += news.len();
        let lines = news.iter().filter_map(|entry| words::entry(&self.stack, &self.actions, entry));
        let mut told = super::lines(lines);
        let block = match progress {
            Some(progress) if self.terminal => self.drawn(progress),
            Some(progress) => {
                self.tell(progress, &mut told);
                String::new()
            }
            None => String::new(),
        };
        if told.is_empty() && block == self.block {
            return String::new();
        }
        let erased = self.erase();
        self.block.clone_from(&block);
        erased + &told + &block
    }

    /// What takes the block away again, before other text.
    pub(super) fn erase(&mut self) -> String {
        match std::mem::take(&mut self.block).lines().count() {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}A\u{1b}[J"),
        }
    }

    /// The services that are not over, as many as fit.
    fn drawn(&self, progress: &Progress) -> String {
        let mut text = String::new();
        let open = progress.services.iter().filter(|(_, known)| !matches!(known.phase, ServicePhase::Done { .. }));
        let open: Vec<_> = open.collect();
        for (service, known) in open.iter().take(MOST_SERVICES) {
            let line = format!("  {}: {}", self.stack.scope(service), words::phase(known));
            let _ = writeln!(text, "{}", line.chars().take(LONGEST).collect::<String>());
        }
        if open.len() > MOST_SERVICES {
            let _ = writeln!(text, "  and {} more", open.len() - MOST_SERVICES);
        }
        text
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

#[cfg(test)]
mod tests {
    use release_manager::deployment::{Cause, Status, Verdict};
    use release_manager::live::ServiceProgress;
    use release_manager::names::{Actor, DeploymentId};
    use release_manager::time::Timestamp;

    use super::*;

    fn progress(phases: &[(&str, ServicePhase)]) -> Progress {
        let service = |phase: &ServicePhase| ServiceProgress {
            from: None,
            to: None,
            phase: phase.clone(),
            running: 0,
            desired: 1,
            message: None,
        };
        Progress {
            id: DeploymentId(1),
            environment: "stack".parse().unwrap(),
            cause: Cause::CommandLine,
            actor: Actor::System,
            started_at: Timestamp::from_millis(0),
            status: Status::InProgress,
            steps: Vec::new(),
            services: phases.iter().map(|(name, phase)| (name.parse().unwrap(), service(phase))).collect(),
            error: None,
        }
    }

    fn display(terminal: bool) -> Display {
        let (stack, block) = ("shop".parse().unwrap(), String::new());
        Display { stack, actions: Vec::new(), terminal, entries: 0, block, phases: BTreeMap::new() }
    }

    #[test]
    fn a_terminal_shows_what_is_open_and_draws_it_anew_when_it_changes() {
        let mut display = display(true);
        let first = progress(&[("db", ServicePhase::Updating), ("web", ServicePhase::Waiting)]);
        assert_eq!(display.update(&[], Some(&first)), "  shop_db: 0/1 running\n  shop_web: waiting\n");
        assert_eq!(display.update(&[], Some(&first)), "");
        let done = ServicePhase::Done { verdict: Verdict::Completed };
        let second = progress(&[("db", done), ("web", ServicePhase::Submitting)]);
        assert_eq!(display.update(&[], Some(&second)), "\u{1b}[2A\u{1b}[J  shop_web: being written\n");
        assert_eq!(display.erase(), "\u{1b}[1A\u{1b}[J");
        let many: Vec<String> = (0..30).map(|number| format!("s{number:02}")).collect();
        let many: Vec<(&str, ServicePhase)> = many.iter().map(|name| (&**name, ServicePhase::Waiting)).collect();
        let drawn = display.update(&[], Some(&progress(&many)));
        assert_eq!(drawn.lines().count(), MOST_SERVICES + 1);
        assert!(drawn.ends_with("  and 12 more\n"), "{drawn}");
    }

    #[test]
    fn elsewhere_a_service_is_told_of_when_it_comes_to_another_phase() {
        let mut display = display(false);
        let verifying = |seconds| ServicePhase::Verifying { stable_seconds: seconds, of_seconds: 5 };
        assert_eq!(display.update(&[], Some(&progress(&[("db", ServicePhase::Waiting)]))), "");
        let told = display.update(&[], Some(&progress(&[("db", ServicePhase::Updating)])));
        assert_eq!(told, "shop_db: 0/1 running\n");
        let told = display.update(&[], Some(&progress(&[("db", verifying(0))])));
        assert_eq!(told, "shop_db: 0/1 running, stable for 0 of 5 s\n");
        assert_eq!(display.update(&[], Some(&progress(&[("db", verifying(1))]))), "");
    }
}
