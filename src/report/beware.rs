//! What to beware of: warnings of one kind in one sentence, the most important first.

use super::words::Words;
use crate::analysis::Warning;

/// Names with a figure each, the first of many.
fn some_figures(parts: &[String]) -> String {
    const MOST: usize = 4;
    let shown = parts.len().min(MOST);
    let more = match parts.len() - shown {
        0 => String::new(),
        n => format!(", {n} more"),
    };
    format!("{}{more}", parts[..shown].join(", "))
}

impl Words<'_> {
    /// The warnings, escaped.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        let warnings = &self.report.warnings;
        for warning in warnings {
            let Some((what, name, figure)) = warning.about() else {
                out.push((self.escape)(&warning.to_string()));
                continue;
            };
            let part = format!("{} {}", (self.escape)(name), (self.escape)(&figure));
            if let Some((_, parts)) = groups.iter_mut().find(|(w, _)| *w == what) {
                parts.push(part);
            } else {
                groups.push((what, vec![part]));
                // A place holder that the whole group takes in the end.
                out.push(what.to_owned());
            }
        }
        for (what, parts) in groups {
            if let Some(line) = out.iter_mut().find(|l| *l == what) {
                *line = format!("{what}: {}", some_figures(&parts));
            }
        }
        out
    }

    /// Every warning by itself.
    pub(super) fn every_warning(&self) -> Vec<String> {
        let text = |w: &Warning| (self.escape)(&w.to_string());
        self.report.warnings.iter().map(text).collect()
    }
}
