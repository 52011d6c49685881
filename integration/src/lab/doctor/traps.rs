//! What is planted for doctor, and what it must say of it.

/// One trap.
pub(super) struct Trap {
    /// What doctor must call a problem; several where one thing shows twice.
    pub(super) checks: &'static [&'static str],
    /// What it must advise; what else it advises is left open.
    pub(super) advice: &'static [&'static str],
    /// Lines of main.cf, after those of the base.
    pub(super) main: &'static str,
    /// Options of the smtp service in master.cf, and lines after it.
    pub(super) master: &'static str,
    /// Lines of hoplock's configuration, after those of the base.
    pub(super) hoplock: &'static str,
    /// More to prepare.
    pub(super) more: More,
}

pub(super) enum More {
    Nothing,
    /// resolv.conf names a resolver that does not validate.
    Resolver,
    /// The chroot's resolv.conf is an old copy.
    OldCopy,
    /// No root certificates.
    Roots,
    /// The state file is of the future.
    Future,
    /// The state file is no state file.
    Garbage,
    /// hoplock runs as another user than root.
    Nobody,
}

impl Trap {
    /// Nothing is planted.
    pub(super) const fn none() -> Self {
        setting(&[], "")
    }
}

const fn setting(checks: &'static [&'static str], main: &'static str) -> Trap {
    Trap {
        checks,
        advice: &[],
        main,
        master: "",
        hoplock: "",
        more: More::Nothing,
    }
}

const fn advised(advice: &'static [&'static str], main: &'static str) -> Trap {
    Trap {
        advice,
        ..setting(&[], main)
    }
}

const fn of_master(
    checks: &'static [&'static str],
    advice: &'static [&'static str],
    master: &'static str,
) -> Trap {
    Trap {
        advice,
        master,
        ..setting(checks, "")
    }
}

const fn of_hoplock(
    checks: &'static [&'static str],
    advice: &'static [&'static str],
    hoplock: &'static str,
) -> Trap {
    Trap {
        advice,
        hoplock,
        ..setting(checks, "")
    }
}

const fn other(checks: &'static [&'static str], more: More) -> Trap {
    Trap {
        more,
        ..setting(checks, "")
    }
}

/// A Postfix that is handed pins.
const fn of_pins(checks: &'static [&'static str], hoplock: &'static str, more: More) -> Trap {
    Trap {
        hoplock,
        more,
        ..setting(
            checks,
            "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:pins",
        )
    }
}

