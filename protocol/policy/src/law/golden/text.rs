//! What stands above and below the golden table in the manual.

pub(super) const HEADER: &str = "# Decisions: what each situation is answered

This page is printed from the law itself (`protocol/policy/src/law/golden.rs`); a test fails when the
two differ. Hosts are written preference:state. `ee` has a usable DANE-EE record, `ta` usable DANE-TA
records only, `unusable` records that cannot be used, `none` no records, `failed` a TLSA lookup that
failed, `address-failed` an address lookup that failed. `{…}` names the hosts whose names or digests stand
in `match=`. The columns are for a Postfix whose own level (`smtp_tls_security_level`) is `may` or
`dane`; for one whose level is `encrypt`; for one without DANE of its own, whose level is `may` (profile
`pins`); for a Sendmail with DANE of its own (8.18) and without the session check; and for Exim, which is
asked about each host.

Sendmail's own DANE holds every host that has TLSA records, so NOTFOUND there is no lack of policy. With
the session check (`verifier = true`), or without DANE of its own, it is answered otherwise: see below.

| row | situation | Postfix, level `may` or `dane` | Postfix, level `encrypt` | Postfix without DANE | Sendmail | Exim |
|---|---|---|---|---|---|---|
";

pub(super) const FOOTER: &str = "
Rows that a rule of the operator makes: DT-21 (off or audit), DT-23 (DANE demanded, its absence
established), DT-24 (DANE demanded, MX set insecure); see the rules in the manual. A situation that no
row's words fit is decided by the same three functions and named `law`.

A Sendmail is told `secure` or nothing. Without DANE of its own (8.17, or `own_dane = \"no\"`) and
without the session check, `secure` binds every host and NOTFOUND none: wherever a host owes more than
that, mail waits, and the log says `mta-cannot-authenticate`. With the session check each session below
what its host owes is refused before RCPT, so each host gets exactly its duty, as under Exim.

A Postfix without DANE of its own is handed what DANE would have it find. DANE-EE records become pins, in
the digest that its profile names; a host whose records count in another digest only (DT-17), or are of
trust anchors only (DT-16), is reached by trust anchors: `secure match=` with the reference names of
RFC 7672, 3.2.2, and `tafile=` with the anchors. Records with full data hold them; for digests a probe of
the host brings the certificate, and until the first one mail waits, as the column shows. A host with both
kinds is pinned by its DANE-EE records (DT-19), until they were seen to fail where the others matched.

Two cells fall short of what is owed, and are known. A Sendmail with DANE of its own and no session check
only encrypts to a host whose TLSA records are all unusable, where an enforced MTA-STS policy asks for a
certificate (DT-09s, DT-10s, DT-11s, DT-14s). And a Postfix without DANE of its own gives hosts behind a
best tier that owes nothing beyond encryption no more than that either (DT-07b): pins would bend mail away
from better hosts, and whoever is on the way would choose the free host. With `strict = true` it pins.

A host whose address lookup failed is one that such a Postfix does not reach, and is left out (DT-13a).
Where it failed for hoplock alone, Postfix does reach it, and with nothing asked. With `strict = true` mail
waits instead, where the answer would give that host less than it may owe.
";
