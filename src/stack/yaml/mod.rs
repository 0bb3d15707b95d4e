//! YAML text to a tree, by the rules of the library that the docker command uses (go-yaml v3).
//!
//! Anchors and merge keys are resolved here, so nobody further on knows of them. Every node keeps its line. The size of
//! the tree is bounded, because a few lines of aliases can stand for gigabytes.

mod layout;
mod scalar;
mod tree;

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

pub(crate) use scalar::{format_float, parse_float};
pub(crate) use tree::{Cursor, Entry, Node, Yaml};

/// The longest text that is read.
const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting.
const MAX_DEPTH: usize = 100;
/// The most nodes, aliases counted with all that they stand for.
const MAX_NODES: usize = 200_000;
/// The most text in all nodes, aliases counted with all that they stand for.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// Why a text is no YAML that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlError {
    /// From 1; 0 where no line is to blame.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl YamlError {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Reads the first document of a text. Its top level is a mapping.
pub(crate) fn parse(text: &str) -> Result<Node, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        return Err(YamlError::new(0, "the file is larger than 1 MiB"));
    }
    refuse_control_characters(text)?;
    refuse_other_versions(text)?;
    let root = match read(text) {
        Err(Refusal::Syntax(error)) => match layout::relaid(text, 2 * MAX_BYTES) {
            Some(relaid) => read(&relaid),
            None => Err(Refusal::Syntax(error)),
        },
        other => other,
    };
    match root.map_err(Refusal::into_error)? {
        Some(root) if matches!(root.yaml, Yaml::Map(_)) => Ok(root),
        Some(root) if root.yaml != Yaml::Null => Err(YamlError::new(root.line, "the top level must be a mapping")),
        _ => Err(YamlError::new(0, "the file is empty")),
    }
}

/// Why the text could not be read.
enum Refusal {
    /// It is no YAML 1.2.
    Syntax(YamlError),
    /// It is, and cannot be used.
    Content(YamlError),
}

impl Refusal {
    fn into_error(self) -> YamlError {
        match self {
            Self::Syntax(error) | Self::Content(error) => error,
        }
    }
}

/// Reads the first document by the letter of YAML 1.2.
fn read(text: &str) -> Result<Option<Node>, Refusal> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            let message = format!("not valid YAML: {} (column {})", error.info(), mark.col() + 1);
            Refusal::Syntax(YamlError::new(mark.line(), message))
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(&event, span).map_err(Refusal::Content)?;
    }
    Ok(builder.root)
}

fn refuse_control_characters(text: &str) -> Result<(), YamlError> {
    let refused = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    for (index, line) in text.split('\n').enumerate() {
        if let Some(found) = line.chars().find(|c| refused(*c)) {
            let code = u32::from(found);
            return Err(YamlError::new(
                index + 1,
                format!("the control character U+{code:04X} is not allowed in YAML"),
            ));
        }
    }
    Ok(())
}

/// The docker command's library takes YAML 1.1 by name, or no name at all.
fn refuse_other_versions(text: &str) -> Result<(), YamlError> {
    for (index, line) in text.lines().enumerate() {
        if let Some(version) = line.strip_prefix("%YAML ").filter(|version| version.trim() != "1.1") {
            let version: String = version.chars().take(20).collect();
            return Err(YamlError::new(index + 1, format!("`%YAML {version}` is not known here: leave the line out")));
        }
        if !line.starts_with(['%', '#']) && !line.trim().is_empty() {
            break;
        }
    }
    Ok(())
}

/// What a subtree costs.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    text: usize,
    depth: usize,
}

/// A list or mapping that has begun.
struct Frame {
    anchor: usize,
    line: usize,
    kind: FrameKind,
    cost: Cost,
}

enum FrameKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashSet<String>, pending: Option<PendingKey>, merged: Option<Node> },
}

enum PendingKey {
    Named { key: String, line: usize },
    Merge { line: usize },
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Node, Cost)>,
    total: Cost,
}

