//! Man pages, as `hoplock man` writes them, read by man(1) with all its warnings.

use std::fs;

use crate::lab::stage::Lab;

use super::world::World;

/// Each page is read without a word.
pub(super) fn all(lab: &mut Lab<'_>, world: &World) {
    let machine = world.machine("postfix").unwrap();
    let written = machine.shell("hoplock man /tmp/man");
    lab.report.check(written.status.success(), || {
        String::from_utf8_lossy(&written.stderr).into_owned()
    });
    let pages = fs::read_dir(machine.inside("tmp/man")).unwrap().count();
    lab.report
        .check(pages > 30, || format!("only {pages} man pages"));
    // In the widths of a terminal and of a wide one.
    let read = machine.shell(
        "cd /tmp/man; for page in *; do \
           words=$(MANWIDTH=80 man --warnings=w -E UTF-8 -l \"$page\" 2>&1 >/dev/null) || true; \
           [ -z \"$words\" ] || echo \"$page: $words\"; done",
    );
    let words = String::from_utf8_lossy(&read.stdout).into_owned();
    lab.report
        .check(read.status.success() && words.is_empty(), || {
            format!(
                "man pages: {words}{}",
                String::from_utf8_lossy(&read.stderr)
            )
        });
}
