//! Links between pages, and the headings that they may lead to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use super::Page;

/// Every link of `page` to somewhere in the repository: the target without its anchor, and the anchor.
#[must_use]
pub fn links(page: &Page) -> Vec<(PathBuf, Option<String>)> {
    let folder = Path::new(&page.name).parent().unwrap();
    let prose = prose(&page.text);
    let mut all = Vec::new();
    for part in prose.split("](").skip(1) {
        let Some((target, _)) = part.split_once(')') else {
            continue;
        };
        let is_away = ["http:", "https:", "mailto:"]
            .iter()
            .any(|scheme| target.starts_with(scheme));
        if is_away {
            continue;
        }
        let (file, anchor) = match target.split_once('#') {
            Some((file, anchor)) => (file, Some(anchor.to_owned())),
            None => (target, None),
        };
        let path = if file.is_empty() {
            PathBuf::from(&page.name)
        } else {
            normal(&folder.join(file))
        };
        all.push((path, anchor));
    }
    all
}

/// The anchors of a page's headings, as forges make them.
#[must_use]
pub fn anchors(page: &Page) -> BTreeSet<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut all = BTreeSet::new();
    for line in outside_blocks(&page.text) {
        let hashes = line.chars().take_while(|c| *c == '#').count();
        let Some(heading) = line.get(hashes..).and_then(|rest| rest.strip_prefix(' ')) else {
            continue;
        };
        if hashes == 0 {
            continue;
        }
        let slug: String = heading
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c if c.is_alphanumeric() => Some(c),
                _ => None,
            })
            .collect();
        let count = counts.entry(slug.clone()).or_default();
        all.insert(match *count {
            0 => slug,
            more => format!("{slug}-{more}"),
        });
        *count += 1;
    }
    all
}

/// The pages that no chain of links from these leads to.
#[must_use]
pub fn unreachable(pages: &[Page], from: &[&str]) -> Vec<String> {
    let known: BTreeMap<PathBuf, &Page> = pages
        .iter()
        .map(|page| (PathBuf::from(&page.name), page))
        .collect();
    let mut reached: BTreeSet<PathBuf> = BTreeSet::new();
    let mut next: Vec<PathBuf> = from.iter().map(PathBuf::from).collect();
    while let Some(page) = next.pop() {
        if let Some(page) = known.get(&page).filter(|_| !reached.contains(&page)) {
            next.extend(links(page).into_iter().map(|(target, _)| target));
        }
        reached.insert(page);
    }
    let left = known.keys().filter(|page| !reached.contains(*page));
    left.map(|page| page.display().to_string()).collect()
}

/// The text without blocks and without code inside lines.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for line in outside_blocks(text) {
        for (at, part) in line.split('`').enumerate() {
            // A link may have code as its words.
            if at % 2 == 0 {
                prose.push_str(part);
            }
        }
        prose.push('\n');
    }
    prose
}

fn outside_blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut is_block = false;
    text.lines().filter(move |line| {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
            return false;
        }
        !is_block
    })
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_anchors_are_read() {
        let text = "# A Page: its `words`\n## Same\n## Same\n[a](b.md#c) `[not](one.md)` [up](../x.md)\n\
                    ```text\n[no](link.md)\n```\n[web](https://example.com/)\n";
        let page = Page::read("docs/a.md", text).unwrap();
        assert_eq!(
            links(&page),
            [
                (PathBuf::from("docs/b.md"), Some("c".to_owned())),
                (PathBuf::from("x.md"), None)
            ]
        );
        let found = anchors(&page);
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["a-page-its-words", "same", "same-1"]);
    }
}
