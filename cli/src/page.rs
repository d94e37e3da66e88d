//! A page for a person: headings, label-value pairs and tables, aligned, within the terminal's width.
//! It lays out; what is said is the verbs' business.

use crate::text::{Text, faint};
use std::fmt;

/// Lines for a person, built from the top.
#[derive(Debug)]
pub(crate) struct Page {
    lines: Vec<Text>,
    width: usize,
}

impl Page {
    /// An empty page of [`WIDTH`] columns, or fewer where the terminal has fewer.
    pub(crate) fn new() -> Self {
        Self::with_width(textwrap::termwidth().clamp(MIN_WIDTH, WIDTH))
    }

    fn with_width(width: usize) -> Self {
        Self {
            lines: Vec::new(),
            width,
        }
    }

    /// One line, as it is.
    pub(crate) fn line(&mut self, text: impl Into<Text>) {
        self.lines.push(text.into());
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) {
        self.line("");
    }

    /// A text of any length, in lines that start at column `indent`; `first` stands before the first of them.
    pub(crate) fn paragraph(&mut self, indent: usize, first: &Text, text: &Text) {
        let room = self.width.saturating_sub(indent).max(MIN_ROOM);
        for (number, line) in text.wrapped(room).into_iter().enumerate() {
            let start = if number == 0 {
                first.padded(indent)
            } else {
                Text::default().padded(indent)
            };
            self.lines.push(Text::concat([start, line]));
        }
    }

    /// Labels and values in two columns.
    pub(crate) fn fields(&mut self, indent: usize, fields: &[(&str, Text)]) {
        let labels = fields.iter().map(|(label, _)| Text::from(label).width());
        let value_at = indent + labels.max().unwrap_or_default() + GAP;
        for (label, value) in fields {
            let label = Text::concat([Text::default().padded(indent), faint(label)]);
            self.paragraph(value_at, &label, value);
        }
    }

    /// Rows of cells in aligned columns; only the last column may break its lines.
    pub(crate) fn table(&mut self, indent: usize, rows: &[Vec<Text>]) {
        let widths = column_widths(rows);
        for row in rows {
            let Some((last, others)) = row.split_last() else {
                continue;
            };
            let mut start = vec![Text::default().padded(indent)];
            for (cell, width) in others.iter().zip(&widths) {
                start.push(cell.padded(width + GAP));
            }
            let start = Text::concat(start);
            self.paragraph(start.width(), &start, last);
        }
    }

    /// Appends another page's lines.
    pub(crate) fn append(&mut self, page: Self) {
        self.lines.extend(page.lines);
    }
}

impl fmt::Display for Page {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(formatter, "{}", line.to_string().trim_end())?;
        }
        Ok(())
    }
}

fn column_widths(rows: &[Vec<Text>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(Text::width).max().unwrap_or_default()
    };
    (0..columns).map(width).collect()
}

/// What every terminal and every mail quotation shows without breaking lines.
const WIDTH: usize = 80;
/// Narrower than this, aligned columns are no help any more.
const MIN_WIDTH: usize = 40;
/// The least room for a text beside a label; it sticks out instead.
const MIN_ROOM: usize = 24;
/// The columns between two columns.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &Page) -> String {
        anstream::adapter::strip_str(&page.to_string()).to_string()
    }

    #[test]
    fn aligns_values_and_breaks_them_under_themselves() {
        let mut page = Page::with_width(40);
        page.fields(
            2,
            &[
                ("cause", Text::from("recipient-unknown")),
                (
                    "next",
                    Text::from("check the address with whoever gave it to you"),
                ),
            ],
        );
        assert_eq!(
            shown(&page),
            "  cause  recipient-unknown\n  next   check the address with whoever\n         gave it to you\n"
        );
    }

    #[test]
    fn aligns_columns_by_what_is_seen() {
        let mut page = Page::with_width(60);
        page.table(
            0,
            &[
                vec![
                    crate::text::good("ok"),
                    Text::from("größe"),
                    Text::from("x"),
                ],
                vec![Text::from("refused"), Text::from("a"), Text::from("y")],
            ],
        );
        assert_eq!(shown(&page), "ok       größe  x\nrefused  a      y\n");
    }

    #[test]
    fn gives_text_room_even_where_there_is_none() {
        let mut page = Page::with_width(40);
        page.paragraph(38, &Text::from("label"), &Text::from("some words"));
        assert_eq!(shown(&page), format!("label{}some words\n", " ".repeat(33)));
    }
}
