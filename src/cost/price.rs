//! A dated card of cloud prices. Parsed by `config`, used by `analysis`.

/// One model of a cloud provider.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudPrice {
    /// Name (`gpt-4o-mini`).
    pub name: String,
    /// Provider.
    pub provider: String,
    /// US dollars for a million input tokens.
    pub input_usd_per_mtok: f64,
    /// US dollars for a million output tokens.
    pub output_usd_per_mtok: f64,
    /// Date the price was read, `YYYY-MM-DD`.
    pub as_of: String,
    /// Where it was read.
    pub source: String,
    /// Shown by default.
    pub default: bool,
}

/// A price card, with the assumptions for the local side.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceCard {
    /// Cloud models.
    pub cloud: Vec<CloudPrice>,
    /// What the local machine costs to buy, US dollars.
    pub hardware_usd: f64,
    /// What it can be sold for afterwards, US dollars.
    pub resale_usd: f64,
    /// Years of use.
    pub years: f64,
    /// Share of all hours in which it works on this, 0 to 1.
    pub utilisation: f64,
    /// Power draw while it works, watts.
    pub watts: f64,
    /// Electricity, US dollars for a kWh.
    pub usd_per_kwh: f64,
    /// Path of the file, or `built-in`.
    pub origin: String,
}
