//! The page on screens of several kinds, and pictures of it.

use std::path::Path;

use super::browser::{Browser, Screen};
use super::{PAGE, expect, silent};
use crate::lab::stage::Lab;

/// On a desktop and on a phone, light and dark: nothing is wider than the screen, and everything can be
/// read (WCAG 2.2, 1.4.3 and 1.4.10).
pub(super) fn all(lab: &mut Lab<'_>, browser: &Browser, pictures: &Path) {
    for screen in SCREENS {
        browser.look_on(&screen);
        for (name, path) in PICTURED {
            browser.go(&format!("{PAGE}{path}"));
            let wide = browser.run(&WIDE.replace("WIDTH", &screen.width.to_string()));
            let words = format!("{name} on {}: too wide", screen.name);
            expect(
                lab,
                wide.as_array().is_some_and(Vec::is_empty),
                &words,
                &wide,
            );
            let pale = browser.run(PALE);
            let words = format!("{name} on {}: too pale", screen.name);
            expect(
                lab,
                pale.as_array().is_some_and(Vec::is_empty),
                &words,
                &pale,
            );
            browser.keep_picture(&pictures.join(format!("{name}-{}.png", screen.name)));
        }
    }
    silent(lab, browser, "on other screens");
}

const PICTURED: [(&str, &str); 5] = [
    ("overview", ""),
    ("destination", "destination?next_hop=wrong-key.test"),
    ("policy", "destination?next_hop=sts.test"),
    ("destinations", "destinations"),
    ("sessions", "sessions"),
];
const SCREENS: [Screen; 4] = [
    Screen {
        name: "desktop-light",
        width: 1280,
        height: 900,
        is_phone: false,
        scheme: "light",
    },
    Screen {
        name: "desktop-dark",
        width: 1280,
        height: 900,
        is_phone: false,
        scheme: "dark",
    },
    Screen {
        name: "phone-light",
        width: 390,
        height: 844,
        is_phone: true,
        scheme: "light",
    },
    Screen {
        name: "phone-dark",
        width: 390,
        height: 844,
        is_phone: true,
        scheme: "dark",
    },
];
/// What is wider than the screen, other than what scrolls by itself.
const WIDE: &str = r"
const page = document.documentElement.scrollWidth;
return (page > WIDTH ? [`the page: ${page}`] : []).concat([...document.querySelectorAll('body *')]
  .filter(own => own.getBoundingClientRect().right > WIDTH + 0.5 && !own.closest('.scroll, pre, .hidden, .skip'))
  .map(own => `${own.tagName}.${own.className}: ${own.textContent.slice(0, 40)}`));
";
/// Texts whose contrast with what they stand on is below 4.5 to 1, by the formula of WCAG 2.2.
const PALE: &str = r"
const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
const part = value => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
const behind = element => {
  for (let own = element; own; own = own.parentElement) {
    const colour = parse(getComputedStyle(own).backgroundColor);
    if (colour.length === 3 || colour[3] > 0.99) return colour;
  }
  return [255, 255, 255];
};
const pale = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.hidden, .skip, title')) continue;
  const style = getComputedStyle(element);
  const ink = parse(element.closest('svg') ? style.fill : style.color);
  const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) pale.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return [...new Set(pale)];
";
