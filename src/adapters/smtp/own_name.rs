//! The name under which this machine speaks SMTP, for EHLO (RFC 5321, 4.1.1.1).
#![allow(
    clippy::disallowed_methods,
    reason = "this room asks the machine for its name"
)]

use hoplock_policy::name::DomainName;

use crate::adapters::postfix;

/// The name that the Postfix of this machine says, since other hosts have seen that one; else the
/// machine's own. `None` where neither is a name.
#[must_use]
pub fn own_name() -> Option<DomainName> {
    let by_kernel = || std::fs::read_to_string(HOST_NAME).ok();
    let read = |text: String| DomainName::parse(text.trim()).ok();
    postfix::helo_name()
        .and_then(read)
        .or_else(|| by_kernel().and_then(read))
}

/// Where the kernel tells it.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";
