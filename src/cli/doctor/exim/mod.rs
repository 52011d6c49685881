//! Exim: how it asks us, and where its configuration would let mail go unprotected (EX-03).
//!
//! * [`calls`]: each question that it asks.

mod calls;
#[cfg(test)]
mod tests;

use super::Findings;
use super::sockets::is_answer;
use super::table::{Ours, is_wildcard, ours_of};
use crate::adapters::exim::{Call, Instance, Settings, ask, user};
use crate::adapters::program::{Account, is_root};
use crate::config::{Config, Endpoint};

/// Everything that its settings show; false where Exim does not ask hoplock.
pub(super) fn settings(
    findings: &mut Findings,
    settings: &Settings,
    config: &Config,
    resolv_conf: Option<&str>,
) -> bool {
    if !is_asked(settings) {
        findings.problem(
            "exim",
            "Exim does not ask hoplock",
            format!(
                "put the three blocks of docs/exim.md into Exim's configuration, with HOPLOCK_SOCKET = \
                 {}",
                place_to_ask(config)
            ),
        );
        return false;
    }
    let before = findings.0.len();
    macros(findings, settings);
    sockets(findings, settings, config);
    calls::of(findings, settings);
    order(findings, settings);
    cutthrough(findings, settings);
    for transport in settings.transports.iter().filter(|t| is_smtp(t)) {
        if asks(transport) {
            asking(findings, transport);
        }
        any(findings, transport);
    }
    own_dane(findings, settings, resolv_conf);
    if findings.0.len() == before {
        findings.fine(
            "exim",
            "Exim asks hoplock, and nothing goes around its answers",
        );
    }
    true
}

/// Whether the socket answers Exim itself.
pub(super) fn answer(findings: &mut Findings, settings: &Settings) {
    const CHECK: &str = "exim-answer";
    let initgroups = |t: &&Instance| t.is_on("initgroups") == Some(true);
    let asking = settings.transports.iter().find(|transport| asks(transport));
    // Transports have the group of their user alone, unless they are told otherwise.
    let account = match asking {
        Some(transport) if initgroups(&transport) => None,
        Some(transport) => {
            let name = transport.get("user").map(ToOwned::to_owned).or_else(user);
            name.and_then(|name| Account::to_become(&name))
        }
        None => None,
    };
    for place in places(settings) {
        let by = account
            .as_ref()
            .map_or_else(String::new, |account| format!(" the user {}", account.name));
        match ask(&place, "hoplock1 level localhost", account.as_ref()) {
            Ok(said) if is_answer(&said) => {
                findings.fine(CHECK, format!("{place} answers{by}"));
            }
            Ok(said) if said.is_empty() && place.starts_with('/') && !is_root() => findings.advice(
                CHECK,
                format!("{place} does not answer this user, which tells nothing of Exim's"),
                super::ours::AS_ROOT,
            ),
            Ok(said) if said.is_empty() => findings.problem(
                CHECK,
                format!("{place} does not answer{by}: all mail waits"),
                "start hoplock; a unix socket and its folder must be open to Exim's user or its own \
                 group ([listen] group, mode): further groups count in a transport only with \
                 `initgroups`",
            ),
            Ok(said) => findings.problem(
                CHECK,
                format!("{place} says {said:?} of localhost, which is no answer of hoplock"),
                "is that hoplock? see [listen] readsocket",
            ),
            Err(error) => findings.problem(
                CHECK,
                error.to_string(),
                "`exim -be` must work for this user",
            ),
        }
    }
}

/// Whether any router or transport asks.
fn is_asked(settings: &Settings) -> bool {
    hoplock_calls(settings).next().is_some()
}

fn asks(instance: &Instance) -> bool {
    instance.calls().any(|(_, call)| call.verb().is_some())
}

fn hoplock_calls(settings: &Settings) -> impl Iterator<Item = Call<'_>> {
    let all = settings.routers.iter().chain(&settings.transports);
    all.flat_map(Instance::calls)
        .map(|(_, call)| call)
        .filter(|call| call.verb().is_some())
}

/// The sockets that it asks, each once.
fn places(settings: &Settings) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for call in hoplock_calls(settings) {
        if !places.iter().any(|known| known == call.place) {
            places.push(call.place.to_owned());
        }
    }
    places
}

