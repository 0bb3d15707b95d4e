//! Ports in their short syntax: `[[ip:]published:]target[/protocol]`, each of the numbers also as a range.

use std::net::IpAddr;

use super::model::Port;

/// A port in the short syntax, its ranges not yet written out: a few signs can stand for 65,535 ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Short {
    protocol: String,
    targets: Range,
    published: Option<Range>,
    /// An address that Swarm does not listen on: it always listens on all.
    pub(crate) ignored_address: Option<String>,
}

impl Short {
    /// Reads the short syntax.
    pub(crate) fn read(spec: &str) -> Result<Self, String> {
        let refuse = |why: &str| {
            let spec: String = spec.chars().take(60).collect();
            format!("`{spec}` is not a port: {why}; write `[published:]target[/protocol]`")
        };
        let (numbers, protocol) = spec.split_once('/').map_or((spec, "tcp"), |(numbers, protocol)| (numbers, protocol));
        let protocol = if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_ascii_lowercase() };
        if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
            return Err(refuse("the protocol must be tcp, udp or sctp"));
        }
        let (address, published, target) = split(numbers);
        let targets = range(target).map_err(|why| refuse(&why))?;
        if targets.start == 0 {
            return Err(refuse("0 is no port of a container"));
        }
        let published = if published.is_empty() { None } else { Some(range(published).map_err(|why| refuse(&why))?) };
        if targets.steps() > 0 && published.is_some_and(|published| published.steps() != targets.steps()) {
            return Err(refuse("the two ranges differ in length"));
        }
        let ignored_address = checked_address(address).map_err(|why| refuse(&why))?;
        Ok(Self { protocol, targets, published, ignored_address })
    }

    /// How many ports it stands for.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.steps()) + 1
    }

    fn steps(&self) -> u16 {
        self.published.map_or(0, Range::steps).max(self.targets.steps())
    }

    /// All of them, in the order in which the docker command puts them.
    pub(crate) fn ports(&self) -> Vec<Port> {
        let single = self.targets.steps() == 0;
        let port = |step: u16| Port {
            mode: "ingress".to_owned(),
            protocol: self.protocol.clone(),
            target: u32::from(if single { self.targets.start } else { self.targets.start + step }),
            published: self.published.map_or(0, |range| u32::from(range.start + step)),
        };
        let mut ports: Vec<Port> = (0..=self.steps()).map(port).collect();
        ports.sort_by_key(|port| port.target.to_string());
        ports
    }
}

/// Address, published and target; the first two may be empty.
fn split(numbers: &str) -> (&str, &str, &str) {
    let Some((before, target)) = numbers.rsplit_once(':') else { return ("", "", numbers) };
    let (address, published) = before.rsplit_once(':').unwrap_or(("", before));
    (address, published, target)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u16,
    end: u16,
}

impl Range {
    fn steps(self) -> u16 {
        self.end - self.start
    }
}

fn range(text: &str) -> Result<Range, String> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits).ok_or_else(|| format!("`{text}` is no number from 1 to 65535"))
    };
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let range = Range { start: number(start)?, end: number(end)? };
    if range.end < range.start { Err(format!("the range `{text}` runs backwards")) } else { Ok(range) }
}

/// The address, if it is one that would be listened on elsewhere.
fn checked_address(text: &str) -> Result<Option<String>, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.is_empty() {
        return Ok(None);
    }
    let address: IpAddr = bare.parse().map_err(|_| format!("`{text}` is no IP address"))?;
    Ok((!address.is_unspecified()).then(|| bare.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spec: &str, expected: &[(u32, u32, &str)]) {
        let parsed = Short::read(spec).unwrap_or_else(|why| panic!("{why}"));
        let ports = parsed.ports();
        let found: Vec<_> = ports.iter().map(|port| (port.published, port.target, &*port.protocol)).collect();
        assert_eq!(found, expected, "{spec}");
        assert_eq!(ports.len(), parsed.count(), "{spec}");
        assert!(ports.iter().all(|port| port.mode == "ingress"));
    }

    #[test]
    fn a_port_is_published_if_it_says_so() {
        check("80", &[(0, 80, "tcp")]);
        check("8080:80", &[(8080, 80, "tcp")]);
        check("53:53/UDP", &[(53, 53, "udp")]);
        check("127.0.0.1:8080:80", &[(8080, 80, "tcp")]);
        check("127.0.0.1::80", &[(0, 80, "tcp")]);
        check("[::1]:8080:80/sctp", &[(8080, 80, "sctp")]);
        check("::1:8080:80", &[(8080, 80, "tcp")]);
        check(":80", &[(0, 80, "tcp")]);
    }

    #[test]
    fn ranges_map_one_to_one_or_onto_a_single_target() {
        check("9000-9002:90-92", &[(9000, 90, "tcp"), (9001, 91, "tcp"), (9002, 92, "tcp")]);
        check("9000-9001:80", &[(9000, 80, "tcp"), (9001, 80, "tcp")]);
        check("90-91", &[(0, 90, "tcp"), (0, 91, "tcp")]);
        check("8-10:8-10", &[(10, 10, "tcp"), (8, 8, "tcp"), (9, 9, "tcp")]);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for spec in [
            "",
            "a",
            "80/icmp",
            "70000",
            "8080:",
            "9000-9001:90-92",
            "9000:90-92",
            "9-8",
            "x:80:80",
            "-1",
            "0",
            "80.5",
            "+80",
        ] {
            assert!(Short::read(spec).is_err(), "{spec}");
        }
    }

    #[test]
    fn an_address_is_named_unless_it_means_all() {
        for (spec, address) in [("127.0.0.1:1:1", Some("127.0.0.1")), ("0.0.0.0:1:1", None), ("[::]:1:1", None)] {
            assert_eq!(Short::read(spec).unwrap().ignored_address.as_deref(), address, "{spec}");
        }
    }
}
