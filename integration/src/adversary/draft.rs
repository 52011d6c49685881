//! A plan that shows a fault, written as the beginning of a scenario (integration/scenarios): what the
//! service's name server says at each question, and what the model demands of the answer.

use std::fmt::Write as _;

use hoplock_model::{Answer, Data, Type};

use super::internet::{ATTACKER, is_secure};
use super::orders;
use super::plan::{Event, Kind, Millis, Plan, Pushed, Target};
use super::site::{Site, StsHost};
use super::violation::{About, Violation};

/// The scenario; attacks that hit only some questions are written as if they hit all.
#[must_use]
pub fn scenario(plan: &Plan, violation: &Violation) -> String {
    let mut text = format!(
        "# {:?}: {}\nids: \n\n[options]\nhalf_dane = {}\n\n[profile]\nfloor = \"{}\"\n",
        violation.kind,
        violation.words,
        plan.half_dane,
        format!("{:?}", plan.floor).to_lowercase(),
    );
    if let Some(pushed) = plan.pins {
        let Pushed {
            digest,
            strict,
            probe,
            ..
        } = pushed;
        let digest = if digest == 2 { "sha512" } else { "sha256" };
        let _ = writeln!(
            text,
            "family = \"pins\"\ndigest = \"{digest}\"\nstrict = {strict}\nprobe = {probe}"
        );
    }
    if !plan.rules.is_empty() {
        let _ = write!(text, "\n[rules]\n{}", orders::written(plan, 0));
    }
    let mut now = 0;
    for (number, (at, event)) in plan.events.iter().enumerate() {
        if *at > now {
            let _ = writeln!(text, "\n[clock]\n+{}s", (at - now).div_ceil(1000));
            now = *at;
        }
        match event {
            Event::Ask(key, times) => {
                if let Some(site) = plan.site(key.site(), *at) {
                    world(&mut text, plan, site, *at);
                }
                let key = plan.key(key);
                let _ = match times {
                    1 => writeln!(text, "\n[ask]\n{key}"),
                    _ => writeln!(text, "\n[ask]\n{times}x {key}"),
                };
                let shows = match &violation.about {
                    About::Answer(asked) if asked.event == number => format!("not {}", asked.reply),
                    _ => "?".to_owned(),
                };
                let _ = writeln!(text, "\n[expect]\nreply = {shows}");
            }
            Event::Wall(by) => {
                let _ = writeln!(text, "\n[clock]\nwall {:+}s", by / 1000);
            }
            Event::Restart(..) | Event::Crash(_) => text.push_str("\n[restart]\nnow\n"),
            // Scenarios have no sessions: whoever finishes this one says it in another test.
            Event::Session(contact) => {
                if let Some(site) = plan.site(contact.key.site(), *at) {
                    world(&mut text, plan, site, *at);
                }
                let _ = writeln!(text, "\n# a session: {contact:?}");
            }
            Event::Rule(_) | Event::Lift(_) => {
                let _ = write!(text, "\n[rules]\n{}", orders::written(plan, *at));
            }
        }
    }
    text
}

