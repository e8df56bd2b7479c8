//! Money and energy for the same work here and at a price card. Pure arithmetic.
//!
//! In: a [`PriceCard`] and the [`Work`] of a task (seconds of the machine, tokens). Out: what that costs in electricity, with the hardware,
//! at a cloud price, and the volume at which the two are equal.
//!
//! What it does not know: how work was measured, intervals, output.
//!
//! Invariants: every result is finite; "never" is a variant of [`BreakEven`], not an infinity. A card with impossible numbers is refused
//! before anything is computed.
//!
//! Formulas: energy = W s / 3.6e6 $/kWh; hardware $/h = (price - resale) / (years 8760 utilisation); break-even = yearly hardware /
//! (cloud - electricity) per task.

pub mod energy;
mod error;
mod local;
mod price;
mod versus;

pub use error::CostError;
pub use local::{LocalCost, Machine, Work};
pub use price::{CloudPrice, PriceCard};
pub use versus::{BreakEven, Scenario, break_even, cloud_usd, saving, scenarios};

#[cfg(test)]
mod tests;
