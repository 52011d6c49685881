//! How Postfix asks us: the policy map, its place among others, and whether it answers.

use std::path::PathBuf;

use hoplock_policy::profile::{Family, Profile};

use super::Findings;
use super::table::{Ours, Table, is_wildcard};
use crate::adapters::postfix::{Settings, postmap, words};
use crate::adapters::program::{Account, ProgramError};
use crate::config::{Config, Endpoint};

/// Whether our map is there, first, spelled well, and answers.
pub(super) fn policy_maps(findings: &mut Findings, settings: &Settings, config: &Config) {
    let Some(table) = our_table(findings, settings, config) else {
        return;
    };
    if dialect(findings, &table, settings, config) && proxied_well(findings, &table, settings) {
        ask(findings, &table, settings);
    }
}

/// Our table, where Postfix asks it.
fn our_table(findings: &mut Findings, settings: &Settings, config: &Config) -> Option<Table> {
    let mut tables = Table::all(settings);
    let (root, listening) = (settings.root(), &config.listen.socketmap);
    let all = tables.iter().map(|table| table.ours(&root, listening));
    let best = all.clone().max().unwrap_or(Ours::No);
    // Postfix asks the first; one that is surely ours beats one that may be.
    let Some(position) = all
        .clone()
        .position(|ours| ours == best && ours != Ours::No)
    else {
        not_asked(findings, &tables, settings, config);
        return None;
    };
    if position > 0 {
        let before: Vec<&str> = tables
            .iter()
            .take(position)
            .map(|table| table.written.as_str())
            .collect();
        findings.problem(
            "map-order",
            format!(
                "{} is asked before hoplock, and its word stands unchecked",
                before.join(", ")
            ),
            format!(
                "make its exceptions rules of hoplock; {}",
                settings.cure(CHECK, &line_to_add(settings, config))
            ),
        );
    }
    Some(tables.swap_remove(position))
}

/// Why no table is ours.
fn not_asked(findings: &mut Findings, tables: &[Table], settings: &Settings, config: &Config) {
    let line = line_to_add(settings, config);
    let cure = settings.cure(CHECK, &line);
    let listening = &config.listen.socketmap;
    let chroot_trap = tables.iter().find(|table| {
        let endpoint = table.endpoint.as_ref();
        !table.proxied && endpoint.is_some_and(|endpoint| listening.contains(endpoint))
    });
    if let Some(table) = chroot_trap {
        findings.problem(
            "chroot",
            format!(
                "{} is looked for inside the chroot {}, where it is not",
                table.written,
                settings.root().display()
            ),
            format!("{cure}; or put proxy: in front of it"),
        );
    } else if let Some(table) = tables.iter().find(|table| table.hides_a_socketmap()) {
        findings.advice(
            CHECK,
            format!(
                "{}: doctor does not look inside such a table",
                table.written
            ),
            format!("ask hoplock by a table of its own: {cure}"),
        );
    } else if tables.iter().any(|table| table.map.is_some()) {
        let what = format!(
            "{CHECK} = {}: hoplock does not listen there",
            settings.get(CHECK)
        );
        findings.problem(CHECK, what, cure);
    } else {
        findings.problem(CHECK, "Postfix does not ask hoplock", cure);
    }
}

/// Whether the map's name is a profile that this Postfix understands; false where it is none.
fn dialect(findings: &mut Findings, table: &Table, settings: &Settings, config: &Config) -> bool {
    const CHECK: &str = "map-name";
    let name = table.map.clone().unwrap_or_default();
    let canonical = Profile::built_in(&name).map_or_else(|| name.clone(), |profile| profile.name);
    let Some(profile) = config
        .profiles
        .get(&canonical)
        .filter(|p| matches!(p.family, Family::Postfix | Family::Pins))
    else {
        findings.problem(
            CHECK,
            format!("hoplock has no map {name:?} for Postfix: each query is answered TEMP"),
            settings.cure("smtp_tls_policy_maps", &line_to_add(settings, config)),
        );
        return false;
    };
    let (major, minor, _) = settings.version();
    let speaks_reports = (profile.version.major, profile.version.minor) >= (3, 10);
    let knows_reports = (major, minor) >= (3, 10);
    let is_pins = profile.family == Family::Pins;
    match (speaks_reports, knows_reports) {
        _ if is_pins => findings.fine(CHECK, name),
        // The version check has said so already.
        (true, false) => {}
        (false, true) => findings.advice(
            CHECK,
            format!("this Postfix {major}.{minor} also understands the map postfix310, which lets it report by TLSRPT"),
            "write postfix310 in place of postfix in smtp_tls_policy_maps",
        ),
        _ => findings.fine(CHECK, name),
    }
    if speaks_reports && settings.get("smtp_tls_enforce_sts_mx_patterns") == "no" {
        findings.advice(
            "smtp_tls_enforce_sts_mx_patterns",
            "smtp_tls_enforce_sts_mx_patterns = no: Postfix does not look itself whether the policy \
             lists a host",
            settings.cure("smtp_tls_enforce_sts_mx_patterns", "yes"),
        );
    }
    true
}

