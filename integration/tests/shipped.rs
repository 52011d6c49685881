//! The pages for mail servers print the very files that the lab delivers with; and what the package must have in
//! it, whatever a lab shows.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::fs;
use std::path::Path;

use hoplock::config::{Config, Endpoint};
use hoplock_integration::manual::Page;

/// A file of packaging/.
fn packaged(file: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(here.join("../packaging").join(file)).unwrap()
}

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

/// OP-10: as the package sets it up, nobody outside of this machine reaches a socket, and what systemd holds
/// is an address that the configuration names.
#[test]
fn the_package_listens_on_loopback_alone() {
    let (config, complaints) = Config::parse(&packaged("debian/hoplock.toml"), &[]);
    assert!(complaints.is_empty(), "{complaints:?}");
    let listen = config.unwrap().listen;
    let all = [
        &listen.socketmap,
        &listen.http,
        &listen.policy,
        &listen.readsocket,
    ];
    let inet: Vec<_> = all
        .into_iter()
        .flatten()
        .filter_map(|endpoint| match endpoint {
            Endpoint::Inet(address) => Some(address.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(inet, ["127.0.0.1:8425", "127.0.0.1:8426"]);
    let socket = packaged("systemd/hoplock.socket");
    let held: Vec<_> = socket
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream="))
        .collect();
    assert_eq!(held, ["127.0.0.1:8425"]);
    // A socket that does not belong to all.
    assert_eq!(listen.mode, 0o660);
}

/// OP-10: the unit runs as the package's user, without rights, and writes to its own folders alone.
#[test]
fn the_unit_is_hardened() {
    let unit = packaged("systemd/hoplock.service");
    let mut lines: Vec<_> = unit.lines().collect();
    for line in [
        "Type=notify",
        "User=hoplock",
        "Group=hoplock",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "PrivateMounts=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictNamespaces=yes",
        "RestrictSUIDSGID=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "AppArmorProfile=-hoplock",
        "WatchdogSec=30",
        "StateDirectoryMode=0750",
        "RuntimeDirectoryMode=0750",
        "ReadWritePaths=-/var/spool/postfix/hoplock",
        // Mail waits for as long as it is down.
        "StartLimitIntervalSec=0",
        "Restart=on-failure",
    ] {
        assert!(lines.contains(&line), "{line}");
        lines.retain(|own| *own != line);
    }
    // Nothing gives back what these take.
    for key in [
        "CapabilityBoundingSet",
        "AmbientCapabilities",
        "ReadWritePaths",
        "User",
        "ProtectSystem",
    ] {
        let again = lines
            .iter()
            .find(|line| line.starts_with(&format!("{key}=")));
        assert_eq!(again, None);
    }
    // SV-10: with it journalctl does not find the boot's id, and ends.
    assert!(!lines.iter().any(|line| line.starts_with("ProcSubset=")));
    let profile = packaged("apparmor/hoplock");
    assert!(
        profile.contains("\nprofile hoplock {\n"),
        "not the daemon's alone"
    );
    let mut granted = profile.lines().map(str::trim);
    assert!(!granted.any(|line| line.starts_with("capability") || line.contains("complain")));
    for folder in [
        "/var/lib/hoplock/",
        "@{run}/hoplock/",
        "/var/spool/postfix/hoplock/",
    ] {
        assert!(profile.contains(&format!("{folder}** rw")), "{folder}");
    }
}

/// OP-10: the scripts of the package read what the mail server is told, and write none of it; the socket's
/// folder is for Postfix's group; a purge leaves what people wrote.
#[test]
fn the_package_edits_no_mail_server() {
    for script in ["postinst", "prerm", "postrm"] {
        let text = packaged(&format!("debian/{script}"));
        let commands = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        for line in commands {
            // Read-only, whatever stands in front.
            for (_, call) in line
                .match_indices("postconf")
                .map(|(at, _)| line.split_at(at))
            {
                assert!(
                    ["postconf -h ", "postconf >/dev/null"]
                        .iter()
                        .any(|own| call.starts_with(own)),
                    "{script}: {line}"
                );
            }
            for folder in ["/etc/postfix", "/etc/exim4", "/etc/mail"] {
                let written = line.contains(&format!(">{folder}"))
                    || line.contains(&format!("> {folder}"))
                    || (line.contains(folder)
                        && ["sed ", "cp ", "mv ", "rm ", "tee ", "install "]
                            .iter()
                            .any(|tool| line.starts_with(tool)));
                assert!(!written, "{script}: {line}");
            }
            for tool in [
                "postfix reload",
                "systemctl reload postfix",
                "update-exim4.conf",
            ] {
                let called = line.starts_with(tool);
                assert!(!called, "{script}: {line}");
            }
            assert!(!line.contains("rm -rf /etc"), "{script}: {line}");
        }
    }
    let postinst = packaged("debian/postinst");
    for line in [
        "chown hoplock:postfix \"$folder\"",
        "chmod 2750 \"$folder\"",
    ] {
        assert!(postinst.contains(line), "{line}");
    }
    assert!(postinst.contains("adduser --system --group"));
}

/// What is packed is what is there: no page is forgotten, and Debian's changelog begins with this version.
#[test]
fn the_package_is_this_version_with_all_pages() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(here.join("../Cargo.toml")).unwrap();
    assert!(manifest.contains("[\"docs/*.md\", \"usr/share/doc/hoplock/\", \"644\"]"));
    let version = format!("hoplock ({}-1) ", env!("CARGO_PKG_VERSION"));
    assert!(
        packaged("debian/changelog").starts_with(&version),
        "{version}"
    );
}
