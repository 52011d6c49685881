//! DER as a forger needs it: whatever is asked for, right or wrong (X.690).

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// One element with its header.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match content.len() {
        short @ 0..0x80 => element.push(u8::try_from(short).unwrap()),
        long => {
            let octets = long.to_be_bytes();
            let first = octets.iter().position(|octet| *octet != 0).unwrap();
            let octets = &octets[first..];
            element.push(0x80 | u8::try_from(octets.len()).unwrap());
            element.extend_from_slice(octets);
        }
    }
    element.extend_from_slice(content);
    element
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// An object identifier from its dotted form.
pub(crate) fn object_id(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = base_128(arcs[0] * 40 + arcs[1]);
    content.extend(arcs[2..].iter().flat_map(|arc| base_128(*arc)));
    element(OBJECT_ID, &content)
}

fn base_128(mut arc: u64) -> Vec<u8> {
    let mut octets = vec![u8::try_from(arc & 0x7f).unwrap()];
    while arc > 0x7f {
        arc >>= 7;
        octets.push(0x80 | u8::try_from(arc & 0x7f).unwrap());
    }
    octets.reverse();
    octets
}

/// A bit string of whole octets.
pub(crate) fn bits(octets: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], octets].concat())
}

/// A bit string whose bits have names: zeros at its end are left out (X.690, 11.2.2).
pub(crate) fn named_bits(octets: &[u8]) -> Vec<u8> {
    let used = octets.iter().rposition(|octet| *octet != 0);
    let used = used.map_or(&[][..], |last| &octets[..=last]);
    let unused = used.last().map_or(0, |octet| octet.trailing_zeros());
    let unused = u8::try_from(unused).unwrap();
    element(BIT_STRING, &[&[unused], used].concat())
}

/// Seconds since 1970 as RFC 5280, 4.1.2.5 has them written.
pub(crate) fn time(seconds: i64) -> Vec<u8> {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&year) {
        element(UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        element(GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
    }
}

/// Year, month and day of a day since 1970: years are counted from March, so that a leap day ends
/// one.
fn date(days: i64) -> (i64, i64, i64) {
    let since_march = days + 719_468;
    let era = since_march.div_euclid(146_097);
    let of_era = since_march.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The writer writes what the standards have as examples.
#[test]
fn the_writer_can_write() {
    assert_eq!(
        object_id("1.2.840.113549.1.1.11"),
        [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b]
    );
    assert_eq!(time(1_800_000_000)[2..], *b"270115080000Z");
    assert_eq!(time(951_782_400)[2..], *b"000229000000Z");
    assert_eq!(time(4_102_444_800)[2..], *b"21000101000000Z");
    assert_eq!(named_bits(&[0x06]), [3, 2, 1, 6]);
    assert_eq!(element(SEQUENCE, &[7; 300])[..4], [0x30, 0x82, 1, 44]);
}
