//! Digests of files, computed once for each state of a file.
//!
//! A stamp is a small file named after the path it speaks of; it holds the digest with the size and the time of change it was computed for.
//! When either differs the digest is computed again. A stamp that cannot be read or written costs time and nothing else.

use super::progress::Step;
use super::{HubError, Progress};
use crate::record::Digest;
use sha2::Digest as _;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const FORMAT: &str = "evalh stamp 1";

/// The folder of stamps.
#[derive(Debug, Clone)]
pub(crate) struct Stamps {
    folder: PathBuf,
}

/// A file's digest and size, as of one look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) sha256: Digest,
    pub(crate) bytes: u64,
}

impl Stamps {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The digest of a file, from its stamp when that still fits.
    pub(crate) fn digest(&self, path: &Path, progress: &dyn Progress) -> Result<Hashed, HubError> {
        let metadata = std::fs::metadata(path).map_err(HubError::io("read", path))?;
        match self.read(path, &metadata) {
            Some(sha256) => Ok(Hashed {
                sha256,
                bytes: metadata.len(),
            }),
            None => self.compute(path, progress),
        }
    }

    /// The digest of a file, read from its first to its last byte, and its stamp renewed.
    pub(crate) fn compute(&self, path: &Path, progress: &dyn Progress) -> Result<Hashed, HubError> {
        let hashed = hash_file(path, progress)?;
        self.write(path, &hashed.sha256);
        Ok(hashed)
    }

    /// Writes down a digest that was computed while the file was written.
    pub(crate) fn write(&self, path: &Path, sha256: &Digest) {
        let Some((key, text)) = std::fs::metadata(path)
            .ok()
            .and_then(|m| Some((self.file_of(path)?, content(path, &m, sha256)?)))
        else {
            return;
        };
        // A stamp only saves time: when it cannot be written the file is read again next time.
        let _ = std::fs::create_dir_all(&self.folder)
            .and_then(|()| super::blobs::write_whole(&key, text.as_bytes()));
    }

    fn read(&self, path: &Path, metadata: &Metadata) -> Option<Digest> {
        let text = std::fs::read_to_string(self.file_of(path)?).ok()?;
        let sha256 = Digest::from_hex(text.lines().nth(3)?)?;
        (content(path, metadata, &sha256)? == text).then_some(sha256)
    }

    fn file_of(&self, path: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(path).ok()?;
        let name = Digest::of(absolute.as_os_str().as_encoded_bytes());
        Some(self.folder.join(name.as_str()))
    }
}

/// The text of a stamp; `None` for a file without a time of change after 1970.
fn content(path: &Path, metadata: &Metadata, sha256: &Digest) -> Option<String> {
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Some(format!(
        "{FORMAT}\n{}\n{}\n{sha256}\n{}\n",
        metadata.len(),
        changed.as_nanos(),
        name.escape_debug()
    ))
}

/// Reads a whole file and computes its digest.
pub(crate) fn hash_file(path: &Path, progress: &dyn Progress) -> Result<Hashed, HubError> {
    let mut file = File::open(path).map_err(HubError::io("open", path))?;
    let total = file.metadata().map(|m| m.len()).ok();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let _step = Step::begin(progress, &name, total);
    progress.phase("computing the SHA-256");
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        if progress.cancelled() {
            return Err(HubError::Interrupted);
        }
        let n = file.read(&mut buffer).map_err(HubError::io("read", path))?;
        if n == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..n]);
        progress.advance(n as u64);
    }
}

/// A digest that grows with a file.
#[derive(Default)]
pub(crate) struct Hasher {
    inner: sha2::Sha256,
    bytes: u64,
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) fn finish(self) -> Hashed {
        Hashed {
            sha256: Digest::from_raw(&self.inner.finalize()),
            bytes: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Silent;
    use super::*;

    #[test]
    fn a_stamp_holds_until_size_or_time_change() {
        let folder = tempfile::tempdir().unwrap();
        let stamps = Stamps::new(folder.path().join("stamps"));
        let file = folder.path().join("w.gguf");
        std::fs::write(&file, b"one").unwrap();
        let time = UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let touch = |t| {
            File::options()
                .append(true)
                .open(&file)
                .unwrap()
                .set_modified(t)
                .unwrap();
        };
        touch(time);
        assert_eq!(
            stamps.digest(&file, &Silent).unwrap().sha256,
            Digest::of(b"one")
        );
        // Same size and time: the stamp answers, which shows that the file is not read again.
        std::fs::write(&file, b"two").unwrap();
        touch(time);
        assert_eq!(
            stamps.digest(&file, &Silent).unwrap().sha256,
            Digest::of(b"one")
        );
        assert_eq!(
            stamps.compute(&file, &Silent).unwrap().sha256,
            Digest::of(b"two")
        );
        assert_eq!(
            stamps.digest(&file, &Silent).unwrap().sha256,
            Digest::of(b"two")
        );
        touch(time + std::time::Duration::from_nanos(1));
        std::fs::write(&file, b"six").unwrap();
        assert_eq!(
            stamps.digest(&file, &Silent).unwrap().sha256,
            Digest::of(b"six")
        );
        std::fs::write(&file, b"eleven").unwrap();
        let hashed = stamps.digest(&file, &Silent).unwrap();
        assert_eq!((hashed.sha256, hashed.bytes), (Digest::of(b"eleven"), 6));
    }

    #[test]
    fn a_damaged_stamp_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let stamps = Stamps::new(folder.path().join("stamps"));
        let file = folder.path().join("w.gguf");
        std::fs::write(&file, b"one").unwrap();
        stamps.digest(&file, &Silent).unwrap();
        let stamp = stamps.file_of(&file).unwrap();
        for text in ["", "evalh stamp 1\n3\n", "\u{0}\u{0}"] {
            std::fs::write(&stamp, text).unwrap();
            assert_eq!(
                stamps.digest(&file, &Silent).unwrap().sha256,
                Digest::of(b"one")
            );
        }
    }
}
