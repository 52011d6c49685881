//! What the delivering client can read, also from its chroot: authorities for `secure` answers.

use std::path::Path;

use super::Findings;
use crate::adapters::postfix::Settings;

/// The CA store: without one every MTA-STS destination in mode enforce waits.
pub(super) fn certificates(findings: &mut Findings, settings: &Settings) {
    const CHECK: &str = "ca-store";
    let (file, folder) = (
        settings.get("smtp_tls_CAfile"),
        settings.get("smtp_tls_CApath"),
    );
    let mut seen = 0;
    if !file.is_empty() {
        // Read before the client enters its chroot.
        match holds_certificates(Path::new(file)) {
            Ok(true) => seen += 1,
            Ok(false) => findings.problem(
                CHECK,
                format!("smtp_tls_CAfile = {file} holds no certificate"),
                settings.cure("smtp_tls_CAfile", AUTHORITIES),
            ),
            Err(error) => findings.problem(
                CHECK,
                format!("smtp_tls_CAfile = {file} cannot be read: {error}"),
                format!(
                    "apt install ca-certificates; {}",
                    settings.cure("smtp_tls_CAfile", AUTHORITIES)
                ),
            ),
        }
    }
    if !folder.is_empty() {
        // Looked up during the handshake, inside the chroot.
        let inside = settings.as_seen(folder);
        match holds_hashes(&inside) {
            Ok(true) => seen += 1,
            // A file that is well serves by itself.
            Ok(false) | Err(_) if seen > 0 => {}
            Ok(false) => findings.problem(
                CHECK,
                format!(
                    "smtp_tls_CApath: {} holds no hashed certificates",
                    inside.display()
                ),
                "smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt works from a chroot, too",
            ),
            Err(error) => findings.problem(
                CHECK,
                format!(
                    "smtp_tls_CApath: {} cannot be read: {error}",
                    inside.display()
                ),
                "systemctl restart postfix, which copies it into the chroot; or smtp_tls_CAfile = \
                 /etc/ssl/certs/ca-certificates.crt",
            ),
        }
    }
    let defaults = settings.get("tls_append_default_CA") == "yes";
    if file.is_empty() && folder.is_empty() && !defaults {
        findings.problem(
            CHECK,
            "no authority is trusted (smtp_tls_CAfile, smtp_tls_CApath): destinations with MTA-STS \
             in mode enforce will wait",
            settings.cure("smtp_tls_CAfile", AUTHORITIES),
        );
    } else if seen > 0 || defaults && file.is_empty() && folder.is_empty() {
        findings.fine(CHECK, "authorities for MTA-STS can be read");
    }
}

/// Where the package ca-certificates has them in one file.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

#[allow(
    clippy::disallowed_methods,
    reason = "doctor looks at the mail server's files"
)]
pub(super) fn holds_certificates(file: &Path) -> std::io::Result<bool> {
    let text = std::fs::read(file)?;
    let mark = b"-----BEGIN";
    Ok(text.windows(mark.len()).any(|window| window == mark))
}

/// OpenSSL looks certificates up by eight digits of a hash, a dot and a number.
#[allow(
    clippy::disallowed_methods,
    reason = "doctor looks at the mail server's files"
)]
fn holds_hashes(folder: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let hashed = name.to_str().and_then(|name| name.split_once('.'));
        if hashed.is_some_and(|(hash, number)| {
            hash.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit())
        }) {
            return Ok(true);
        }
    }
    Ok(false)
}
