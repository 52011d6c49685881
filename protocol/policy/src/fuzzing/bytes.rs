//! Values made from a fuzzer's bytes, front to back: a small change of the bytes is a small change of
//! the values, and where the bytes end everything is nought.

use std::time::Duration;

use crate::name::DomainName;

/// The bytes that are not used up yet.
#[derive(Clone, Debug)]
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// All of them.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// True where nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// The next two bytes as a number.
    pub fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes as a number.
    pub fn long(&mut self) -> u32 {
        u32::from(self.number()) << 16 | u32::from(self.number())
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// So many bytes, or what is left.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A text with its length in front.
    pub fn text(&mut self) -> String {
        let length = usize::from(self.byte());
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, several: &[T], otherwise: T) -> T {
        let at = usize::from(self.byte()) % several.len().max(1);
        several.get(at).copied().unwrap_or(otherwise)
    }

    /// A span that is often short, and sometimes endless.
    pub fn span(&mut self) -> Duration {
        match self.byte() {
            0 => Duration::ZERO,
            254 => Duration::from_millis(u64::from(self.long())),
            255 => Duration::MAX,
            seconds => Duration::from_secs(u64::from(seconds) * 60),
        }
    }

    /// A name, mostly one of a few, so that names meet.
    pub fn name(&mut self) -> DomainName {
        let at = usize::from(self.byte());
        if let Some(known) = NAMES.get(at) {
            return known_name(known);
        }
        DomainName::parse(&self.text()).unwrap_or_else(|_| known_name("e.test"))
    }
}

fn known_name(text: &str) -> DomainName {
    let name = DomainName::parse(text);
    assert!(name.is_ok(), "{text:?} is a name");
    // Not reached: there is no name that is made without reading one.
    name.unwrap_or_else(|_| known_name(text))
}

/// Some names that look alike.
const NAMES: &[&str] = &[
    "e.test",
    "mx.e.test",
    "mx1.e.test",
    "mx2.e.test",
    "a.mx.e.test",
    "b.test",
    "mx.b.test",
    "test",
    "xn--bcher-kva.test",
    "mx_1.e.test",
    "192.0.2.1",
    "hostname",
    "nexthop",
    "mx.e.test.b.test",
    "xmx.e.test",
    "_25._tcp.mx.e.test",
];
