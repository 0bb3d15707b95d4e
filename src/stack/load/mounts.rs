//! Volumes of a service: the short syntax, and where bind mounts lead to.

use super::Surroundings;
use super::model::{Mount, VolumeOptions};
use super::paths::{is_windows_absolute, join_clean};
use super::values::{flag, text};
use crate::stack::findings::{Findings, Place};
use crate::stack::yaml::{Cursor, Yaml};

pub(super) fn load(service: &Cursor<'_>, around: Surroundings<'_>, findings: &mut Findings) -> Vec<Mount> {
    let Some(list) = service.get("volumes") else { return Vec::new() };
    let mut mounts = Vec::new();
    for item in list.items() {
        let mount = match item.yaml() {
            Yaml::Text(spec) => findings.take(&item.place, short(spec, &item.place)),
            Yaml::Map(_) => Some(long(&item, findings)),
            _ => None,
        };
        if let Some(mut mount) = mount {
            if mount.kind == "bind" {
                let source = findings.take(&mount.place, bind_source(&mount.source, around));
                mount.source = source.unwrap_or_default();
            }
            mounts.push(mount);
        }
    }
    mounts
}

fn long(item: &Cursor<'_>, findings: &mut Findings) -> Mount {
    let mut size = |tmpfs: &Cursor<'_>| {
        let size = tmpfs.get("size")?;
        let bytes = i64::try_from(size.int()?).ok().filter(|bytes| *bytes >= 0);
        findings.take(&size.place, bytes.ok_or_else(|| "must not be negative".to_owned()))
    };
    Mount {
        place: item.place.clone(),
        kind: text(item, "type"),
        source: text(item, "source"),
        target: text(item, "target"),
        read_only: flag(item, "read_only"),
        consistency: text(item, "consistency"),
        bind: item.some("bind").map(|bind| text(&bind, "propagation")),
        volume: item
            .some("volume")
            .map(|volume| VolumeOptions { no_copy: flag(&volume, "nocopy"), subpath: text(&volume, "subpath") }),
        tmpfs: item.some("tmpfs").map(|tmpfs| size(&tmpfs).unwrap_or_default()),
    }
}

/// Reads `[source:]target[:options]`.
fn short(spec: &str, place: &Place) -> Result<Mount, String> {
    let mut mount = Mount {
        place: place.clone(),
        kind: "volume".to_owned(),
        source: String::new(),
        target: String::new(),
        read_only: false,
        consistency: String::new(),
        bind: None,
        volume: None,
        tmpfs: None,
    };
    // So does the docker command, which counts bytes.
    let sections = if matches!(spec.len(), 1 | 2) { vec![spec] } else { sections(spec) };
    if sections.iter().any(|section| section.is_empty()) {
        return Err(format!("`{spec}` is not a volume: a part between colons is empty"));
    }
    let options = match sections[..] {
        [target] => {
            target.clone_into(&mut mount.target);
            return Ok(mount);
        }
        [source, target] => {
            source.clone_into(&mut mount.source);
            target.clone_into(&mut mount.target);
            ""
        }
        [source, target, options] => {
            source.clone_into(&mut mount.source);
            target.clone_into(&mut mount.target);
            options
        }
        _ => {
            return Err(format!(
                "`{spec}` is not a volume: write `source:target[:options]`, there are too many colons"
            ));
        }
    };
    for option in options.split(',') {
        match option {
            "ro" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" => mount.volume = Some(VolumeOptions { no_copy: true, ..VolumeOptions::default() }),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => mount.bind = Some(option.to_owned()),
            _ => (),
        }
    }
    if is_path(&mount.source) {
        "bind".clone_into(&mut mount.kind);
    }
    Ok(mount)
}

/// Splits at colons, except behind a single letter that begins a section: that is a Windows drive.
fn sections(spec: &str) -> Vec<&str> {
    let mut sections = Vec::new();
    let mut start = 0;
    for (at, _) in spec.match_indices(':') {
        let section = &spec[start..at];
        if !is_drive(section) {
            sections.push(section);
            start = at + 1;
        }
    }
    sections.push(&spec[start..]);
    sections
}

fn is_drive(section: &str) -> bool {
    let mut letters = section.chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
}

fn is_path(source: &str) -> bool {
    let drive = source.split_once(':').is_some_and(|(drive, _)| is_drive(drive));
    source.starts_with(['.', '/', '~']) || source.starts_with("\\\\") || drive
}

/// Where a bind mount leads to on the nodes.
fn bind_source(source: &str, around: Surroundings<'_>) -> Result<String, String> {
    if source.is_empty() {
        return Err("a bind mount needs a `source`".to_owned());
    }
    let expanded = match source.strip_prefix('~') {
        Some(rest) => match around.variables.get("HOME") {
            Some(home) => format!("{home}{rest}"),
            None => return Err(format!("`{source}` needs the variable `HOME`: set it, or use an absolute path")),
        },
        None => source.to_owned(),
    };
    if expanded.starts_with('/') || is_windows_absolute(&expanded) {
        return Ok(expanded);
    }
    match around.bind_base {
        Some(base) => Ok(join_clean(base, &expanded)),
        None => Err(format!(
            "the bind mount `{source}` is relative, but nothing says where it lies on the nodes: use an absolute path, \
             use a config, secret or volume instead, or set `bind_base` of the environment to the directory on the nodes \
             that relative paths count from"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spec: &str, kind: &str, source: &str, target: &str) {
        let mount = short(spec, &Place::of_file(0, "f")).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((&*mount.kind, &*mount.source, &*mount.target), (kind, source, target), "{spec}");
    }

    #[test]
    fn the_source_says_whether_it_is_a_bind() {
        check("/data", "volume", "", "/data");
        check("v:/data", "volume", "", "v:/data");
        check("vol:/data", "volume", "vol", "/data");
        check("./x:/data", "bind", "./x", "/data");
        check("~/x:/data:ro", "bind", "~/x", "/data");
        check("/a:/b", "bind", "/a", "/b");
        check("c:\\x:d:\\y", "bind", "c:\\x", "d:\\y");
        check("ab", "volume", "", "ab");
    }

    #[test]
    fn options_that_mean_nothing_are_passed_over() {
        let mount = short("/a:/b:ro,z,rslave", &Place::of_file(0, "f")).unwrap();
        assert!(mount.read_only);
        assert_eq!(mount.bind.as_deref(), Some("rslave"));
        let mount = short("vol:/b:nocopy", &Place::of_file(0, "f")).unwrap();
        assert!(mount.volume.unwrap().no_copy);
    }

    #[test]
    fn malformed_volumes_are_refused() {
        for spec in ["", "abc:", "abc::/x", "abc:/x:ro:more"] {
            assert!(short(spec, &Place::of_file(0, "f")).is_err(), "{spec}");
        }
    }
}
