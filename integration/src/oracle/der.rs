//! DER as certificates need it (X.690), right or wrong: nothing here checks what it is given.

/// One element with its header.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.push(small(short)),
        long => {
            let octets: Vec<u8> = long
                .to_be_bytes()
                .into_iter()
                .skip_while(|octet| *octet == 0)
                .collect();
            out.push(0x80 | small(octets.len()));
            out.extend(octets);
        }
    }
    out.extend(content);
    out
}

/// A constructed element.
pub fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(SEQUENCE, parts)
}

pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(0x31, parts)
}

/// `content` is two's complement, and is taken as it is.
pub fn integer(content: &[u8]) -> Vec<u8> {
    element(0x02, content)
}

/// An object identifier from its numbers.
pub fn object(numbers: &[u64]) -> Vec<u8> {
    let mut content = vec![small(numbers[0] * 40 + numbers[1])];
    for number in &numbers[2..] {
        let mut groups = vec![small(number & 0x7f)];
        let mut left = number >> 7;
        while left > 0 {
            groups.push(0x80 | small(left & 0x7f));
            left >>= 7;
        }
        content.extend(groups.iter().rev());
    }
    element(0x06, &content)
}

pub fn boolean(value: bool) -> Vec<u8> {
    element(0x01, &[if value { 0xff } else { 0 }])
}

pub fn octet_string(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

/// Whole octets.
pub fn bit_string(content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], content].concat())
}

/// Named bits, the first one highest, without zeros behind the last one (X.690, 11.2.2).
pub fn named_bits(bits: u16) -> Vec<u8> {
    if bits == 0 {
        return element(0x03, &[0]);
    }
    let [first, second] = bits.to_be_bytes();
    let octets = if second == 0 {
        vec![first]
    } else {
        vec![first, second]
    };
    let unused = small(octets.last().unwrap().trailing_zeros());
    element(0x03, &[&[unused], &octets[..]].concat())
}

pub fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

/// RFC 5280, 4.1.2.5: two digits of the year until 2049, four from then on.
pub fn time(seconds: i64) -> Vec<u8> {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let clock = seconds.rem_euclid(86_400);
    let rest = format!(
        "{month:02}{day:02}{:02}{:02}{:02}Z",
        clock / 3600,
        clock / 60 % 60,
        clock % 60
    );
    if (1950..2050).contains(&year) {
        element(0x17, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        element(0x18, format!("{year:04}{rest}").as_bytes())
    }
}

/// Year, month and day of a number of days since 1970 (proleptic Gregorian).
fn date(days: i64) -> (i64, i64, i64) {
    // Counted from 1 March of year 0, so that the leap day is the last one of a year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

fn small<T: TryInto<u8, Error: std::fmt::Debug>>(number: T) -> u8 {
    number.try_into().unwrap()
}

pub const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths, numbers, bits and times as they stand in every certificate.
    #[test]
    fn elements() {
        assert_eq!(element(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(
            object(&[1, 2, 840, 113_549])[..],
            [6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]
        );
        assert_eq!(named_bits(0x0600), [3, 2, 1, 6]);
        assert_eq!(time(0)[2..], *b"700101000000Z");
        assert_eq!(time(951_827_696)[2..], *b"000229123456Z");
        assert_eq!(time(2_524_608_000)[2..], *b"20500101000000Z");
        assert_eq!(time(-1)[2..], *b"691231235959Z");
    }
}
