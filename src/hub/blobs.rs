//! evalh's own cache: weights by content.
//!
//! `blobs/<sha256>/<file name>` with a note of where the file came from, `stamps/` for digests, `locks/` for one writer a model, `tmp/<model>/`
//! and `partial/` for what is not complete. A name below `blobs/` is there only when the file is whole.

use super::stamp::Stamps;
use super::{HubError, Progress};
use crate::record::Digest;
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The note beside a weight file.
const NOTE: &str = ".source";

/// The cache folder.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    root: PathBuf,
}

/// Where a cached file came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Note {
    pub(crate) source: String,
    pub(crate) commit: Option<String>,
}

/// One writer at a time; released when dropped, also by a process that is killed.
pub(crate) struct Guard {
    _file: File,
}

impl Blobs {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn stamps(&self) -> Stamps {
        Stamps::new(self.root.join("stamps"))
    }

    fn folder(&self, sha256: &Digest) -> PathBuf {
        self.root.join("blobs").join(sha256.as_str())
    }

    /// The file kept for a digest, with its note. A link whose target is gone counts as absent.
    pub(crate) fn find(&self, sha256: &Digest) -> Option<(PathBuf, Note)> {
        let folder = self.folder(sha256);
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .ok()?
            .filter_map(Result::ok)
            .filter(|e| !e.file_name().as_encoded_bytes().starts_with(b"."))
            .map(|e| e.path())
            .filter(|p| p.is_file())
            .collect();
        // The order of a folder is not fixed.
        files.sort();
        let named = |end: &str| {
            let ends = |p: &&PathBuf| p.to_string_lossy().ends_with(end);
            files.iter().find(ends)
        };
        // Of several files the one that stands for the others.
        let main = named(".safetensors.index.json")
            .or_else(|| named(".safetensors"))
            .or_else(|| files.first())?;
        Some((main.clone(), read_note(&folder)))
    }

