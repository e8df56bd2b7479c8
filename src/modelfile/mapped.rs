//! Weights mapped into memory: a GGUF file, or a set of safetensors with its configuration.

use super::{
    Dtype, GgufHeader, MAX_CONFIG_BYTES, ModelFileError, SafetensorsIndex, SafetensorsSet,
    TensorInfo, safetensors::in_file,
};
use memmap2::Mmap;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration beside safetensors weights.
const CONFIG: &str = "config.json";

/// A tensor and the file it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedTensor {
    /// Its declaration.
    pub info: TensorInfo,
    file: usize,
}

/// Tensors of one or several mapped files, by name. The bytes stay in the files: the system pages them in and out.
#[derive(Debug)]
pub struct TensorMap {
    files: Arc<Vec<Mmap>>,
    tensors: BTreeMap<String, MappedTensor>,
    /// Tensors of types that no operation here reads.
    unreadable: BTreeMap<String, Dtype>,
}

impl TensorMap {
    fn of_gguf(map: Mmap, header: &GgufHeader) -> Self {
        let tensor = |info: &TensorInfo| MappedTensor {
            info: info.clone(),
            file: 0,
        };
        let tensors = header.tensors.iter();
        Self {
            tensors: tensors.map(|(name, t)| (name.clone(), tensor(t))).collect(),
            unreadable: BTreeMap::new(),
            files: Arc::new(vec![map]),
        }
    }