/// proxymap(8) asks only those tables that its list names, by default those of main.cf.
fn proxied_well(findings: &mut Findings, table: &Table, settings: &Settings) -> bool {
    const CHECK: &str = "proxy_read_maps";
    if !table.proxied {
        return true;
    }
    let listed = words(settings.get(CHECK))
        .map(|word| word.trim_start_matches("proxy:"))
        .any(|word| word == table.bare);
    if listed {
        findings.fine(CHECK, format!("{} is among them", table.bare));
    } else {
        findings.problem(
            CHECK,
            format!(
                "{CHECK} does not hold {}: proxymap(8) refuses to ask it",
                table.bare
            ),
            format!("in main.cf: put {} into {CHECK}", table.bare),
        );
    }
    listed
}

/// Asks through Postfix's own client, as the user that smtp(8) and proxymap(8) run as.
fn ask(findings: &mut Findings, table: &Table, settings: &Settings) {
    const CHECK: &str = "postmap";
    let map = table.map.clone().unwrap_or_default();
    let Some(endpoint) = table.outside(&settings.root()) else {
        return;
    };
    // From outside of the chroot, and without proxymap(8), which need not run.
    let asked = format!("socketmap:{endpoint}:{map}");
    let account = Account::to_become(settings.get("mail_owner"));
    let by = account
        .as_ref()
        .map_or_else(String::new, |account| format!(" the user {}", account.name));
    match postmap(&asked, "localhost", account.as_ref()) {
        Ok(None) => findings.fine(CHECK, format!("{asked} answers{by}")),
        Ok(Some(reply)) => findings.problem(
            CHECK,
            format!("{asked} says {reply:?} of localhost, which is no destination"),
            "is that hoplock? see [listen] socketmap",
        ),
        Err(ProgramError::Failed { words, .. })
            if account.is_none() && words.contains("Permission denied") =>
        {
            findings.advice(
                CHECK,
                format!("{asked} is not open to this user, which tells nothing of Postfix's"),
                "run doctor as root: it then asks as Postfix's own user",
            );
        }
        Err(ProgramError::Failed { words, .. }) => findings.problem(
            CHECK,
            format!("{asked} does not answer{by}: {words}"),
            format!(
                "start hoplock; a unix socket and its folder must be open to the user {} or its group \
                 ([listen] group, mode; or the folder's set-group-id bit)",
                settings.get("mail_owner")
            ),
        ),
        Err(error) => findings.problem(
            CHECK,
            error.to_string(),
            "postmap comes with Postfix, beside postconf: install it again",
        ),
    }
}

/// What main.cf should say: the first socket that Postfix can reach.
fn line_to_add(settings: &Settings, config: &Config) -> String {
    let map = if settings.version() >= (3, 10, 0) {
        "postfix310"
    } else {
        "postfix"
    };
    let root = settings.root();
    let listening = &config.listen.socketmap;
    let direct = listening.iter().find_map(|endpoint| match endpoint {
        Endpoint::Inet(address) => Some(format!("inet:{}", to_be_asked(address))),
        Endpoint::Unix(path) => {
            let inside = path.strip_prefix(&root).ok()?;
            let path = PathBuf::from("/").join(inside);
            Some(format!("unix:{}", path.display()))
        }
        Endpoint::Systemd(_) => None,
    });
    if let Some(place) = direct {
        return format!("socketmap:{place}:{map}");
    }
    let unix = listening
        .iter()
        .find(|endpoint| matches!(endpoint, Endpoint::Unix(_)));
    match unix {
        // proxymap(8) is outside of the chroot.
        Some(endpoint) => format!("proxy:socketmap:{endpoint}:{map}"),
        None => format!("socketmap:inet:127.0.0.1:8425:{map}"),
    }
}

/// An address to be asked at, for one to listen at.
fn to_be_asked(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if is_wildcard(host) && host.starts_with('[') => {
            format!("[::1]:{port}")
        }
        Some((host, port)) if is_wildcard(host) => format!("127.0.0.1:{port}"),
        _ => address.to_owned(),
    }
}

