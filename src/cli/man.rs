//! `evalh man`.

use clap::Args;
use std::path::PathBuf;

/// Manual pages to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManRequest {
    /// Into this folder.
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  evalh man ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Folder for the pages, one a subcommand; made when it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl ManArgs {
    pub(super) fn resolve(self) -> ManRequest {
        ManRequest { dir: self.dir }
    }
}

/// Every manual page: file name (`evalh-run.1`) and content, in the order of the subcommands.
pub fn man_pages() -> Vec<(String, Vec<u8>)> {
    let mut top = super::command::definition().disable_help_subcommand(true);
    top.build();
    let mut pages = Vec::new();
    collect(&top, "evalh", &mut pages);
    pages
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone()).title(name.to_owned());
    man.render(&mut page)
        .expect("writing to memory cannot fail, so a page is always rendered");
    pages.push((format!("{name}.1"), page));
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        collect(sub, &format!("{name}-{}", sub.get_name()), pages);
    }
}
