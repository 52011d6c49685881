//! The commands and configurations of the manual, run and checked as people would who follow the pages.
//!
//! * `machine`: a Debian to write in, over a folder that stays as it is. * `world`: what the pages' names
//!   publish, the machines, the daemon beside them.
//! * `commands`: blocks that are run; `configurations`: blocks that their own programs read.
//! * `man_pages`: what `hoplock man` writes, read by man(1).
//!
//! Which block is run where stands before it; CONTRIBUTING.md, "Blocks of the manual", has the words.

mod commands;
mod configurations;
mod machine;
mod man_pages;
mod world;

use crate::manual::block::Info;
use crate::manual::mark::Mark;
use crate::manual::{Page, pages};

use super::stage::Lab;

use self::world::World;
pub(super) use self::world::plan;

/// Every page. Its own daemon takes the place of the lab's meanwhile.
pub(super) fn all(lab: &mut Lab<'_>) {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(words) => return lab.report.check(false, || words),
    };
    lab.hoplock.terminate();
    commands::of_the_source(lab, &pages);
    let mut world = World::start(lab);
    let mut counts = [0, 0];
    for page in &pages {
        let (commands, configurations) = one(lab, &mut world, page);
        counts = [counts[0] + commands, counts[1] + configurations];
    }
    man_pages::all(lab, &world);
    world.end(lab);
    lab.hoplock.restart();
    let [commands, configurations] = counts;
    println!("manual: {commands} blocks of commands run, {configurations} configurations checked");
}

/// The blocks of one page, from above; how many were run, and checked.
fn one(lab: &mut Lab<'_>, world: &mut World, page: &Page) -> (usize, usize) {
    let (mut commands, mut configurations) = (0, 0);
    world.as_at_first();
    let mut printed = String::new();
    for block in &page.blocks {
        let place = format!("{}:{}", page.name, block.line);
        let outcome = match (block.info, &block.mark) {
            (_, Some(Mark::NotRun(_) | Mark::NotChecked(_))) => continue,
            (Info::Commands, mark) => match commands::run(world, &block.text, mark.as_ref()) {
                None => continue,
                Some(outcome) => {
                    commands += 1;
                    outcome.map(|output| printed = output)
                }
            },
            (Info::Requests, _) => {
                commands += 1;
                commands::request(world, &block.text).map(|output| printed = output)
            }
            (_, Some(Mark::Output)) => commands::compare(&block.text, &printed),
            (Info::Configuration(program), mark) => {
                configurations += 1;
                configurations::check(world, program, &block.text, mark.as_ref())
            }
            (Info::Text | Info::Json, _) => continue,
        };
        let words = outcome.err();
        lab.report.check(words.is_none(), || {
            format!("{place}: {}", words.unwrap_or_default())
        });
    }
    (commands, configurations)
}
