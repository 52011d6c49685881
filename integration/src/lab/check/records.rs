//! `hoplock tlsa` with a host.

use std::fs;

use super::{both, host};
use crate::lab::stage::Lab;

/// CM-02, CM-03: the records of a file against what is published and served.
pub(super) fn compare(lab: &mut Lab<'_>) {
    let file = |name: &str| {
        let path = lab.folder.join(format!("{name}.pem"));
        fs::write(&path, &host(lab.plan, name).identity.pem).unwrap();
        path.display().to_string()
    };
    let (good, wrong) = (file("mx1.check.test"), file("mx3.check.test"));
    let expired = file("mx2.check.test");
    for (file, host, more, expected, words) in [
        (
            &good,
            "mx1.check.test",
            &[][..],
            0,
            "file, records and host agree.",
        ),
        (
            &expired,
            "mx2.check.test",
            &[],
            0,
            "file, records and host agree.",
        ),
        // The record names a key that nobody has.
        (
            &wrong,
            "mx3.check.test",
            &[],
            1,
            "no usable record is published for this file",
        ),
        // A key that is to come.
        (
            &good,
            "mx2.check.test",
            &[],
            1,
            "does not serve what is in the file",
        ),
        (
            &good,
            "mx1.check.test",
            &["--selector", "0"],
            1,
            "one of the records is not published",
        ),
        (
            &good,
            "nowhere.test",
            &[],
            1,
            "the host could not be reached",
        ),
        (&good, "no host", &[], 2, "is no host"),
    ] {
        let arguments = [&["tlsa", file, "--host", host], more].concat();
        let output = lab.hoplock.tool(&arguments);
        let said = both(&output);
        let right = output.status.code() == Some(expected) && said.contains(words);
        lab.report.check(right, || {
            format!(
                "{arguments:?}: {}, expected {expected} {words:?}\n{said}",
                output.status
            )
        });
    }
}
