//! What every operation has at hand: the console, the environment, the folder, the time of the call.

use crate::cli::{CatalogSettings, Environment, Setting};
use crate::clock::{self, Timestamp};
use crate::config::{self, Catalog};
use crate::console::{Console, DownloadProgress};
use crate::cost::PriceCard;
use crate::error::EvalhError;
use crate::host;
use crate::hub::{HfEnv, Hub, HubSettings, Progress, Silent};
use crate::store::{Store, StoreError};
use crate::units::Bytes;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where runs are kept when nothing else is said.
const DEFAULT_DB: &str = "results/evalh.sqlite";

/// What every operation has at hand.
pub(super) struct Session {
    pub(super) console: Console,
    pub(super) env: Environment,
    pub(super) folder: PathBuf,
    pub(super) argv: Vec<String>,
    /// When the program was called; what templates are told as today.
    pub(super) now: Timestamp,
}

/// Download progress on the console.
pub(super) struct Downloads(DownloadProgress);

impl Progress for Downloads {
    fn begin(&self, name: &str, total: Option<u64>) {
        self.0.begin(name, total);
    }
    fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
    fn phase(&self, text: &str) {
        self.0.phase(text);
    }
    fn finish(&self) {
        self.0.finish();
    }
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

impl Session {
    pub(super) fn new(
        console: Console,
        env: Environment,
        folder: PathBuf,
        argv: Vec<String>,
    ) -> Self {
        Self {
            console,
            env,
            folder,
            argv,
            now: clock::wall(),
        }
    }

    /// Prints data to standard output.
    pub(super) fn print(&self, text: &str) -> Result<(), EvalhError> {
        Ok(self.console.print_data(text)?)
    }

    /// Prints one JSON object on a line.
    pub(super) fn print_json(&self, value: &serde_json::Value) -> Result<(), EvalhError> {
        self.print(&format!("{value}\n"))
    }

    /// Writes a file whole or not at all, making its folder.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), EvalhError> {
        let path = self.folder.join(path);
        let fail = |source| EvalhError::Output {
            path: path.clone(),
            source,
        };
        let folder = path.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(fail)?;
        // A temporary file is private; what is written here is the user's, as the system's mask has it.
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(fail)?;
        std::io::Write::write_all(&mut file, bytes).map_err(fail)?;
        file.persist(&path).map_err(|e| fail(e.error))?;
        Ok(())
    }

    /// Reads a text file the user named.
    pub(super) fn read(&self, path: &Path) -> Result<String, EvalhError> {
        std::fs::read_to_string(self.folder.join(path)).map_err(|source| EvalhError::Input {
            path: path.to_owned(),
            source,
        })
    }

    /// A path with `~` taken as the home folder.
    pub(super) fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.env.text("HOME")) {
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.to_owned(),
        }
    }

    /// The catalogue in force.
    pub(super) fn catalog(&self, settings: &CatalogSettings) -> Result<Catalog, EvalhError> {
        Ok(Catalog::load(
            settings.catalog.value.as_deref(),
            &self.folder,
        )?)
    }

    /// The price card in force.
    pub(super) fn prices(&self, named: &Setting<Option<PathBuf>>) -> Result<PriceCard, EvalhError> {
        Ok(config::load_prices(named.value.as_deref(), &self.folder)?)
    }

    /// The memory budget and where it came from, in words.
    pub(super) fn budget(
        &self,
        asked: &Setting<Option<Bytes>>,
    ) -> Result<(Bytes, String), EvalhError> {
        match asked.value {
            Some(bytes) => Ok((bytes, format!("given as {}", asked.origin.as_str()))),
            None => Ok(host::default_budget()?),
        }
    }

    /// The database's path.
    pub(super) fn db_path(&self, asked: &Setting<Option<PathBuf>>) -> PathBuf {
        self.folder
            .join(asked.value.as_deref().unwrap_or(Path::new(DEFAULT_DB)))
    }

    /// The database when no flag names one.
    pub(super) fn default_db(&self) -> PathBuf {
        self.folder
            .join(self.env.text("EVALH_DB").unwrap_or(DEFAULT_DB))
    }

    /// evalh's own cache of model files.
    pub(super) fn cache(&self) -> Option<PathBuf> {
        let named = self
            .env
            .text("EVALH_CACHE")
            .map(|text| self.folder.join(text));
        named.or_else(|| config::cache_folder(&self.env.variables))
    }

    /// The database, for reading.
    pub(super) fn open_store(&self, asked: &Setting<Option<PathBuf>>) -> Result<Store, EvalhError> {
        let path = self.db_path(asked);
        match Store::open_read_only(&path) {
            // Stored runs stay readable after an update: where that is allowed, the database is raised to the newer schema first.
            Err(StoreError::Older { .. }) => {
                let store = Store::open(&path)?;
                for notice in store.notices() {
                    self.console.note(&notice.to_string());
                }
                Ok(store)
            }
            other => Ok(other?),
        }
    }

    /// Progress of downloads on the console; Ctrl-C ends one cleanly.
    pub(super) fn download_progress(&self) -> Downloads {
        Downloads(self.console.download_progress(self.interrupts()))
    }

    /// The flag that Ctrl-C sets; `None` where handlers cannot be installed.
    pub(super) fn interrupts(&self) -> Option<Arc<AtomicBool>> {
        host::interrupts().ok()
    }

    /// Where model files are found and fetched from.
    pub(super) fn hub<'p>(
        &self,
        offline: bool,
        locked: bool,
        progress: &'p dyn Progress,
    ) -> Result<Hub<'p>, EvalhError> {
        Ok(Hub::new(self.hub_settings(offline, locked)?, progress))
    }

    /// What a hub needs to know.
    pub(super) fn hub_settings(
        &self,
        offline: bool,
        locked: bool,
    ) -> Result<HubSettings, EvalhError> {
        let cache = self.cache().ok_or(config::ConfigError::NoCacheFolder)?;
        let mut settings = HubSettings::new(cache, HfEnv::from_env(&self.env.variables)?);
        settings.home = self.env.variables.get("HOME").map(PathBuf::from);
        settings.offline = offline;
        settings.locked = locked;
        settings.lock_path = Some(self.folder.join("models.lock"));
        Ok(settings)
    }

    /// A hub that says nothing.
    pub(super) fn quiet_hub(&self, offline: bool) -> Result<Hub<'static>, EvalhError> {
        self.hub(offline, false, &Silent)
    }
}
