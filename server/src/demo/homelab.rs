//! The demo's sample repository: a homelab of ten services in two environments.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository, RepositoryInitOptions, Signature};

/// Every file of the sample, by its path in the repository.
pub const FILES: [(&str, &str); 5] = [
    ("README.md", include_str!("homelab/README.md")),
    ("config/prometheus.yml", include_str!("homelab/prometheus.yml")),
    ("docker-swarm-stack.yml", include_str!("homelab/docker-swarm-stack.yml")),
    ("env/.env.preprod", include_str!("homelab/env.preprod")),
    ("env/.env.prod", include_str!("homelab/env.prod")),
];

/// What came of [`create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// The repository was made.
    Created,
    /// There was one already; nothing was touched.
    Kept,
}

/// Why there is no sample repository.
#[derive(Debug, thiserror::Error)]
pub enum HomelabError {
    /// The directory holds something else.
    #[error("`{}` is not empty and is no git repository: name an empty directory, or one that does not exist yet", .0.display())]
    Occupied(PathBuf),
    /// A file could not be written.
    #[error("`{}` cannot be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Git could not do its part.
    #[error("the git repository `{}` cannot be made", path.display())]
    Git {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: git2::Error,
    },
}

/// Makes `directory` a git repository with the sample committed on `main`, unless it is a git repository already.
pub fn create(directory: &Path) -> Result<Sample, HomelabError> {
    let failed = |source| HomelabError::Git { path: directory.to_owned(), source };
    match Repository::open(directory) {
        Ok(_) => return Ok(Sample::Kept),
        Err(error) if error.code() == ErrorCode::NotFound => (),
        Err(error) => return Err(failed(error)),
    }
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(HomelabError::Occupied(directory.to_owned()));
    }
    for (name, text) in FILES {
        write(&directory.join(name), text)?;
    }
    commit(directory).map_err(failed)?;
    Ok(Sample::Created)
}

/// Whether git knows who makes commits in the repository: without that, `git commit` asks for it.
pub fn knows_author(directory: &Path) -> bool {
    Repository::open(directory).is_ok_and(|repository| repository.signature().is_ok())
}

fn write(path: &Path, text: &str) -> Result<(), HomelabError> {
    let failed = |source| HomelabError::File { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

fn commit(directory: &Path) -> Result<(), git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.initial_head("main").external_template(false);
    let repository = Repository::init_opts(directory, &options)?;
    let mut index = repository.index()?;
    for (name, _) in FILES {
        index.add_path(Path::new(name))?;
    }
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::now("Demo", "demo@localhost")?;
    repository.commit(Some("HEAD"), &author, &author, "Start the homelab", &tree, &[])?;
    Ok(())
}
