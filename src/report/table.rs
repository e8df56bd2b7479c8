//! Columns of text: right-aligned numbers, the least important columns dropped when the line is too short.

/// How a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// A column: its head lines, its cells, and how soon it may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// What it shows.
    pub(super) head: String,
    /// In which unit.
    pub(super) unit: String,
    /// How it stands.
    pub(super) align: Align,
    /// Columns with the highest number are dropped first; 0 stays.
    pub(super) lesser: u8,
    /// One cell a row.
    pub(super) cells: Vec<String>,
}

impl Column {
    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|c| columns(c));
        cells
            .chain([columns(&self.head), columns(&self.unit)])
            .max()
            .unwrap_or(0)
    }

    fn pad(&self, text: &str) -> String {
        let gap = " ".repeat(self.width().saturating_sub(columns(text)));
        match self.align {
            Align::Left => format!("{text}{gap}"),
            Align::Right => format!("{gap}{text}"),
        }
    }
}

/// Columns a text takes on a terminal: East Asian wide characters and most emoji take two, combining marks none.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

fn char_columns(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Cuts a text to at most `width` columns, with an ellipsis in the middle: names differ at both ends.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let head = taken(text.chars(), room.div_ceil(2));
    let tail: String = taken(text.chars().rev(), room / 2).chars().rev().collect();
    format!("{head}…{tail}")
}

/// The first characters that take at most `width` columns.
fn taken(text: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    text.take_while(|c| {
        used += char_columns(*c);
        used <= width
    })
    .collect()
}

/// Cuts names to `width` columns; different names stay different, by their number in the list where nothing else helps.
fn cut_names(names: &[String], width: usize) -> Vec<String> {
    let short: Vec<String> = names.iter().map(|n| cut(n, width)).collect();
    let twin = |i: usize| (0..names.len()).any(|j| short[j] == short[i] && names[j] != names[i]);
    (0..names.len())
        .map(|i| {
            if twin(i) {
                let number = format!("{} ", i + 1);
                format!("{number}{}", cut(&names[i], width - columns(&number)))
            } else {
                short[i].clone()
            }
        })
        .collect()
}

/// Columns between two columns.
const GAP: usize = 2;

/// Drops lesser columns until the table fits; the first column is cut as the last resort.
pub(super) fn fit(mut table: Vec<Column>, width: usize) -> Vec<Column> {
    while total(&table) > width {
        let Some(at) = (0..table.len())
            .filter(|&i| table[i].lesser > 0)
            .max_by_key(|&i| table[i].lesser)
        else {
            break;
        };
        table.remove(at);
    }
    let over = total(&table).saturating_sub(width);
    if over > 0
        && let Some(first) = table.first_mut()
    {
        let room = first.width().saturating_sub(over).max(8);
        first.cells = cut_names(&first.cells, room);
        first.head = cut(&first.head, room);
    }
    table
}

/// Width of a table.
pub(super) fn total(table: &[Column]) -> usize {
    table.iter().map(Column::width).sum::<usize>() + GAP * table.len().saturating_sub(1)
}

/// The lines of a table: heads, units, rows; without spaces at the end.
pub(super) fn lines(table: &[Column]) -> Vec<String> {
    let rows = table.first().map_or(0, |c| c.cells.len());
    let line = |cell: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = table.iter().map(|c| c.pad(&cell(c))).collect();
        cells.join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    let mut out = vec![line(&|c| c.head.clone()), line(&|c| c.unit.clone())];
    out.extend((0..rows).map(|row| line(&|c| c.cells[row].clone())));
    out
}

/// Breaks a text at spaces into lines of at most `width` columns; a longer word stands alone. A number keeps its unit and its interval.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in pieces(text) {
        if !line.is_empty() && columns(&line) + 1 + columns(&word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Words, with everything between brackets or backticks kept together where it is short.
fn pieces(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        match out.last_mut() {
            Some(last) if open || belongs(last, word) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
        if word.starts_with('[') && !word.contains(']') {
            open = true;
        } else if word.contains(']') {
            open = false;
        }
    }
    out
}

/// Whether a word is the unit of the number before it, or the number of the `p` before it.
fn belongs(last: &str, word: &str) -> bool {
    const UNITS: [&str; 7] = ["%", "ms", "s", "GB", "tok/s", "pp", "prompts"];
    let number = last.ends_with(|c: char| c.is_ascii_digit());
    let bare = word.trim_end_matches([',', ';', '.', ':', ')']);
    (number && UNITS.contains(&bare)) || matches!(last, "p" | "p <") || (last == "p" && word == "<")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(head: &str, lesser: u8, cells: &[&str]) -> Column {
        Column {
            head: head.to_owned(),
            unit: String::new(),
            align: if lesser == 0 {
                Align::Left
            } else {
                Align::Right
            },
            lesser,
            cells: cells.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    #[test]
    fn lesser_columns_go_first() {
        let table = vec![
            column("name", 0, &["abc"]),
            column("one", 1, &["12345"]),
            column("two", 2, &["12345"]),
        ];
        let heads = |t: &[Column]| {
            t.iter()
                .map(|c| c.head.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(heads(&fit(table.clone(), 18)), "name one two");
        assert_eq!(heads(&fit(table.clone(), 17)), "name one");
        assert_eq!(heads(&fit(table, 10)), "name");
        let long = fit(vec![column("name", 0, &["a-very-long-name"])], 10);
        assert_eq!(long[0].cells, ["a-ver…name"]);
        let twins = fit(
            vec![column(
                "name",
                0,
                &["abcdef-one-uvwxyz", "abcdef-two-uvwxyz"],
            )],
            10,
        );
        assert_eq!(twins[0].cells, ["1 abcd…xyz", "2 abcd…xyz"]);
    }

    #[test]
    fn numbers_stand_right_and_wide_characters_count_twice() {
        let table = vec![
            column("name", 0, &["模型", "b"]),
            column("n", 1, &["7", "123"]),
        ];
        assert_eq!(lines(&table), ["name    n", "", "模型    7", "b     123"]);
        assert_eq!((columns("模型"), columns("e\u{301}")), (4, 1));
    }

    #[test]
    fn lines_break_between_numbers_not_inside_intervals() {
        assert_eq!(
            wrap("value +0.2 [-0.4, 0.8] here", 15),
            ["value +0.2", "[-0.4, 0.8]", "here"]
        );
        assert_eq!(
            wrap("seen p < 0.001 of 95 % now", 10),
            ["seen", "p < 0.001", "of 95 %", "now"]
        );
        assert_eq!(wrap("unbreakable", 4), ["unbreakable"]);
        assert!(wrap("", 10).is_empty());
    }
}
