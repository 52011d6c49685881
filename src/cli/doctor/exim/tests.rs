//! Each trap is planted alone in what Exim prints of the shipped files, and is found by that name and no
//! other.

use super::super::State;
use super::*;

/// What `exim -bP config` printed of integration/exim/exim4.conf, in Debian 12 and 13.
const RECORDED: &[(&str, &str)] = &[
    ("4.96", include_str!("recorded/4.96.txt")),
    ("4.98", include_str!("recorded/4.98.txt")),
];

const LISTEN: &str = "[listen]\nreadsocket = [\"inet:127.0.0.1:8427\"]\n";
const RESOLV_CONF: &str = "nameserver 127.0.0.1\noptions edns0 trust-ad\n";

/// What is found and is not fine.
fn found(printed: &str, config: &str, resolv_conf: &str) -> Vec<(&'static str, State)> {
    let config = Config::parse(config, &[]).0.unwrap();
    let mut findings = Findings::default();
    settings(
        &mut findings,
        &Settings::of(printed),
        &config,
        Some(resolv_conf),
    );
    let told = findings
        .0
        .into_iter()
        .filter(|finding| finding.state != State::Fine);
    told.inspect(|finding| assert!(!finding.cure.is_empty(), "{}", finding.what))
        .map(|finding| (finding.check, finding.state))
        .collect()
}

/// The recording with one text in the place of another.
fn planted(printed: &str, from: &str, to: &str) -> String {
    assert!(printed.contains(from), "nothing to plant a trap in: {from}");
    printed.replacen(from, to, 1)
}

#[test]
fn the_recording_is_of_what_is_shipped() {
    let shipped = [
        include_str!("../../../../integration/exim/main.conf"),
        include_str!("../../../../integration/exim/routers.conf"),
        include_str!("../../../../integration/exim/transports.conf"),
    ];
    for (version, printed) in RECORDED {
        let own: Vec<&str> = printed.lines().map(str::trim).collect();
        let mut text = String::new();
        let lines = shipped.iter().flat_map(|text| text.lines()).map(str::trim);
        for line in lines.filter(|line| !line.starts_with('#') && !line.is_empty()) {
            text.push_str(line.trim_end_matches('\\'));
            if line.ends_with('\\') {
                continue;
            }
            if !text.starts_with("HOPLOCK_SOCKET") {
                text = text.replace("HOPLOCK_SOCKET", "inet:127.0.0.1:8427");
            }
            assert!(own.contains(&text.as_str()), "{version}: {text}");
            text.clear();
        }
    }
}

/// EX-03: silence where the shipped files are in use.
#[test]
fn the_shipped_files_are_clean() {
    for (version, printed) in RECORDED {
        assert_eq!(found(printed, LISTEN, RESOLV_CONF), [], "{version}");
        // As Debian lays its own files around them.
        let debian = planted(
            printed,
            "begin routers\n",
            "begin routers\n  hubbed_hosts:\n    debug_print = \"R: hubbed_hosts for $domain\"\n    \
             driver = manualroute\n    domains = \"${if exists{/etc/exim4/hubbed_hosts}\
             {partial-lsearch;/etc/exim4/hubbed_hosts}fail}\"\n    route_data = \
             ${lookup{$domain}partial-lsearch{/etc/exim4/hubbed_hosts}}\n    transport = remote_smtp\n",
        );
        let debian = planted(
            &debian,
            "begin retry",
            "  remote_smtp_smarthost:\n    driver = smtp\n    multi_domain\n    tls_verify_hosts = *\n\
             begin retry",
        );
        assert_eq!(found(&debian, LISTEN, RESOLV_CONF), [], "{version}");
        // Other ways to say the same.
        let other = planted(printed, "multi_domain = false", "no_multi_domain");
        let other = planted(
            &other,
            "tls_tempfail_tryclear = false",
            "no_tls_tempfail_tryclear",
        );
        assert_eq!(found(&other, LISTEN, RESOLV_CONF), [], "{version}");
    }
}

/// Plants in both recordings; what is found must be that alone.
fn finds(check: &'static str, from: &str, to: &str) {
    for (version, printed) in RECORDED {
        let found = found(&planted(printed, from, to), LISTEN, RESOLV_CONF);
        assert_eq!(
            found,
            [(check, State::Problem)],
            "{version}: {from} => {to}"
        );
    }
}

