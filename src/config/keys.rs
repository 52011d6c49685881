//! The table of keys: section, name, default, meaning, requirement.

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
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
}

const fn key(
    section: &'static str,
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
    requirement: &'static str,
) -> Key {
    Key {
        section,
        name,
        default,
        meaning,
        requirement,
    }
}

/// Every key of the sections that have fixed names.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("listen", "socketmap", "[\"inet:127.0.0.1:8425\"]", "Postfix policy maps", "PF-17"),
    key("listen", "policy", "[]", "Postfix policy delegation", ""),
    key("listen", "readsocket", "[]", "Exim", ""),
    key("listen", "sessions", "[]", "session reports as JSON lines", ""),
    key("listen", "tlsrpt", "[]", "datagrams of libtlsrpt", ""),
    key("listen", "milter", "[]", "milter", ""),
    key("listen", "http", "[\"inet:127.0.0.1:8426\"]", "metrics and JSON; the Host field is checked", ""),
    key("listen", "dns", "[]", "synthetic TXT answers", ""),
    key("listen", "control", "\"\"", "control socket; empty: control.sock beside the store", "OP-09"),
    key("listen", "mode", "\"0660\"", "mode of unix sockets", "PF-17"),
    key("listen", "owner", "\"\"", "owner of unix sockets; empty: this user", ""),
    key("listen", "group", "\"\"", "group of unix sockets; empty: this user's", ""),
    key("dns", "servers", "[]", "\"IP\" or \"IP:PORT\"; none: those of resolv.conf, watched", "MX-15"),
    key("dns", "trust", "\"loopback\"", "when the AD bit is believed: loopback, always, never", "MX-15"),
    key("dns", "timeout", "\"5s\"", "one lookup, all attempts together", "PF-04"),
    key("dns", "self_test", "\"com.\"", "a signed name that shows whether the resolver validates; \"\" for no test", "MX-17"),
    key("dns", "self_test_bogus", "\"\"", "a name that a validating resolver must fail at", "MX-17"),
    key("sts", "enabled", "true", "ask for MTA-STS policies", "OP-06"),
    key("sts", "port", "443", "port of policy hosts", "ST-06"),
    key("sts", "roots", "[]", "PEM files with roots beside the system's", "ST-07"),
    key("sts", "timeout", "\"60s\"", "one policy fetch, all steps together", "ST-11"),
    key("sts", "on_first_contact_failure", "\"ignore\"", "ignore or defer, where a policy may exist and was never seen", "ST-14"),
    key("sts", "testing_as_enforce", "false", "enforce policies in testing mode", "ST-23"),
    key("sts", "refuse_private_addresses", "false", "do not fetch from private or loopback addresses", "ST-29"),
    key("dane", "enabled", "true", "ask for TLSA records", "OP-01"),
    key("dane", "half_dane", "true", "use TLSA records behind an insecure MX set", "PD-07"),
    key("dane", "force_insecure_host_tlsa", "false", "ask for TLSA records of hosts in unsigned space", "TB-01"),
    key("dane", "map_pkix_usages", "false", "read usage 0 as 2 and usage 1 as 3", "TU-02"),
    key("dane", "complete_ca_set", "false", "digests of usage 0 count too, when mapped", "TU-03"),
    key("dane", "trust_anchor_digests", "true", "digests of trust anchors count", "TU-08"),
    key("guard", "enabled", "false", "act at submission", ""),
    key("sources", "postfix_log", "\"\"", "\"journal\" or a path", ""),
    key("watch", "domains", "[]", "one's own domains", ""),
    key("limits", "connections", "10000", "connections of mail servers at once", "FT-03"),
    key("limits", "lookups", "256", "DNS lookups in flight at once", "MX-20"),
    key("limits", "cache_entries", "100000", "destinations kept", "CA-06"),
    key("limits", "mx_hosts", "32", "hosts examined for one destination; the rest counts as failed", "MX-20"),
    key("limits", "journal_days", "14", "days that session reports are kept", ""),
    key("log", "level", "\"info\"", "error, warn, info, debug, trace", ""),
    key("log", "format", "\"auto\"", "auto, text, json", ""),
    key("store", "path", "\"\"", "the state file; empty: in $STATE_DIRECTORY or the user's", "ST-28"),
    key("store", "shared", "\"\"", "redis://… for a fleet", ""),
    key("report", "enabled", "false", "send TLSRPT reports", ""),
    key("report", "collector", "\"hoplock\"", "who counts sessions: hoplock or mta", "RP-16"),
    key("report", "organization", "\"\"", "name in reports", ""),
    key("report", "contact", "\"\"", "contact in reports", ""),
    key("report", "from", "\"\"", "sender of reports", ""),
    key("", "rules_directory", "\"\"", "folder with more files of rules", "OP-05"),
];

