//! A GitHub small enough to read: one repository, in memory, behind the parts of the REST API that are used.
//!
//! It is strict where GitHub is (user agent, media types, token), counts what GitHub counts, and can be told to fail.

mod answers;
mod faults;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use git2::{ObjectType, Oid};
use http::HeaderMap;
use release_manager::names::CommitSha;
use release_manager::time::Timestamp;
use server::source::GitHubSettings;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_http::compression::CompressionLayer;
use url::Url;

pub(crate) use self::faults::Fault;

/// The token that is accepted at first.
pub(crate) const TOKEN: &str = "ghp_fake0123456789";

/// 2025-10-31T10:30:00Z: the first commit; the others follow minute by minute.
const FIRST_COMMIT: i64 = 1_761_906_600_000;

/// The repository `me/homelab` on a loopback port. It ends when it is dropped.
pub(crate) struct FakeGitHub {
    url: Url,
    world: Arc<Mutex<World>>,
    server: JoinHandle<()>,
}

/// One request as it arrived, and the status that it got.
#[derive(Debug, Clone)]
pub(crate) struct Journalled {
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// `None` for a request that is not answered.
    pub(crate) status: Option<u16>,
}

struct World {
    url: String,
    repo: String,
    branch: String,
    token: Option<String>,
    head: Option<String>,
    commits: BTreeMap<String, Commit>,
    /// What may still be asked in the current hour.
    remaining: u32,
    faults: Vec<(String, Fault)>,
    journal: Vec<Journalled>,
}

#[derive(Clone)]
struct Commit {
    parent: Option<String>,
    message: String,
    committed_at: Timestamp,
    tree: BTreeMap<String, Entry>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    File(Vec<u8>),
    /// A link to somewhere outside the repository: GitHub shows these themselves.
    Symlink(String),
    Submodule,
}

impl FakeGitHub {
    /// An empty repository that wants [`TOKEN`].
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let world = Arc::new(Mutex::new(World {
            url: url.to_string(),
            repo: "me/homelab".to_owned(),
            branch: "main".to_owned(),
            token: Some(TOKEN.to_owned()),
            head: None,
            commits: BTreeMap::new(),
            remaining: 5000,
            faults: Vec::new(),
            journal: Vec::new(),
        }));
        let router = Router::new()
            .fallback(serve)
            .layer(CompressionLayer::new().no_br().gzip(true))
            .with_state(Arc::clone(&world));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, world, server }
    }

    /// The address of the API: what `GITHUB_API_URL` is set to.
    pub(crate) fn url(&self) -> Url {
        self.url.clone()
    }

    /// Settings that reach this repository.
    pub(crate) fn settings(&self) -> GitHubSettings {
        let mut settings = GitHubSettings::new("me/homelab".parse().unwrap(), "main".parse().unwrap());
        settings.api_url = self.url();
        settings.token = Some(TOKEN.into());
        settings
    }

    /// Commits files on top of the branch: those named are written, all others stay.
    pub(crate) fn push(&self, message: &str, files: &[(&str, &str)]) -> CommitSha {
        let files = files.iter().map(|(path, text)| (*path, Some(Entry::File(text.as_bytes().to_owned()))));
        self.world().commit(message, files)
    }

    /// Commits a single entry of any kind.
    pub(crate) fn push_entry(&self, path: &str, entry: Entry) -> CommitSha {
        self.world().commit("Put an entry", [(path, Some(entry))])
    }

    /// Commits the removal of files.
    pub(crate) fn remove(&self, message: &str, paths: &[&str]) -> CommitSha {
        self.world().commit(message, paths.iter().map(|path| (*path, None)))
    }

    /// Moves the branch to any commit, as a forced push does.
    pub(crate) fn reset(&self, to: &CommitSha) {
        self.world().head = Some(to.to_string());
    }

    /// Forgets a commit, as GitHub does in the end with what no branch leads to.
    pub(crate) fn lose(&self, sha: &CommitSha) {
        self.world().commits.remove(sha.as_str());
    }

    /// Takes the token away and wants another; `None` makes the repository public.
    pub(crate) fn want_token(&self, token: Option<&str>) {
        self.world().token = token.map(str::to_owned);
    }

    /// Renames the branch.
    pub(crate) fn rename_branch(&self, name: &str) {
        name.clone_into(&mut self.world().branch);
    }

    /// Renames the repository: its old name leads on to `/repositories/42`.
    pub(crate) fn rename(&self, name: &str) {
        name.clone_into(&mut self.world().repo);
    }

    /// So many more requests are answered in this hour.
    pub(crate) fn allow(&self, requests: u32) {
        self.world().remaining = requests;
    }

    /// The next request whose path contains `part` fails so. Several for the same path happen in the order given.
    pub(crate) fn fail_next(&self, part: &str, fault: Fault) {
        self.world().faults.push((part.to_owned(), fault));
    }

    /// Every request so far, the oldest first.
    pub(crate) fn requests(&self) -> Vec<Journalled> {
        self.world().journal.clone()
    }

    /// The statuses of every request so far; 0 for one without an answer.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.world().journal.iter().map(|request| request.status.unwrap_or_default()).collect()
    }

    /// The length of the answer about a file at a revision, in bytes.
    pub(crate) fn whole_answer(&self, target: &str, at: &CommitSha) -> usize {
        let headers = self.world().journal[0].headers.clone();
        answers::answer(&mut self.world(), &format!("{target}{at}"), &headers).body.len()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    fn commit<'a>(&mut self, message: &str, changes: impl IntoIterator<Item = (&'a str, Option<Entry>)>) -> CommitSha {
        let parent = self.head.clone();
        let mut tree = parent.as_ref().map(|parent| self.commits[parent].tree.clone()).unwrap_or_default();
        for (path, entry) in changes {
            match entry {
                Some(entry) => drop(tree.insert(path.to_owned(), entry)),
                None => drop(tree.remove(path).expect("only what is there can be removed")),
            }
        }
        let minutes = i64::try_from(self.commits.len()).unwrap();
        let committed_at = Timestamp::from_millis(FIRST_COMMIT + minutes * 60_000);
        let text = format!("parent {parent:?}\n{committed_at}\n{tree:?}\n{message}");
        let sha = Oid::hash_object(ObjectType::Commit, text.as_bytes()).unwrap().to_string();
        let commit = Commit { parent, message: message.to_owned(), committed_at, tree };
        self.commits.insert(sha.clone(), commit);
        self.head = Some(sha.clone());
        sha.parse().unwrap()
    }

    fn take_fault(&mut self, path: &str) -> Option<Fault> {
        let position = self.faults.iter().position(|(part, _)| path.contains(part.as_str()))?;
        Some(self.faults.remove(position).1)
    }
}

async fn serve(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let headers = request.headers().clone();
    let (place, fault, answer) = {
        let mut world = world.lock().unwrap();
        world.journal.push(Journalled { target: target.clone(), headers: headers.clone(), status: None });
        let place = world.journal.len() - 1;
        let fault = world.take_fault(&target);
        let answer = answers::answer(&mut world, &target, &headers);
        (place, fault, answer)
    };
    let response = match fault {
        Some(fault) => fault.spoil(answer).await,
        None => answer.into_response(),
    };
    world.lock().unwrap().journal[place].status = Some(response.status().as_u16());
    response
}