impl Builder {
    fn take(&mut self, event: &Event<'_>, span: Span) -> Result<(), YamlError> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| core_tag(tag, line)).transpose()?;
                let plain = *style == ScalarStyle::Plain;
                if text.contains('\0') {
                    return Err(YamlError::new(
                        line,
                        "a NUL character (`\\0`) cannot be used anywhere in a stack file",
                    ));
                }
                let yaml = scalar::resolve(text, plain, tag.as_deref()).map_err(|why| YamlError::new(line, why))?;
                let merge = plain && text == "<<" && tag.is_none();
                let cost = Cost { nodes: 1, text: text.len(), depth: 1 };
                self.spend(cost, line)?;
                self.finish(*anchor, Node { line, yaml }, cost, merge)
            }
            Event::SequenceStart(anchor, tag) => {
                expect_tag(tag.as_deref(), "seq", line)?;
                self.begin(*anchor, line, FrameKind::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                expect_tag(tag.as_deref(), "map", line)?;
                let kind = FrameKind::Map { entries: Vec::new(), seen: HashSet::new(), pending: None, merged: None };
                self.begin(*anchor, line, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some((node, cost)) = self.anchors.get(anchor) else {
                    return Err(YamlError::new(line, "an anchor contains itself"));
                };
                // The bounds are checked before the copy is made.
                let cost = *cost;
                let copy = if self.fits(cost) { Some(Node { line, yaml: node.yaml.clone() }) } else { None };
                self.spend(cost, line)?;
                copy.map_or(Ok(()), |node| self.finish(0, node, cost, false))
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, cost: Cost) -> bool {
        self.total.nodes + cost.nodes <= MAX_NODES
            && self.total.text + cost.text <= MAX_TEXT
            && self.frames.len() + cost.depth <= MAX_DEPTH
    }

    fn spend(&mut self, cost: Cost, line: usize) -> Result<(), YamlError> {
        if !self.fits(cost) {
            let message = "the file is too large once its aliases are expanded, or nested too deeply \
                           (at most 200000 values, 16 MiB of text, 100 levels)";
            return Err(YamlError::new(line, message));
        }
        self.total.nodes += cost.nodes;
        self.total.text += cost.text;
        Ok(())
    }

    fn begin(&mut self, anchor: usize, line: usize, kind: FrameKind) -> Result<(), YamlError> {
        if matches!(self.frames.last(), Some(Frame { kind: FrameKind::Map { pending: None, .. }, .. })) {
            return Err(YamlError::new(line, "a key of a mapping must be a string, not a list or mapping"));
        }
        let cost = Cost { nodes: 1, text: 0, depth: 1 };
        self.spend(cost, line)?;
        self.frames.push(Frame { anchor, line, kind, cost });
        Ok(())
    }

    fn end(&mut self) -> Result<(), YamlError> {
        let Some(Frame { anchor, line, kind, cost }) = self.frames.pop() else {
            return Ok(());
        };
        let yaml = match kind {
            FrameKind::List(items) => Yaml::List(items),
            FrameKind::Map { mut entries, mut seen, merged, .. } => {
                if let Some(source) = merged {
                    merge_into(&mut entries, &mut seen, source)?;
                }
                Yaml::Map(entries)
            }
        };
        self.finish(anchor, Node { line, yaml }, cost, false)
    }

    /// Puts a finished node where it belongs, and remembers it if it has an anchor.
    fn finish(&mut self, anchor: usize, node: Node, cost: Cost, merge: bool) -> Result<(), YamlError> {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), cost));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.cost.nodes += cost.nodes;
        frame.cost.text += cost.text;
        frame.cost.depth = frame.cost.depth.max(cost.depth + 1);
        match &mut frame.kind {
            FrameKind::List(items) => items.push(node),
            FrameKind::Map { entries, seen, pending, merged } => match pending.take() {
                None => *pending = Some(begin_entry(&node, merge, seen)?),
                Some(PendingKey::Named { key, line }) => entries.push(Entry { key, line, node }),
                Some(PendingKey::Merge { line }) => *merged = Some(Node { line, ..node }),
            },
        }
        Ok(())
    }
}

fn begin_entry(node: &Node, merge: bool, seen: &mut HashSet<String>) -> Result<PendingKey, YamlError> {
    let line = node.line;
    let Yaml::Text(key) = &node.yaml else {
        let found = node.yaml.kind();
        return Err(YamlError::new(
            line,
            format!("a key of a mapping must be a string, not {found}: put it in quotes"),
        ));
    };
    // A quoted `<<` is an ordinary key; its name in `seen` must differ from that of the merge key.
    let name = if merge { "\0<<".to_owned() } else { key.clone() };
    if !seen.insert(name) {
        return Err(YamlError::new(line, format!("the key `{key}` stands twice in the same mapping")));
    }
    Ok(if merge { PendingKey::Merge { line } } else { PendingKey::Named { key: key.clone(), line } })
}

/// Lays merged mappings below the explicit keys; of several, the earlier wins.
fn merge_into(entries: &mut Vec<Entry>, seen: &mut HashSet<String>, source: Node) -> Result<(), YamlError> {
    let line = source.line;
    let sources = match source.yaml {
        Yaml::List(items) => items,
        map @ Yaml::Map(_) => vec![Node { line, yaml: map }],
        _ => return Err(YamlError::new(line, "`<<` takes a mapping or a list of mappings")),
    };
    for source in sources {
        let Yaml::Map(merged) = source.yaml else {
            return Err(YamlError::new(line, "`<<` takes a mapping or a list of mappings"));
        };
        entries.extend(merged.into_iter().filter(|entry| seen.insert(entry.key.clone())));
    }
    Ok(())
}

/// The short name of a tag of the core schema; others mean nothing here.
fn core_tag(tag: &Tag, line: usize) -> Result<String, YamlError> {
    // Written out as `!<tag:yaml.org,2002:str>`.
    let in_full =
        Some(&tag.suffix).filter(|_| tag.handle.is_empty()).and_then(|tag| tag.strip_prefix("tag:yaml.org,2002:"));
    let name = in_full.unwrap_or(&tag.suffix);
    match (tag.is_yaml_core_schema() || in_full.is_some(), name) {
        (true, "str" | "int" | "float" | "bool" | "null" | "seq" | "map" | "timestamp") => Ok(name.to_owned()),
        _ if is_lone(tag) => Ok("str".to_owned()),
        _ => Err(YamlError::new(line, format!("the tag `{tag}` is not understood: remove it"))),
    }
}

/// Whether a tag is a single `!`: "do not interpret".
fn is_lone(tag: &Tag) -> bool {
    !tag.is_yaml_core_schema() && matches!(tag.suffix.as_str(), "" | "!")
}

fn expect_tag(tag: Option<&Tag>, expected: &str, line: usize) -> Result<(), YamlError> {
    let Some(tag) = tag else { return Ok(()) };
    let found = core_tag(tag, line)?;
    if found == expected || is_lone(tag) {
        return Ok(());
    }
    Err(YamlError::new(line, format!("the tag `{tag}` does not fit this value: remove it")))
}

#[cfg(test)]
mod tests;