/// EX-02, EX-03: each question that would not fail closed.
#[test]
fn each_question_that_fails_open_is_found() {
    const REQUIRE: &str =
        "{hoplock1 option hosts_require_tls $domain $host\\n}{5s}{}{}}}{value no}{}{*}}";
    const CERT: &str =
        "${base64:$tls_out_peercert}\\n}{5s}{}{no answer}}} {\\N^hoplock: ok$\\N}{}}}";
    const MX: &str = "{hoplock1 mx $domain $host\\n}{5s}{}{no answer}}} {\\N^hoplock: ok$\\N}{}}}";
    for (whole, from, to) in [
        // No failure text: no match, and no veto.
        (REQUIRE, "{5s}{}{}", "{5s}"),
        (CERT, "{}{no answer}", ""),
        (MX, "{}{no answer}", ""),
        // One that passes for the good answer.
        (CERT, "no answer", "ok"),
        (REQUIRE, "{5s}{}{}", "{5s}{}{value no}"),
    ] {
        finds("readsocket-failure", whole, &planted(whole, from, to));
    }
    for (whole, from, to) in [
        // A bad word is looked for, or the beginning of a good one: the empty answer passes.
        (REQUIRE, "{value no}{}{*}", "{value yes}{*}{}"),
        (CERT, "^hoplock: ok$", "^hoplock: (ok)?"),
        (CERT, "^hoplock: ok$", "^hoplock: (|ok)$"),
        (MX, "^hoplock: ok$", "^hoplock: o"),
    ] {
        finds("readsocket-answer", whole, &planted(whole, from, to));
    }
}

/// EX-03: a macro that Exim had not met yet, where it is asked for and where an option is.
#[test]
fn a_macro_that_is_not_defined_is_found() {
    for (version, printed) in RECORDED {
        let unset = printed.replace("inet:127.0.0.1:8427", "HOPLOCK_SOCKET");
        let macros = found(&unset, LISTEN, RESOLV_CONF);
        assert!(!macros.is_empty(), "{version}");
        assert!(
            macros
                .iter()
                .all(|found| *found == ("exim-macro", State::Problem)),
            "{version}: {macros:?}"
        );
    }
    finds("exim-macro", "tls_sni = $host", "tls_sni = REMOTE_SMTP_SNI");
}

/// EX-02: what is not known does not take the way of what owes nothing.
#[test]
fn a_level_that_is_not_known_is_held() {
    let enforce = "{5s:cache=yes}{}{}}} {may}{no}{yes}}\n    transport";
    for (version, printed) in RECORDED {
        let open = planted(
            printed,
            enforce,
            "{5s:cache=yes}{}{}}} {enforce}{yes}{no}}\n    transport",
        );
        // The guard catches what the router behind it would let pass.
        assert_eq!(found(&open, LISTEN, RESOLV_CONF), [], "{version}");
        for (from, to) in [
            (
                "{\\N^(enforce|may)$\\N}{no}{yes}",
                "{\\N^defer\\N}{yes}{no}",
            ),
            ("    allow_defer\n    data = :defer:", "    data = :defer:"),
            ("{5s:cache=yes}{}{}}} {\\N", "{5s:cache=yes}{}{may}}} {\\N"),
        ] {
            let found = found(&planted(&open, from, to), LISTEN, RESOLV_CONF);
            assert_eq!(found, [("readsocket-level", State::Problem)], "{version}");
        }
    }
}

