//! Chance, always from the seed of the run.

use fastrand::Rng;

use super::certificate::Certificate;
use super::keys::{Algorithm, Key};

/// True in so many of a hundred cases.
pub(super) fn chance(rng: &mut Rng, percent: u32) -> bool {
    rng.u32(..100) < percent
}

/// One of several.
pub(super) fn one_of<T: Clone>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())].clone()
}

/// Between two numbers, both included.
pub(super) fn between(rng: &mut Rng, least: i64, most: i64) -> i64 {
    rng.i64(least..=most)
}

/// A short word of letters and digits that begins with a letter.
pub(super) fn word(rng: &mut Rng) -> String {
    let letter = rng.lowercase();
    let rest = (0..rng.usize(2..7)).map(|_| rng.alphanumeric().to_ascii_lowercase());
    std::iter::once(letter).chain(rest).collect()
}

/// A positive serial number of up to twenty octets.
pub(super) fn serial(rng: &mut Rng) -> Vec<u8> {
    let first = rng.u8(1..=0x7f);
    let rest = (0..rng.usize(..20)).map(|_| rng.u8(..));
    std::iter::once(first).chain(rest).collect()
}

/// A key of an algorithm that none of the certificates uses, where the pool has one left.
pub(super) fn key(rng: &mut Rng, algorithm: Algorithm, but: &[Certificate]) -> Key {
    let count = algorithm.drawn();
    let start = rng.u8(..count);
    let free = (0..count)
        .map(|number| Key {
            algorithm,
            number: (start + number) % count,
        })
        .find(|key| !but.iter().any(|used| used.key == *key));
    // P-256 is never used up.
    free.unwrap_or_else(|| key_of_p256(rng, but))
}

fn key_of_p256(rng: &mut Rng, but: &[Certificate]) -> Key {
    key(rng, Algorithm::P256, but)
}

/// Mostly the quickest algorithm; now and then one that not every library verifies.
pub(super) fn algorithm(rng: &mut Rng) -> Algorithm {
    match rng.u8(..100) {
        0..65 => Algorithm::P256,
        65..97 => one_of(rng, &Algorithm::ORDINARY),
        _ => one_of(rng, &Algorithm::UNUSUAL),
    }
}
