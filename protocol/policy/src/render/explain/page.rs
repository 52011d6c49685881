//! Plain text of at most a hundred columns where its words allow it.

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// One line, whatever its length: programs and people read the first one alone.
    pub(super) fn line(&mut self, words: &str) {
        self.text.push_str(words);
        self.text.push('\n');
    }

    /// A label, and what stands behind it.
    pub(super) fn fact(&mut self, label: &str, words: &str) {
        let first = format!("  {label:<LABEL$}");
        self.wrapped(&first, &" ".repeat(LABEL + 2), words);
    }

    /// A line of its own under a title.
    pub(super) fn item(&mut self, words: &str) {
        self.wrapped("  ", "    ", words);
    }

    /// A row of a table, whole: broken, its columns would no longer stand under each other.
    pub(super) fn row(&mut self, row: &str) {
        self.line(&format!("  {row}"));
    }

    /// A line under an item.
    pub(super) fn detail(&mut self, words: &str) {
        self.wrapped("        ", "          ", words);
    }

    /// Begins a new part.
    pub(super) fn title(&mut self, words: &str) {
        self.gap();
        self.wrapped("", "  ", words);
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Cells in columns as wide as their widest.
    pub(super) fn table(&mut self, rows: Vec<Vec<String>>) {
        for line in aligned(&rows) {
            self.row(&line);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Breaks at blanks; a word longer than a line stays whole, for it may be copied.
    fn wrapped(&mut self, first: &str, other: &str, words: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in words.split(' ') {
            if !is_empty && line.len() + 1 + word.len() > COLUMNS && !word.is_empty() {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                other.clone_into(&mut line);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// Rows as lines with their columns under each other, two blanks between.
pub(super) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// What a terminal shows.
const COLUMNS: usize = 100;
/// Labels and a blank.
const LABEL: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::default();
        write(&mut page);
        page.into_text()
    }

    /// A line is filled up to its last column and no further; what is left goes on under its label.
    #[test]
    fn lines_break_at_their_last_column() {
        let room = COLUMNS - LABEL - 2;
        let indent = " ".repeat(LABEL + 2);
        for (last, fits) in [(room - 4, true), (room - 3, false), (room, false)] {
            let word = "x".repeat(last);
            let text = written(|page| page.fact("label", &format!("abc {word}")));
            let expected = if fits {
                format!("  label     abc {word}\n")
            } else {
                format!("  label     abc\n{indent}{word}\n")
            };
            assert_eq!(text, expected);
        }
    }

    /// A word longer than a line stays whole, and blanks stay where a line goes on.
    #[test]
    fn words_and_blanks_stay_whole() {
        let word = "x".repeat(COLUMNS + 20);
        let text = written(|page| page.fact("label", &format!("{word} abc  (def)")));
        assert_eq!(
            text,
            format!("  label     {word}\n            abc  (def)\n")
        );
        let text = written(|page| page.item(""));
        assert_eq!(text, "\n");
    }

    /// Columns stand under each other, two blanks apart, and no line ends in blanks.
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect();
        let rows = vec![row(&["a", "bbb", "c"]), row(&["aaa", "b"])];
        let text = written(|page| page.table(rows));
        assert_eq!(text, "  a    bbb  c\n  aaa  b\n");
    }
}
