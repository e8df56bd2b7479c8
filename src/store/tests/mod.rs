//! Tests of the store: what is written is what is read.

mod build;
mod errors;
mod faults;
mod likelihood;
mod migrations;
mod roundtrip;
mod views;
