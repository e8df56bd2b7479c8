//! Plain columns for lists: a head, rows, no boxes.

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows under a head.
pub(super) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            columns: columns
                .iter()
                .map(|(name, align)| ((*name).to_owned(), *align))
                .collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// One line a row, two spaces between columns, nothing at the end of a line.
    pub(super) fn render(&self) -> String {
        let head: Vec<String> = self.columns.iter().map(|c| c.0.clone()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |i: usize| {
            lines
                .iter()
                .map(|line| line[i].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        for line in lines {
            let cells =
                line.iter()
                    .zip(&widths)
                    .zip(&self.columns)
                    .map(|((cell, &width), column)| match column.1 {
                        Align::Left => format!("{cell:<width$}"),
                        Align::Right => format!("{cell:>width$}"),
                    });
            out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[
            ("model", Align::Left),
            ("bytes", Align::Right),
            ("", Align::Left),
        ]);
        table.row(vec!["a".into(), "12".into(), String::new()]);
        table.row(vec!["longer".into(), "1".into(), "note".into()]);
        assert_eq!(
            table.render(),
            "model   bytes\na          12\nlonger      1  note\n"
        );
    }
}
