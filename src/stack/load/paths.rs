//! Paths: those of the repository, which may not leave it, and those of bind mounts, which lie on the nodes.

use crate::names::RepoPath;
use crate::stack::Reach;

/// The directory of the first stack file, from which `file` and `env_file` count in all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Base {
    parts: Vec<String>,
    reach: Reach,
}

impl Base {
    /// The directory in which a file stands.
    pub(crate) fn of(first: &RepoPath, reach: Reach) -> Self {
        let mut parts: Vec<String> = first.as_str().split('/').map(str::to_owned).collect();
        parts.pop();
        Self { parts, reach }
    }

    /// The file that a path means.
    pub(crate) fn join(&self, path: &str) -> Result<RepoPath, String> {
        match self.reach {
            Reach::Repository => self.in_repository(path),
            Reach::Machine => self.on_machine(path),
        }
    }

    /// As the docker command does it: `..` at the root stays there, and `~` means nothing.
    fn on_machine(&self, path: &str) -> Result<RepoPath, String> {
        let base = if path.starts_with('/') { String::new() } else { self.parts.join("/") };
        let joined = join_clean(&base, path);
        joined[1..].parse().map_err(|error| format!("`{path}` cannot be read: {error}"))
    }

    fn in_repository(&self, path: &str) -> Result<RepoPath, String> {
        if path.starts_with(['/', '~']) || is_windows_absolute(path) {
            return Err(format!(
                "`{path}` lies outside the repository: use a path relative to the directory of the first stack file"
            ));
        }
        let mut parts = self.parts.clone();
        for part in path.split('/') {
            match part {
                "" | "." => (),
                ".." => {
                    parts.pop().ok_or_else(|| format!("`{path}` leads out of the repository"))?;
                }
                part => parts.push(part.to_owned()),
            }
        }
        parts.join("/").parse().map_err(|error| format!("`{path}` cannot be read from the repository: {error}"))
    }
}

/// Whether a path is absolute on Windows: a drive or a share.
pub(crate) fn is_windows_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\');
    drive || path.starts_with("\\\\")
}

/// A relative path below an absolute directory, without `.` and `..`.
pub(crate) fn join_clean(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => (),
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(first: &str, path: &str, expected: Option<&str>) {
        let joined = Base::of(&first.parse().unwrap(), Reach::Repository).join(path);
        assert_eq!(joined.as_ref().ok().map(RepoPath::as_str), expected, "{path}");
    }

    #[test]
    fn a_path_counts_from_the_first_file_and_stays_in_the_repository() {
        check("stack.yml", "./a/b.conf", Some("a/b.conf"));
        check("deploy/stack.yml", "b.conf", Some("deploy/b.conf"));
        check("deploy/stack.yml", "../b.conf", Some("b.conf"));
        check("deploy/stack.yml", "x/../y//z", Some("deploy/y/z"));
        for outside in ["../b", "/etc/passwd", "~/x", "", ".", "..", "C:\\x", "a/../../b"] {
            check("stack.yml", outside, None);
        }
    }

    #[test]
    fn a_person_at_the_machine_may_name_any_file_of_it() {
        let base = Base::of(&"home/me/stack.yml".parse().unwrap(), Reach::Machine);
        for (path, expected) in [
            ("./a.conf", "home/me/a.conf"),
            ("../b", "home/b"),
            ("/etc/hosts", "etc/hosts"),
            ("../../../../c", "c"),
            ("~/x", "home/me/~/x"),
        ] {
            assert_eq!(base.join(path).unwrap().as_str(), expected, "{path}");
        }
    }

    #[test]
    fn a_bind_path_is_cleaned() {
        assert_eq!(join_clean("/srv/base", "./a/../b"), "/srv/base/b");
        assert_eq!(join_clean("/srv/base/", "../../../b"), "/b");
        assert_eq!(join_clean("/srv", "."), "/srv");
    }
}