/// EX-03: each way around a question.
#[test]
fn each_way_around_is_found() {
    const SNI: &str = "    tls_sni = $host";
    const REMOTE: &str = "  remote_smtp:\n    driver = smtp";
    const GUARD: &str = "  hoplock_guard:\n";
    for (check, from, to) in [
        ("hosts_require_tls", "    hosts_require_tls = ", "    # = "),
        ("event_action", "    event_action = ", "    # = "),
        (
            "event_action",
            "    event_action = ",
            "    event_action =\n    # ",
        ),
        (
            "tls_tempfail_tryclear",
            "tryclear = false",
            "tryclear = true",
        ),
        (
            "tls_tempfail_tryclear",
            "    tls_tempfail_tryclear = false\n",
            "",
        ),
        ("multi_domain", "    multi_domain = false\n", ""),
        ("multi_domain", "multi_domain = false", "multi_domain"),
        (
            "connection_max_messages",
            "    connection_max_messages = 1\n",
            "",
        ),
        (
            "connection_max_messages",
            "max_messages = 1\n",
            "max_messages = 10\n",
        ),
        ("tls_resumption_hosts", SNI, "    tls_resumption_hosts = *"),
        ("hosts_require_dane", SNI, "    hosts_require_dane = *"),
        (
            "hosts_require_dane",
            REMOTE,
            &format!("{REMOTE}\n    hosts_require_dane = *"),
        ),
        (
            "tls_verify_cert_hostnames",
            REMOTE,
            &format!("{REMOTE}\n    tls_verify_hosts = *\n    tls_verify_cert_hostnames ="),
        ),
        (
            "exim-router-order",
            GUARD,
            &format!("  out:\n    driver = dnslookup\n    transport = remote_smtp\n{GUARD}"),
        ),
        (
            "exim-router-order",
            GUARD,
            &format!(
                "  relay:\n    driver = manualroute\n    route_list = * relay.example.com\n    \
                 transport = remote_smtp\n{GUARD}"
            ),
        ),
        (
            "cutthrough_delivery",
            "begin routers",
            "begin acl\n  check:\n    accept\n      control = cutthrough_delivery\nbegin routers",
        ),
    ] {
        finds(check, from, to);
    }
}

/// EX-05: Exim's own DANE is off without a word; hoplock's veto stands.
#[test]
fn what_only_exim_s_own_dane_needs_is_advice() {
    for (version, printed) in RECORDED {
        for (check, text, resolv_conf) in [
            ("trust-ad", (*printed).to_owned(), "nameserver 127.0.0.1\n"),
            (
                "trust-ad",
                (*printed).to_owned(),
                "# options trust-ad\nnameserver 127.0.0.1\noptions edns0\n",
            ),
            (
                "dns_dnssec_ok",
                planted(printed, "dns_dnssec_ok = 1\n", ""),
                RESOLV_CONF,
            ),
        ] {
            let found = found(&text, LISTEN, resolv_conf);
            assert_eq!(found, [(check, State::Advice)], "{version} {check}");
        }
        // Nobody tries it.
        let off = printed.replace("driver = smtp\n", "driver = smtp\n    hosts_try_dane =\n");
        assert_eq!(
            found(&off, LISTEN, "nameserver 127.0.0.1\n"),
            [],
            "{version}"
        );
    }
}

/// EX-01: nobody is asked, or not here.
#[test]
fn an_exim_that_does_not_ask() {
    let plain = "begin routers\n  out:\n    driver = dnslookup\n    transport = t\nbegin transports\n  \
                 t:\n    driver = smtp\n";
    let mut findings = Findings::default();
    let config = Config::parse(LISTEN, &[]).0.unwrap();
    assert!(!settings(
        &mut findings,
        &Settings::of(plain),
        &config,
        None
    ));
    let [finding] = &findings.0[..] else {
        panic!("{:?}", findings.0);
    };
    assert_eq!((finding.check, finding.state), ("exim", State::Problem));
    assert!(
        finding
            .cure
            .contains("HOPLOCK_SOCKET = inet:127.0.0.1:8427")
    );
    // hoplock has no such socket, or one elsewhere.
    for (listen, known) in [
        ("", false),
        ("[listen]\nreadsocket = [\"unix:/run/hoplock/exim\"]", false),
        ("[listen]\nreadsocket = [\"inet:0.0.0.0:8427\"]", true),
        ("[listen]\nreadsocket = [\"systemd:exim\"]", true),
    ] {
        let expected: &[_] = if known {
            &[]
        } else {
            &[("exim-socket", State::Problem)]
        };
        assert_eq!(
            found(RECORDED[0].1, listen, RESOLV_CONF),
            expected,
            "{listen}"
        );
    }
    let unix = RECORDED[0]
        .1
        .replace("inet:127.0.0.1:8427", "/run/hoplock/exim");
    let listen = "[listen]\nreadsocket = [\"unix:/run/hoplock/exim\"]";
    assert_eq!(found(&unix, listen, RESOLV_CONF), []);
}