pub(super) const TRAPS: &[Trap] = &[
    setting(
        &["smtp_dns_support_level"],
        "smtp_dns_support_level = enabled",
    ),
    setting(&["smtp_host_lookup"], "smtp_host_lookup = native"),
    setting(&["ignore_mx_lookup_error"], "ignore_mx_lookup_error = yes"),
    setting(
        &["smtp_dns_resolver_options"],
        "smtp_dns_resolver_options = res_dnsrch",
    ),
    setting(&["smtp_tls_security_level"], "smtp_tls_security_level ="),
    setting(
        &["smtp_tls_security_level"],
        "smtp_tls_security_level = encrypt",
    ),
    setting(
        &["smtp_tls_security_level"],
        "smtp_tls_security_level = dane-only",
    ),
    setting(
        &["smtp_tls_fingerprint_digest"],
        "smtp_tls_fingerprint_digest = md5",
    ),
    advised(
        &["smtp_tls_dane_insecure_mx_policy"],
        "smtp_tls_dane_insecure_mx_policy = encrypt",
    ),
    advised(&["inet_protocols"], "inet_protocols = ipv4"),
    advised(&["smtp_mx_address_limit"], "smtp_mx_address_limit = 2"),
    // The level of old is a level: no clear text is claimed.
    advised(
        &["smtp_use_tls"],
        "smtp_tls_security_level =\nsmtp_use_tls = yes",
    ),
    advised(
        &["smtp_tls_policy_maps"],
        "smtp_tls_policy_maps = unionmap:{socketmap:inet:127.0.0.1:8425:postfix}",
    ),
    // Another name of the same socket is no trap.
    setting(
        &[],
        "smtp_tls_policy_maps = socketmap:inet:localhost:8425:postfix",
    ),
    setting(
        &["proxy_read_maps"],
        "smtp_tls_policy_maps = proxy:socketmap:inet:127.0.0.1:8425:postfix\n\
         proxy_read_maps = static:all",
    ),
    setting(
        &[],
        "smtp_tls_policy_maps = proxy:socketmap:inet:127.0.0.1:8425:postfix",
    ),
    setting(&["smtp_tls_policy_maps"], "smtp_tls_policy_maps ="),
    setting(
        &["smtp_tls_policy_maps"],
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix",
    ),
    setting(
        &["map-name"],
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:posfix",
    ),
    setting(
        &["postfix-version"],
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:postfix310",
    ),
    setting(
        &["map-order"],
        "smtp_tls_policy_maps = static:may, socketmap:inet:127.0.0.1:8425:postfix",
    ),
    setting(&["relayhost"], "relayhost = [relay.test]:587"),
    setting(&["default_transport"], "default_transport = uucp"),
    setting(&["ca-store"], "smtp_tls_CAfile = /nowhere/ca.pem"),
    setting(&["ca-store"], "smtp_tls_CAfile ="),
    setting(
        &["ca-store"],
        "smtp_tls_CAfile =\nsmtp_tls_CApath = /nowhere/certs",
    ),
    of_master(
        &["smtp_tls_policy_maps"],
        &[],
        " -o smtp_tls_policy_maps=static:may",
    ),
    of_master(
        &["smtp_tls_security_level"],
        &[],
        " -o { smtp_tls_security_level = none }",
    ),
    of_master(
        &[],
        &[],
        " -o smtp_tls_policy_maps=socketmap:inet:localhost:8425:postfix",
    ),
    of_master(
        &["transport"],
        &[],
        "\nrelay unix - - n - - smtp -o smtp_tls_security_level=none",
    ),
    of_master(
        &[],
        &["transport"],
        "\nbulk unix - - n - - smtp -o smtp_tls_policy_maps=",
    ),
    of_hoplock(
        &[],
        &["sockets"],
        "[listen]\nsocketmap = [\"inet:127.0.0.1:8425\", \"unix:/nowhere/else/map.sock\"]\n\
         control = \"unix:LAB/control.sock\"\n",
    ),
    of_hoplock(
        &["inet_protocols"],
        &[],
        "[profile.postfix]\nfamilies = \"4\"\n",
    ),
    Trap {
        hoplock: "[rules.\"relay.test\"]\nanswer = \"encrypt\"\n",
        ..setting(&[], "relayhost = [relay.test]:587")
    },
    of_hoplock(
        &["configuration", "daemon"],
        &[],
        "[dane]\nenable = false\n",
    ),
    Trap {
        checks: &["sockets", "postmap"],
        advice: &[],
        main: "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8427:postfix",
        master: "",
        hoplock: "[listen]\nsocketmap = [\"inet:127.0.0.1:8427\"]\ncontrol = \"unix:LAB/control.sock\"\n",
        more: More::Nothing,
    },
    of_hoplock(&["resolver-trust"], &[], "[dns]\ntrust = \"never\"\n"),
    // The running daemon goes on with the resolver that it was started with.
    Trap {
        advice: &["daemon-resolver"],
        ..other(&["resolver", "postfix-resolver"], More::Resolver)
    },
    other(&["postfix-resolv-conf", "postfix-resolver"], More::OldCopy),
    other(&["roots"], More::Roots),
    other(&["clock"], More::Future),
    other(&["state"], More::Garbage),
    // Without DNSSEC of its own there is nothing to say of it; with it there is a better map.
    Trap {
        advice: &["profile", "anchor_directory"],
        ..of_pins(&[], "", More::Nothing)
    },
    Trap {
        main: "smtp_dns_support_level = enabled\n\
               smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:pins",
        ..of_pins(&[], WELL, More::Nothing)
    },
    // smtp(8) looks elsewhere: the chroot is forgotten, or there is none.
    of_pins(&["anchor_directory"], WELL, More::OldCopy),
    of_pins(
        &["anchor_directory"],
        "[profile.pins]\nanchor_directory = \"LAB/doctor/anchors\"\n\
         anchor_directory_in_chroot = \"/anchors\"\n",
        More::Nothing,
    ),
    of_pins(
        &[],
        "[profile.pins]\nanchor_directory = \"LAB/doctor/spool/anchors\"\n\
         anchor_directory_in_chroot = \"/anchors\"\n",
        More::OldCopy,
    ),
    // It cannot be written to, or not be read.
    of_pins(
        &["anchor_directory"],
        "[profile.pins]\nanchor_directory = \"LAB/nowhere/anchors\"\n",
        More::Nothing,
    ),
    of_pins(&["anchor_directory"], WELL, More::Nobody),
    of_pins(
        &["anchor_directory"],
        "[profile.pins]\nanchor_directory = \"LAB/doctor/closed\"\n",
        More::Nothing,
    ),
    of_pins(
        &["smtp_tls_fingerprint_digest"],
        "[profile.pins]\ndigest = \"sha512\"\n",
        More::Nothing,
    ),
    Trap {
        main: "smtp_tls_fingerprint_digest = md5\n\
               smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8425:pins",
        ..of_pins(&["smtp_tls_fingerprint_digest"], WELL, More::Nothing)
    },
];

const WELL: &str = "[profile.pins]\nanchor_directory = \"LAB/doctor/anchors\"\n";
