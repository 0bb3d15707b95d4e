//! The files read last. What stands at a path of a revision never changes, so nothing here grows old.

use std::collections::VecDeque;

use release_manager::names::{CommitSha, RepoPath};

const MOST_FILES: usize = 32;
const MOST_BYTES: usize = 512 * 1024;

/// A few files, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    files: VecDeque<(RepoPath, CommitSha, Vec<u8>)>,
}

impl Cache {
    pub(super) fn get(&self, path: &RepoPath, at: &CommitSha) -> Option<Vec<u8>> {
        self.files.iter().find(|(p, a, _)| p == path && a == at).map(|(_, _, content)| content.clone())
    }

    /// Keeps a file, at the cost of the oldest ones; one that would push out all others is not kept.
    pub(super) fn put(&mut self, path: &RepoPath, at: &CommitSha, content: &[u8]) {
        if content.len() > MOST_BYTES / 2 || self.get(path, at).is_some() {
            return;
        }
        self.files.push_back((path.clone(), at.clone(), content.to_owned()));
        while self.files.len() > MOST_FILES || self.bytes() > MOST_BYTES {
            self.files.pop_front();
        }
    }

    fn bytes(&self) -> usize {
        self.files.iter().map(|(_, _, content)| content.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(number: usize) -> RepoPath {
        format!("file-{number}").parse().unwrap()
    }

    fn sha() -> CommitSha {
        "a".repeat(40).parse().unwrap()
    }

    #[test]
    fn the_oldest_files_make_room() {
        let mut cache = Cache::default();
        (0..=MOST_FILES).for_each(|number| cache.put(&path(number), &sha(), b"x"));
        assert_eq!((cache.get(&path(0), &sha()), cache.get(&path(1), &sha())), (None, Some(b"x".to_vec())));
    }

    #[test]
    fn its_size_is_bounded() {
        let mut cache = Cache::default();
        (0..9).for_each(|number| cache.put(&path(number), &sha(), &vec![0; MOST_BYTES / 4]));
        cache.put(&path(9), &sha(), &vec![0; MOST_BYTES]);
        assert!(cache.bytes() <= MOST_BYTES);
        assert!(cache.get(&path(8), &sha()).is_some(), "a huge file does not push out the others");
    }
}
