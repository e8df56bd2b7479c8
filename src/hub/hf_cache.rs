//! The cache that Hugging Face's tools share: `models--OWNER--REPO/{refs,blobs,snapshots}`. Pure file system, no network.

#[cfg(feature = "hub")]
use super::HubError;
use super::local::choose;
use super::set;
use crate::config::{HfSource, is_safe_inner_path};
use std::path::{Path, PathBuf};

/// The root of the shared cache.
#[derive(Debug, Clone)]
pub(crate) struct HfCache {
    root: PathBuf,
}

/// A file of a repository that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedFile {
    pub(crate) commit: String,
    pub(crate) file: String,
    pub(crate) path: PathBuf,
}

impl HfCache {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn repo_folder(&self, source: &HfSource) -> PathBuf {
        self.root
            .join(format!("models--{}--{}", source.owner, source.repo))
    }

    /// The commit a revision meant when it was last resolved here.
    pub(crate) fn commit(&self, source: &HfSource) -> Option<String> {
        let revision = source.revision_or_main();
        if source.is_pinned() {
            return Some(revision.to_ascii_lowercase());
        }
        let file = self.repo_folder(source).join("refs").join(revision);
        let text = std::fs::read_to_string(file).ok()?;
        let commit = text.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// The file a source means at a commit, if it is here whole.
    pub(crate) fn find(&self, source: &HfSource, commit: &str) -> Option<CachedFile> {
        let folder = self.repo_folder(source).join("snapshots").join(commit);
        let mut names = Vec::new();
        list(&folder, "", 4, &mut names);
        let file = choose(&source.repo_id(), source.file.as_deref(), &names).ok()?;
        let path = folder.join(&file);
        // Of a set every file has to be here.
        let whole = path.is_file() && (!set::is_main(&file) || set::members(&path).is_ok());
        whole.then(|| CachedFile {
            commit: commit.to_owned(),
            file,
            path,
        })
    }
}

/// What the hub said about a file: enough to store it where other tools find it.
#[cfg(feature = "hub")]
impl HfCache {
    pub(crate) fn blob(&self, source: &HfSource, etag: &str) -> PathBuf {
        self.repo_folder(source).join("blobs").join(etag)
    }

    pub(crate) fn lock_path(&self, source: &HfSource, etag: &str) -> PathBuf {
        let folder = format!("models--{}--{}", source.owner, source.repo);
        self.root
            .join(".locks")
            .join(folder)
            .join(format!("{etag}.lock"))
    }

    /// Makes a whole blob visible under its commit, path and revision.
    pub(crate) fn publish(
        &self,
        source: &HfSource,
        commit: &str,
        file: &str,
        etag: &str,
    ) -> Result<PathBuf, HubError> {
        let repo = self.repo_folder(source);
        let pointer = repo.join("snapshots").join(commit).join(file);
        let folder = pointer.parent().unwrap_or(&repo);
        std::fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
        let up = "../".repeat(2 + file.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{etag}"));
        let temporary = folder.join(format!(".evalh-{}-{etag}", std::process::id()));
        let _ = std::fs::remove_file(&temporary);
        super::blobs::symlink(&target, &temporary)
            .or_else(|_| std::fs::copy(self.blob(source, etag), &temporary).map(|_| ()))
            .map_err(HubError::io("link", &temporary))?;
        std::fs::rename(&temporary, &pointer).map_err(HubError::io("rename to", &pointer))?;
        if !source.is_pinned() {
            let reference = repo.join("refs").join(source.revision_or_main());
            let folder = reference.parent().unwrap_or(&repo);
            std::fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
            super::blobs::write_whole(&reference, commit.as_bytes())
                .map_err(HubError::io("write", &reference))?;
        }
        Ok(pointer)
    }
}

/// True for 40 lower-case hexadecimal digits.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The files below a folder, as paths with `/`; names that are not plain are left out.
fn list(folder: &Path, prefix: &str, depth: u32, into: &mut Vec<String>) {
    const MOST: usize = 10_000;
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let Some(name) = entry.file_name().to_str().map(ToOwned::to_owned) else {
            continue;
        };
        let inner = format!("{prefix}{name}");
        let path = entry.path();
        if into.len() >= MOST || name.starts_with('.') || !is_safe_inner_path(&inner) {
            continue;
        }
        // Files are links into `blobs/`; a folder is never a link.
        if path.is_file() {
            into.push(inner);
        } else if depth > 0 && path.is_dir() && !path.is_symlink() {
            list(&path, &format!("{inner}/"), depth - 1, into);
        }
    }
}
