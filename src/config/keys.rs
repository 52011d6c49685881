//! The table of keys: section, name, default, meaning, requirement, and how the value is shown.
//!
//! It alone says which keys there are. Not done here: reading values (see the sections).

use hoplock_policy::guard::GuardRule;
use hoplock_policy::profile::Profile;
use hoplock_policy::rules::Rule;

use super::guard::{GuardConfig, Order};
use super::literal::{duration, list, optional, quoted, time};
use super::types::Config;
use super::words::{self, word};

/// One key of a section that describes a `T`.
pub struct Key<T: 'static> {
    /// Its section.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its default, as it would be written.
    pub default: &'static str,
    /// What it means, for people.
    pub meaning: &'static str,
    /// The requirement that it serves, where there is one.
    pub requirement: &'static str,
    /// The value in effect, as it would be written.
    pub(super) show: fn(&T) -> String,
}

const fn key<T>(
    section: &'static str,
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
    requirement: &'static str,
    show: fn(&T) -> String,
) -> Key<T> {
    Key {
        section,
        name,
        default,
        meaning,
        requirement,
        show,
    }
}

fn digest_order(order: &[u8]) -> String {
    let word = |matching: &u8| {
        let known = super::sections::DIGESTS.iter();
        let found = known.clone().find(|(_, own)| own == matching);
        found.map_or("", |(word, _)| *word)
    };
    list(order.iter().map(word))
}

