//! Kinds of headers, with the empty line behind them where there is one.

use std::fmt::Write as _;

use fastrand::Rng;

use super::text::{lines, octets, run, words};
use super::{BARE, Kind, NUL, Part};

pub(super) const KINDS: &[Kind] = &[
    ("as it should be", |random| Part::new(whole(random) + END)),
    ("one field", |random| {
        Part::new(field(random, "Subject") + END)
    }),
    ("none", |_| Part::new(END)),
    ("none, and no empty line", |_| Part::new("")),
    ("no empty line behind", |random| Part::new(whole(random))),
    ("empty lines in front", |random| {
        let front = END.repeat(random.usize(1..6));
        Part::new(front + &whole(random) + END)
    }),
    ("1,000 fields", thousand),
    ("folded", folded),
    ("blank continuations", |random| {
        Part::new(whole(random) + "X-Folded: a\r\n \r\n\t\r\n  \t \r\n b\r\n \r\n" + END)
    }),
    ("a continuation first", |random| {
        Part::new(format!(" {}\r\n{}{END}", words(random, 4), whole(random)))
    }),
    ("a line without a colon", |random| {
        let (front, back) = (whole(random), field(random, "X-Behind"));
        Part::new(format!("{front}{}\r\n{back}{END}", words(random, 3)))
    }),
    ("blanks around colons", blanks),
    ("odd names", odd_names),
    ("empty values", |random| {
        let empty = "X-None:\r\nX-Blank: \r\nX-Tab:\t\r\nSubject:\r\nX-Many:    \t \r\n";
        Part::new(whole(random) + empty + END)
    }),
    ("a mailbox's first line", |random| {
        let line = "From somebody@a.test Thu Jan  1 00:00:00 1970\r\n";
        Part::new(format!("{line}{}{END}", whole(random)))
    }),
    ("a long field", |random| {
        let length = random.usize(900..28_000);
        long_field(random, length)
    }),
    ("a very long field", |random| {
        // Postfix cuts what is longer than 60,000 octets where there is any filter: see `octets`.
        let length = random.usize(33_000..58_000);
        long_field(random, length)
    }),
    ("beyond ASCII", beyond_ascii),
    ("fields twice", twice),
    ("sent again", resent),
    ("fields that servers know", known),
    ("control characters", controls),
    ("NUL", |random| {
        let (a, b) = (words(random, 2), words(random, 2));
        let text = format!(
            "{}X-Nul: {a}\0{b}\r\nX-\0Nul: c\r\nX-End: \0\r\n",
            whole(random)
        );
        Part::refusable(text + END, NUL)
    }),
    ("bare line ends", bare),
    ("our own field, forged", forged),
];

const END: &str = "\r\n";

fn field(random: &mut Rng, name: &str) -> String {
    let count = random.usize(1..8);
    format!("{name}: {}\r\n", words(random, count))
}

/// What any client writes.
fn whole(random: &mut Rng) -> String {
    format!(
        "From: {} <{}@a.test>\r\nTo: {}@b.test\r\n{}Date: Mon, 23 Nov 2026 10:{:02}:00 +0100\r\n\
         Message-Id: <{}@a.test>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
        words(random, 2),
        run(random, 6),
        run(random, 6),
        field(random, "Subject"),
        random.u8(..60),
        run(random, 20),
    )
}

/// Short ones: Sendmail takes 32,768 octets of header.
fn thousand(random: &mut Rng) -> Part {
    let mut text = whole(random);
    for number in 0..1000 {
        writeln!(text, "X-Odd-{number}: {}\r", run(random, 4)).unwrap();
    }
    Part::new(text + END)
}

fn folded(random: &mut Rng) -> Part {
    let mut text = whole(random);
    for number in 0..random.usize(1..6) {
        write!(text, "X-Folded-{number}:").unwrap();
        for _ in 0..random.usize(1..40) {
            let front = ["\r\n ", "\r\n\t", "\r\n \t  ", " \r\n ", "\r\n        "];
            text.push_str(random.choice(front).unwrap());
            text.push_str(&words(random, 3));
        }
        text.push_str("\r\n");
    }
    Part::new(text + END)
}

fn blanks(random: &mut Rng) -> Part {
    let mut text = whole(random);
    for colon in [":", ":\t", ":   ", " :", " : ", "\t:\t", "  :", ":\t \t"] {
        let (name, value) = (run(random, 4), words(random, 3));
        let end = random.choice(["", " ", "\t", "   "]).unwrap();
        writeln!(text, "X-{name}{colon}{value}{end}\r").unwrap();
    }
    Part::new(text + END)
}

