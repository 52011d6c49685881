//! A Postfix that is handed pins and trust anchors in place of DANE: whether it needs them, and whether
//! the files reach it (DT-16, PD-11).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hoplock_policy::findings::Validation;
use hoplock_policy::profile::{Family, Profile};

use super::super::engine::state_folder;
use super::Findings;
use super::ours::AS_ROOT;
use super::postfix::profile_of;
use crate::adapters::dns::{DnsStub, self_test};
use crate::adapters::postfix::{PostfixResolver, Settings};
use crate::adapters::program::{Account, is_root, may};
use crate::config::Config;
use crate::serve::engine::dns_options;

/// True where Postfix asks for pins: then its own DNSSEC matters to nobody.
pub(super) fn are_asked_for(settings: &Settings, config: &Config) -> bool {
    profile_of(settings, config).is_some_and(|profile| profile.family == Family::Pins)
}

/// Whether it could do DANE by itself all the same: each host would then be bound to its own records.
pub(super) async fn own_dane_works(settings: &Settings, config: &Config) -> bool {
    let resolvers = PostfixResolver::of(settings);
    let addresses: Vec<_> = resolvers.iter().map(|resolver| resolver.address).collect();
    let stub = DnsStub::new(dns_options(config), &addresses);
    self_test::test(&stub).await;
    let report = stub.report();
    let mut validations = report.iter().map(|server| server.validation);
    !report.is_empty()
        && validations.all(|validation| validation == Validation::Validating)
        && settings.against_dane().is_empty()
}

/// Whether the files of trust anchors stand where Postfix reads them.
pub(super) fn anchors(findings: &mut Findings, settings: &Settings, config: &Config) {
    let Some(profile) = profile_of(settings, config) else {
        return;
    };
    if profile.anchor_directory.is_empty() {
        if profile.family == Family::Pins {
            let what = format!(
                "[profile.{}] anchor_directory is not set: mail waits for hosts whose TLSA records name \
                 nothing but authorities",
                profile.name
            );
            findings.advice(CHECK, what, cure_of_place(settings, &profile));
        }
        return;
    }
    let directory = PathBuf::from(&profile.anchor_directory);
    let seen = settings.as_seen(profile.anchors_told());
    if !is_same(&seen, &directory) {
        findings.problem(
            CHECK,
            format!(
                "hoplock writes trust anchors to {}, and smtp(8) looks for them in {}: mail waits",
                directory.display(),
                seen.display()
            ),
            cure_of_place(settings, &profile),
        );
        return;
    }
    let state = config.state_file(&state_folder());
    let ours = Account::owner_of(&state);
    let theirs = Account::to_become(settings.get("mail_owner"));
    if is_open(findings, &directory, ours.as_ref(), theirs.as_ref()) {
        let what = format!(
            "{} is written by hoplock and read by Postfix",
            directory.display()
        );
        findings.fine(CHECK, what);
    }
}

/// Whether the one may write there, and the other read.
fn is_open(
    findings: &mut Findings,
    directory: &Path,
    ours: Option<&Account>,
    theirs: Option<&Account>,
) -> bool {
    // hoplock makes the folder itself, in one that is there.
    let place = match exists(directory) {
        Err(ErrorKind::NotFound) => directory.parent().unwrap_or(directory),
        Ok(()) | Err(_) => directory,
    };
    if !is_root() && exists(place) == Err(ErrorKind::PermissionDenied) {
        let what = format!("{} is not open to this user", place.display());
        findings.advice(CHECK, what, AS_ROOT);
        return false;
    }
    let name = |account: Option<&Account>| {
        account.map_or_else(|| "this user".to_owned(), |account| account.name.clone())
    };
    let is_ours = |test: &'static str| may(test, place, ours);
    if !is_ours("-d") || !is_ours("-w") || !is_ours("-x") {
        let what = format!(
            "{} may not write trust anchors to {}: mail waits",
            name(ours),
            directory.display()
        );
        let cure = format!(
            "make {}, owned by the user that hoplock runs as",
            place.display()
        );
        // Who is not root tells nothing of the daemon's user.
        if is_root() {
            findings.problem(CHECK, what, cure);
        } else {
            findings.advice(CHECK, what, AS_ROOT);
        }
        return false;
    }
    let unread = if may("-x", place, theirs) {
        files(directory)
            .into_iter()
            .find(|file| !may("-r", file, theirs))
    } else {
        Some(place.to_path_buf())
    };
    if let Some(unread) = unread {
        findings.problem(
            CHECK,
            format!(
                "{} may not read {}: mail waits",
                name(theirs),
                unread.display()
            ),
            "the folder of the files, and those above it, must be open to Postfix's user: chmod a+rx, or \
             the group postfix",
        );
        return false;
    }
    true
}

