//! Short files and folders of the system.

use super::{HostError, Probe};
use std::io;
use std::path::Path;

/// The whole text of a file of the system. These are short; at most 1 MB is read.
pub(super) fn read(path: &Path) -> Probe<String> {
    use io::Read as _;
    const MOST_BYTES: u64 = 1 << 20;
    let failed = |source| HostError::Read {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an error only says that a file is not there.
pub(super) fn is_absent(error: &HostError) -> bool {
    matches!(error, HostError::Read { source, .. }
        if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

/// Names in a folder, sorted; nothing when it is not there.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
