//! Where a host shows its commits to people.

use url::Url;

/// The page of a commit at the host of `remote`, to be followed by the sha; `None` where it cannot be derived.
///
/// GitHub, GitLab, Gitea, Forgejo (and Codeberg) and Bitbucket are known, by the name of the host.
pub fn web_commit_url(remote: &str) -> Option<String> {
    let (base, path) = web_address(remote)?;
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.split('/').count() < 2 || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    let host = base.host_str()?.to_ascii_lowercase();
    let knows = |name: &str| host.split('.').any(|label| label.contains(name));
    let commits = if knows("gitlab") {
        "-/commit"
    } else if knows("bitbucket") {
        "commits"
    } else if knows("github") || knows("gitea") || knows("forgejo") || host == "codeberg.org" {
        "commit"
    } else {
        return None;
    };
    let origin = base.origin().ascii_serialization();
    Some(format!("{origin}/{path}/{commits}/"))
}

/// The web server beside a remote, and the path of the repository.
fn web_address(remote: &str) -> Option<(Url, String)> {
    if !remote.contains("://") {
        // `git@host:owner/name`, as ssh users write it.
        let (login, path) = remote.split_once(':')?;
        let host = login.rsplit('@').next()?;
        return Some((Url::parse(&format!("https://{host}")).ok()?, path.to_owned()));
    }
    let remote = Url::parse(remote).ok()?;
    let base = match remote.scheme() {
        "http" | "https" => remote.clone(),
        "ssh" => Url::parse(&format!("https://{}", remote.host_str()?)).ok()?,
        _ => return None,
    };
    Some((base, remote.path().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(remote: &str, expected: Option<&str>) {
        assert_eq!(web_commit_url(remote).as_deref(), expected, "for `{remote}`");
    }

    #[test]
    fn a_commit_has_a_page_at_the_hosts_that_people_use() {
        check("https://github.com/me/lab.git", Some("https://github.com/me/lab/commit/"));
        check("https://gitlab.com/group/sub/lab.git", Some("https://gitlab.com/group/sub/lab/-/commit/"));
        check("https://gitea.example.org:3000/me/lab", Some("https://gitea.example.org:3000/me/lab/commit/"));
        check("https://codeberg.org/me/lab", Some("https://codeberg.org/me/lab/commit/"));
        check("https://bitbucket.org/me/lab", Some("https://bitbucket.org/me/lab/commits/"));
    }

    #[test]
    fn an_ssh_remote_leads_to_the_page_of_its_host() {
        check("git@github.com:me/lab.git", Some("https://github.com/me/lab/commit/"));
        check("ssh://git@gitlab.example.org:2222/me/lab.git", Some("https://gitlab.example.org/me/lab/-/commit/"));
    }

    #[test]
    fn no_credential_gets_into_a_link() {
        check("https://user:secret@github.com/me/lab.git", Some("https://github.com/me/lab/commit/"));
    }

    #[test]
    fn a_host_that_is_not_known_has_no_page() {
        for remote in
            ["/srv/lab.git", "file:///srv/lab.git", "https://git.example.org/me/lab", "https://github.com/", ""]
        {
            check(remote, None);
        }
    }
}