/// Keys of a `[profile.NAME]` section.
#[rustfmt::skip]
pub(super) const PROFILE_KEYS: &[Key] = &[
    key("profile", "family", "\"postfix\"", "postfix, pins, exim, sendmail", ""),
    key("profile", "version", "\"3.7\"", "version of the MTA: decides which words it knows", "PF-13"),
    key("profile", "own_dane", "\"auto\"", "auto, yes, no: whether the MTA does DANE by itself", "PD-11"),
    key("profile", "floor", "\"may\"", "the MTA's own default level: may, dane, encrypt, secure", "PD-16"),
    key("profile", "families", "\"auto\"", "address families that the MTA uses: auto, 4, 6", "MX-14"),
    key("profile", "address_limit", "5", "addresses that the MTA tries; 0 is no limit", "MX-14"),
    key("profile", "digest", "\"sha256\"", "algorithm of fingerprints: sha256, sha512", "PF-09"),
    key("profile", "probe", "true", "turn trust-anchor digests into CA files by a probe", ""),
    key("profile", "strict", "false", "pin also where mail is bent away from better hosts", "OP-06"),
    key("profile", "deadline", "\"20s\"", "when a query is answered TEMP while its lookup goes on", "PF-04"),
    key("profile", "follow_mx_aliases", "true", "the MTA follows MX exchanges that are aliases", "MX-10"),
];

/// Keys of a `[rules."PATTERN"]` section.
#[rustfmt::skip]
pub(super) const RULE_KEYS: &[Key] = &[
    key("rules", "mode", "\"opportunistic\"", "off, audit, opportunistic, mandatory", "OP-03"),
    key("rules", "sts", "true", "MTA-STS counts", "OP-06"),
    key("rules", "answer", "\"\"", "a level given whatever is found", "OP-05"),
    key("rules", "fingerprints", "[]", "digests for fingerprint", "PD-09"),
    key("rules", "names", "[]", "reference names for secure and verify", "PD-09"),
    key("rules", "fallback", "\"defer\"", "defer, fingerprint, secure, encrypt", "PD-09"),
    key("rules", "fallback_on_insecure", "false", "fall back behind an insecure MX set too", "PD-10"),
    key("rules", "comment", "\"\"", "for people", "OP-05"),
    key("rules", "expires", "\"\"", "RFC 3339; afterwards the rule no longer counts", "OP-05"),
];

/// Sections in which an unknown key is an error, since a typing mistake there changes protection.
pub(super) const STRICT: &[&str] = &["rules", "profile", "guard", "dane", "sts", "dns"];

/// Keys that are read and not yet used: set, they are warned about.
pub(super) const LATER: &[(&str, &str)] = &[
    ("listen", "policy"),
    ("listen", "readsocket"),
    ("listen", "sessions"),
    ("listen", "tlsrpt"),
    ("listen", "milter"),
    ("listen", "dns"),
    ("guard", "enabled"),
    ("sources", "postfix_log"),
    ("watch", "domains"),
    ("limits", "journal_days"),
    ("store", "path"),
    ("store", "shared"),
    ("report", "enabled"),
    ("report", "collector"),
    ("report", "organization"),
    ("report", "contact"),
    ("report", "from"),
];
