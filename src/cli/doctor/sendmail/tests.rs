//! Each trap is planted alone in a sendmail.cf that m4 made of the shipped lines, and is found by that name
//! and no other.

use super::super::State;
use super::*;

/// What Debian 12 and 13 made of integration/sendmail, and what their programs say of themselves.
const RECORDED: &[(&str, &str, &str)] = &[
    (
        "8.17",
        include_str!("recorded/8.17.cf"),
        include_str!("recorded/8.17.txt"),
    ),
    (
        "8.18",
        include_str!("recorded/8.18.cf"),
        include_str!("recorded/8.18.txt"),
    ),
];

const CHECKED: &str = "[profile.sendmail]\nverifier = true\n";
const BY_ITSELF: &str = "[profile.sendmail]\nown_dane = \"yes\"\n";

/// What is found and is not fine.
fn found(text: &str, abilities: &str, config: &str) -> Vec<(&'static str, State)> {
    let config = Config::parse(config, &[]).0.unwrap();
    let abilities = Abilities::of(abilities).unwrap();
    let mut findings = Findings::default();
    settings(&mut findings, &Settings::of(text), &abilities, &config);
    let told = findings
        .0
        .into_iter()
        .filter(|finding| finding.state != State::Fine);
    told.inspect(|finding| assert!(!finding.cure.is_empty(), "{}", finding.what))
        .map(|finding| (finding.check, finding.state))
        .collect()
}

/// In the ruleset about sessions, where it is there.
fn planted(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "nothing to plant a trap in: {from}");
    let (before, session) = text.split_at(text.find("SLocal_tls_rcpt").unwrap());
    if session.contains(from) {
        return format!("{before}{}", session.replacen(from, to, 1));
    }
    text.replacen(from, to, 1)
}

