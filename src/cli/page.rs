//! Text for people: facts with a label in front, broken at blanks.

/// A text in the making.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// One line, whatever its length.
    pub(super) fn line(&mut self, words: &str) {
        self.text.push_str(words);
        self.text.push('\n');
    }

    /// A label, and what stands behind it; without a label it belongs to the fact above.
    pub(super) fn fact(&mut self, label: &str, words: &str) {
        let mut line = format!("  {label:<LABEL$}");
        let mut is_empty = true;
        for word in words.split(' ') {
            let length = line.chars().count() + 1 + word.chars().count();
            if !is_empty && length > COLUMNS && !word.is_empty() {
                self.line(line.trim_end());
                line = " ".repeat(LABEL + 2);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(line.trim_end());
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// What a terminal shows; longer words stay whole, for they may be copied.
const COLUMNS: usize = 100;
/// Labels, and two blanks.
const LABEL: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_go_on_under_their_words() {
        let mut page = Page::default();
        page.fact("label", &format!("{} end", "x".repeat(COLUMNS)));
        page.fact("", "more");
        let text = page.into_text();
        let indent = " ".repeat(LABEL + 2);
        let long = "x".repeat(COLUMNS);
        assert_eq!(
            text,
            format!("  label        {long}\n{indent}end\n{indent}more\n")
        );
    }
}
