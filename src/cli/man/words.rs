//! What man pages say beyond `--help`: more of a description, exit statuses, examples.
//!
//! The examples are run by the lab as they stand here.

/// The words for one command.
pub(super) struct Words {
    /// The command, as it is typed.
    pub(super) command: &'static str,
    /// Paragraphs of the description, beyond what `--help` says.
    pub(super) more: &'static [&'static str],
    /// Exit statuses, besides 2 for arguments that cannot be read.
    pub(super) statuses: &'static [(&'static str, &'static str)],
    /// What it is for, and the command line.
    pub(super) examples: &'static [(&'static str, &'static str)],
}

/// The words for a command.
pub(super) fn of(command: &str) -> Option<&'static Words> {
    WORDS.iter().find(|own| own.command == command)
}

const DONE: (&str, &str) = ("0", "done");
const FAILED: (&str, &str) = ("1", "not done; the words say why");
const BAD_INPUT: (&str, &str) = ("2", "the input cannot be read");
const NOT_REACHED: (&str, &str) = ("3", "the daemon cannot be reached");

const ASKS: &str = "The running daemon is asked, by its control socket, which root and the group hoplock may open.";
const DIRECT: &str = "With --direct it is resolved in this process, with neither the cache nor the memory of the daemon.";

const WORDS: &[Words] = &[
    Words {
        command: "hoplock",
        more: &[
            "hoplock is a daemon beside a mail server. The mail server asks it, before it connects, how a \
             destination must be reached; hoplock looks at MX, addresses, TLSA records (DANE, RFC 7672) and the \
             MTA-STS policy (RFC 8461), and answers in the mail server's own words. Afterwards it judges the \
             sessions that came about, and reports them (RFC 8460).",
            "It never makes mail fail for good: trouble is answered with a temporary failure, and the mail \
             waits. It edits no configuration of a mail server.",
        ],
        statuses: &[
            DONE,
            ("1", "a temporary failure, an alarm, or a check that failed"),
            BAD_INPUT,
            NOT_REACHED,
            ("4", "nothing can be said for certain (check)"),
        ],
        examples: &[
            (
                "Why does mail for a domain wait?",
                "hoplock explain example.com",
            ),
            ("Is anything in the way?", "hoplock doctor || true"),
        ],
    },
    Words {
        command: "hoplock serve",
        more: &[
            "Runs in the foreground and logs to standard error, or to the journal under systemd. An empty \
             configuration is valid.",
            "SIGHUP reads the configuration again; where anything in it is wrong, all complaints are logged and \
             the old one stays. SIGTERM and SIGINT stop it once what is under way is answered.",
        ],
        statuses: &[
            ("0", "stopped, and all that was under way was answered"),
            ("1", "it could not start or go on"),
            ("2", "the configuration has errors"),
        ],
        examples: &[],
    },
    Words {
        command: "hoplock demo",
        more: &[
            "The daemon is that of hoplock serve; only the world behind it is built in. It prints what each \
             destination is answered, says how to ask for more, and goes on until Ctrl-C. It keeps nothing.",
        ],
        statuses: &[
            DONE,
            ("1", "it could not start, as where its ports are taken"),
        ],
        examples: &[("The table alone", "hoplock demo --once --port 0")],
    },
    Words {
        command: "hoplock query",
        more: &[ASKS, DIRECT],
        statuses: ANSWERED,
        examples: &[
            ("As Postfix is answered", "hoplock query example.com"),
            (
                "As Exim is, for a program",
                "hoplock query example.com --profile exim --json",
            ),
            ("A relay", "hoplock query '[mx1.example.com]:25'"),
        ],
    },
    Words {
        command: "hoplock explain",
        more: &[
            "Shows every lookup with its DNSSEC status and TTL, what each host owes, what the mail server will \
             do to it, the row of the table of answers, the answers that lost and why, and a cure where mail \
             waits.",
            ASKS,
            DIRECT,
        ],
        statuses: ANSWERED,
        examples: &[
            ("Why is this answered?", "hoplock explain example.com"),
            ("Without the daemon", "hoplock explain example.com --direct"),
        ],
    },
    Words {
        command: "hoplock check",
        more: &[
            "Looks the destination up, connects to each address of each host, does STARTTLS and judges the \
             certificates; no mail is sent. One block for each host, with what is to be done.",
        ],
        statuses: &[
            (
                "0",
                "every host that was reached keeps its duty; with --watch: no alarm",
            ),
            ("1", "some do not; with --watch: there are alarms"),
            BAD_INPUT,
            (
                "4",
                "nothing can be said for certain, or no host was reached; with --watch: something could not be \
                 looked at",
            ),
        ],
        examples: &[
            ("All hosts of a domain", "hoplock check example.com"),
            (
                "Several, for a program",
                "hoplock check example.com example.net --json",
            ),
            (
                "A domain of your own, ahead of trouble",
                "hoplock check --watch example.com",
            ),
        ],
    },
    Words {
        command: "hoplock verify",
        more: &[
            "Nothing is looked up for a chain or for session reports: they are judged by what is given. A log \
             of Postfix is judged by what its destinations publish now.",
        ],
        statuses: &[
            (
                "0",
                "authenticated; of a log: no session was below its policy; of session reports: all were read",
            ),
            ("1", "not authenticated; some session was below its policy"),
            BAD_INPUT,
        ],
        examples: &[
            (
                "A chain as MTA-STS judges it",
                "hoplock verify --chain chain.pem --name mx.example.com",
            ),
            (
                "Session reports, a line of JSON each",
                "hoplock verify --jsonl sessions.jsonl",
            ),
        ],
    },
    Words {
        command: "hoplock tlsa",
        more: &[
            "Without options it prints the record that outlives a renewal: 3 1 1, the key by SHA-256.",
        ],
        statuses: &[
            (
                "0",
                "done; with --host: what is published and served matches",
            ),
            ("1", "it does not match"),
            BAD_INPUT,
        ],
        examples: &[("The record to publish", "hoplock tlsa chain.pem")],
    },
    Words {
        command: "hoplock survey",
        more: &[
            "A list has a domain, a next hop or an address in each line. Of a log of Postfix, Exim or Sendmail \
             the remote deliveries are read. Broken destinations come first.",
        ],
        statuses: &[
            ("0", "done, also where some destinations would wait"),
            BAD_INPUT,
            NOT_REACHED,
        ],
        examples: &[
            (
                "What a switch would mean",
                "hoplock survey /var/log/mail.log",
            ),
            ("A list, for a program", "hoplock survey domains.txt --csv"),
        ],
    },
    Words {
        command: "hoplock status",
        more: &["Alarms come first, each with its cause and its cure.", ASKS],
        statuses: &[("0", "no alarm"), ("1", "alarms"), NOT_REACHED],
        examples: &[("For a program", "hoplock status --json || true")],
    },
    Words {
        command: "hoplock sessions",
        more: &[ASKS],
        statuses: &[DONE, BAD_INPUT, NOT_REACHED],
        examples: &[
            ("Those below their policy", "hoplock sessions --failed"),
            ("One destination", "hoplock sessions example.com --limit 10"),
        ],
    },
    Words {
        command: "hoplock report",
        more: &[
            "TLS reports (RFC 8460) are counted and sent by the daemon; these commands look at them.",
        ],
        statuses: &[DONE, FAILED],
        examples: &[],
    },
    Words {
        command: "hoplock report list",
        more: &[ASKS],
        statuses: &[DONE, FAILED],
        examples: &[("What left and what came", "hoplock report list")],
    },
    Words {
        command: "hoplock report show",
        more: &["Of today it shows what is counted so far.", ASKS],
        statuses: &[DONE, FAILED],
        examples: &[("Yesterday's report", "hoplock report show example.com")],
    },
    Words {
        command: "hoplock report send",
        more: &["Only a day that is over has a report; one that left is not made anew."],
        statuses: &[DONE, FAILED],
        examples: &[],
    },
    Words {
        command: "hoplock report lookup",
        more: &["Looks at _smtp._tls.DOMAIN."],
        statuses: &[DONE, FAILED],
        examples: &[("Who gets reports", "hoplock report lookup example.com")],
    },
    Words {
        command: "hoplock report read",
        more: &["With --keep the daemon keeps it for 90 days, for report list and the page."],
        statuses: &[DONE, FAILED],
        examples: &[(
            "A report in words",
            "hoplock report read --no-keep report.json",
        )],
    },
    Words {
        command: "hoplock cache",
        more: &[ASKS],
        statuses: KEPT,
        examples: &[],
    },
    Words {
        command: "hoplock cache list",
        more: &[ASKS],
        statuses: KEPT,
        examples: &[("All that is kept", "hoplock cache list")],
    },
    Words {
        command: "hoplock cache show",
        more: &[ASKS],
        statuses: KEPT,
        examples: &[],
    },
    Words {
        command: "hoplock cache purge",
        more: &[
            "A policy that is forgotten (--policies) protects nobody until it is learnt again.",
            ASKS,
        ],
        statuses: KEPT,
        examples: &[(
            "After their DNS was mended",
            "hoplock cache purge example.com",
        )],
    },
    Words {
        command: "hoplock cache export",
        more: &["For people; there is no import.", ASKS],
        statuses: KEPT,
        examples: &[("Everything, as JSON", "hoplock cache export")],
    },
    Words {
        command: "hoplock rule",
        more: &["Rules of the configuration stand in hoplock.toml(5)."],
        statuses: KEPT,
        examples: &[],
    },
    Words {
        command: "hoplock rule add",
        more: &[
            "The rule holds at once, outlives a restart, and stands in front of a rule of the configuration for \
             the same pattern, which counts again when it ends. It is kept with who gave it, when and why.",
        ],
        statuses: KEPT,
        examples: &[
            (
                "Their TLSA records are broken; TLS is enough until Monday",
                "hoplock rule add example.org --answer encrypt --until 2d --comment 'told them'",
            ),
            (
                "The way out at three in the morning",
                "hoplock rule add '*' --mode audit --until 2h && hoplock rule remove '*'",
            ),
        ],
    },
    Words {
        command: "hoplock rule list",
        more: &[ASKS],
        statuses: KEPT,
        examples: &[("All rules, with their standing", "hoplock rule list")],
    },
    Words {
        command: "hoplock rule observed",
        more: &[ASKS],
        statuses: KEPT,
        examples: &[("What rules of mode audit let pass", "hoplock rule observed")],
    },
    Words {
        command: "hoplock rule remove",
        more: &["Rules of the configuration are removed there."],
        statuses: KEPT,
        examples: &[],
    },
    Words {
        command: "hoplock doctor",
        more: &[
            "Run it as root: it then asks as the mail server's own user. It changes nothing. Each problem has a \
             name and a cure; advice and what is in order are told as well.",
        ],
        statuses: &[("0", "no problem"), ("1", "problems")],
        examples: &[("For a program", "hoplock doctor --json || true")],
    },
    Words {
        command: "hoplock config",
        more: &["The keys are those of hoplock.toml(5)."],
        statuses: &[DONE, ("2", "the configuration has errors")],
        examples: &[],
    },
    Words {
        command: "hoplock config check",
        more: &[
            "All complaints at once, each with its line and, for a key, the nearest that is known.",
        ],
        statuses: &[
            ("0", "no errors"),
            ("2", "errors; with --strict warnings too"),
        ],
        examples: &[("Before a reload", "hoplock config check")],
    },
    Words {
        command: "hoplock config print",
        more: &["What it prints can be read back."],
        statuses: &[DONE, ("2", "the configuration has errors")],
        examples: &[("What is in effect", "hoplock config print")],
    },
    Words {
        command: "hoplock man",
        more: &["Besides the commands' there is hoplock.toml(5), from the table of keys."],
        statuses: &[DONE, FAILED],
        examples: &[(
            "To look at them",
            "hoplock man /tmp/pages && man -l /tmp/pages/hoplock.8",
        )],
    },
    Words {
        command: "hoplock completions",
        more: &[],
        statuses: &[DONE],
        examples: &[("For bash", "hoplock completions bash >/tmp/hoplock.bash")],
    },
];

const ANSWERED: &[(&str, &str)] = &[
    ("0", "answered"),
    ("1", "a temporary failure: mail waits"),
    BAD_INPUT,
    NOT_REACHED,
];

const KEPT: &[(&str, &str)] = &[DONE, BAD_INPUT, NOT_REACHED];
