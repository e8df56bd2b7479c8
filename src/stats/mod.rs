//! Intervals, tests, power and agreement on slices of numbers.
//!
//! In: slices of finite numbers, grouped by independent unit where there are replicates. Out: an [`Estimate`] (point, interval,
//! method, number of units, warnings), a [`Test`] or a typed [`NotEstimable`].
//!
//! What it does not know: models, suites, storage, output. It reads no clock, no file and no environment.
//!
//! Invariants:
//! * No input panics. A value that is not finite is an error; an empty slice is an error; one unit gives a point without an interval.
//! * A number that cannot be estimated is never replaced by another one: the reason is returned in its place.
//! * The unit of analysis is the cluster; `n_units` counts clusters or pairs, never observations inside them.
//! * Every random draw comes from a [`Seed`], and the result does not depend on the number of threads.
//!
//! Formulas and sources stand with each function and in `docs/statistics.md`.

#![allow(
    clippy::missing_errors_doc,
    reason = "every function here fails for the reasons that `NotEstimable` lists, each with its own text"
)]

pub mod agree;
pub mod bayes;
pub mod betting;
pub mod boot;
pub mod bt;
pub mod calib;
mod check;
pub mod cluster;
pub mod desc;
pub mod dist;
pub mod divergence;
pub mod drift;
pub mod effect;
pub mod equiv;
mod error;
mod estimate;
mod incbeta;
pub mod mean;
mod method;
pub mod multi;
pub mod order;
pub mod paired;
pub mod paired_binary;
pub mod perm;
mod porter;
pub mod power;
pub mod ppi;
pub mod prop;
pub mod prop2;
#[cfg(test)]
mod properties;
pub mod rank;
pub mod ratio;
mod rng;
pub mod seq;
pub mod text;

pub use error::{NotEstimable, Side};
pub use estimate::{Comparison, Estimate, Interval, StatWarning, Test};
pub use method::Method;
pub use rng::Seed;
