//! The corpus of stack files: `src/stack/testdata` of the core.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use release_manager::env_file;
use release_manager::names::{RepoPath, StackName};
use release_manager::ports::Files;
use release_manager::stack::{Input, Reach, Stack, StackFile, Variables, referenced_files, render};

/// A stack of the corpus: one file or several, with the variables that the caller has.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// `stacks/traefik`.
    pub(super) name: String,
    /// In the order of `-c`, by path below the directory.
    pub(super) files: Vec<String>,
    pub(super) variables: Variables,
}

/// Where the corpus lies.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/stack/testdata").canonicalize().unwrap()
}

/// Every stack of the corpus, by name.
pub(super) fn cases() -> Vec<Case> {
    let mut names: Vec<String> = ["", "stacks/"].into_iter().flat_map(names_below).collect();
    names.sort();
    names.into_iter().map(case).collect()
}

fn names_below(folder: &'static str) -> Vec<String> {
    let entries = std::fs::read_dir(directory().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter_map(|name| {
        name.strip_suffix(".yml").filter(|name| name.strip_suffix(".over").is_none()).map(str::to_owned)
    });
    names.map(|name| format!("{folder}{name}")).collect()
}

fn case(name: String) -> Case {
    let mut files = vec![format!("{name}.yml")];
    files.extend(Some(format!("{name}.over.yml")).filter(|file| directory().join(file).exists()));
    let variables = match std::fs::read(directory().join(format!("{name}.env"))) {
        Ok(text) => env_file::parse(&text).unwrap(),
        Err(_) => Variables::new(),
    };
    Case { name, files, variables }
}

/// The stack as we render it from files below `directory`.
pub(super) fn rendered(
    stack: &StackName,
    directory: &Path,
    files: &[String],
    variables: &Variables,
) -> Result<Stack, String> {
    let read = |path: &str| std::fs::read(directory.join(path));
    let files: Vec<StackFile> = files
        .iter()
        .map(|path| StackFile { path: path.parse().unwrap(), text: String::from_utf8(read(path).unwrap()).unwrap() })
        .collect();
    let base = directory.join(files[0].path.as_str()).parent().unwrap().display().to_string();
    let input = Input { stack, files: &files, variables, bind_base: Some(&base), reach: Reach::Repository };
    let words = |errors: Vec<release_manager::stack::StackError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let named = referenced_files(input).map_err(words)?;
    let at_hand: Files =
        named.into_iter().filter_map(|path: RepoPath| Some((path.clone(), read(path.as_str()).ok()?))).collect();
    render(input, &at_hand).map(|(stack, _)| stack).map_err(words)
}

/// A file that must be refused.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    pub(super) place: String,
    pub(super) text: String,
    pub(super) variables: Variables,
}

/// The files of `refused.txt`.
pub(super) fn refused() -> Vec<Refused> {
    let text = std::fs::read_to_string(directory().join("refused.txt")).unwrap();
    let blocks = text.split("\n=== ").skip(1);
    blocks
        .map(|block| {
            let (place, text) = block.split_once('\n').unwrap_or((block, ""));
            let pair = |line: &str| {
                line.strip_prefix("#! ")
                    .and_then(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
            };
            let variables: BTreeMap<String, String> = text.lines().filter_map(pair).collect();
            let text = text.lines().filter(|line| !line.starts_with("#! ")).collect::<Vec<_>>().join("\n");
            Refused { place: place.to_owned(), text, variables }
        })
        .collect()
}