    /// Takes a damaged file out of the cache.
    pub(crate) fn discard(&self, sha256: &Digest) -> Result<(), HubError> {
        let folder = self.folder(sha256);
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(HubError::io("remove", folder)(e))
            }
            _ => Ok(()),
        }
    }

    /// Moves a whole, verified file into the cache.
    pub(crate) fn adopt(
        &self,
        file: &Path,
        sha256: &Digest,
        name: &str,
        note: &Note,
    ) -> Result<PathBuf, HubError> {
        sync_file(file)?;
        let target = self.prepare(sha256, name, note)?;
        std::fs::rename(file, &target).map_err(HubError::io("rename to", &target))?;
        if let Some(folder) = target.parent() {
            sync_folder(folder);
        }
        self.stamps().write(&target, sha256);
        Ok(target)
    }

    /// Makes a file that belongs to another cache known under its digest: by a hard link, else by a symbolic one, else it is used where it is.
    pub(crate) fn link(
        &self,
        file: &Path,
        sha256: &Digest,
        name: &str,
        note: &Note,
    ) -> Result<PathBuf, HubError> {
        let linked = self.link_into(file, sha256, name, note)?;
        if linked != file {
            self.stamps().write(&linked, sha256);
        }
        Ok(linked)
    }

    /// Links a file into the folder of a digest, which may be that of a set the file is a part of.
    fn link_into(
        &self,
        file: &Path,
        sha256: &Digest,
        name: &str,
        note: &Note,
    ) -> Result<PathBuf, HubError> {
        let real = std::fs::canonicalize(file).map_err(HubError::io("resolve", file))?;
        let target = self.prepare(sha256, name, note)?;
        let temporary = target.with_file_name(format!(".link-{}", std::process::id()));
        let _ = std::fs::remove_file(&temporary);
        if std::fs::hard_link(&real, &temporary)
            .or_else(|_| symlink(&real, &temporary))
            .is_err()
        {
            return Ok(file.to_owned());
        }
        std::fs::rename(&temporary, &target).map_err(HubError::io("rename to", &target))?;
        if let Some(folder) = target.parent() {
            sync_folder(folder);
        }
        Ok(target)
    }

    /// Makes the files of a set known under its digest; the main one comes last, so that the set is there only when it is whole.
    pub(crate) fn link_set(
        &self,
        main: &Path,
        files: &[PathBuf],
        sha256: &Digest,
        note: &Note,
    ) -> Result<PathBuf, HubError> {
        for file in files.iter().filter(|f| *f != main) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let target = self.link_into(file, sha256, &name, note)?;
            if target == *file {
                // Nothing can be linked here: the set is used where it is.
                self.discard(sha256)?;
                return Ok(main.to_owned());
            }
        }
        let name = main.file_name().unwrap_or_default().to_string_lossy();
        self.link_into(main, sha256, &name, note)
    }

    fn prepare(&self, sha256: &Digest, name: &str, note: &Note) -> Result<PathBuf, HubError> {
        let folder = self.folder(sha256);
        std::fs::create_dir_all(&folder).map_err(HubError::io("create", &folder))?;
        let commit = note.commit.as_deref().unwrap_or_default();
        let text = format!("{}\n{commit}\n", note.source);
        let file = folder.join(NOTE);
        write_whole(&file, text.as_bytes()).map_err(HubError::io("write", &file))?;
        Ok(folder.join(file_name(name)))
    }

    /// A folder for one fetch, empty. What an earlier, killed fetch of the same model left in it is removed; the caller holds the model's lock.
    pub(crate) fn scratch(&self, model: &str) -> Result<Scratch, HubError> {
        let folder = self.root.join("tmp").join(file_name(model));
        match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(HubError::io("remove", folder)(e));
            }
            _ => {}
        }
        std::fs::create_dir_all(&folder).map_err(HubError::io("create", &folder))?;
        Ok(Scratch { folder })
    }

    /// Where a plain download that can be resumed is written.
    #[cfg(feature = "hub")]
    pub(crate) fn partial(&self, sha256: &Digest) -> Result<PathBuf, HubError> {
        let folder = self.root.join("partial");
        std::fs::create_dir_all(&folder).map_err(HubError::io("create", &folder))?;
        Ok(folder.join(format!("{sha256}.part")))
    }

    /// Waits until no other thread or process fetches the model.
    pub(crate) fn lock(&self, model: &str, progress: &dyn Progress) -> Result<Guard, HubError> {
        let folder = self.root.join("locks");
        lock_file(&folder.join(format!("{}.lock", file_name(model))), progress)
    }
}

/// A folder that is removed with everything in it.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is removed by the next fetch of the model.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits for the lock on a file, which is created when it is not there.
pub(crate) fn lock_file(path: &Path, progress: &dyn Progress) -> Result<Guard, HubError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(HubError::io("open", path))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Guard { _file: file }),
            Err(TryLockError::Error(e)) => return Err(HubError::io("lock", path)(e)),
            Err(TryLockError::WouldBlock) if progress.cancelled() => {
                return Err(HubError::Interrupted);
            }
            Err(TryLockError::WouldBlock) => {
                if !told {
                    progress.phase("waiting for another evalh that fetches the same files");
                    told = true;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Writes a small file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // Temporary files are private to the user; these are ordinary files.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path)?;
    sync_folder(folder);
    Ok(())
}

pub(crate) fn sync_file(path: &Path) -> Result<(), HubError> {
    File::open(path)
        .and_then(|f| f.sync_all())
        .map_err(HubError::io("flush", path))
}

/// Flushes a rename to the disk, where the system can.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(file) = File::open(folder) {
        // Some file systems refuse to flush a folder; the rename itself has happened.
        let _ = file.sync_all();
    }
}

#[cfg(unix)]
pub(crate) fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
pub(crate) fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// The last part of a path or URL as a file name that is safe everywhere.
pub(crate) fn file_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c,
            _ => '_',
        })
        .take(200)
        .collect();
    match plain.trim_start_matches('.') {
        "" => "weights".to_owned(),
        name => name.to_owned(),
    }
}

fn read_note(folder: &Path) -> Note {
    let text = std::fs::read_to_string(folder.join(NOTE)).unwrap_or_default();
    let mut lines = text.lines();
    Note {
        source: lines.next().unwrap_or_default().to_owned(),
        commit: lines
            .next()
            .filter(|c| !c.is_empty())
            .map(ToOwned::to_owned),
    }
}