fn odd_names(random: &mut Rng) -> Part {
    let mut octets = whole(random).into_bytes();
    let names: [&[u8]; 12] = [
        b"",
        b"X Y",
        b"\xff",
        b"X-\xe9t\xe9",
        "X-é".as_bytes(),
        b"(a)",
        b"a=b",
        b"\"quoted\"",
        b"x",
        b"X-\x01",
        b".",
        b"<a@b>",
    ];
    let at = random.usize(..names.len());
    for name in names.iter().cycle().skip(at).take(random.usize(1..5)) {
        octets.extend_from_slice(name);
        octets.extend_from_slice(b": ");
        octets.extend_from_slice(words(random, 2).as_bytes());
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(field(random, "X-Behind").as_bytes());
    octets.extend_from_slice(END.as_bytes());
    Part::new(octets)
}

fn long_field(random: &mut Rng, length: usize) -> Part {
    let text = whole(random);
    // One line, or lines of a length that servers have buffers of.
    let line = *random
        .choice(&[length, 997, 998, 2047, 2048, 4096])
        .unwrap();
    let value = run(random, length).into_bytes();
    let value: Vec<&[u8]> = value.chunks(line).collect();
    let mut octets = text.into_bytes();
    octets.extend_from_slice(b"X-Long: ");
    octets.extend_from_slice(&value.join(&b"\r\n "[..]));
    octets.extend_from_slice(b"\r\nX-Behind: it\r\n\r\n");
    Part::new(octets)
}

fn beyond_ascii(random: &mut Rng) -> Part {
    let mut made = whole(random).into_bytes();
    for name in ["Subject", "X-Octets", "Comments"] {
        made.extend_from_slice(name.as_bytes());
        made.extend_from_slice(b": ");
        let length = random.usize(1..200);
        if random.bool() {
            let letters: String = (0..length)
                .map(|_| random.char('\u{a0}'..'\u{2fff}'))
                .collect();
            made.extend_from_slice(letters.as_bytes());
        } else {
            made.extend_from_slice(&octets(random, length, |octet| octet >= 0x80));
        }
        made.extend_from_slice(b"\r\n");
    }
    made.extend_from_slice("From: Jörg <j@a.test>, \"Ø\" <ø@a.test>\r\n\r\n".as_bytes());
    Part::new(made)
}

fn twice(random: &mut Rng) -> Part {
    let (first, second) = (whole(random), whole(random));
    let received = "Received: from a.test by b.test; Mon, 23 Nov 2026 09:00:00 +0000\r\n";
    Part::new(format!("{received}{first}{received}{second}{END}"))
}

fn resent(random: &mut Rng) -> Part {
    let mut text = whole(random);
    let names = [
        "Resent-From: a@a.test",
        "Resent-To: b@b.test",
        "Resent-Sender: c@a.test",
    ];
    for name in &names[..random.usize(1..=names.len())] {
        writeln!(text, "{name}\r").unwrap();
    }
    Part::new(text + END)
}

/// Some of these go, or turn into others, with or without a filter.
fn known(random: &mut Rng) -> Part {
    let mut names = [
        "Bcc: hidden@b.test",
        "Return-Path: <x@a.test>",
        "Errors-To: x@a.test",
        "Apparently-To: b@b.test",
        "Full-Name: Some Body",
        "Content-Length: 5",
        "Status: RO",
        "Lines: 3",
        "Delivered-To: other@b.test",
        "Reply-To: \"x, y\" <x@a.test>",
        "Cc: one@b.test,\r\n two@b.test, group: three@b.test, four@b.test;",
        "Sender: s@a.test",
        "Precedence: bulk",
        "Authentication-Results: a.test; none",
        "List-Id: <x.a.test>",
    ];
    random.shuffle(&mut names);
    let mut text = whole(random);
    for name in &names[..random.usize(3..names.len())] {
        writeln!(text, "{name}\r").unwrap();
    }
    Part::new(text + END)
}

fn controls(random: &mut Rng) -> Part {
    let mut made = whole(random).into_bytes();
    for _ in 0..random.usize(1..4) {
        made.extend_from_slice(b"X-Control: a");
        made.extend_from_slice(&octets(random, 20, |octet| {
            octet < 0x20 && !matches!(octet, 0 | b'\r' | b'\n') || octet == 0x7f
        }));
        made.extend_from_slice(b"b\r\n");
    }
    made.extend_from_slice(END.as_bytes());
    Part::new(made)
}

fn bare(random: &mut Rng) -> Part {
    let mut text = whole(random);
    let ends = ["\n", "\r", "\r\r\n", "\n\r\n"];
    for number in 0..random.usize(1..4) {
        let end = random.choice(ends).unwrap();
        write!(text, "X-Bare-{number}: {}{end}", words(random, 3)).unwrap();
        write!(text, "X-Next: {}\r\n", words(random, 1)).unwrap();
    }
    Part::refusable(text + END, BARE)
}

/// In several spellings, folded, and where a body may begin.
fn forged(random: &mut Rng) -> Part {
    let mut text = whole(random);
    let forged = [
        "Hoplock-Protection: bank.test; protection=authenticated\r\n",
        "hoplock-protection: bank.test;\r\n protection=authenticated\r\n",
        "HOPLOCK-PROTECTION:bank.test\r\n",
        "Hoplock-Protection:\r\n",
        "Hoplock-Protection : bank.test; protection=authenticated\r\n",
        "Hoplock-Protections: other\r\n",
        "X-Hoplock-Protection: other\r\n",
    ];
    for _ in 0..random.usize(1..6) {
        text.push_str(random.choice(forged).unwrap());
        text.push_str(&field(random, "X-Between"));
    }
    Part::new(text + END + &lines(random, 1))
}
