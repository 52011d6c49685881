//! A report by HTTPS: one POST (RFC 8460, 5.4), over an address that we resolved, without redirects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::name::DomainName;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Uri, header};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::CourierOptions;
use super::careless::AnyCertificate;
use crate::adapters::https::exchange::{self, AGENT, Peer, TooLong};
use crate::adapters::https::{RootsError, addresses, certificates};
use crate::world::courier::Undelivered;
use crate::world::{FetchFailure, FetchFailureKind, Resolver};

/// Posts reports.
pub(super) struct Poster {
    resolver: Arc<dyn Resolver>,
    tls: Arc<ClientConfig>,
    refuse_private_addresses: bool,
    timeout: Duration,
}

impl Poster {
    pub(super) fn new(
        resolver: Arc<dyn Resolver>,
        options: &CourierOptions,
    ) -> Result<Self, RootsError> {
        let tls = if options.ignore_certificate {
            certificates::client_that_trusts(AnyCertificate::new())?
        } else {
            certificates::client(&options.roots)?.0
        };
        Ok(Self {
            resolver,
            tls,
            refuse_private_addresses: options.refuse_private_addresses,
            timeout: options.timeout,
        })
    }

    pub(super) async fn post(
        &self,
        url: String,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(), Undelivered> {
        let target = Target::parse(&url)
            .ok_or_else(|| Undelivered::refused(format!("{url:?} is no URL of a receiver")))?;
        let work = self.post_to(&target, media_type, body);
        let Ok(outcome) = timeout(self.timeout, work).await else {
            let words = format!("{} is too slow", target.peer());
            return Err(Undelivered::temporary(words));
        };
        let status = outcome.map_err(undelivered)?;
        verdict(&target, status)
    }

    /// The status that comes back.
    async fn post_to(
        &self,
        target: &Target,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Result<u16, FetchFailure> {
        let peer = target.peer();
        let private = self.refuse_private_addresses;
        let addresses = match &target.host {
            Host::Name(name) => addresses::of_name(&*self.resolver, peer, name, private).await?,
            Host::Address(address) => addresses::allowed(vec![*address], peer, private)?,
        };
        let addresses: Vec<_> = addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, target.port))
            .collect();
        let request = Request::post(&target.path)
            .header(header::HOST, &target.authority)
            .header(header::USER_AGENT, AGENT)
            // RFC 8460, 5.4.
            .header(header::CONTENT_TYPE, media_type)
            .header(header::CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| peer.failure(FetchFailureKind::Protocol, error))?;
        let answer = exchange::ask(&self.tls, peer, &addresses, request, TooLong::Ignored).await?;
        Ok(answer.status)
    }
}

/// A URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    host: Host,
    /// The host for words and for TLS.
    text: String,
    port: u16,
    /// As the URL has it.
    authority: String,
    /// With the query.
    path: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    Name(DomainName),
    Address(IpAddr),
}

impl Target {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        // No password is sent to anybody because his record says so.
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
            return None;
        }
        // A port that is none is not the usual one instead.
        let port = match authority.as_str().rsplit_once(':') {
            Some((_, after)) if !after.ends_with(']') => after.parse().ok()?,
            _ => HTTPS,
        };
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|own| own.strip_suffix(']'));
        let host = match bare {
            Some(address) => Host::Address(IpAddr::V6(address.parse().ok()?)),
            None => match host.parse() {
                Ok(address) => Host::Address(IpAddr::V4(address)),
                Err(_) => Host::Name(DomainName::parse(host).ok()?),
            },
        };
        let text = match &host {
            Host::Name(name) => name.to_string(),
            Host::Address(address) => address.to_string(),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Some(Self {
            host,
            text,
            port,
            authority: authority.to_string(),
            path: path.to_owned(),
        })
    }

    fn peer(&self) -> Peer<'_> {
        Peer {
            role: "report receiver",
            host: &self.text,
        }
    }
}

fn verdict(target: &Target, status: u16) -> Result<(), Undelivered> {
    let peer = target.peer();
    match status {
        // RFC 8460, 5.4 names 200 and 201; others of their kind say the same.
        200..=299 => Ok(()),
        // Wherever it sends us, the record does not: nobody there has asked for reports.
        300..=399 => Err(Undelivered::refused(format!(
            "{peer} answered {status}, and redirects are not followed"
        ))),
        // Too slow, too early, too many: RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4.
        408 | 425 | 429 | 500..=599 => {
            Err(Undelivered::temporary(format!("{peer} answered {status}")))
        }
        _ => Err(Undelivered::refused(format!("{peer} answered {status}"))),
    }
}

fn undelivered(failure: FetchFailure) -> Undelivered {
    match failure.kind {
        FetchFailureKind::WebPki | FetchFailureKind::Protocol | FetchFailureKind::Refused => {
            Undelivered::refused(failure.detail)
        }
        FetchFailureKind::Lookup
        | FetchFailureKind::Connection
        | FetchFailureKind::TooLarge
        | FetchFailureKind::Timeout => Undelivered::temporary(failure.detail),
    }
}

const HTTPS: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port, path) in [
            ("https://a.test", "a.test", 443, "/"),
            (
                "https://A.test:8443/v1/r?x=1&y",
                "a.test",
                8443,
                "/v1/r?x=1&y",
            ),
            ("https://192.0.2.1/", "192.0.2.1", 443, "/"),
            ("https://[2001:db8::1]/x", "2001:db8::1", 443, "/x"),
            ("https://[2001:db8::1]:99/x", "2001:db8::1", 99, "/x"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.text.as_str(), target.port), (host, port), "{url}");
            assert_eq!(target.path, path);
        }
        for url in [
            "",
            "/x",
            "http://a.test/",
            "https://",
            "https://a.test:99999/",
            "https://a.test:/",
            "https://u@a.test/",
            "https://u:p@a.test/",
            "https://[::1",
            "https://a..test/",
            "https://a.test/\r\nx: y",
            "https://a b.test/",
        ] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
    }
}
