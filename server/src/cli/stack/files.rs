//! The files of a stack as a person names them, on this machine.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use release_manager::env_file;
use release_manager::names::{RepoPath, StackName};
use release_manager::ports::Files;
use release_manager::stack::{self, Input, Reach, Stack, StackError, StackFile, Variables};

use crate::cli::Failure;

/// A longer file is not what a stack is made of: the Swarm itself takes secrets and configs up to about this size.
const LONGEST: u64 = 1024 * 1024;
/// Stands for standard input.
const STDIN: &str = "-";

/// What a stack is read from.
#[derive(Debug, clap::Args)]
pub(super) struct StackFiles {
    /// A stack file, `-` for standard input. Several are merged in this order; relative paths in all of them count from
    /// the directory of the first.
    #[arg(short = 'c', long = "compose-file", value_name = "FILE", required = true, value_delimiter = ',')]
    compose_files: Vec<PathBuf>,

    /// A file of `NAME=value` lines, as if each were exported. It goes before the environment, a later file before an
    /// earlier one.
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
}

/// A stack, and what a person should know about its files.
pub(super) struct Rendered {
    pub(super) stack: Stack,
    pub(super) warnings: Vec<String>,
}

/// A file as it was named, and where it lies when paths count from the root.
struct Named {
    shown: String,
    path: RepoPath,
}

impl StackFiles {
    /// Reads everything and renders the stack. `environment` is that of the process.
    pub(super) fn render(
        &self,
        name: &StackName,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Rendered, Failure> {
        let here = std::env::current_dir().map_err(|error| Failure::new(format!("the current directory: {error}")))?;
        let variables = self.variables(environment)?;
        let mut named = Vec::new();
        let mut files = Vec::new();
        for path in &self.compose_files {
            let file = Named::new(path, &here)?;
            let text = utf8(&file.shown, if file.shown == STDIN { read_stdin() } else { read(path) }?)?;
            files.push(StackFile { path: file.path.clone(), text });
            named.push(file);
        }
        let base = files.first().map(|file| directory_of(&file.path)).unwrap_or_default();
        let input =
            Input { stack: name, files: &files, variables: &variables, bind_base: Some(&base), reach: Reach::Machine };
        let wanted = stack::referenced_files(input).map_err(|errors| refused(&named, &errors))?;
        let mut contents = Files::new();
        for path in wanted {
            let content = read(&Path::new("/").join(path.as_str()))?;
            contents.insert(path, content);
        }
        let (stack, warnings) = stack::render(input, &contents).map_err(|errors| refused(&named, &errors))?;
        let warnings = warnings.iter().map(|warning| as_named(&named, &warning.0)).collect();
        Ok(Rendered { stack, warnings })
    }

    fn variables(&self, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Variables, Failure> {
        // What is no text cannot stand in a stack file, and so counts as not set.
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let mut variables: Variables = environment.into_iter().filter_map(text).collect();
        for path in &self.env_files {
            let lines = env_file::parse(&read(path)?).map_err(|errors| {
                let errors: Vec<String> = errors.iter().map(|error| format!("`{}`: {error}", path.display())).collect();
                Failure::new(errors.join("\n  "))
            })?;
            variables.extend(lines);
        }
        Ok(variables)
    }
}

impl Named {
    fn new(path: &Path, here: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let absolute = clean(&here.join(path));
        let below_root = absolute.to_str().map(|text| text.trim_start_matches('/')).unwrap_or_default();
        let path = below_root.parse().map_err(|error| Failure::new(format!("`{shown}`: {error}")))?;
        Ok(Self { shown, path })
    }
}

/// An absolute path without `.` and `..`, by its letters alone.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => (),
        }
    }
    clean
}

fn directory_of(path: &RepoPath) -> String {
    let directory = path.as_str().rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("/{directory}")
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| Failure::new(format!("`{shown}`: {error}")))?;
    bounded(&shown, file)
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    bounded("standard input", std::io::stdin())
}

fn bounded(shown: &str, source: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = source.take(LONGEST + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() as u64 > LONGEST => Err(Failure::new(format!("`{shown}` is larger than 1 MiB"))),
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::new(format!("`{shown}`: {error}"))),
    }
}

