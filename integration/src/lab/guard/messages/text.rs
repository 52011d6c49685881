//! What messages are made of.

use fastrand::Rng;

/// Some words.
pub(super) fn words(random: &mut Rng, count: usize) -> String {
    let word = |random: &mut Rng| -> String {
        let length = random.usize(1..9);
        (0..length).map(|_| random.lowercase()).collect()
    };
    let words: Vec<String> = (0..count).map(|_| word(random)).collect();
    words.join(" ")
}

/// Lines of text.
pub(super) fn lines(random: &mut Rng, count: usize) -> String {
    (0..count)
        .map(|_| {
            let length = random.usize(0..12);
            format!("{}\r\n", words(random, length))
        })
        .collect()
}

/// So many octets of one line, without blanks.
pub(super) fn run(random: &mut Rng, length: usize) -> String {
    (0..length).map(|_| random.alphanumeric()).collect()
}

/// Octets of one line, of those that `is_allowed`.
pub(super) fn octets(random: &mut Rng, length: usize, is_allowed: fn(u8) -> bool) -> Vec<u8> {
    let mut octets = Vec::new();
    while octets.len() < length {
        let octet = random.u8(..);
        if is_allowed(octet) {
            octets.push(octet);
        }
    }
    octets
}