/// Every key of the sections that have fixed names.
#[rustfmt::skip]
pub const KEYS: &[Key<Config>] = &[
    key("", "rules_directory", "\"\"", "folder with more files of rules; empty: none", "OP-05", |c| optional(c.rules_directory.as_ref().map(|path| path.display()))),
    key("listen", "socketmap", "[\"inet:127.0.0.1:8425\"]", "Postfix policy maps: \"unix:/PATH\", \"inet:HOST:PORT\", \"systemd:NAME\"", "PF-17", |c| list(&c.listen.socketmap)),
    key("listen", "http", "[\"inet:127.0.0.1:8426\"]", "metrics and JSON; the Host field is checked", "", |c| list(&c.listen.http)),
    key("listen", "control", "\"\"", "control socket; empty: control.sock beside the store", "OP-09", |c| optional(c.listen.control.as_ref())),
    key("listen", "mode", "\"0660\"", "mode of unix sockets, save the control socket", "PF-17", |c| quoted(&format!("{:04o}", c.listen.mode))),
    key("listen", "owner", "\"\"", "owner of unix sockets; empty: this user", "", |c| optional(c.listen.owner.as_ref())),
    key("listen", "group", "\"\"", "group of unix sockets; empty: this user's", "", |c| optional(c.listen.group.as_ref())),
    key("listen", "policy", "[]", "Postfix policy delegation: asked about recipients when mail is handed in", "RQ-03", |c| list(&c.listen.policy)),
    key("listen", "readsocket", "[]", "Exim's readsocket; its certificates are judged here, so a unix socket keeps strangers off", "EX-01", |c| list(&c.listen.readsocket)),
    key("listen", "sessions", "[]", "session reports as JSON lines; a unix socket keeps strangers off", "SV-11", |c| list(&c.listen.sessions)),
    key("listen", "tlsrpt", "[]", "datagrams of libtlsrpt: \"unix:/PATH\" or \"systemd:NAME\"", "RP-16", |c| list(&c.listen.tlsrpt)),
    key("listen", "milter", "[]", "milter of Sendmail and Postfix: sees messages when they are handed in", "RQ-03", |c| list(&c.listen.milter)),
    key("listen", "dns", "[]", "TXT answers below policy.hoplock.internal., UDP and TCP: \"inet:HOST:PORT\"", "", |c| list(&c.listen.dns)),
    key("dns", "servers", "[]", "\"IP\" or \"IP:PORT\"; none: those of resolv.conf, watched", "MX-15", |c| list(&c.dns.servers)),
    key("dns", "trust", "\"loopback\"", "when the AD bit is believed: loopback, always, never", "MX-15", |c| word(words::TRUST, c.dns.trust)),
    key("dns", "timeout", "\"5s\"", "one lookup, all attempts together", "PF-04", |c| duration(c.dns.timeout)),
    key("dns", "self_test", "\"com.\"", "a signed name that shows whether the resolver validates; empty: no test", "MX-17", |c| optional(c.dns.self_test.as_ref().map(|name| format!("{name}.")))),
    key("dns", "self_test_bogus", "\"\"", "a name that a validating resolver must fail at; empty: none", "MX-17", |c| optional(c.dns.self_test_bogus.as_ref().map(|name| format!("{name}.")))),
    key("sts", "enabled", "true", "ask for MTA-STS policies", "OP-06", |c| c.sts.enabled.to_string()),
    key("sts", "port", "443", "port of policy hosts", "ST-06", |c| c.sts.port.to_string()),
    key("sts", "roots", "[]", "PEM files with roots beside the system's", "ST-07", |c| list(c.sts.roots.iter().map(|path| path.display()))),
    key("sts", "timeout", "\"60s\"", "one policy fetch, all steps together", "ST-11", |c| duration(c.sts.timeout)),
    key("sts", "on_first_contact_failure", "\"ignore\"", "ignore or defer, where a policy may exist and was never seen", "ST-14", |c| word(words::FIRST_CONTACT, c.sts.on_first_contact_failure)),
    key("sts", "testing_as_enforce", "false", "enforce policies in testing mode", "ST-23", |c| c.sts.testing_as_enforce.to_string()),
    key("sts", "refuse_private_addresses", "false", "do not fetch from private or loopback addresses", "ST-29", |c| c.sts.refuse_private_addresses.to_string()),
    key("dane", "enabled", "true", "ask for TLSA records", "OP-01", |c| c.dane.enabled.to_string()),
    key("dane", "half_dane", "true", "use TLSA records behind an insecure MX set", "PD-07", |c| c.dane.half_dane.to_string()),
    key("dane", "srv_submission", "false", "answer for _submission._tcp.DOMAIN and _submissions._tcp.DOMAIN, whose hosts are found by SRV records", "SB-02", |c| c.dane.srv_submission.to_string()),
    key("dane", "force_insecure_host_tlsa", "false", "ask for TLSA records of hosts in unsigned space", "TB-01", |c| c.dane.force_insecure_host_tlsa.to_string()),
    key("dane", "map_pkix_usages", "false", "read usage 0 as 2 and usage 1 as 3", "TU-02", |c| c.dane.tlsa.map_pkix_usages.to_string()),
    key("dane", "complete_ca_set", "false", "digests of usage 0 count too, when mapped", "TU-03", |c| c.dane.tlsa.complete_ca_set.to_string()),
    key("dane", "trust_anchor_digests", "true", "digests of trust anchors count", "TU-08", |c| c.dane.tlsa.trust_anchor_digests.to_string()),
    key("dane", "ta_check_dates", "false", "sessions: an expired trust anchor authenticates nothing, also where it is an intermediate", "CM-17", |c| c.dane.verify.ta_check_dates.to_string()),
    key("dane", "common_name", "true", "sessions: the subject's name counts under DANE-TA where no other name is in the certificate", "CM-28", |c| c.dane.verify.common_name.to_string()),
    key("dane", "multi_label_wildcards", "false", "sessions: a wildcard covers more than one label under DANE-TA", "CM-29", |c| c.dane.verify.multi_label_wildcards.to_string()),
    key("dane", "digest_order", "[\"sha512\", \"sha256\"]", "sessions: digests of TLSA records, strongest first", "CM-25", |c| digest_order(&c.dane.verify.digest_order)),
    key("limits", "connections", "10000", "connections of mail servers at once", "FT-03", |c| c.limits.connections.to_string()),
    key("limits", "lookups", "256", "DNS lookups in flight at once", "MX-20", |c| c.limits.lookups.to_string()),
    key("limits", "cache_entries", "100000", "destinations kept", "CA-06", |c| c.limits.cache_entries.to_string()),
    key("limits", "mx_hosts", "32", "hosts examined for one destination; the rest counts as failed", "MX-20", |c| c.limits.mx_hosts.to_string()),
    key("limits", "journal_days", "14", "days that judged sessions are kept", "", |c| c.limits.journal_days.to_string()),
    key("limits", "journal_entries", "100000", "judged sessions kept, a quarter of them for those that failed; 0: none", "SV-11", |c| c.limits.journal_entries.to_string()),
    key("log", "level", "\"info\"", "error, warn, info, debug, trace", "", |c| quoted(&c.log.level)),
    key("log", "format", "\"auto\"", "auto, text, json", "", |c| word(words::LOG_FORMATS, c.log.format)),
    key("store", "path", "\"\"", "the state file; empty: in $STATE_DIRECTORY or the user's", "ST-28", |c| optional(c.store.path.as_ref().map(|path| path.display()))),
    key("store", "shared", "\"\"", "store that a fleet shares: \"redis://HOST:PORT\", or \"rediss://…\" with TLS", "", |c| optional(c.store.shared.as_ref().map(|url| &url.0))),
    key("store", "shared_password_file", "\"\"", "file whose first line is its password; empty: the one in the URL, or none", "", |c| optional(c.store.shared_password_file.as_ref().map(|path| path.display()))),
    key("store", "shared_prefix", "\"hoplock:\"", "what the names of all keys there begin with: one for each fleet", "", |c| quoted(&c.store.shared_prefix)),
    key("store", "shared_ca_file", "\"\"", "PEM file with the authorities for its certificate; empty: the system's", "", |c| optional(c.store.shared_ca_file.as_ref().map(|path| path.display()))),
    key("guard", "profile", "\"postfix\"", "the profile by whose answers destinations are judged: how the mail will leave", "RQ-04", |c| quoted(&c.guard.profile)),
    key("guard", "deadline", "\"8s\"", "longest wait for one recipient", "PF-04", |c| duration(c.guard.deadline)),
    key("guard", "on_trouble", "\"dunno\"", "dunno or defer, where nothing is known in time or a request cannot be read", "FT-01", |c| word(words::ON_TROUBLE, c.guard.on_trouble)),
    key("guard", "requiretls", "\"reject\"", "reject, defer or ignore, where a message demands TLS on its whole way and its destination cannot keep that", "RQ-05", |c| word(words::ON_REQUIRE_TLS, c.guard.guard.requiretls)),
    key("guard", "decide_at", "\"rcpt\"", "milter: rcpt, for each recipient; end, once the header is known, for all", "RQ-03", |c| word(words::DECIDE_AT, c.guard.decide_at)),
    key("guard", "header", "\"\"", "header field that records what protects each recipient's domain; copies that came with the message are removed (milter); empty: none", "", |c| optional(c.guard.header.as_ref())),
    key("guard", "by_next_hop", "false", "milter: judge where the mail server will send it, such as its relay, and not the recipient's domain", "", |c| c.guard.by_next_hop.to_string()),
    key("guard", "own_domains", "[]", "domains whose mail does not leave, and is let go: \"example.com\", \".example.com\"", "", |c| list(&c.guard.own_domains)),
    key("guard", "rules", "[]", "what is done, each rule as [[guard.rules]]; the first that fits counts", "", |c| guard_rules(&c.guard)),
    key("sources", "postfix_log", "\"\"", "log of Postfix whose sessions are judged: \"journal\" or a path; empty: none", "SV-10", |c| optional(c.sources.postfix_log.as_ref())),
    key("watch", "domains", "[]", "one's own domains: what they publish, and what their mail hosts show, is looked at ahead of trouble", "", |c| list(&c.watch.domains)),
    key("watch", "every", "\"1h\"", "between two looks at a domain", "", |c| duration(c.watch.every)),
    key("watch", "certificate_days", "\"14d\"", "a certificate that ends within this time is told of", "", |c| duration(c.watch.certificate_days)),
    key("report", "enabled", "false", "count sessions and send TLS reports (RFC 8460)", "RP-10", |c| c.report.enabled.to_string()),
    key("report", "collector", "\"hoplock\"", "who counts sessions and sends: hoplock, or mta where another program does", "RP-16", |c| word(words::COLLECTORS, c.report.collector)),
    key("report", "organization", "\"\"", "who reports, for people", "RP-08", |c| quoted(&c.report.organization)),
    key("report", "contact", "\"\"", "where people can ask about the reports", "RP-08", |c| quoted(&c.report.contact)),
    key("report", "from", "\"\"", "sender of reports; its domain is the submitter", "RP-11", |c| quoted(&c.report.from)),
    key("report", "mailer", "\"smtp:127.0.0.1:25\"", "how reports are handed to your mail server: \"smtp:HOST:PORT\", or the path of sendmail", "RP-11", |c| quoted(&c.report.mailer.to_string())),
    key("report", "dkim", "\"\"", "who signs report mail: mta, or key for hoplock itself; empty: nobody, and none leaves", "RP-12", |c| word(words::DKIM, c.report.dkim)),
    key("report", "dkim_key", "\"\"", "PEM file with the private key, RSA or Ed25519", "RP-12", |c| optional(c.report.dkim_key.as_ref().map(|path| path.display()))),
    key("report", "dkim_selector", "\"\"", "selector of the key record", "RP-12", |c| optional(c.report.dkim_selector.as_ref())),
    key("report", "delay", "\"4h\"", "reports leave at random within this time after midnight UTC", "RP-10", |c| duration(c.report.delay)),
    key("report", "allow", "[]", "domains that get reports: \"example.com\", \".example.com\"; none: all", "", |c| list(&c.report.allow)),
    key("report", "deny", "[]", "domains and receivers that get none", "", |c| list(&c.report.deny)),
    key("report", "redirect", "\"\"", "where all reports go instead, for trials: \"mailto:…\" or \"https://…\"", "", |c| optional(c.report.redirect.as_ref())),
    key("report", "daily_limit", "10000", "reports in one day at most", "", |c| c.report.daily_limit.to_string()),
    key("report", "min_sessions", "1", "domains with fewer sessions on a day get no report of it", "", |c| c.report.min_sessions.to_string()),
    key("report", "ignore_certificate", "false", "HTTPS: post to receivers whose certificate is not valid", "RP-14", |c| c.report.ignore_certificate.to_string()),
    key("report", "refuse_private_addresses", "true", "HTTPS: do not post to private or loopback addresses", "RP-14", |c| c.report.refuse_private_addresses.to_string()),
];