/// What the profile should say, for where smtp(8) runs.
fn cure_of_place(settings: &Settings, profile: &Profile) -> String {
    let root = settings.root();
    let name = &profile.name;
    let written = Path::new(&profile.anchor_directory);
    if !settings.smtp.chrooted {
        let place = if written.is_absolute() {
            profile.anchor_directory.as_str()
        } else {
            "/var/lib/hoplock/anchors"
        };
        return format!(
            "[profile.{name}] anchor_directory = {place:?}, and no anchor_directory_in_chroot: smtp(8) \
             runs in none"
        );
    }
    let inside = match written.strip_prefix(&root) {
        Ok(inside) if !profile.anchor_directory.is_empty() => Path::new("/").join(inside),
        _ => PathBuf::from("/hoplock/anchors"),
    };
    format!(
        "[profile.{name}] anchor_directory = \"{}{}\", anchor_directory_in_chroot = \"{}\": smtp(8) runs in \
         the chroot {}",
        root.display(),
        inside.display(),
        inside.display(),
        root.display()
    )
}

/// The same folder, perhaps by another name.
#[allow(
    clippy::disallowed_methods,
    reason = "doctor looks at the mail server's files"
)]
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    real(one) == real(other)
}

#[allow(
    clippy::disallowed_methods,
    reason = "doctor looks at the mail server's files"
)]
fn exists(path: &Path) -> Result<(), ErrorKind> {
    std::fs::metadata(path)
        .map(drop)
        .map_err(|error| error.kind())
}

/// A few of the files that are there.
#[allow(
    clippy::disallowed_methods,
    reason = "doctor looks at the mail server's files"
)]
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let files = entries.flatten().map(|entry| entry.path());
    files
        .filter(|file| file.extension().is_some_and(|own| own == "pem"))
        .take(MOST_FILES)
        .collect()
}

const CHECK: &str = "anchor_directory";
/// They are all made alike.
const MOST_FILES: usize = 5;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
mod tests {
    use super::super::State;
    use super::*;

    fn said(chroot: &str, profile: &str, queue: &Path) -> (Option<State>, String) {
        let config = Config::parse(profile, &[]).0.unwrap();
        let main = format!(
            "mail_version = 3.7.11\ncompatibility_level = 3.6\nqueue_directory = {}\n\
             smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:pins\n",
            queue.display()
        );
        let settings = Settings::of(&main, &format!("smtp unix - - {chroot} - - smtp"), "");
        assert!(are_asked_for(&settings, &config));
        let mut findings = Findings::default();
        anchors(&mut findings, &settings, &config);
        let found = findings.0.first();
        let words = found.map(|finding| format!("{} {}", finding.what, finding.cure));
        (
            found.map(|finding| finding.state),
            words.unwrap_or_default(),
        )
    }

    /// DT-16: what is written where smtp(8) does not look is told with the two lines that put it right, in a
    /// chroot and outside of one.
    #[test]
    fn files_are_looked_for_where_they_are() {
        let spool = tempfile::tempdir().unwrap();
        let queue = spool.path();
        let place = |directory: &str, told: &str| {
            format!(
                "[profile.pins]\nanchor_directory = \"{directory}\"\n\
                 anchor_directory_in_chroot = \"{told}\"\n"
            )
        };
        let inside = format!("{}/anchors", queue.display());
        let good =
            format!("anchor_directory = \"{inside}\", anchor_directory_in_chroot = \"/anchors\"");
        let (state, words) = said("y", &place(&inside, "/anchors"), queue);
        assert_eq!(state, Some(State::Fine), "{words}");
        for told in ["", "/elsewhere", &inside] {
            let (state, words) = said("y", &place(&inside, told), queue);
            assert_eq!(state, Some(State::Problem), "{told}");
            assert!(words.contains(&good), "{words}");
        }
        let (state, words) = said("y", &place("/var/lib/anchors", ""), queue);
        assert_eq!(state, Some(State::Problem), "{words}");
        assert!(
            words.contains("in_chroot = \"/hoplock/anchors\""),
            "{words}"
        );
        let (state, words) = said("n", &place(&inside, ""), queue);
        assert_eq!(state, Some(State::Fine), "{words}");
        let (state, words) = said("n", &place(&inside, "/anchors"), queue);
        assert_eq!(state, Some(State::Problem), "{words}");
        assert!(words.contains("no anchor_directory_in_chroot"), "{words}");
        let (state, words) = said("y", "", queue);
        assert_eq!(state, Some(State::Advice), "{words}");
    }

    /// DT-16: a folder that nobody can make is told before mail waits for it.
    #[test]
    fn a_folder_must_have_its_place() {
        let spool = tempfile::tempdir().unwrap();
        let inside = format!("{}/not/there", spool.path().display());
        let profile = format!("[profile.pins]\nanchor_directory = \"{inside}\"\n");
        let (state, words) = said("n", &profile, spool.path());
        assert_ne!(state, Some(State::Fine), "{words}");
        assert!(words.contains("not/there"), "{words}");
    }
}
