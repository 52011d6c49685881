//! What is published at one instant: zones, records and policy hosts.

/// Lower-case A-labels without a trailing dot; the root is empty.
pub type Name = String;

plain_data! {
    /// All of it. Records outside every zone do not exist, nor policies without a policy host.
    #[derive(Default)]
    pub struct World { pub zones: Vec<Zone>, pub records: Vec<Record>,
        pub policy_hosts: Vec<PolicyHost> }
    /// A zone: its topmost name, and its own signing, whatever the zones above it do.
    pub struct Zone { pub apex: Name, pub signing: Signing }
    /// Rightly signed; unsigned; signed so that every validator says bogus; servers answer nobody.
    #[derive(Copy)] pub enum Signing { Signed, Unsigned, Broken, Silent }
    /// A record.
    pub struct Record { pub owner: Name, pub data: Data }
    /// The types that a mail delivery asks for.
    #[derive(Copy, PartialOrd, Ord, Hash)] pub enum Type { A, Aaaa, Cname, Mx, Tlsa, Txt }
    /// TLSA is raw RDATA; `Fails`: the servers fail when asked for that type at this owner.
    pub enum Data { A, Aaaa, Cname(Name), Mx(u16, Name), Tlsa(Vec<u8>), Txt(Vec<Vec<u8>>),
        Fails(Type) }
    /// The web server `mta-sts.` of a policy domain, and what it answers.
    pub struct PolicyHost { pub domain: Name, pub certificate_valid: bool, pub status: u16,
        pub media_type: String, pub body: Vec<u8> }
}

/// Whether `name` is `top` or lies below it.
pub(crate) fn is_within(name: &str, top: &str) -> bool {
    top.is_empty() || name == top || name.ends_with(&format!(".{top}"))
}