fn world(text: &mut String, plan: &Plan, site: &Site, at: Millis) {
    text.push_str("\n[dns]\n");
    let world = site.published();
    for zone in &world.zones {
        let status = match zone.signing {
            hoplock_model::Signing::Unsigned => "insecure",
            _ => "secure",
        };
        let _ = writeln!(
            text,
            "zone {} {status} negative {}",
            zone.apex, site.ttls.negative
        );
    }
    let mut names: Vec<String> = world
        .records
        .iter()
        .map(|record| record.owner.clone())
        .collect();
    names.push(site.domain_name());
    names.push(format!("_mta-sts.{}", site.domain_name()));
    names.sort();
    names.dedup();
    for name in names {
        for record_type in [
            Type::Mx,
            Type::Txt,
            Type::Cname,
            Type::A,
            Type::Aaaa,
            Type::Tlsa,
        ] {
            let attack = plan.attack(at, |attack| {
                let target = match attack.target {
                    Target::Site(number) => number == site.number,
                    Target::All => true,
                    _ => false,
                };
                let typed = attack.types.is_empty() || attack.types.contains(&record_type);
                target && typed && attack.kind.is_dns()
            });
            let own = world.lookup(&name, record_type);
            line(
                text,
                site,
                &name,
                record_type,
                &own,
                attack.map(|attack| attack.kind),
            );
        }
    }
    text.push_str("\n[https]\n");
    let attack = plan.attack(at, |attack| attack.kind.is_https());
    let domain = site.domain_name();
    let _ = match (&site.sts, attack.map(|attack| attack.kind)) {
        (Some(_), Some(Kind::WrongCertificate)) => writeln!(text, "{domain} WEBPKI"),
        (Some(_), Some(Kind::Slow(_))) => writeln!(text, "{domain} HANGS"),
        (Some(_), Some(_)) => writeln!(text, "{domain} LOOKUP"),
        (Some(sts), None) if sts.host == StsHost::Serves => {
            let patterns: Vec<String> = sts
                .patterns
                .iter()
                .map(|pattern| format!("mx={pattern}"))
                .collect();
            let (mode, patterns) = (sts.mode, patterns.join(" "));
            writeln!(text, "{domain} {mode} {patterns} max_age={}", sts.max_age)
        }
        _ => writeln!(text, "{domain} LOOKUP"),
    };
}

fn line(
    text: &mut String,
    site: &Site,
    name: &str,
    record_type: Type,
    own: &Answer,
    attack: Option<Kind>,
) {
    let word = format!("{record_type:?}").to_uppercase();
    let says = |words: &str| format!("{name} {word} {words}\n");
    let secure = is_secure(own);
    let status = if secure { "secure" } else { "insecure" };
    match attack {
        Some(Kind::Drop | Kind::Delay(_)) => return text.push_str(&says("TIMEOUT")),
        Some(Kind::ServFail | Kind::Truncate(false) | Kind::Garbage) => {
            return text.push_str(&says("SERVFAIL"));
        }
        Some(Kind::Refused) => return text.push_str(&says("REFUSED")),
        Some(Kind::NxDomain | Kind::NoData | Kind::ForgeMx) if secure => {
            return text.push_str(&says("BOGUS"));
        }
        Some(Kind::NxDomain) => return text.push_str(&format!("insecure {}", says("NXDOMAIN"))),
        Some(Kind::NoData) => return text.push_str(&format!("insecure {}", says("NODATA"))),
        Some(Kind::ForgeMx) if record_type == Type::Mx => {
            return text.push_str(&format!(
                "insecure {name} {} MX 1 {ATTACKER}.\n",
                site.ttls.mx
            ));
        }
        _ => {}
    }
    let Answer::Records { data, aliases, .. } = own else {
        if matches!(own, Answer::Failed) {
            text.push_str(&says("SERVFAIL"));
        }
        return;
    };
    if !aliases.is_empty() && record_type != Type::Cname {
        return;
    }
    for data in data {
        let (ttl, data) = match data {
            Data::A => (site.ttls.address, "192.0.2.1".to_owned()),
            Data::Aaaa => (site.ttls.address, "2001:db8::1".to_owned()),
            Data::Cname(target) => (site.ttls.address, target.clone()),
            Data::Mx(preference, exchange) => (site.ttls.mx, format!("{preference} {exchange}.")),
            Data::Tlsa(rdata) => {
                let word = match rdata.as_slice() {
                    [3, 1, 1, digest @ ..] if digest.len() == 32 => "ee",
                    [2, ..] => "ta",
                    [1, ..] => "pkix",
                    _ => "short",
                };
                (site.ttls.tlsa, word.to_owned())
            }
            Data::Txt(strings) => {
                let text: Vec<String> = strings
                    .iter()
                    .map(|part| String::from_utf8_lossy(part).into_owned())
                    .collect();
                (site.ttls.txt, text.concat())
            }
            Data::Fails(_) => continue,
        };
        let _ = writeln!(text, "{status} {name} {ttl} {word} {data}");
    }
}
