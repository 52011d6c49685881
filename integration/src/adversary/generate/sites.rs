//! One destination from a number.

use fastrand::Rng;
use hoplock_model::{Floor, Name, Signing};

use super::super::site::{
    Addresses, Form, MailHost, Mx, Place, Server, Site, Sts, StsHost, Tlsa, Ttls,
};
use super::{Broken, pick};

/// A destination.
pub(super) fn site(rng: &mut Rng, number: usize, floor: Floor, broken: Broken) -> Site {
    let mx = match rng.u8(..100) {
        0..78 => Mx::Listed,
        78..84 => Mx::Aliased,
        84..92 => Mx::Implicit,
        92..94 => Mx::Null,
        94..97 => Mx::Missing,
        _ => Mx::Fails,
    };
    let domain = signing(rng, broken);
    // Where nothing is signed, the attacker may answer what its own servers cannot.
    let mx = if mx == Mx::Fails && (domain == Signing::Unsigned || broken == Broken::None) {
        Mx::Listed
    } else {
        mx
    };
    let sts = (rng.u8(..100) < 45).then_some(());
    let count = match rng.u8(..100) {
        _ if mx == Mx::Implicit => 1,
        0..45 => 1,
        45..75 => 2,
        75..90 => 3,
        _ => 4 + rng.usize(..3),
    };
    let mut hosts: Vec<MailHost> = (0..count)
        .map(|host| mail_host(rng, number, host, floor, sts.is_some()))
        .collect();
    if let (Mx::Implicit, Some(host)) = (mx, hosts.first_mut()) {
        host.name = format!("d{number}.test");
        host.preference = 0;
        host.alias = None;
        host.place = Place::Original;
    }
    let sts = sts.map(|()| policy(rng, number, &hosts));
    Site {
        number,
        domain,
        outside: signing(rng, broken),
        aliases: signing(rng, Broken::None),
        mx,
        hosts,
        sts,
        ttls: ttls(rng),
    }
}

fn signing(rng: &mut Rng, broken: Broken) -> Signing {
    match rng.u8(..100) {
        0..64 => Signing::Signed,
        97..99 if broken == Broken::Some => Signing::Broken,
        99 if broken == Broken::Some => Signing::Silent,
        _ => Signing::Unsigned,
    }
}

fn ttls(rng: &mut Rng) -> Ttls {
    let mut ttl = || *pick(rng, &[5, 20, 60, 300, 300, 3600]);
    Ttls {
        mx: ttl(),
        address: ttl(),
        tlsa: ttl(),
        txt: ttl(),
        negative: ttl().min(300),
    }
}

/// One host. Its server keeps what it must, and often no more.
pub(super) fn mail_host(
    rng: &mut Rng,
    number: usize,
    host: usize,
    floor: Floor,
    sts: bool,
) -> MailHost {
    let name: Name = match rng.u8(..100) {
        0..60 => format!("m{host}.d{number}.test"),
        60..70 => format!("x.m{host}.d{number}.test"),
        _ => format!("m{host}.h{number}.test"),
    };
    let alias = (rng.u8(..100) < 16).then(|| format!("t{host}.a{number}.test"));
    let key = 1 + rng.u8(..200);
    let tlsa = match rng.u8(..100) {
        0..42 => Tlsa::None,
        42..80 => Tlsa::Keys(vec![key]),
        80..85 => Tlsa::Anchor(key),
        85..91 => Tlsa::Unusable,
        91..95 => Tlsa::Mixed(key),
        _ => Tlsa::Fails,
    };
    let place = match rng.u8(..100) {
        0..12 => Place::Shared,
        12..50 if alias.is_some() => Place::Original,
        _ if alias.is_some() => Place::Expanded,
        _ => Place::Original,
    };
    let addresses = match rng.u8(..100) {
        0..42 => Addresses::Both,
        42..82 => Addresses::Four,
        82..89 => Addresses::Six,
        89..94 => Addresses::FourSixFails,
        94..97 => Addresses::None,
        _ => Addresses::Fail,
    };
    let owes_tls = tlsa != Tlsa::None || sts || matches!(floor, Floor::Encrypt | Floor::Secure);
    MailHost {
        name,
        preference: *pick(rng, &[10, 10, 20, 30]),
        addresses,
        alias,
        tlsa,
        form: Form::USUAL,
        place,
        server: Server {
            tls: owes_tls || rng.bool(),
            key,
            web_pki: sts || rng.u8(..4) == 0,
            own_names: floor == Floor::Secure,
        },
    }
}

/// An MTA-STS policy for these hosts.
pub(super) fn policy(rng: &mut Rng, number: usize, hosts: &[MailHost]) -> Sts {
    let mut patterns: Vec<Name> = match rng.u8(..100) {
        0..50 => hosts.iter().map(|host| host.name.clone()).collect(),
        50..85 => vec![format!("*.d{number}.test"), format!("*.h{number}.test")],
        _ => hosts.iter().take(1).map(|host| host.name.clone()).collect(),
    };
    patterns.dedup();
    if patterns.is_empty() {
        patterns.push(format!("*.d{number}.test"));
    }
    Sts {
        id: (rng.u8(..100) < 95).then(|| format!("id{}", rng.u32(..1_000_000))),
        mode: match rng.u8(..100) {
            0..78 => "enforce",
            78..90 => "testing",
            _ => "none",
        },
        patterns,
        max_age: *pick(rng, &[600, 3_600, 86_400, 604_800]),
        host: match rng.u8(..100) {
            0..88 => StsHost::Serves,
            88..91 => StsHost::Down,
            91..94 => StsHost::BadCertificate,
            94..97 => StsHost::NotFound,
            _ => StsHost::BadText,
        },
    }
}
