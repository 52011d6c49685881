//! What a message itself demands of TLS (RFC 8689), and our own field in it, by the milter protocol.
//!
//! The mail servers here know no parameter REQUIRETLS of MAIL: the field stands for it by which Postfix
//! 3.11 hands it on.

use super::FIELD;
use super::server::{Door, Server};
use super::sink::Sink;
use super::stage::{Handed, Sockets, Stage, hand_in, recipient};

/// A message with these fields for these domains, all of which are taken at RCPT.
struct Case {
    from: &'static str,
    fields: &'static str,
    domains: &'static [&'static str],
    fate: Fate,
}

/// What must become of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It arrives everywhere.
    Arrives,
    /// It is refused at its end with this code and status, in these words.
    Refused(&'static str, &'static str),
}

const REQUIRES: &str = "Require-TLS-ESMTP: yes\r\n";
const OPTS_OUT: &str = "TLS-Required: No\r\n";

const RULES: &str = r#"
[[guard.rules]]
sender = ["boss@own.example"]
action = "reject"
text = "never the boss"
[[guard.rules]]
protection = ["refused"]
action = "reject"
[[guard.rules]]
protection = ["unknown"]
action = "defer"
"#;

/// Where the recipients are decided on before the header is seen.
const AT_RCPT: &[Case] = &[
    case("", &["none.test"], Fate::Arrives),
    case(REQUIRES, &["dane.test"], Fate::Arrives),
    case(REQUIRES, &["sts.test"], Fate::Arrives),
    case(
        REQUIRES,
        &["none.test"],
        Fate::Refused("550 5.7.30", "no host of the destination"),
    ),
    case(
        REQUIRES,
        &["unusable.test"],
        Fate::Refused("550 5.7.30", "no host of the destination"),
    ),
    case(
        REQUIRES,
        &["mixed.test"],
        Fate::Refused("450 4.7.30", "not every host"),
    ),
    case(
        REQUIRES,
        &["half.plain.test"],
        Fate::Refused("550 5.7.30", "half.plain.test"),
    ),
    case(
        REQUIRES,
        &["dane.test", "none.test"],
        Fate::Refused("550 5.7.30", "none.test"),
    ),
    case(
        "require-tls-esmtp:YES\r\n",
        &["none.test"],
        Fate::Refused("550 5.7.30", "none.test"),
    ),
    case("Require-TLS-ESMTP: no\r\n", &["none.test"], Fate::Arrives),
    case(FORGED, &["dane.test"], Fate::Arrives),
];

/// Where they are decided on afterwards, all together.
const AT_END: &[Case] = &[
    case("", &["none.test"], Fate::Arrives),
    case(
        "",
        &["sts-unlisted.test"],
        Fate::Refused("550 5.7.1", "sts-no-mx-matches"),
    ),
    case(
        "",
        &["bogus.test"],
        Fate::Refused("450 4.7.1", "mx-lookup-failed"),
    ),
    case(
        "",
        &["dane.test", "sts-unlisted.test"],
        Fate::Refused("550 5.7.1", "sts-unlisted.test"),
    ),
    case(
        "",
        &["bogus.test", "sts-unlisted.test"],
        Fate::Refused("550 5.7.1", "sts-unlisted.test"),
    ),
    case(OPTS_OUT, &["sts-unlisted.test"], Fate::Arrives),
    case(OPTS_OUT, &["bogus.test", "dane.test"], Fate::Arrives),
    case(
        "tls-required:no \r\n",
        &["sts-unlisted.test"],
        Fate::Arrives,
    ),
    // It is held up for no lack of protection, and for everything else.
    Case {
        from: "boss@own.example",
        ..case(
            OPTS_OUT,
            &["sts-unlisted.test"],
            Fate::Refused("550 5.7.1", "never the boss"),
        )
    },
    // RFC 8689, 3: once, and with that value.
    case(
        "TLS-Required: No\r\nTLS-Required: No\r\n",
        &["sts-unlisted.test"],
        Fate::Refused("550 5.7.1", "sts-unlisted.test"),
    ),
    case(
        "TLS-Required: Yes\r\n",
        &["sts-unlisted.test"],
        Fate::Refused("550 5.7.1", "sts-unlisted.test"),
    ),
    case(REQUIRES, &["dane.test"], Fate::Arrives),
    case(
        REQUIRES,
        &["none.test"],
        Fate::Refused("550 5.7.30", "no host of the destination"),
    ),
    case(
        REQUIRES,
        &["bogus.test"],
        Fate::Refused("450 4.7.30", "mx-lookup-failed"),
    ),
    // RFC 8689, 4.2.2: REQUIRETLS wins.
    case(
        "TLS-Required: No\r\nRequire-TLS-ESMTP: yes\r\n",
        &["none.test"],
        Fate::Refused("550 5.7.30", "none.test"),
    ),
    case(FORGED, &["dane.test"], Fate::Arrives),
];

