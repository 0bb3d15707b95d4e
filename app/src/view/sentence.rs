//! What the program says of its own accord, as people write it. It begins small where one message is put behind another.

use release_manager::diff::Finding;

/// With a capital letter and a stop, where it is words: a name, a path and an output of several lines stay as they are.
pub fn sentence(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    let is_word = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut said = if is_word { super::title(text) } else { text.to_owned() };
    let ends_open = said.ends_with(|last: char| last.is_ascii_alphanumeric() || matches!(last, ')' | '`' | '"'));
    if ends_open && !said.contains('\n') {
        said.push('.');
    }
    said
}

/// Why a service is touched, with the arrow that stands between versions everywhere else.
pub fn reason(text: &str) -> String {
    text.split(' ').map(|word| if word == "->" { "→" } else { word }).collect::<Vec<_>>().join(" ")
}

/// The parts of a message, and whether each is code: what stands between backticks.
pub fn parts(text: &str) -> Vec<(bool, String)> {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without a partner is one that was quoted.
    if parts.len().is_multiple_of(2) {
        return vec![(false, text.to_owned())];
    }
    let told = parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty());
    told.map(|(index, part)| (index % 2 == 1, part.to_owned())).collect()
}

/// Each message once, with the services of which it is said.
pub fn grouped(findings: &[Finding]) -> Vec<(String, String)> {
    let mut grouped: Vec<(String, String)> = Vec::new();
    for finding in findings {
        let service = finding.service.as_ref().map(ToString::to_string).unwrap_or_default();
        match grouped.iter_mut().find(|(services, message)| *message == finding.message && !services.is_empty()) {
            Some((services, _)) if !service.is_empty() => {
                services.push_str(", ");
                services.push_str(&service);
            }
            _ => grouped.push((service, finding.message.clone())),
        }
    }
    grouped
}

/// An image with its digest cut: twelve digits tell one from another.
pub fn short_digest(image: &str) -> String {
    const WHOLE: usize = "sha256:".len() + 64;
    const CUT: usize = "sha256:".len() + 12;
    let (name, digest) = image.split_once('@').unwrap_or((image, ""));
    match digest.get(..CUT) {
        Some(cut) if digest.len() == WHOLE => format!("{name}@{cut}…"),
        _ => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_becomes_a_sentence_and_a_name_keeps_its_letters() {
        for (text, expected) in [
            ("deployment 10 has tried this: retry it", "Deployment 10 has tried this: retry it."),
            ("env/.env.prod: line 2: no `=`", "env/.env.prod: line 2: no `=`."),
            ("redis: it is gone", "redis: it is gone."),
            ("Nothing to do.", "Nothing to do."),
            ("panic at\nmain", "Panic at\nmain"),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let told = |text| parts(text).into_iter().map(|(code, part)| if code { format!("<{part}>") } else { part });
        assert_eq!(told("not `A=b`: no `=`").collect::<String>(), "not <A=b>: no <=>");
        assert_eq!(told("one ` alone").collect::<String>(), "one ` alone");
    }

    #[test]
    fn what_is_said_of_several_services_is_said_once() {
        let of = |service: Option<&str>, message: &str| Finding {
            service: service.map(|name| name.parse().unwrap()),
            message: message.to_owned(),
        };
        let findings = [of(Some("a"), "stays"), of(None, "stays"), of(Some("b"), "stays"), of(Some("c"), "goes")];
        let told: Vec<_> = grouped(&findings);
        let told: Vec<_> = told.iter().map(|(services, message)| format!("{services}: {message}")).collect();
        assert_eq!(told, ["a, b: stays", ": stays", "c: goes"]);
    }

    #[test]
    fn a_digest_is_cut_and_what_is_none_is_left() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(short_digest(&format!("web:1@sha256:{digest}")), "web:1@sha256:0123456789ab…");
        assert_eq!(short_digest("someone@example.org"), "someone@example.org");
        assert_eq!(reason("image 1 -> 2, 1 other field differs"), "image 1 → 2, 1 other field differs");
    }
}