/// Keys of a `[profile.NAME]` section; the defaults are those of the profile `postfix`.
#[rustfmt::skip]
pub const PROFILE_KEYS: &[Key<Profile>] = &[
    key("profile", "family", "\"postfix\"", "postfix, pins, exim, sendmail", "OP-07", |p| word(words::FAMILIES, p.family)),
    key("profile", "version", "\"3.7\"", "version of the MTA: decides which words it knows", "PF-13", |p| quoted(&format!("{}.{}", p.version.major, p.version.minor))),
    key("profile", "own_dane", "\"auto\"", "auto, yes, no: whether the MTA does DANE by itself", "PD-11", |p| word(words::OWN_DANE, p.own_dane)),
    key("profile", "verifier", "false", "Sendmail asks the map verifier about each session (LOCAL_TLS_RCPT)", "PD-11", |p| p.verifier.to_string()),
    key("profile", "floor", "\"may\"", "the MTA's own default level: may, dane, encrypt, secure", "PD-16", |p| word(words::FLOORS, p.floor)),
    key("profile", "families", "\"auto\"", "address families that the MTA uses: auto, 4, 6", "MX-14", |p| word(words::ADDRESS_FAMILIES, p.families)),
    key("profile", "address_limit", "5", "addresses that the MTA tries; 0 is no limit", "MX-14", |p| p.address_limit.to_string()),
    key("profile", "digest", "\"sha256\"", "algorithm of fingerprints: sha256, sha512", "PF-09", |p| word(words::DIGESTS, p.digest)),
    key("profile", "probe", "true", "turn trust-anchor digests into CA files by a probe", "OP-06", |p| p.probe.to_string()),
    key("profile", "anchor_directory", "\"\"", "where files of trust anchors are written for the MTA; empty: nowhere", "PF-09", |p| quoted(&p.anchor_directory)),
    key("profile", "anchor_directory_in_chroot", "\"\"", "the same directory as the MTA sees it; empty: under the same path", "PF-09", |p| quoted(&p.anchor_directory_in_chroot)),
    key("profile", "strict", "false", "pin also where mail is bent away from better hosts, and wait for hosts whose addresses are not found", "OP-06", |p| p.strict.to_string()),
    key("profile", "deadline", "\"20s\"", "when a query is answered TEMP while its lookup goes on", "PF-04", |p| duration(p.deadline)),
    key("profile", "follow_mx_aliases", "true", "the MTA follows MX exchanges that are aliases", "MX-10", |p| p.follow_mx_aliases.to_string()),
    key("profile", "protocols", "false", "add protocols=>=TLSv1.2 to mandatory levels", "PF-16", |p| p.require_tls12.to_string()),
    key("profile", "wrapper", "false", "the MTA begins with TLS on every connection (smtp_tls_wrappermode): no answer is below encrypt", "SB-05", |p| p.wrapper.to_string()),
    key("profile", "bypass", "false", "for messages with TLS-Required: No: what destinations publish does not count, your rules and your own level do", "RQ-03", |p| p.bypass.to_string()),
];