/// What HOPLOCK_SOCKET should be.
fn place_to_ask(config: &Config) -> String {
    let mut listening = config.listen.readsocket.iter();
    let place = listening.find_map(|endpoint| match endpoint {
        Endpoint::Unix(path) => Some(path.display().to_string()),
        Endpoint::Inet(address) => match address.rsplit_once(':') {
            Some((host, port)) if is_wildcard(host) => Some(format!("inet:127.0.0.1:{port}")),
            _ => Some(format!("inet:{address}")),
        },
        Endpoint::Systemd(_) => None,
    });
    place.unwrap_or_else(|| {
        "inet:127.0.0.1:8427 ([listen] readsocket = [\"inet:127.0.0.1:8427\"])".to_owned()
    })
}

/// A macro that is defined below its use, or not at all, stays the text of its name, and Exim says
/// nothing.
fn macros(findings: &mut Findings, settings: &Settings) {
    let instances = settings.transports.iter().chain(&settings.routers);
    for instance in instances {
        let places = instance.calls().map(|(option, call)| (option, call.place));
        let named = instance
            .options()
            .chain(places)
            .find(|(_, text)| is_name_of_macro(text));
        if let Some((option, text)) = named {
            findings.problem(
                "exim-macro",
                format!(
                    "{option} of {} says {text}, which is the name of a macro and not its value",
                    instance.name
                ),
                format!("define {text} = … above its first use, in the main part"),
            );
        }
    }
}

/// Exim's macros begin with a capital letter; options are hardly ever a word of capitals alone.
fn is_name_of_macro(text: &str) -> bool {
    let of_capitals = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.contains('_')
        && text.bytes().all(of_capitals)
}

/// Where it asks, hoplock must listen.
fn sockets(findings: &mut Findings, settings: &Settings, config: &Config) {
    for place in places(settings) {
        if is_name_of_macro(&place) {
            continue;
        }
        let written = if place.starts_with('/') {
            format!("unix:{place}")
        } else {
            place.clone()
        };
        let endpoint = Endpoint::parse(&written);
        let ours = endpoint.map_or(Ours::No, |asked| ours_of(&asked, &config.listen.readsocket));
        if ours == Ours::No {
            findings.problem(
                "exim-socket",
                format!(
                    "Exim asks at {place}, where hoplock does not listen for it: all mail waits"
                ),
                format!("HOPLOCK_SOCKET = {}", place_to_ask(config)),
            );
        }
    }
}

/// Routers that send mail out before hoplock was asked.
fn order(findings: &mut Findings, settings: &Settings) {
    let guarded =
        |router: &Instance| asks(router) || transport_of(settings, router).is_some_and(vetoes);
    for router in settings
        .routers
        .iter()
        .take_while(|router| !guarded(router))
    {
        let plain = transport_of(settings, router).is_some_and(is_smtp);
        let all = match router.get("driver") {
            Some("dnslookup") => true,
            // A smart host; those for some destinations are the operator's word.
            Some("manualroute") => router
                .get("route_list")
                .is_some_and(|list| list.trim_start().starts_with('*')),
            _ => false,
        };
        if plain && all && router.is_on("verify_only") != Some(true) {
            findings.problem(
                "exim-router-order",
                format!(
                    "the router {} sends mail out before hoplock is asked",
                    router.name
                ),
                format!("put hoplock's routers before {}", router.name),
            );
        }
    }
}

/// Mail that is passed on while it comes in takes the routers that are for verification, which hoplock's
/// are not.
fn cutthrough(findings: &mut Findings, settings: &Settings) {
    if settings
        .acl
        .iter()
        .any(|line| line.contains("cutthrough_delivery"))
    {
        findings.problem(
            "cutthrough_delivery",
            "an ACL says control = cutthrough_delivery: such mail takes the routers for verification, and \
             with them the way around hoplock",
            "remove that control",
        );
    }
}

