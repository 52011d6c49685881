//! Sends TLS reports: mail through the mail server beside us, and posts by HTTPS (RFC 8460, 5.3 and 5.4).
//!
//! * `program`: sendmail(8).
//! * `server`: an SMTP server on this machine.
//! * `https`: one POST.
//! * `careless`: TLS with any certificate, where the operator wants that.
//!
//! Mail is not delivered from here to other hosts: queues and retries are the mail server's, and so is its
//! policy for the session (RP-13).

mod careless;
mod https;
mod program;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::name::DomainName;

use self::https::Poster;
use crate::adapters::https::RootsError;
use crate::world::courier::{Courier, Undelivered};
use crate::world::{Resolver, Waiting};

/// How reports are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CourierOptions {
    /// Who takes mail.
    pub mailer: Mailer,
    /// PEM files with roots beside the system's, for receivers by HTTPS.
    pub roots: Vec<PathBuf>,
    /// Receivers by HTTPS at private or loopback addresses are not connected to: the URL is anybody's.
    pub refuse_private_addresses: bool,
    /// A receiver by HTTPS may have a bad certificate (RFC 8460, 3; RP-14).
    pub ignore_certificate: bool,
    /// One mail or one post, all steps together; [`WHOLE`] but for laboratories.
    pub timeout: Duration,
}

/// Who takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailer {
    /// A program that is called like sendmail(8); [`SENDMAIL`] unless the operator has another.
    Program(PathBuf),
    /// An SMTP server that takes mail from us without authentication. The session has no TLS: it is meant
    /// for one on this machine, and nothing stops whoever names another.
    Server {
        /// `HOST:PORT`, such as `127.0.0.1:25`.
        address: String,
        /// The name in our EHLO.
        helo: DomainName,
    },
}

/// Sends by the programs and sockets of this machine.
pub struct ReportCourier {
    mailer: Mailer,
    poster: Poster,
    timeout: Duration,
}

impl ReportCourier {
    /// A courier that resolves by `resolver`; nothing is run or connected to yet.
    ///
    /// # Errors
    /// [`RootsError`] names a file of roots that cannot be read or holds none.
    pub fn new(resolver: Arc<dyn Resolver>, options: CourierOptions) -> Result<Self, RootsError> {
        Ok(Self {
            poster: Poster::new(resolver, &options)?,
            mailer: options.mailer,
            timeout: options.timeout,
        })
    }
}

impl Courier for ReportCourier {
    fn mail(
        &self,
        from: String,
        to: String,
        message: Vec<u8>,
    ) -> Waiting<'_, Result<(), Undelivered>> {
        Box::pin(async move {
            for address in [&from, &to] {
                if !is_plain(address) {
                    let words = format!("{address:?} is no address for a mail server");
                    return Err(Undelivered::refused(words));
                }
            }
            match &self.mailer {
                Mailer::Program(path) => {
                    program::hand_over(path, &from, &to, &message, self.timeout).await
                }
                Mailer::Server { address, helo } => {
                    server::hand_over(address, helo, &from, &to, &message, self.timeout).await
                }
            }
        })
    }

    fn post(
        &self,
        url: String,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Waiting<'_, Result<(), Undelivered>> {
        Box::pin(self.poster.post(url, media_type, body))
    }
}

/// An address that is one word of a command, and no option: nothing that ends a line or a path.
fn is_plain(address: &str) -> bool {
    let is_good = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\\' | ',');
    let (local, domain) = address.rsplit_once('@').unwrap_or_default();
    !local.is_empty()
        && !domain.is_empty()
        && !local.starts_with('-')
        && address.len() <= LONGEST
        && address.chars().all(is_good)
}

/// Where Debian's mail servers have that program.
pub const SENDMAIL: &str = "/usr/sbin/sendmail";
/// Handing over a mail on this machine takes a second; a post, which is small, should not take longer than
/// a policy (RFC 8461, 3.3).
pub const WHOLE: Duration = Duration::from_secs(60);
/// RFC 5321, 4.5.3.1.3.
const LONGEST: usize = 254;
