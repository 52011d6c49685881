#!/usr/bin/python3
"""RP-12 by another implementation: mails that hoplock signs, judged by dkimpy (Debian: python3-dkim).

Keys are made by openssl(1), in each form that hoplock reads. Run from anywhere; it runs cargo itself.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import dkim

KEYS = {
    "pkcs8": ["openssl", "genrsa", "-out", "{}", "2048"],
    "pkcs1": ["openssl", "genrsa", "-traditional", "-out", "{}", "2048"],
    "long": ["openssl", "genrsa", "-out", "{}", "4096"],
    "ed25519": ["openssl", "genpkey", "-algorithm", "ed25519", "-out", "{}"],
}
CHANGES = [
    (b"From: tlsrpt@", b"From: other@"),
    (b"TLS-Required: No", b"TLS-Required: Yes"),
    (b"Failed:      4", b"Failed:      5"),
    (b"\r\nFrom: tlsrpt", b"\r\nFrom: mallory@m.test\r\nFrom: tlsrpt"),
]


def record(key, name):
    """The TXT record for a private key."""
    der = ["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"]
    public = subprocess.run(der, check=True, capture_output=True).stdout
    if name == "ed25519":
        # RFC 8463, 4: the bare key, which is the end of the structure.
        kind, public = "ed25519", public[-32:]
    else:
        kind = "rsa"
    text = subprocess.run(["base64", "-w0"], input=public, check=True, capture_output=True).stdout
    return b"v=DKIM1; s=tlsrpt; k=" + kind.encode() + b"; p=" + text


def is_good(mail, txt):
    def answer(name, timeout=5):
        return txt if name == b"s1.tlsrpt._domainkey.sender.test." else None

    try:
        return dkim.DKIM(mail, tlsrpt="strict").verify(0, dnsfunc=answer)
    except dkim.DKIMException:
        return False


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, command in KEYS.items():
            command = [part.format(folder / f"{name}.pem") for part in command]
            subprocess.run(command, check=True, capture_output=True)
        test = ["cargo", "test", "-q", "-p", "hoplock", "--lib", "for_another_verifier", "--", "--ignored"]
        root = pathlib.Path(__file__).resolve().parents[2]
        subprocess.run(test, check=True, cwd=root, env=os.environ | {"HOPLOCK_DKIM": str(folder)})
        bad = []
        count = 0
        for name in KEYS:
            txt = record(folder / f"{name}.pem", name)
            for path in folder.glob(f"{name}.*.eml"):
                mail = path.read_bytes()
                count += 1
                if not is_good(mail, txt):
                    bad.append(f"{path.name}: not good")
                for old, new in CHANGES:
                    changed = mail.replace(old, new, 1)
                    if changed == mail or is_good(changed, txt):
                        bad.append(f"{path.name}: {new!r} is not seen")
        print(f"{count} mails, {len(bad)} complaints")
        for complaint in bad:
            print(complaint)
        return 1 if bad or not count else 0


sys.exit(main())
