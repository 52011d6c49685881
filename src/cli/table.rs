//! Columns for people: as wide as their widest cell, no lines, plain text.

use std::time::Duration;

use hoplock_policy::render::explain::words;

/// Rows in columns, the first row being the heads; nothing where there are no others.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    if rows.len() < 2 {
        return String::new();
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A span of seconds, for people.
pub(super) fn span(seconds: u64) -> String {
    words::span(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_needed() {
        let row = |cells: [&str; 2]| cells.map(ToOwned::to_owned).to_vec();
        let text = table(&[row(["a", "bb"]), row(["cccc", "d"])]);
        assert_eq!(text, "a     bb\ncccc  d\n");
        assert_eq!(table(&[row(["a", "b"])]), "");
    }
}
