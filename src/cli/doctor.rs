//! `evalh doctor`.

use clap::Args;

/// The machine to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoctorRequest {
    /// As one JSON object.
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The exit code is 3 when something would stop a run.

Example:
  evalh doctor --json | jq '.lines[] | select(.status != \"ok\")'")]
pub(super) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    pub(super) fn resolve(self) -> DoctorRequest {
        DoctorRequest { json: self.json }
    }
}