/// A transport that asks hoplock.
fn asking(findings: &mut Findings, transport: &Instance) {
    let name = &transport.name;
    if !vetoes(transport) {
        findings.problem(
            "event_action",
            format!("the transport {name} shows hoplock no certificate: any will do"),
            format!("in {name}: event_action as in docs/exim.md"),
        );
    }
    if !requires(transport) && transport.get("hosts_require_tls").map(str::trim) != Some("*") {
        findings.problem(
            "hosts_require_tls",
            format!(
                "the transport {name} does not require TLS: where a certificate is refused, Exim tries \
                 again in clear text"
            ),
            format!("in {name}: hosts_require_tls as in docs/exim.md"),
        );
    }
    if transport.is_on("tls_tempfail_tryclear") != Some(false) {
        findings.problem(
            "tls_tempfail_tryclear",
            format!("the transport {name} tries again in clear text where STARTTLS fails"),
            format!("in {name}: tls_tempfail_tryclear = false"),
        );
    }
    if transport.is_on("multi_domain") != Some(false) {
        findings.problem(
            "multi_domain",
            format!(
                "the transport {name} sends to several domains in one session, and hoplock is asked about \
                 one"
            ),
            format!("in {name}: multi_domain = false"),
        );
    }
    if transport.get("connection_max_messages") != Some("1") {
        findings.problem(
            "connection_max_messages",
            format!(
                "the transport {name} sends several messages in one session, which was judged for the \
                 first"
            ),
            format!("in {name}: connection_max_messages = 1"),
        );
    }
    if is_filled(transport, "tls_resumption_hosts") {
        findings.problem(
            "tls_resumption_hosts",
            format!(
                "the transport {name} resumes sessions, which show no certificate to be refused"
            ),
            format!("in {name}: remove tls_resumption_hosts"),
        );
    }
}

/// Any transport that sends mail out.
fn any(findings: &mut Findings, transport: &Instance) {
    let name = &transport.name;
    if is_filled(transport, "hosts_require_dane") {
        findings.problem(
            "hosts_require_dane",
            format!("the transport {name} bounces mail where Exim finds no TLSA records"),
            format!("in {name}: remove hosts_require_dane; hoplock makes such mail wait"),
        );
    }
    // By default names are looked at for all hosts.
    let no_names = transport.get("tls_verify_cert_hostnames") == Some("");
    if is_filled(transport, "tls_verify_hosts") && no_names {
        findings.problem(
            "tls_verify_cert_hostnames",
            format!("the transport {name} verifies certificates, and takes one for any name"),
            format!("in {name}: tls_verify_cert_hostnames = *"),
        );
    }
}

/// What Exim's own DANE needs; hoplock's veto needs neither.
fn own_dane(findings: &mut Findings, settings: &Settings, resolv_conf: Option<&str>) {
    let tries = |transport: &Instance| {
        let hosts = transport.get("hosts_try_dane").unwrap_or("*");
        is_smtp(transport) && !hosts.trim().is_empty()
    };
    if !settings.transports.iter().any(tries) {
        return;
    }
    if settings.get("dns_dnssec_ok") != Some("1") {
        findings.advice(
            "dns_dnssec_ok",
            "dns_dnssec_ok is not 1: Exim's own DANE is off, and says nothing",
            "in the main part: dns_dnssec_ok = 1",
        );
    }
    if resolv_conf.is_some_and(|text| !trusts_ad(text)) {
        findings.advice(
            "trust-ad",
            "/etc/resolv.conf does not say `options trust-ad`: Exim's own DANE is off, and says nothing",
            "in /etc/resolv.conf, where each name server is a validating one on this machine: options \
             trust-ad",
        );
    }
}

/// Without it the C library takes the AD bit out of each answer.
fn trusts_ad(resolv_conf: &str) -> bool {
    let options = resolv_conf
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("options"));
    options
        .flat_map(str::split_ascii_whitespace)
        .any(|option| option == "trust-ad")
}

fn transport_of<'a>(settings: &'a Settings, router: &Instance) -> Option<&'a Instance> {
    settings.transport(router.get("transport")?)
}

/// Whether it sends mail to other machines.
fn is_smtp(transport: &Instance) -> bool {
    transport.get("driver") == Some("smtp") && transport.get("protocol") != Some("lmtp")
}

/// Whether it shows certificates to hoplock.
fn vetoes(transport: &Instance) -> bool {
    asks_by(transport, "event_action", &["cert"])
}

/// Whether it asks hoplock if TLS is owed.
fn requires(transport: &Instance) -> bool {
    asks_by(transport, "hosts_require_tls", &["option", "level"])
}

fn asks_by(transport: &Instance, option: &str, verbs: &[&str]) -> bool {
    let value = transport.get(option).unwrap_or_default();
    let calls = Call::all(value);
    calls
        .iter()
        .any(|call| call.verb().is_some_and(|verb| verbs.contains(&verb)))
}

fn is_filled(transport: &Instance, option: &str) -> bool {
    let value = transport.get(option);
    value.is_some_and(|value| !value.trim().is_empty())
}