const CHECK: &str = "smtp_tls_policy_maps";

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const BASE: &str = "mail_version = 3.7.11\ncompatibility_level = 3.6\n\
                        queue_directory = /var/spool/postfix\n";

    fn config(listen: &str) -> Config {
        Config::parse(&format!("[listen]\nsocketmap = [{listen}]\n"), &[])
            .0
            .unwrap()
    }

    fn settings(maps: &str, chroot: &str) -> Settings {
        let main = format!("{BASE}smtp_tls_policy_maps = {maps}\n");
        Settings::of(&main, &format!("smtp unix - - {chroot} - - smtp"), "")
    }

    /// What is said of a map, and whether one is ours.
    fn said(maps: &str, chroot: &str, listen: &str) -> (Option<(&'static str, State)>, bool) {
        let mut findings = Findings::default();
        let ours = our_table(&mut findings, &settings(maps, chroot), &config(listen));
        let first = findings.0.first();
        (
            first.map(|finding| (finding.check, finding.state)),
            ours.is_some(),
        )
    }

    #[test]
    fn maps_and_sockets() {
        const INET: &str = "\"inet:127.0.0.1:8425\"";
        const RUN: &str = "\"unix:/run/hoplock/s\"";
        let problem = |check| Some((check, State::Problem));
        for (maps, chroot, listen, expected, ours) in [
            (
                "socketmap:inet:localhost:8425:postfix",
                "y",
                INET,
                None,
                true,
            ),
            (
                "socketmap:inet:localhost:8461:postfix",
                "y",
                INET,
                problem(CHECK),
                false,
            ),
            (
                "socketmap:inet:localhost:8461:postfix",
                "y",
                "\"systemd:a\"",
                None,
                true,
            ),
            ("", "y", INET, problem(CHECK), false),
            (
                "socketmap:unix:/run/hoplock/s:postfix",
                "y",
                RUN,
                problem("chroot"),
                false,
            ),
            (
                "socketmap:unix:/run/hoplock/s:postfix",
                "n",
                RUN,
                None,
                true,
            ),
            (
                "proxy:socketmap:unix:/run/hoplock/s:postfix",
                "y",
                RUN,
                None,
                true,
            ),
            (
                "unionmap:{static:may, socketmap:inet:127.0.0.1:8425:postfix}",
                "y",
                INET,
                Some((CHECK, State::Advice)),
                false,
            ),
            (
                "inline:{ a=may, b=may } socketmap:inet:127.0.0.1:8425:postfix",
                "y",
                INET,
                problem("map-order"),
                true,
            ),
        ] {
            assert_eq!(
                said(maps, chroot, listen),
                (expected, ours),
                "{maps} {listen}"
            );
        }
    }

    #[test]
    fn the_line_to_add_can_be_asked() {
        for (chroot, listen, expected) in [
            (
                "y",
                "\"inet:0.0.0.0:8425\"",
                "socketmap:inet:127.0.0.1:8425:postfix",
            ),
            (
                "y",
                "\"inet:[::]:8425\"",
                "socketmap:inet:[::1]:8425:postfix",
            ),
            (
                "y",
                "\"unix:/run/s\"",
                "proxy:socketmap:unix:/run/s:postfix",
            ),
            ("n", "\"unix:/run/s\"", "socketmap:unix:/run/s:postfix"),
            (
                "y",
                "\"unix:/run/s\", \"unix:/var/spool/postfix/hoplock/s\"",
                "socketmap:unix:/hoplock/s:postfix",
            ),
        ] {
            let line = line_to_add(&settings("", chroot), &config(listen));
            assert_eq!(line, expected, "{listen}");
        }
    }

    #[test]
    fn proxymap_asks_what_its_list_names() {
        let maps = "proxy:socketmap:unix:/run/s:postfix";
        let listed = |list: &str| {
            let main = format!("{BASE}smtp_tls_policy_maps = {maps}\nproxy_read_maps = {list}\n");
            let settings = Settings::of(&main, "smtp unix - - y - - smtp", "");
            let table = Table::all(&settings).swap_remove(0);
            proxied_well(&mut Findings::default(), &table, &settings)
        };
        assert!(listed("static:all, proxy:socketmap:unix:/run/s:postfix"));
        assert!(listed("socketmap:unix:/run/s:postfix"));
        assert!(!listed("socketmap:unix:/run/s:postfix310"));
        assert!(!listed(""));
    }
}