/// Without the lines of verifier.mc.
fn unchecked(text: &str) -> String {
    let (before, _) = text.split_once("SLocal_try_tls").unwrap();
    let lines = before
        .lines()
        .filter(|line| !line.starts_with("Kverifier") && !line.contains("Fingerprint"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_recording_is_of_what_is_shipped() {
    let verifier = include_str!("../../../../integration/sendmail/verifier.mc");
    let (_, lines) = verifier.split_once("LOCAL_CONFIG").unwrap();
    let maps = [
        include_str!("../../../../integration/sendmail/sts-8.17.mc"),
        include_str!("../../../../integration/sendmail/sts-8.18.mc"),
    ];
    for ((version, text, _), map) in RECORDED.iter().zip(maps) {
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let ruleset = line.strip_prefix("LOCAL_");
            let ruleset = ruleset.map(|name| format!("SLocal_{}", name.to_lowercase()));
            let made = ruleset.as_deref().unwrap_or(line);
            let there = text.lines().any(|own| own == made);
            assert!(there, "{version}: {line}");
        }
        let (_, place) = map.split_once("FEATURE(`sts', `").unwrap();
        let (place, _) = place.split_once('\'').unwrap();
        assert!(text.contains(&format!("Ksts {place}\n")), "{version}");
    }
}

#[test]
fn the_shipped_files_are_clean() {
    for (version, text, abilities) in RECORDED {
        assert_eq!(found(text, abilities, CHECKED), [], "{version}");
    }
    let (_, text, abilities) = RECORDED[1];
    assert_eq!(found(&unchecked(text), abilities, BY_ITSELF), []);
    let both = format!("{BY_ITSELF}verifier = true\n");
    assert_eq!(found(text, abilities, &both), []);
    // 8.17 alone: nothing is unprotected, and what has DANE waits.
    let (_, text, abilities) = RECORDED[0];
    let alone = found(&unchecked(text), abilities, "");
    assert_eq!(alone, [("sendmail-dane", State::Advice)]);
}

/// Plants in both recordings; what is found must be that alone.
fn finds(check: &'static str, from: &str, to: &str) {
    for (version, text, abilities) in RECORDED {
        let found = found(&planted(text, from, to), abilities, CHECKED);
        assert_eq!(
            found,
            [(check, State::Problem)],
            "{version}: {from} => {to}"
        );
    }
}

/// EX-02: a map that takes trouble for "not found", or is asked elsewhere.
#[test]
fn each_trap_of_a_map_is_found() {
    for (check, flags, place) in [
        ("sendmail-tempfail", "-d5", "inet:8425@127.0.0.1"),
        ("sendmail-tempfail", "-d5 -T<TEMP>", "inet:8425@127.0.0.1"),
        ("sendmail-timeout", "-T<TMPF>", "inet:8425@127.0.0.1"),
        ("sendmail-timeout", "-d3 -T<TMPF>", "inet:8425@127.0.0.1"),
        (
            "sendmail-map-flags",
            "-o -d5 -T<TMPF>",
            "inet:8425@127.0.0.1",
        ),
        (
            "sendmail-map-flags",
            "-m -d5 -T<TMPF>",
            "inet:8425@127.0.0.1",
        ),
        ("sendmail-socket", "-d5 -T<TMPF>", "inet:8461@127.0.0.1"),
        (
            "sendmail-socket",
            "-d5 -T<TMPF>",
            "unix:/run/hoplock/socketmap",
        ),
    ] {
        for map in ["sts", "verifier"] {
            finds(
                check,
                &format!("K{map} socket -d5 -T<TMPF> inet:8425@127.0.0.1"),
                &format!("K{map} socket {flags} {place}"),
            );
        }
    }
    finds("sendmail-socket", "Kverifier socket", "Kverifier hash");
    finds("sendmail", "Ksts ", "Kother ");
    finds("sendmail-verifier", "Kverifier ", "Kother ");
}

/// EX-02: whatever else answers at hoplock's port is met before there is a recipient to give back.
#[test]
fn a_session_without_a_greeting_is_found() {
    for (version, text, abilities) in RECORDED {
        let greeting = "$(verifier hello ";
        assert!(text.contains(greeting));
        let without = text.replace(greeting, "$(verifier | ");
        let found = found(&without, abilities, CHECKED);
        let both = [("sendmail-greeting", State::Problem); 2];
        assert_eq!(found, both, "{version}");
    }
    for ruleset in ["SLocal_try_tls", "SLocal_tls_server"] {
        let line = format!("{ruleset}\nR$*\t$@ $>Hoplock_there\n");
        finds("sendmail-greeting", &line, &format!("{ruleset}\n"));
    }
}

/// EX-02: a session check that lets pass what is not the whole good answer; options that spoil an answer.
#[test]
fn each_trap_of_rules_and_options_is_found() {
    const RULESET: &str = "sendmail-ruleset";
    const REFUSAL: &str = "R$*\t$#error $@ 4.7.0 $: \"450 TLS verifier refused: \" $1";
    for (check, from, to) in [
        ("sendmail-session-check", "SLocal_tls_rcpt", "SLocal_other"),
        (RULESET, "$: none $)", "$: ok $)"),
        (RULESET, "Rok\t$@ ok", "Rok $*\t$@ ok"),
        (RULESET, "Rok\t$@ ok", "R$*\t$@ ok"),
        (
            RULESET,
            "Rok\t$@ ok\n",
            "R$* refused $*\t$#error $@ 4.7.0 $: \"450 no\"\nR$*\t$@ ok\n",
        ),
        (
            RULESET,
            "R$*\t$: $(verifier",
            "R$* . test\t$@ ok\nR$*\t$: $(verifier",
        ),
        (RULESET, REFUSAL, ""),
        (
            RULESET,
            REFUSAL,
            "R$*\t$#error $@ 5.7.0 $: \"550 refused: \" $1",
        ),
        ("CertFingerprintAlgorithm", "O CertFing", "#O CertFing"),
        ("CertFingerprintAlgorithm", "=sha256", "=md5"),
        ("StrictTransportSecurity", "Security=true", "Security=false"),
        ("SetCertAltnames", "O SetCertAltnames", "#O SetCertAltnames"),
        (
            "TLSFallbacktoClear",
            "#O TLSFallbacktoClear",
            "O TLSFallbacktoClear=True",
        ),
    ] {
        finds(check, from, to);
    }
    for (version, text, abilities) in RECORDED {
        let bare = text.replace("O CACert", "#O CACert");
        let found = found(&bare, abilities, CHECKED);
        assert_eq!(found, [("CACertFile", State::Problem)], "{version}");
    }
}

/// PD-16, PD-11: what the profile says is relied on, so it must be true of this Sendmail.
#[test]
fn the_profile_says_what_sendmail_can_do() {
    let (old, new) = (RECORDED[0], RECORDED[1]);
    let dane_off = planted(new.1, "O DANE=true", "#O DANE=false");
    let dane_without_code = format!("{}O DANE=true\n", unchecked(old.1));
    for (text, abilities, config, expected) in [
        // DANE that is not there: not switched on, or not built in.
        (&unchecked(&dane_off), new.2, BY_ITSELF, State::Problem),
        (&dane_without_code, old.2, BY_ITSELF, State::Problem),
        (&unchecked(old.1), old.2, BY_ITSELF, State::Problem),
        // DANE that is there, and nobody says so.
        (&unchecked(new.1), new.2, "", State::Advice),
    ] {
        assert_eq!(
            found(text, abilities, config),
            [("sendmail-dane", expected)]
        );
    }
    // The session check: said and not there; there and not said.
    for (text, abilities) in [(old.1, old.2), (new.1, new.2)] {
        let check = "sendmail-session-check";
        let said = found(&unchecked(text), abilities, CHECKED);
        assert_eq!(said, [(check, State::Problem)]);
    }
    let unsaid = found(new.1, new.2, BY_ITSELF);
    assert_eq!(unsaid, [("sendmail-session-check", State::Advice)]);
    let unsaid = found(old.1, old.2, "");
    assert_eq!(unsaid, [("sendmail-session-check", State::Advice)]);
}

#[test]
fn other_things_that_are_seen() {
    let (_, text, abilities) = RECORDED[0];
    let relayed = planted(text, "\nDS\n", "\nDSrelay.example.com\n");
    let relayed = found(&relayed, abilities, CHECKED);
    assert_eq!(relayed, [("sendmail-smart-host", State::Advice)]);
    let bare = abilities.replace(" _FFR_MTA_STS", "");
    let bare = found(text, &bare, CHECKED);
    assert_eq!(bare, [("sendmail-features", State::Problem)]);
    // A socket by another name of this machine, and one of systemd's.
    for (place, listen) in [
        ("inet:8425@localhost", "inet:127.0.0.1:8425"),
        ("inet6:8425@::1", "inet:[::]:8425"),
        ("local:/run/hoplock/s", "unix:/run/hoplock/s"),
        ("inet:8461@127.0.0.1", "systemd:map"),
    ] {
        let text = text.replace("inet:8425@127.0.0.1", place);
        let config = format!("{CHECKED}[listen]\nsocketmap = [\"{listen}\"]\n");
        assert_eq!(found(&text, abilities, &config), [], "{place}");
    }
}