fn utf8(shown: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(format!("`{shown}`: byte {at} is not UTF-8: save the file as UTF-8"))
    })
}

/// All that is wrong, one place a line.
fn refused(named: &[Named], errors: &[StackError]) -> Failure {
    let lines: Vec<String> = errors.iter().map(|error| as_named(named, &error.to_string())).collect();
    Failure::new(lines.join("\n  "))
}

/// The text with files called as the person called them.
fn as_named(named: &[Named], text: &str) -> String {
    let mut files: Vec<&Named> = named.iter().collect();
    // The longest first: one path may be the beginning of another.
    files.sort_by_key(|file| std::cmp::Reverse(file.path.as_str().len()));
    let begins = files.iter().find_map(|file| Some((&*file.shown, text.strip_prefix(file.path.as_str())?)));
    let (first, rest) = begins.unwrap_or(("", text));
    // Inside, only what follows a blank begins a path: `/srv/stack.yml` stays as it is.
    let rest = files
        .iter()
        .fold(rest.to_owned(), |text, file| text.replace(&format!(" {}:", file.path), &format!(" {}:", file.shown)));
    format!("{first}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(dir: &Path, names: &[&str], env_files: &[&str]) -> StackFiles {
        let path = |name: &&str| dir.join(name);
        StackFiles { compose_files: names.iter().map(path).collect(), env_files: env_files.iter().map(path).collect() }
    }

    fn scene() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("stack")).unwrap();
        let stack = "services:\n  web:\n    image: app:${VERSION}\n    environment: {STAGE: '${STAGE}'}\n    \
                     volumes: ['./data:/data']\n    configs: [motd]\nconfigs:\n  motd: {file: ../motd.txt}\n";
        for (name, text) in [
            ("stack/a.yml", stack),
            ("motd.txt", "hello"),
            ("one.env", "VERSION=1\nSTAGE=one\n"),
            ("two.env", "VERSION=2\n"),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn paths_count_from_the_first_file_and_env_files_go_before_the_environment() {
        let dir = scene();
        let files = files(dir.path(), &["stack/a.yml"], &["one.env", "two.env"]);
        let rendered = files.render(&"shop".parse().unwrap(), environment(&[("STAGE", "shell")])).unwrap();
        let container = &rendered.stack.services.values().next().unwrap().spec["TaskTemplate"]["ContainerSpec"];
        assert_eq!(container["Image"], "app:2");
        assert_eq!(container["Env"][0], "STAGE=one");
        let data = clean(&dir.path().join("stack/data"));
        assert_eq!(container["Mounts"][0]["Source"], data.to_str().unwrap());
        assert!(rendered.stack.configs.contains_key("shop_motd"));
    }

    #[track_caller]
    fn check(files: &StackFiles, expected: &[&str]) {
        let error = files.render(&"shop".parse().unwrap(), environment(&[])).err().unwrap().to_string();
        for part in expected {
            assert!(error.contains(part), "`{part}` is missing in: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_that_the_person_gave() {
        let dir = scene();
        let shown = dir.path().join("stack/a.yml").display().to_string();
        check(&files(dir.path(), &["stack/a.yml"], &[]), &[&format!("{shown}:3: services.web.image"), "VERSION"]);
        check(&files(dir.path(), &["none.yml"], &[]), &["none.yml`: No such file"]);
        check(&files(dir.path(), &["stack"], &[]), &["stack`: Is a directory"]);
        std::fs::write(dir.path().join("bad.env"), "nonsense\n").unwrap();
        check(&files(dir.path(), &["stack/a.yml"], &["bad.env"]), &["bad.env`: line 1"]);
        std::fs::remove_file(dir.path().join("motd.txt")).unwrap();
        check(&files(dir.path(), &["stack/a.yml"], &["one.env"]), &["motd.txt`: No such file"]);
        std::fs::write(dir.path().join("big.yml"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
        check(&files(dir.path(), &["big.yml"], &[]), &["big.yml` is larger than 1 MiB"]);
    }
}