/// Keys of a `[[guard.rules]]` section; a condition that is left out fits everything.
#[rustfmt::skip]
pub const GUARD_RULE_KEYS: &[Key<GuardRule<Order>>] = &[
    key("guard", "recipient", "[]", "domains of recipients: \"example.com\", \".example.com\", \"*\"", "", |r| list(&r.recipients)),
    key("guard", "sender", "[]", "senders: \"boss@example.com\", \"example.com\", \".example.com\", \"<>\"", "", |r| list(&r.senders)),
    key("guard", "user", "[]", "SASL users", "", |r| list(&r.users)),
    key("guard", "protection", "[]", "authenticated, partly, encrypted, opportunistic, refused (must be authenticated and cannot be), unknown", "", |r| list(r.protection.iter().map(|own| own.word()))),
    key("guard", "action", "\"\"", "dunno, defer, reject, hold, warn, filter, prepend", "", |r| quoted(r.action.word())),
    key("guard", "text", "\"\"", "words of defer, reject, hold and warn; transport:destination of filter; \"Name: value\" of prepend", "", |r| quoted(&r.action.text())),
];

/// The rules as one value: TOML's inline tables stand on one line.
fn guard_rules(guard: &GuardConfig) -> String {
    let rule = |rule: &GuardRule<Order>| {
        let keys = GUARD_RULE_KEYS.iter().filter_map(|key| {
            let literal = (key.show)(rule);
            (literal != key.default).then(|| format!("{} = {literal}", key.name))
        });
        format!("{{ {} }}", keys.collect::<Vec<_>>().join(", "))
    };
    let rules: Vec<String> = guard.guard.rules.iter().map(rule).collect();
    format!("[{}]", rules.join(", "))
}

