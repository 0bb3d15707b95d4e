//! Who this process is, as the Swarm sees it: from its container to the task, and from the task to the service.

use std::fs;

use release_manager::ports::{Identity, SwarmError};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::client::{Client, filter, segment};
use super::read;

/// What is known of this process without asking anybody.
#[derive(Debug, Clone)]
pub(super) struct Own {
    process: String,
    host: String,
    container: Option<String>,
    /// The service, once it was found: it stays the same for as long as the process lives.
    service: OnceCell<String>,
}

impl Own {
    /// Looks at the files in which Linux tells a process about itself.
    pub(super) fn look() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let host = text("/proc/sys/kernel/hostname").trim().to_owned();
        Self {
            process: process(&text("/proc/sys/kernel/random/uuid")),
            container: container(&text("/proc/self/mountinfo"), &text("/proc/self/cgroup")),
            host,
            service: OnceCell::new(),
        }
    }

    /// Asks the Swarm which service this process is a task of.
    pub(super) async fn identity(&self, client: &Client) -> Result<Identity, SwarmError> {
        let service = match (self.service.get(), &self.container) {
            (Some(service), _) => Some(service.clone()),
            (None, None) => None,
            (None, Some(container)) => service_of(client, container).await?,
        };
        if let Some(service) = &service {
            // Whoever was faster has found the same.
            let _ = self.service.set(service.clone());
        }
        let place = match (&service, &self.container) {
            (Some(service), Some(container)) => format!("service {service} (container {})", short(container)),
            (_, Some(container)) => format!("container {}", short(container)),
            _ => format!("process {} on host {}", std::process::id(), self.host),
        };
        Ok(Identity { place, process: self.process.clone(), service })
    }
}

fn short(container: &str) -> &str {
    container.get(..12).unwrap_or(container)
}

/// A name that no other process has: from the kernel's own random numbers, and from what tells processes apart where
/// there are none.
fn process(uuid: &str) -> String {
    let uuid = uuid.trim();
    if !uuid.is_empty() {
        return uuid.to_owned();
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let digest = Sha256::digest(format!("{} {}", std::process::id(), now.as_nanos()));
    format!("{:032x}", digest.iter().take(16).fold(0_u128, |all, byte| all << 8 | u128::from(*byte)))
}

/// The id of the container in which this process runs. Docker mounts a few files of each container into it, from a
/// directory with its id; older cgroups have it in their name.
fn container(mountinfo: &str, cgroup: &str) -> Option<String> {
    let own_files = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    let mounts = mountinfo.lines().filter(|line| {
        let target = line.split(' ').nth(4).unwrap_or_default();
        own_files.contains(&target)
    });
    let from_mounts =
        mounts.filter_map(|line| line.split(' ').nth(3)?.split("/containers/").nth(1).and_then(leading_id));
    let from_cgroups = cgroup.lines().flat_map(|line| line.split(['/', '-', ':', '.'])).filter_map(leading_id);
    from_mounts.chain(from_cgroups).next()
}

/// The 64 hex digits that a text begins with.
fn leading_id(text: &str) -> Option<String> {
    let id = text.get(..64)?;
    let ends = text[64..].chars().next().is_none_or(|next| !next.is_ascii_alphanumeric());
    (ends && id.chars().all(|c| c.is_ascii_digit() || matches!(c, 'a'..='f'))).then(|| id.to_owned())
}

/// The service whose task has this container, on whichever node that runs.
async fn service_of(client: &Client, container: &str) -> Result<Option<String>, SwarmError> {
    let running = filter("desired-state", &["running"]).to_string();
    let tasks = client.get("/tasks", &[("filters", &running)]).await?;
    let is_own = |task: &&Value| read::text(task, "/Status/ContainerStatus/ContainerID") == Some(container);
    let own = tasks.as_array().into_iter().flatten().find(is_own);
    if let Some(id) = own.and_then(|task| read::text(task, "/ServiceID")) {
        let service = client.get(&format!("/services/{}", segment(id)), &[]).await?;
        return Ok(read::text(&service, "/Spec/Name").map(str::to_owned));
    }
    // A task tells of its container only some moments after that has started; its labels are there from the beginning,
    // on the node that it runs on.
    match client.get(&format!("/containers/{}/json", segment(container)), &[]).await {
        Ok(found) => {
            let labels = found.pointer("/Config/Labels");
            let name = labels.and_then(|labels| labels.get("com.docker.swarm.service.name")).and_then(Value::as_str);
            Ok(name.map(str::to_owned))
        }
        // Not a container of that node, or an Engine that does not show containers.
        Err(SwarmError::NotFound(_) | SwarmError::Refused(_) | SwarmError::Unreadable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "6f1e3a52c0b94d7788e1d2c3b4a5968778695a4b3c2d1e0f99887766554433aa";

    #[track_caller]
    fn check(mountinfo: &str, cgroup: &str, expected: Option<&str>) {
        assert_eq!(container(mountinfo, cgroup).as_deref(), expected);
    }

    #[test]
    fn a_container_is_known_by_its_own_files() {
        let mounts = format!(
            "620 615 254:1 / / rw - overlay overlay rw\n\
             641 620 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n"
        );
        check(&mounts, "0::/\n", Some(ID));
    }

    #[test]
    fn a_container_is_known_by_its_cgroup() {
        check("", &format!("12:pids:/docker/{ID}\n"), Some(ID));
        check("", &format!("0::/system.slice/docker-{ID}.scope\n"), Some(ID));
    }

    #[test]
    fn what_is_no_container_has_no_id() {
        check("620 615 254:1 / / rw - ext4 /dev/vda1 rw\n", "0::/user.slice/user-0.slice/session-1.scope\n", None);
        // A volume of Docker's is mounted, but these are not our own files.
        let volume = format!("7 6 254:1 /var/lib/docker/containers/{ID}/hostname /mnt/x rw - ext4 /dev/vda1 rw\n");
        check(&volume, "0::/\n", None);
        check("", &format!("0::/docker/{ID}0\n"), None);
    }

    #[test]
    fn two_processes_have_two_names() {
        assert_eq!(process(" 0f3c \n"), "0f3c");
        assert_eq!(process("").len(), 32);
    }
}
