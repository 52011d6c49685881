//! What becomes of recipients by the operator's rules, at each server and by both protocols.

use super::FIELD;
use super::server::{Door, OTHER_SINK, Server};
use super::stage::{Handed, Sockets, Stage, hand_in, recipient};

/// One recipient of one message.
struct Case {
    from: &'static str,
    /// What is said behind the sender.
    parameters: &'static str,
    /// As whom the client authenticates itself; nobody where empty.
    user: &'static str,
    domain: &'static str,
    fate: Fate,
}

/// What must become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Arrives, and its header says that this protects it.
    Arrives(&'static str),
    /// Arrives with this field.
    Marked(&'static str, &'static str),
    /// Arrives, and hoplock's log or the server's has these words.
    Warned(&'static str),
    /// Arrives by another way.
    Elsewhere,
    /// Taken, and set aside.
    Held,
    /// Refused with this code and status, in these words.
    Refused(&'static str, &'static str),
}

/// Rules for both protocols, each of which is met.
const RULES: &str = r#"
[guard]
header = "Hoplock-Protection"
[[guard.rules]]
sender = ["boss@own.example"]
recipient = ["none.test"]
action = "hold"
text = "somebody looks at it"
[[guard.rules]]
user = ["anna"]
recipient = ["none.test"]
action = "reject"
text = "anna does not write there"
[[guard.rules]]
sender = ["<>"]
recipient = ["none.test"]
action = "defer"
text = "no notifications now"
[[guard.rules]]
sender = [".own.example"]
recipient = [".plain.test"]
action = "warn"
text = "a branch writes in the clear"
[[guard.rules]]
recipient = ["free.n3.test"]
action = "dunno"
[[guard.rules]]
sender = ["own.example"]
recipient = [".n3.test"]
action = "reject"
text = "never there"
[[guard.rules]]
recipient = ["xn--bcher-kva.test"]
action = "reject"
text = "no books"
[[guard.rules]]
protection = ["refused"]
action = "reject"
[[guard.rules]]
protection = ["unknown"]
action = "defer"
[[guard.rules]]
protection = ["encrypted"]
action = "hold"
text = "nobody is authenticated"
[[guard.rules]]
protection = ["partly"]
action = "prepend"
text = "X-Guard: partly"
"#;

const CASES: &[Case] = &[
    case(
        "s@a.test",
        "dane.test",
        Fate::Arrives("dane.test; protection=authenticated; answer=dane-only; reason="),
    ),
    case(
        "s@a.test",
        "sts.test",
        Fate::Arrives("sts.test; protection=authenticated; answer=secure; reason="),
    ),
    case(
        "s@a.test",
        "none.test",
        Fate::Arrives("none.test; protection=opportunistic; answer=none; reason="),
    ),
    case(
        "s@a.test",
        "DANE.Test",
        Fate::Arrives("dane.test; protection=authenticated; "),
    ),
    case(
        "s@a.test",
        "XN--Bcher-kva.test",
        Fate::Refused("550 5.7.1", "no books"),
    ),
    case("boss@own.example", "none.test", Fate::Held),
    case("BOSS@Own.Example", "none.test", Fate::Held),
    case(
        "other@own.example",
        "none.test",
        Fate::Arrives("none.test; protection=opportunistic; "),
    ),
    case(
        "boss@own.example",
        "dane.test",
        Fate::Arrives("dane.test; protection=authenticated; "),
    ),
    case(
        "",
        "none.test",
        Fate::Refused("450 4.7.1", "no notifications now"),
    ),
    case(
        "s@sub.own.example",
        "tls.plain.test",
        Fate::Warned("a branch writes in the clear"),
    ),
    case(
        "s@own.example",
        "free.n3.test",
        Fate::Arrives("free.n3.test; protection=opportunistic; "),
    ),
    case(
        "s@own.example",
        "dane.n3.test",
        Fate::Refused("550 5.7.1", "never there"),
    ),
    case(
        "s@a.test",
        "dane.n3.test",
        Fate::Arrives("dane.n3.test; protection=authenticated; "),
    ),
    case(
        "s@a.test",
        "sts-unlisted.test",
        Fate::Refused("550 5.7.1", "sts-no-mx-matches"),
    ),
    case(
        "s@a.test",
        "bogus.test",
        Fate::Refused("450 4.7.1", "mx-lookup-failed"),
    ),
    case("s@a.test", "unusable.test", Fate::Held),
    case("s@a.test", "mixed.test", Fate::Marked("X-Guard", "partly")),
];

/// What only Postfix does: Debian's Sendmail has no way of authentication by itself, and no SMTPUTF8.
const OF_POSTFIX: &[Case] = &[
    Case {
        parameters: " SMTPUTF8",
        ..case(
            "ü@a.test",
            "bücher.test",
            Fate::Refused("550 5.7.1", "no books"),
        )
    },
    Case {
        user: "anna",
        ..case(
            "s@a.test",
            "none.test",
            Fate::Refused("550 5.7.1", "anna does not write there"),
        )
    },
    Case {
        user: "anna",
        ..case("s@a.test", "dane.test", Fate::Arrives("dane.test; "))
    },
    Case {
        user: "bert",
        ..case("s@a.test", "none.test", Fate::Arrives("none.test; "))
    },
];

/// What only policy delegation can do.
const FILTERED: &[Case] = &[
    case("s@a.test", "none.test", Fate::Elsewhere),
    case("s@a.test", "dane.test", Fate::Arrives("dane.test; ")),
];

const fn case(from: &'static str, domain: &'static str, fate: Fate) -> Case {
    Case {
        from,
        parameters: "",
        user: "",
        domain,
        fate,
    }
}

/// All of it, by both protocols.
pub(super) fn all(stage: &mut Stage<'_, '_>) {
    stage.guard(Sockets::Both, RULES);
    for server in stage.servers {
        for door in [Door::Policy, Door::Milter] {
            if server.port(door).is_none() {
                continue;
            }
            each(stage, *server, door, CASES);
            if server.is_postfix() {
                each(stage, *server, door, OF_POSTFIX);
            }
            two(stage, *server, door);
        }
    }
    let filter = format!(
        "{RULES}[[guard.rules]]\nrecipient = [\"none.test\"]\naction = \"filter\"\n\
         text = \"smtp:[127.0.0.1]:{OTHER_SINK}\"\n"
    );
    stage.guard(Sockets::Policy, &filter);
    for server in stage.servers {
        if server.port(Door::Policy).is_some() {
            each(stage, *server, Door::Policy, FILTERED);
        }
    }
}

fn each(stage: &mut Stage<'_, '_>, server: &dyn Server, door: Door, cases: &[Case]) {
    for case in cases {
        let to = recipient(case.domain);
        let handed = Handed {
            from: case.from,
            parameters: case.parameters,
            user: case.user,
            to: &[&to],
            ..Handed::default()
        };
        let replies = hand_in(server, door, handed);
        let words = format!(
            "{} to {}: {replies}, expected {:?}",
            case.from, case.domain, case.fate
        );
        let rcpt = replies.rcpt.first().cloned().unwrap_or_default();
        let good = match case.fate {
            Fate::Refused(codes, said) => rcpt.codes() == codes && rcpt.text.contains(said),
            _ => replies.are_good(),
        };
        stage.check(server, door, good, || words.clone());
        if good {
            let became = became(stage, server, &to, case.fate);
            stage.check(server, door, became.is_ok(), || {
                format!("{words}, but {}", became.unwrap_err())
            });
        }
    }
}

fn became(stage: &Stage<'_, '_>, server: &dyn Server, to: &str, fate: Fate) -> Result<(), String> {
    match fate {
        Fate::Arrives(begins) => has(stage, to, FIELD, begins),
        Fate::Marked(name, value) => has(stage, to, name, value),
        Fate::Warned(said) => {
            stage.sink.arrived(to).ok_or("it did not arrive")?;
            let is_said = stage.lab.hoplock.log().contains(said) || server.log().contains(said);
            is_said.then_some(()).ok_or("no log says so".to_owned())
        }
        Fate::Elsewhere => {
            let arrived = stage.other.arrived(to);
            arrived
                .map(|_| ())
                .ok_or("it did not arrive there".to_owned())
        }
        Fate::Held => {
            let is_held = server.holds(to) && stage.sink.of(to).is_empty();
            is_held.then_some(()).ok_or("it is not held".to_owned())
        }
        Fate::Refused(..) => {
            let came = stage.sink.of(to);
            came.is_empty().then_some(()).ok_or("it arrived".to_owned())
        }
    }
}

/// Arrived with one such field, which begins so.
fn has(stage: &Stage<'_, '_>, to: &str, name: &str, begins: &str) -> Result<(), String> {
    let arrived = stage.sink.arrived(to).ok_or("it did not arrive")?;
    let values = arrived.values(name);
    match values.as_slice() {
        [value] if value.starts_with(begins) => Ok(()),
        _ => Err(format!("{name} is {values:?}")),
    }
}

/// Two recipients of one message have two fates, and whoever arrives is told of the rest of those that do.
fn two(stage: &mut Stage<'_, '_>, server: &dyn Server, door: Door) {
    let good = recipient("dane.test");
    let (bad, also) = (recipient("sts-unlisted.test"), recipient("none.test"));
    let handed = Handed {
        from: "s@a.test",
        to: &[&good, &bad, &also],
        ..Handed::default()
    };
    let replies = hand_in(server, door, handed);
    let codes: Vec<String> = replies
        .rcpt
        .iter()
        .map(|reply| reply.codes()[..3].to_owned())
        .collect();
    let right = codes == ["250", "550", "250"] && replies.is_taken();
    stage.check(server, door, right, || {
        format!("three recipients: {replies}")
    });
    let arrived = [&good, &bad, &also].map(|to| match to == &bad {
        true => stage.sink.of(to).pop(),
        false => stage.sink.arrived(to),
    });
    let [Some(first), None, Some(second)] = arrived else {
        let came = arrived.map(|own| own.is_some());
        stage.check(server, door, false, || {
            format!("of three recipients came {came:?}")
        });
        return;
    };
    for message in [first, second] {
        let told = message.values(FIELD);
        let tells = |domain: &str| told.iter().any(|own| own.starts_with(domain));
        let right = told.len() == 2 && tells("dane.test; ") && tells("none.test; ");
        stage.check(server, door, right, || {
            format!("of two recipients is told {told:?}")
        });
    }
}
