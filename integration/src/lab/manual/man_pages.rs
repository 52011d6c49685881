//! Man pages, as `hoplock man` writes them: read by man(1) with all its warnings, found by whatis(1), and
//! their examples run.

use std::fs;

use crate::lab::stage::Lab;

use super::world::World;

/// Each page is read without a word, and each example ends well.
pub(super) fn all(lab: &mut Lab<'_>, world: &World) {
    let machine = world.machine("postfix").unwrap();
    let written = machine.shell("hoplock man /tmp/man");
    lab.report.check(written.status.success(), || {
        String::from_utf8_lossy(&written.stderr).into_owned()
    });
    // What man says goes to the page where there is one; here it is all that is left.
    let read = machine.shell(
        "cd /tmp/man; for page in *; do \
           for width in 60 80 132; do \
             MANWIDTH=$width MAN_KEEP_STDERR=1 man --warnings=w -l \"$page\" 2>&1 >/dev/null; done; \
           lexgrog \"$page\" >/dev/null || echo \"$page has no NAME\"; done",
    );
    let words = String::from_utf8_lossy(&read.stdout).into_owned();
    lab.report
        .check(read.status.success() && words.is_empty(), || {
            format!(
                "man pages: {words}{}",
                String::from_utf8_lossy(&read.stderr)
            )
        });
    let (mut pages, mut run) = (0, 0);
    let mut files: Vec<_> = fs::read_dir(machine.inside("tmp/man"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        pages += 1;
        let text = fs::read_to_string(&file).unwrap();
        let Some((_, examples)) = text.split_once(".SH EXAMPLES\n") else {
            continue;
        };
        for part in examples.split(".EX\n").skip(1) {
            let line = typed(part.split("\n.EE").next().unwrap());
            let output = machine.shell(&line);
            run += 1;
            lab.report.check(output.status.success(), || {
                let words = String::from_utf8_lossy(&output.stderr).into_owned();
                format!("{}: {line}: {}: {words}", file.display(), output.status)
            });
        }
    }
    lab.report.check(pages > 30 && run > 25, || {
        format!("only {pages} man pages with {run} examples")
    });
    println!("manual: {pages} man pages, {run} examples run");
}

/// What a reader types, out of the language of troff.
fn typed(line: &str) -> String {
    line.replace("\\(aq", "'")
        .replace("\\(ga", "`")
        .replace("\\(ti", "~")
        .replace("\\(ha", "^")
        .replace("\\-", "-")
        .replace("\\e", "\\")
}