    fn of_set(set: &SafetensorsSet) -> Result<Self, ModelFileError> {
        let maps: Result<Vec<Mmap>, _> = set.files.iter().map(|path| map_path(path)).collect();
        let files = maps?;
        let (mut tensors, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        for (name, (file, tensor)) in &set.tensors {
            // The headers were read before the files were mapped.
            if tensor.offset.saturating_add(tensor.bytes) > files[*file].len() as u64 {
                return Err(ModelFileError::Tensor {
                    name: name.clone(),
                    why: "lies behind the end of its file, which was changed meanwhile".to_owned(),
                });
            }
            match tensor.info(name) {
                Some(info) => {
                    let mapped = MappedTensor { info, file: *file };
                    tensors.insert(name.clone(), mapped);
                }
                None => {
                    unreadable.insert(name.clone(), tensor.dtype);
                }
            }
        }
        Ok(Self {
            files: Arc::new(files),
            tensors,
            unreadable,
        })
    }

    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&MappedTensor> {
        self.tensors.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Tensors of types that no operation here reads, with their types.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, Dtype)> {
        self.unreadable.iter().map(|(n, d)| (n.as_str(), *d))
    }

    /// The bytes of a tensor of this map.
    pub fn bytes(&self, tensor: &MappedTensor) -> &[u8] {
        let start = tensor.info.offset as usize;
        &self.files[tensor.file][start..start + tensor.info.bytes as usize]
    }

    /// The same tensors under other names; those for which `rename` has none are left out.
    ///
    /// # Errors
    /// When two tensors would have one name.
    pub fn renamed(&self, rename: impl Fn(&str) -> Option<String>) -> Result<Self, ModelFileError> {
        let mut renamed = Self {
            files: Arc::clone(&self.files),
            tensors: BTreeMap::new(),
            unreadable: BTreeMap::new(),
        };
        let mut taken: BTreeMap<String, &str> = BTreeMap::new();
        for name in self.tensors.keys().chain(self.unreadable.keys()) {
            let Some(new) = rename(name) else { continue };
            if let Some(other) = taken.insert(new.clone(), name) {
                return Err(ModelFileError::Tensor {
                    name: name.clone(),
                    why: format!("and `{other}` have one place between them"),
                });
            }
            if let Some(tensor) = self.tensors.get(name) {
                renamed.tensors.insert(new, tensor.clone());
            } else if let Some(dtype) = self.unreadable.get(name) {
                renamed.unreadable.insert(new, *dtype);
            }
        }
        Ok(renamed)
    }

    /// Takes a tensor out.
    pub fn remove(&mut self, name: &str) {
        self.tensors.remove(name);
    }
}

/// A validated GGUF file.
#[derive(Debug)]
pub struct WeightsFile {
    path: PathBuf,
    header: GgufHeader,
    tensors: Arc<TensorMap>,
}

impl WeightsFile {
    /// Maps `path` and validates its header.
    ///
    /// # Errors
    /// When the file cannot be read or is not a valid GGUF file.
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        let map = map_path(path)?;
        let header = GgufHeader::parse(&map)?;
        Ok(Self {
            path: path.to_owned(),
            tensors: Arc::new(TensorMap::of_gguf(map, &header)),
            header,
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checked header.
    pub fn header(&self) -> &GgufHeader {
        &self.header
    }

    /// The whole file; metadata arrays are read out of it.
    pub fn bytes(&self) -> &[u8] {
        &self.tensors.files[0]
    }

    /// Its tensors.
    pub fn tensors(&self) -> &Arc<TensorMap> {
        &self.tensors
    }
}

/// Validated safetensors weights with the configuration beside them.
#[derive(Debug)]
pub struct SafetensorsFiles {
    main: PathBuf,
    config: Vec<u8>,
    set: SafetensorsSet,
    tensors: Arc<TensorMap>,
}

impl SafetensorsFiles {
    /// Maps every file of the set whose main file is `main` and reads `config.json` beside it.
    ///
    /// # Errors
    /// When a file is missing, cannot be read or is not valid.
    pub fn open(main: &Path) -> Result<Self, ModelFileError> {
        let config = main.with_file_name(CONFIG);
        let config = in_file(&config, read_config(&config))?;
        let set = SafetensorsSet::open(main)?;
        let tensors = Arc::new(TensorMap::of_set(&set)?);
        Ok(Self {
            main: main.to_owned(),
            config,
            set,
            tensors,
        })
    }

    /// The main file: the only one, or the index.
    pub fn path(&self) -> &Path {
        &self.main
    }

    /// The text of `config.json`, which nobody has looked at yet.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// Headers of all files.
    pub fn set(&self) -> &SafetensorsSet {
        &self.set
    }

    /// Their tensors.
    pub fn tensors(&self) -> &Arc<TensorMap> {
        &self.tensors
    }
}

/// The weights of a model, whatever their format.
#[derive(Debug)]
pub enum ModelFile {
    /// One file with everything.
    Gguf(WeightsFile),
    /// Weights, configuration and tokenizer in files of their own.
    Safetensors(SafetensorsFiles),
}

impl ModelFile {
    /// Maps and validates the weights whose main file is `path`.
    ///
    /// # Errors
    /// When a file is missing, cannot be read or is not valid.
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        Ok(if is_safetensors(path) {
            Self::Safetensors(SafetensorsFiles::open(path)?)
        } else {
            Self::Gguf(WeightsFile::open(path)?)
        })
    }

    /// Where the main file is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Gguf(file) => file.path(),
            Self::Safetensors(files) => files.path(),
        }
    }

    /// Number of values in all tensors.
    pub fn parameters(&self) -> u64 {
        match self {
            Self::Gguf(file) => file.header().parameters(),
            Self::Safetensors(files) => files.set().parameters(),
        }
    }
}

/// Whether a path is the main file of safetensors weights, by its name.
pub fn is_safetensors(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".safetensors") || SafetensorsIndex::is_name(&name)
}

fn read_config(path: &Path) -> Result<Vec<u8>, ModelFileError> {
    let read = |source| ModelFileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    let file = File::open(path).map_err(read)?;
    let mut bounded = file.take(MAX_CONFIG_BYTES as u64 + 1);
    bounded.read_to_end(&mut text).map_err(read)?;
    if text.len() > MAX_CONFIG_BYTES {
        return Err(ModelFileError::Limit {
            what: "the size of the configuration",
            found: text.len() as u64,
            limit: MAX_CONFIG_BYTES as u64,
            offset: 0,
        });
    }
    Ok(text)
}

fn map_path(path: &Path) -> Result<Mmap, ModelFileError> {
    let read = |source| ModelFileError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    map_file(&file).map_err(read)
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
