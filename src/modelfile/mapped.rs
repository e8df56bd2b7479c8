//! A weight file mapped into memory, with its checked header.

use super::{GgufHeader, ModelFileError, SafetensorsIndex, TensorInfo};
use memmap2::Mmap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A validated GGUF file. The bytes stay in the file: the system pages them in and out.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    map: Mmap,
    header: GgufHeader,
}

impl WeightsFile {
    /// Maps `path` and validates its header.
    ///
    /// # Errors
    /// When the file cannot be read or is not a valid GGUF file.
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        let read = |source| ModelFileError::Read {
            path: path.to_owned(),
            source,
        };
        if is_safetensors(path) {
            return Err(ModelFileError::NotRunnable {
                file: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            });
        }
        let file = File::open(path).map_err(read)?;
        let map = map_file(&file).map_err(read)?;
        let header = GgufHeader::parse(&map)?;
        Ok(Self {
            path: path.to_owned(),
            map,
            header,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// True when the file has no bytes, which a valid file never is.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The checked header.
    pub fn header(&self) -> &GgufHeader {
        &self.header
    }

    /// The whole file; metadata arrays are read out of it.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The bytes of a tensor of this file.
    pub fn tensor_bytes(&self, tensor: &TensorInfo) -> &[u8] {
        let start = tensor.offset as usize;
        &self.map[start..start + tensor.bytes as usize]
    }
}

/// Whether a path is the main file of safetensors weights, by its name.
pub fn is_safetensors(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".safetensors") || SafetensorsIndex::is_name(&name)
}

/// Maps a whole file read-only.
#[expect(
    unsafe_code,
    reason = "memory mapping: the weights must not be copied, and there is no safe interface to it"
)]
fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private to this process. A weight file is content-addressed and replaced only by rename, so
    // its bytes do not change under the mapping; a user who truncates one in place while it runs gets SIGBUS, which ends the process
    // without unsound reads.
    unsafe { Mmap::map(file) }
}