/// Keys of a `[rules."PATTERN"]` section.
#[rustfmt::skip]
pub const RULE_KEYS: &[Key<Rule>] = &[
    key("rules", "mode", "\"opportunistic\"", "off, audit, opportunistic, mandatory", "OP-03", |r| word(words::MODES, r.mode)),
    key("rules", "sts", "true", "MTA-STS counts", "OP-06", |r| r.sts.to_string()),
    key("rules", "answer", "\"\"", "a level given whatever is found: none, may, encrypt, dane, dane-only, fingerprint, verify, secure, defer", "OP-05", |r| word(words::ANSWERS, r.answer)),
    key("rules", "fingerprints", "[]", "digests for fingerprint", "PD-09", |r| list(&r.fingerprints)),
    key("rules", "names", "[]", "reference names for secure and verify", "PD-09", |r| list(&r.names)),
    key("rules", "ca_file", "\"\"", "PEM file whose authorities alone count for secure and verify (Postfix: tafile)", "OP-05", |r| optional(r.ca_file.as_ref())),
    key("rules", "fallback", "\"defer\"", "where DANE is mandatory and absent: defer, fingerprint, secure, encrypt", "PD-09", |r| word(words::FALLBACKS, r.fallback)),
    key("rules", "fallback_on_insecure", "false", "fall back behind an insecure MX set too", "PD-10", |r| r.fallback_on_insecure.to_string()),
    key("rules", "comment", "\"\"", "for people", "OP-05", |r| quoted(&r.comment)),
    key("rules", "expires", "\"\"", "RFC 3339; afterwards the rule no longer counts", "OP-05", |r| optional(r.expires.map(time))),
];

/// Sections in which an unknown key is an error, since a typing mistake there changes protection.
pub(super) const STRICT: &[&str] = &["rules", "profile", "guard", "dane", "sts", "dns"];
