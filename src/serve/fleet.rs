//! The store that a fleet shares, from the configuration.

use std::path::Path;
use std::sync::Arc;

use crate::config::StoreConfig;
use crate::store::valkey::{BadAddress, FleetAddress, FleetClient, FleetError};

/// Why the store of the fleet cannot be used as it is configured. A server that is merely down is no such
/// thing: this host goes on alone.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFleet {
    /// The URL or the prefix.
    #[error("[store] shared: {0}")]
    Address(#[from] BadAddress),
    /// The certificates.
    #[error("[store] shared_ca_file: {0}")]
    Roots(#[from] FleetError),
    /// The password.
    #[error(
        "[store] shared_password_file: {path} cannot be read: {error}; its first line is the password"
    )]
    Password {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// The connection to it, where there is one.
pub(super) fn client(config: &StoreConfig) -> Result<Option<Arc<FleetClient>>, UnusableFleet> {
    let Some(url) = &config.shared else {
        return Ok(None);
    };
    let mut address = FleetAddress::parse(&url.0)?;
    // A prefix in the URL stays, unless the key says another.
    if config.shared_prefix != crate::store::valkey::DEFAULT_PREFIX {
        address = address.with_prefix(&config.shared_prefix)?;
    }
    if let Some(path) = &config.shared_password_file {
        address = address.with_password(&password(path)?);
    }
    if address.has_password() && !address.is_private() {
        tracing::warn!(
            "[store] shared: the password and all that is shared go unencrypted over the network; write \
             rediss:// where the server speaks TLS"
        );
    }
    let roots = config.shared_ca_file.as_deref();
    Ok(Some(FleetClient::start(address, roots)?))
}

#[allow(
    clippy::disallowed_methods,
    reason = "serve reads what its configuration names"
)]
fn password(path: &Path) -> Result<String, UnusableFleet> {
    let text = std::fs::read_to_string(path).map_err(|error| UnusableFleet::Password {
        path: path.display().to_string(),
        error,
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
