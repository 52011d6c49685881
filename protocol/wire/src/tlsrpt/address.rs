//! Addresses in datagrams.

use std::net::IpAddr;

use serde::de::{Deserialize, Deserializer, Error, Unexpected};

/// An address that may be absent or `null`. A zone (`fe80::1%eth0`) is dropped: it means something
/// to the machine that wrote it only.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<IpAddr>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let address = text.split('%').next().unwrap_or_default();
    match address.parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(Error::invalid_value(
            Unexpected::Str(&text),
            &"an IP address",
        )),
    }
}
