//! Image references: their grammar, and the form in which the docker command sends them.

/// The longest repository name.
const MAX_NAME: usize = 255;

/// Checks an image and writes it as the docker command sends it: Docker Hub's own prefixes left out, `:latest` where
/// there is neither tag nor digest.
pub(crate) fn normalise(raw: &str) -> Result<String, String> {
    if raw.len() == 64 && raw.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
        return Err("a bare image id can run on one node only: name a repository".to_owned());
    }
    let (named, digest) = raw.split_once('@').map_or((raw, None), |(named, digest)| (named, Some(digest)));
    // A colon before the last slash belongs to the registry's port.
    let last = named.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match named[last..].find(':') {
        Some(at) => (&named[..last + at], Some(&named[last + at + 1..])),
        None => (named, None),
    };
    let (domain, path) = split_domain(name);
    check_name(raw, domain, &path)?;
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(format!("`{raw}` has a tag that no registry takes: use 1 to 128 of A-Z, a-z, 0-9, `_`, `.`, `-`"));
    }
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err(format!("`{raw}` has a digest that is not `sha256:` with 64 hex digits"));
    }
    let mut familiar = familiar_name(domain, &path);
    match (tag, digest) {
        (None, None) => familiar.push_str(":latest"),
        (tag, digest) => {
            familiar.extend(tag.into_iter().flat_map(|tag| [":", tag]));
            familiar.extend(digest.into_iter().flat_map(|digest| ["@", digest]));
        }
    }
    Ok(familiar)
}

/// The registry that an image comes from: `docker.io` where none is named.
pub fn registry_of(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    split_domain(name).0
}

/// The registry and the path below it, both as Docker Hub's rules complete them.
fn split_domain(name: &str) -> (&str, String) {
    let (domain, path) = match name.split_once('/') {
        Some((first, rest)) if is_domain(first) => (first, rest),
        _ => ("docker.io", name),
    };
    let domain = if domain == "index.docker.io" { "docker.io" } else { domain };
    if domain == "docker.io" && !path.contains('/') {
        return (domain, format!("library/{path}"));
    }
    (domain, path.to_owned())
}

/// Whether the part before the first slash names a registry and not a user of Docker Hub.
fn is_domain(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.chars().any(|c| c.is_ascii_uppercase())
}

fn familiar_name(domain: &str, path: &str) -> String {
    if domain != "docker.io" {
        return format!("{domain}/{path}");
    }
    match path.strip_prefix("library/") {
        // An official image has no further parts.
        Some(official) if !official.contains('/') => official.to_owned(),
        _ => path.to_owned(),
    }
}

fn check_name(raw: &str, domain: &str, path: &str) -> Result<(), String> {
    if path.is_empty() || path == "library/" {
        return Err("an image needs a name".to_owned());
    }
    if path.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!("`{raw}` must be lower case in its repository"));
    }
    if !is_registry(domain) || !path.split('/').all(is_path_component) {
        return Err(format!("`{raw}` is not an image: write `[registry/]name[:tag][@digest]`"));
    }
    if domain.len() + 1 + path.len() > MAX_NAME {
        return Err(format!("the name of the image is longer than {MAX_NAME} characters"));
    }
    Ok(())
}

fn is_registry(domain: &str) -> bool {
    let (host, port) = match domain.rfind(':') {
        Some(at) if !domain.ends_with(']') => (&domain[..at], Some(&domain[at + 1..])),
        _ => (domain, None),
    };
    if port.is_some_and(|port| port.is_empty() || !port.chars().all(|c| c.is_ascii_digit())) {
        return false;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':');
    }
    host.split('.').all(|label| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// `[a-z0-9]+((?:[._]|__|[-]+)[a-z0-9]+)*`
fn is_path_component(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !part.starts_with(word) || !part.ends_with(word) {
        return false;
    }
    let separator = |text: &str| matches!(text, "" | "." | "_" | "__") || text.chars().all(|c| c == '-');
    part.split(word).all(separator)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&tag.len()) && tag.starts_with(word) && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    let hex = |hex: &str, length| hex.len() == length && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    match digest.split_once(':') {
        Some(("sha256", rest)) => hex(rest, 64),
        Some(("sha384", rest)) => hex(rest, 96),
        Some(("sha512", rest)) => hex(rest, 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, sent: Option<&str>) {
        assert_eq!(normalise(raw).ok().as_deref(), sent, "{raw}");
    }

    #[test]
    fn docker_hub_is_left_out_and_latest_put_in() {
        check("app", Some("app:latest"));
        check("docker.io/library/app", Some("app:latest"));
        check("docker.io/u/app:1", Some("u/app:1"));
        check("index.docker.io/library/app:1", Some("app:1"));
        check("library/app:1", Some("app:1"));
        check("library/a/b:1", Some("library/a/b:1"));
    }

    #[test]
    fn the_registry_is_the_hub_unless_one_is_named() {
        for (image, registry) in [
            ("app", "docker.io"),
            ("user/app:1", "docker.io"),
            ("index.docker.io/app", "docker.io"),
            ("localhost/app", "localhost"),
            ("127.0.0.1:5000/team/app:1@sha256:0", "127.0.0.1:5000"),
            ("ghcr.io/a/b", "ghcr.io"),
        ] {
            assert_eq!(registry_of(image), registry, "{image}");
        }
    }

    #[test]
    fn another_registry_stays() {
        check("localhost/app", Some("localhost/app:latest"));
        check("localhost:5000/team/app:7", Some("localhost:5000/team/app:7"));
        check("ghcr.io/a/b__c-d--e:v1.2", Some("ghcr.io/a/b__c-d--e:v1.2"));
        check("[::1]:5000/app", Some("[::1]:5000/app:latest"));
        check("Registry/app:1", Some("Registry/app:1"));
    }

    #[test]
    fn a_digest_stays_and_stands_for_a_tag() {
        let digest = format!("sha256:{}", "a".repeat(64));
        check(&format!("app@{digest}"), Some(&format!("app@{digest}")));
        check(&format!("app:1@{digest}"), Some(&format!("app:1@{digest}")));
        check("app@sha256:abc", None);
        check(&format!("app@md5:{}", "a".repeat(32)), None);
    }

    #[test]
    fn what_no_registry_would_take_is_refused() {
        for raw in
            ["", ":1", "app:", "App", "u/App:1", "app:$(rm)", "a b", "a//b", "-a", "a_-b", "a...b", "http://x/y", "/a"]
        {
            check(raw, None);
        }
        check(&"a".repeat(64), None);
        check(&format!("a{}", "b".repeat(260)), None);
    }
}