/// Copies of our own field that come with the message.
const FORGED: &str = "Hoplock-Protection: bank.test; protection=authenticated\r\nX-Between: a\r\n\
    hoplock-protection: dane.test;\r\n protection=authenticated; answer=none\r\n\
    HOPLOCK-PROTECTION : x\r\nX-Behind: b\r\n";

const fn case(fields: &'static str, domains: &'static [&'static str], fate: Fate) -> Case {
    Case {
        from: "s@a.test",
        fields,
        domains,
        fate,
    }
}

/// All of it.
pub(super) fn all(stage: &mut Stage<'_, '_>) {
    each(stage, "", AT_RCPT);
    each(stage, "decide_at = \"end\"\n", AT_END);
    let later = Fate::Refused("450 4.7.30", "no host of the destination");
    each(
        stage,
        "requiretls = \"defer\"\n",
        &[case(REQUIRES, &["none.test"], later)],
    );
    each(
        stage,
        "requiretls = \"ignore\"\n",
        &[case(REQUIRES, &["none.test"], Fate::Arrives)],
    );
}

fn each(stage: &mut Stage<'_, '_>, more: &str, cases: &[Case]) {
    stage.guard(
        Sockets::Both,
        &format!("[guard]\nheader = \"{FIELD}\"\n{more}{RULES}"),
    );
    let sink = stage.sink.clone();
    stage.at_once(&[Door::Milter], |server, door| {
        let found = cases.iter().map(|case| became(server, door, case, &sink));
        found.collect()
    });
}

fn became(server: &dyn Server, door: Door, case: &Case, sink: &Sink) -> Result<(), String> {
    let to: Vec<String> = case
        .domains
        .iter()
        .map(|domain| recipient(domain))
        .collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let handed = Handed {
        from: case.from,
        to: &to,
        fields: case.fields,
        ..Handed::default()
    };
    let replies = hand_in(server, door, handed);
    let verdict = replies.verdict();
    let found = match case.fate {
        _ if replies.rcpt.iter().any(|reply| !reply.is("250")) => Err("refused at RCPT".to_owned()),
        Fate::Refused(codes, said) if verdict.codes() == codes && verdict.text.contains(said) => {
            let came = to.iter().any(|to| !sink.of(to).is_empty());
            (!came).then_some(()).ok_or("it arrived".to_owned())
        }
        Fate::Arrives if replies.are_good() => to.iter().try_for_each(|to| {
            let came = sink.arrived(to).ok_or("it did not arrive")?;
            let told = came.values(FIELD);
            let are_ours = told.iter().all(|own| own.contains("; reason="));
            let right = told.len() == case.domains.len() && are_ours;
            right.then_some(()).ok_or(format!("it is told {told:?}"))
        }),
        _ => Err("another fate".to_owned()),
    };
    found.map_err(|why| {
        let (fields, domains, fate) = (case.fields, case.domains, case.fate);
        format!("{fields:?} to {domains:?}: {why}: {replies}, expected {fate:?}")
    })
}
