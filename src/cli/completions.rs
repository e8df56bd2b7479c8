//! `evalh completions`.

use clap::Args;
use clap_complete::Shell;

/// A completion script to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionsRequest {
    /// For this shell.
    pub shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  evalh completions bash > ~/.local/share/bash-completion/completions/evalh
  evalh completions zsh > ~/.zfunc/_evalh
  evalh completions fish > ~/.config/fish/completions/evalh.fish")]
pub(super) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn resolve(self) -> CompletionsRequest {
        CompletionsRequest { shell: self.shell }
    }
}

/// The completion script for a shell.
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut super::command::definition(),
        "evalh",
        &mut script,
    );
    String::from_utf8_lossy(&script).into_owned()
}
