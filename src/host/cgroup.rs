//! Memory limits of control groups, versions 1 and 2.
//!
//! A limit of any ancestor holds, so all of them are read. A container often sees its own group as the root of the mount while
//! `/proc/self/cgroup` names the path on the host: then the folder is not there and only the mount's root counts.

use super::file::{is_absent, read};
use super::{HostError, MemoryLimit, Probe};
use crate::units::Bytes;
use std::path::{Component, Path, PathBuf};

/// How one version names its files.
struct Version {
    /// Folders where the hierarchy may be mounted.
    mounts: &'static [&'static str],
    limit: &'static str,
    usage: &'static str,
    /// The line of `memory.stat` with file pages that can be dropped at once.
    droppable: &'static str,
    name: &'static str,
}

const V1: Version = Version {
    mounts: &["sys/fs/cgroup/memory"],
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    droppable: "total_inactive_file",
    name: "control group (version 1)",
};

const V2: Version = Version {
    mounts: &["sys/fs/cgroup", "sys/fs/cgroup/unified"],
    limit: "memory.max",
    usage: "memory.current",
    droppable: "inactive_file",
    name: "control group (version 2)",
};

/// "No limit" is written as the largest page-aligned number in version 1; nothing near it is a limit.
const UNLIMITED: u64 = 1 << 62;

/// Every limit that holds for this process, the tightest first.
pub(super) fn limits(root: &Path) -> Probe<Vec<MemoryLimit>> {
    let membership = match read(&root.join("proc/self/cgroup")) {
        Ok(text) => text,
        // A kernel without control groups has no limits.
        Err(e) if is_absent(&e) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut all = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let version = if controllers.is_empty() {
            &V2
        } else if controllers.split(',').any(|c| c == "memory") {
            &V1
        } else {
            continue;
        };
        for mount in version.mounts {
            for folder in ancestors(&root.join(mount), path) {
                all.extend(limit_of(&folder, version)?);
            }
        }
    }
    all.sort_by_key(|limit| limit.bytes);
    Ok(all)
}

/// The group's folder and all folders above it up to the mount. A path that leads out of the mount counts as the mount.
fn ancestors(mount: &Path, path: &str) -> Vec<PathBuf> {
    let inside: PathBuf = Path::new(path)
        .components()
        .filter(|c| !matches!(c, Component::RootDir))
        .collect();
    let leads_out = inside.components().any(|c| c == Component::ParentDir);
    if leads_out {
        return vec![mount.to_owned()];
    }
    inside.ancestors().map(|part| mount.join(part)).collect()
}

fn limit_of(folder: &Path, version: &Version) -> Probe<Option<MemoryLimit>> {
    let path = folder.join(version.limit);
    let text = match read(&path) {
        Ok(text) => text,
        Err(e) if is_absent(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    if text.trim() == "max" {
        return Ok(None);
    }
    let bytes: u64 = text.trim().parse().map_err(|_| HostError::Field {
        path,
        field: version.limit,
    })?;
    if bytes >= UNLIMITED {
        return Ok(None);
    }
    Ok(Some(MemoryLimit {
        bytes: Bytes(bytes),
        available: used(folder, version).map(|used| Bytes(bytes.saturating_sub(used))),
        origin: version.name.to_owned(),
    }))
}

/// Bytes in use that cannot be dropped at once; `None` when the group does not say.
fn used(folder: &Path, version: &Version) -> Option<u64> {
    let usage: u64 = read(&folder.join(version.usage))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let stat = read(&folder.join("memory.stat")).unwrap_or_default();
    let droppable = stat
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == version.droppable)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    Some(usage.saturating_sub(droppable))
}
