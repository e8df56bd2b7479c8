//! What the user wrote down: the catalogue of models, the price card, the settings.
//!
//! In: TOML text, a map of environment variables, flags that were already parsed. Out: [`Catalog`], [`crate::cost::PriceCard`], [`settings_files`].
//! Knows nothing of engines, the database or networks, and reads no environment variable itself.
//!
//! Invariants: a key that is not known is an error, never ignored; every error of a file carries `path:line:column` and the line itself;
//! every setting keeps where it came from. Precedence: default < user file < project file < environment < flag.

mod addition;
mod catalog;
mod error;
mod place;
mod prices;
mod reader;
mod settings;
mod source;

pub use addition::{Addition, suggested_name};
pub use catalog::{Catalog, ModelEntry, Sampling};
pub use error::ConfigError;
pub use place::Place;
pub use prices::{load_prices, parse_prices};
pub use settings::{FileSetting, SettingsLayer, cache_folder, settings_files};
pub(crate) use source::is_safe_inner_path;
pub use source::{HfSource, PypiPart, Source, SourceSyntaxError};

/// What an origin is called when the text is the one compiled in.
pub const BUILT_IN: &str = "built-in";
