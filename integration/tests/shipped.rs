//! The pages for mail servers print the very files that the lab delivers with.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use hoplock_integration::manual::Page;

/// EX-02: what `docs/exim.md`, `docs/sendmail.md` and `docs/postfix.md` tell people to add is what the lab shows to fail
/// closed, to the letter; and so with `docs/guard.md`, whose files are called so.
#[test]
fn pages_print_the_shipped_files() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut printed = 0;
    for (folder, whole) in [("exim", "exim4.conf"), ("sendmail", ""), ("postfix", "")] {
        for entry in fs::read_dir(here.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() == whole {
                // Around the others, for the lab alone.
                continue;
            }
            let is_of_guard = entry.file_name().to_string_lossy().starts_with("guard");
            let name = if is_of_guard { "guard" } else { folder };
            let path = here.join("../docs").join(format!("{name}.md"));
            let page = fs::read_to_string(path).unwrap();
            let page = Page::read(name, &page).unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            let is_printed = page.blocks.iter().any(|block| block.text == text);
            assert!(is_printed, "{name}.md lacks {:?}", entry.path());
            printed += 1;
        }
    }
    assert!(printed >= 10, "only {printed} files were found");
}

/// DT-16, PF-17: the package has what the page prints for a Postfix without DNSSEC, for each map of Postfix,
/// in the one folder that its unit may write to and Postfix reads in its chroot.
#[test]
fn the_package_hands_anchors_over() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(here.join(file)).unwrap();
    let (package, unit) = (
        read("../packaging/debian/hoplock.toml"),
        read("../packaging/systemd/hoplock.service"),
    );
    let printed = read("postfix/pins.toml");
    for profile in ["pins", "postfix", "postfix310"] {
        let own = printed.replace("profile.pins", &format!("profile.{profile}"));
        assert!(package.contains(&own), "{profile}");
    }
    let (_, told) = printed
        .split_once("anchor_directory_in_chroot = \"")
        .unwrap();
    let told = told.split('"').next().unwrap();
    let written = format!("anchor_directory = \"/var/spool/postfix{told}\"");
    assert!(printed.contains(&written), "{printed}");
    let folder = told.rsplit_once('/').unwrap().0;
    let writable = format!("\nReadWritePaths=-/var/spool/postfix{folder}\n");
    assert!(unit.contains(&writable), "{unit}");
    // What it refuses, hoplock does not ask for.
    assert!(unit.contains("\nRestrictSUIDSGID=yes\n"));
}

/// EX-02, EX-04: no shipped question to hoplock goes without a failure string, no clear-text retry is
/// left, and nothing that bounces is used.
#[test]
fn shipped_files_fail_closed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("exim");
    let mut questions = 0;
    for file in ["routers.conf", "transports.conf"] {
        let text = fs::read_to_string(here.join(file)).unwrap();
        // Fourth and fifth argument: newlines stay, and what stands for a failure.
        let asked = text.matches("${readsocket{").count();
        let answered = text.matches("s}{}{}}").count() + text.matches("s}{}{no answer}}").count();
        assert_eq!(asked, answered, "{file}");
        assert!(!text.contains("hosts_require_dane"), "{file}");
        questions += asked;
    }
    assert_eq!(questions, 8);
    let transports = fs::read_to_string(here.join("transports.conf")).unwrap();
    for line in [
        "  multi_domain = false\n",
        "  connection_max_messages = 1\n",
        "  tls_tempfail_tryclear = false\n",
    ] {
        assert!(transports.contains(line), "{line}");
    }
    let here = here.with_file_name("sendmail");
    for file in ["sts-8.17.mc", "sts-8.18.mc", "verifier.mc"] {
        let text = fs::read_to_string(here.join(file)).unwrap();
        let maps = text.lines().filter(|line| line.contains("socket -d5"));
        // What cannot be answered is marked, or Sendmail would take it for "not found".
        assert!(maps.clone().count() == 1, "{file}");
        assert!(
            maps.clone().all(|line| line.contains(" -T<TMPF> ")),
            "{file}"
        );
    }
    // FT-03: a milter that may be what removes forged fields, or refuses, is not passed by.
    let milter = fs::read_to_string(here.join("guard.mc")).unwrap();
    assert!(milter.contains(", F=T, "), "{milter}");
    let milter = fs::read_to_string(here.join("../postfix/guard-milter.cf")).unwrap();
    assert!(milter.contains(", default_action=tempfail }"), "{milter}");
    // Only the whole good answer passes, and whatever else comes is an error.
    let check = fs::read_to_string(here.join("verifier.mc")).unwrap();
    let (before, session) = check.split_once("\nLOCAL_TLS_RCPT\n").unwrap();
    assert!(session.contains("\nRok\t$@ ok\nR$*\t$#error "));
    // EX-02, FT-03: whatever is not hoplock is met before RCPT, where it would make Sendmail give the
    // message back; and what was met once ends the message's other sessions too.
    for ruleset in ["LOCAL_TRY_TLS", "LOCAL_TLS_SERVER"] {
        let asks = format!("\n{ruleset}\nR$*\t$@ $>Hoplock_there\n");
        assert!(before.contains(&asks), "{ruleset}");
    }
    let (_, greeting) = before.split_once("\nSHoplock_there\n").unwrap();
    let rules: Vec<_> = greeting
        .lines()
        .filter(|line| line.starts_with('R'))
        .collect();
    let [
        "R$*\t$: <$&{hoplock}>",
        gone,
        asks,
        "Rok\t$@ ok",
        keeps,
        ends,
    ] = rules[..]
    else {
        panic!("{rules:?}");
    };
    assert_eq!(asks, "R$*\t$: $(verifier hello $: none $)");
    assert_eq!(keeps, "R$*\t$: $(macro {hoplock} $@ gone $)");
    for (line, left) in [(gone, "R<gone>"), (ends, "R$*")] {
        // Sendmail judges an error of these rulesets by its first words alone.
        let error = format!("{left}\t$#error $@ 4.7.0 $: \"450 ");
        assert!(line.starts_with(&error), "{line}");
    }
}
