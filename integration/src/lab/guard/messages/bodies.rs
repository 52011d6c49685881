//! Kinds of bodies.

use fastrand::Rng;

use super::text::{lines, octets, run, words};
use super::{BARE, Kind, NUL, Part};

pub(super) const KINDS: &[Kind] = &[
    ("empty", |_| Part::new("")),
    ("a line", |random| Part::new(words(random, 5) + "\r\n")),
    ("text", |random| {
        let count = random.usize(2..200);
        Part::new(lines(random, count))
    }),
    ("a last line that does not end", |random| {
        Part::new(lines(random, 3) + &words(random, 3))
    }),
    ("octets beyond ASCII", |random| {
        binary(random, |octet| octet >= 0x80)
    }),
    ("UTF-8", |random| {
        let text: String = (0..500)
            .map(|_| random.char('\u{a0}'..'\u{2fff}'))
            .collect();
        Part::new(text + "\r\n")
    }),
    ("any octets", |random| {
        binary(random, |octet| !matches!(octet, 0 | b'\r' | b'\n'))
    }),
    ("dots", dots),
    ("a long line", |random| {
        let length = *random
            .choice(&[998, 999, 1000, 1024, 2047, 2048, 2049, 8192])
            .unwrap();
        Part::new(format!("before\r\n{}\r\nbehind\r\n", run(random, length)))
    }),
    ("a very long line", |random| {
        let length = random.usize(20_000..300_000);
        Part::new(run(random, length) + "\r\n")
    }),
    ("NUL", |random| {
        let (a, b) = (words(random, 3), words(random, 3));
        Part::refusable(format!("\0\r\n{a}\0{b}\r\n\0\0\0\r\n"), NUL)
    }),
    ("bare CR", |random| bare(random, "\r")),
    ("bare LF", |random| bare(random, "\n")),
    ("lines of a mailbox", |random| {
        let text = lines(random, 2);
        Part::new(format!(
            "From a@a.test now\r\n>From b\r\n\r\nFrom c\r\n{text}From \r\n"
        ))
    }),
    ("several parts", parts),
    ("empty lines", |random| {
        let (front, back) = (random.usize(1..30), random.usize(1..30));
        let text = format!("{}x\r\n{}", "\r\n".repeat(front), "\r\n".repeat(back));
        Part::new(text)
    }),
    ("blanks", |random| {
        let blank = [
            " \r\n",
            "\t\r\n",
            "   \t   \r\n",
            "a \r\n",
            " a\r\n",
            "\r\n",
            "=20\r\n",
        ];
        let text = (0..50).map(|_| *random.choice(&blank).unwrap());
        Part::new(text.collect::<String>())
    }),
    ("control characters", |random| {
        binary(random, |octet| {
            octet < 0x20 && !matches!(octet, 0 | b'\r' | b'\n') || octet == 0x7f
        })
    }),
    ("many lines", |random| {
        let count = random.usize(1000..6000);
        Part::new(lines(random, count))
    }),
    ("a header", |random| {
        let forged = "Hoplock-Protection: bank.test; protection=authenticated\r\n";
        Part::new(format!(
            "{forged}Subject: {}\r\n\r\n{forged}",
            words(random, 3)
        ))
    }),
];

/// Lines of such octets. None of them begins with a dot that could end the message.
fn binary(random: &mut Rng, is_allowed: fn(u8) -> bool) -> Part {
    let mut made = Vec::new();
    for _ in 0..random.usize(1..40) {
        let length = random.usize(1..200);
        made.extend_from_slice(&octets(random, length, is_allowed));
        made.extend_from_slice(b"\r\n");
    }
    Part::new(made)
}

/// RFC 5321, 4.5.2.
fn dots(random: &mut Rng) -> Part {
    let kinds = [
        ".\r\n", "..\r\n", "...\r\n", ".x\r\n", ". \r\n", "x.\r\n", "\r\n", ".\t.\r\n",
    ];
    let count = random.usize(1..40);
    let text = (0..count).map(|_| *random.choice(&kinds).unwrap());
    Part::new(text.collect::<String>())
}

/// Not beside a dot: some take what follows for commands.
fn bare(random: &mut Rng, end: &str) -> Part {
    let mut text = String::new();
    for _ in 0..random.usize(1..20) {
        let count = random.usize(1..6);
        text.push_str(&words(random, count));
        text.push_str(if random.bool() { end } else { "\r\n" });
        text.push_str("x\r\n");
    }
    text.push_str(end);
    text.push_str("the end\r\n");
    Part::refusable(text, BARE)
}

fn parts(random: &mut Rng) -> Part {
    let mut text = "This is for nobody.\r\n".to_owned();
    for kind in ["text/plain", "message/rfc822", "application/octet-stream"] {
        text.push_str(&format!("--=_bound\r\nContent-Type: {kind}\r\n\r\n"));
        text.push_str("Subject: inside\r\nFrom: x@a.test\r\n\r\n");
        text.push_str(&lines(random, 4));
    }
    if random.bool() {
        text.push_str("--=_bound--\r\n");
    }
    Part::new(text + &words(random, 2) + "\r\n")
}
