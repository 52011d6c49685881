//! A Sendmail on this machine: its sendmail.cf, and what the program says of itself. Read only: nothing
//! is ever changed.

#[doc(hidden)]
pub mod fuzzing;

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::program::{ProgramError, run};

/// What a sendmail.cf says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Options that are set, by their names in small letters.
    options: BTreeMap<String, String>,
    /// Maps, by name.
    maps: BTreeMap<String, Map>,
    /// Rulesets, by their names in small letters.
    rulesets: BTreeMap<String, Vec<Rule>>,
    /// The smart host: all mail goes there.
    pub smart_host: String,
}

/// A line `Kname class …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// Such as `socket`.
    pub class: String,
    /// Letters and what stands behind them: `-d5` is `('d', "5")`.
    pub flags: Vec<(char, String)>,
    /// What is left: the place of a socket.
    pub place: String,
}

/// One line of a ruleset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What it matches.
    pub left: String,
    /// What becomes of it.
    pub right: String,
}

/// What the program has been compiled with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities(Vec<String>);

impl Settings {
    /// The settings and abilities of the Sendmail of this machine; `None` where there is none: no file,
    /// or a program of another mail server under that name.
    ///
    /// # Errors
    /// The file's, where there is a Sendmail.
    pub fn read() -> std::io::Result<Option<(Self, Abilities)>> {
        #[allow(
            clippy::disallowed_methods,
            reason = "adapters read the mail server's files"
        )]
        let text = match std::fs::read(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other,
        };
        let output = run("sendmail", &["-d0.13", "-bt"], "", None).ok();
        let abilities =
            output.and_then(|output| Abilities::of(&String::from_utf8_lossy(&output.stdout)));
        let Some(abilities) = abilities else {
            return Ok(None);
        };
        let settings = Self::of(&String::from_utf8_lossy(&text?));
        Ok(Some((settings, abilities)))
    }

    /// Of the text of a sendmail.cf.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut settings = Self::default();
        let mut ruleset = String::new();
        for line in joined(text) {
            let Some((kind, rest)) = line.split_at_checked(1) else {
                continue;
            };
            match kind {
                "O" => settings.option(rest),
                "K" => settings.map(rest),
                "S" => ruleset = name_of_ruleset(rest),
                "R" => {
                    let rules = settings.rulesets.entry(ruleset.clone()).or_default();
                    rules.push(Rule::read(rest));
                }
                "D" => {
                    if let Some(host) = rest.strip_prefix('S') {
                        host.trim().clone_into(&mut settings.smart_host);
                    }
                }
                _ => {}
            }
        }
        settings
    }

    fn option(&mut self, rest: &str) {
        // `O Name=value`; the forms of one letter are older than any of what is looked for.
        let named = rest.strip_prefix(' ').and_then(|rest| rest.split_once('='));
        if let Some((name, value)) = named {
            let name = name.trim().to_ascii_lowercase();
            self.options.insert(name, value.trim().to_owned());
        }
    }

    fn map(&mut self, rest: &str) {
        let mut words = rest.split_ascii_whitespace();
        let (Some(name), Some(class)) = (words.next(), words.next()) else {
            return;
        };
        let mut map = Map {
            class: class.to_owned(),
            ..Map::default()
        };
        for word in words {
            let flag = word.strip_prefix('-').and_then(|flag| {
                let mut letters = flag.chars();
                letters.next().map(|letter| (letter, letters.as_str()))
            });
            match flag {
                Some((letter, value)) if map.place.is_empty() => {
                    map.flags.push((letter, value.to_owned()));
                }
                _ if map.place.is_empty() => word.clone_into(&mut map.place),
                _ => {
                    map.place.push(' ');
                    map.place.push_str(word);
                }
            }
        }
        // The first of a name stands; Sendmail complains of others.
        self.maps.entry(name.to_owned()).or_insert(map);
    }

    /// The value of an option; empty where it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let value = self.options.get(&name.to_ascii_lowercase());
        value.map_or("", String::as_str)
    }

    /// Whether an option is set to a true value: Sendmail looks at the first letter.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).starts_with(['t', 'T', 'y', 'Y'])
    }

    /// The map of that name.
    #[must_use]
    pub fn map_named(&self, name: &str) -> Option<&Map> {
        self.maps.get(name)
    }

    /// The lines of a ruleset; none where it is not there.
    #[must_use]
    pub fn ruleset(&self, name: &str) -> &[Rule] {
        let rules = self.rulesets.get(&name.to_ascii_lowercase());
        rules.map_or(&[], Vec::as_slice)
    }
}

impl Map {
    /// What stands behind a flag, if it is there.
    #[must_use]
    pub fn flag(&self, letter: char) -> Option<&str> {
        let mut all = self.flags.iter();
        all.find(|(flag, _)| *flag == letter)
            .map(|(_, value)| value.as_str())
    }

    /// `inet:PORT@HOST`, `inet6:PORT@HOST`, `unix:PATH` and `local:PATH`, as hoplock writes them.
    #[must_use]
    pub fn endpoint(&self) -> Option<String> {
        let (kind, rest) = self.place.split_once(':')?;
        match kind {
            "unix" | "local" => Some(format!("unix:{rest}")),
            "inet" | "inet6" => {
                let (port, host) = rest.split_once('@')?;
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                Some(if bare.contains(':') {
                    format!("inet:[{bare}]:{port}")
                } else {
                    format!("inet:{bare}:{port}")
                })
            }
            _ => None,
        }
    }
}

impl Rule {
    /// Tabs stand between the two sides and before a comment.
    fn read(rest: &str) -> Self {
        let mut sides = rest.split('\t').filter(|side| !side.is_empty());
        let mut next = || sides.next().unwrap_or_default().trim().to_owned();
        let (left, right) = (next(), next());
        Self { left, right }
    }
}

impl Abilities {
    /// Of what `sendmail -d0.13 -bt` prints; `None` where that is not Sendmail's.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let rest = text.split_once("Compiled with:")?.1;
        let mut words: Vec<String> = Vec::new();
        // Each list goes on in lines that begin with a tab.
        let lists = [Some(rest), text.split_once("FFR Defines:").map(|two| two.1)];
        for list in lists.into_iter().flatten() {
            let lines = list.lines().enumerate();
            let lines = lines.take_while(|(number, line)| *number == 0 || line.starts_with('\t'));
            let of_list = lines.flat_map(|(_, line)| line.split_ascii_whitespace());
            words.extend(of_list.map(ToOwned::to_owned));
        }
        Some(Self(words))
    }

    /// Whether a feature is among them.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.0.iter().any(|word| word == feature)
    }
}

/// Lines with what belongs to them: one that begins with a blank goes on. Comments are left out.
fn joined(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match lines.last_mut() {
            Some(before) if line.starts_with([' ', '\t']) => before.push_str(line),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// `SName`, `SName=5`, `SName 5`.
fn name_of_ruleset(rest: &str) -> String {
    let name = rest.trim().split(['=', ' ', '\t']).next();
    name.unwrap_or_default().to_ascii_lowercase()
}

/// What Sendmail says of a key of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It was answered.
    Found(String),
    /// It was answered: not found.
    NotFound,
    /// It was not answered, or with a temporary failure.
    Failed,
}

impl Lookup {
    /// Asks a map through Sendmail, as the user that it would be asked by.
    ///
    /// # Errors
    /// [`ProgramError`] where Sendmail cannot be run.
    pub fn ask(map: &str, key: &str) -> Result<Self, ProgramError> {
        let output = run("sendmail", &["-bt"], &format!("/map {map} {key}\n"), None)?;
        Ok(Self::of(map, &String::from_utf8_lossy(&output.stdout)))
    }

    /// Of what `/map` prints in the test mode.
    #[must_use]
    pub fn of(map: &str, printed: &str) -> Self {
        let front = format!("map_lookup: {map} (");
        let said = printed.lines().find_map(|line| {
            let (_, rest) = line.split_once(&front)?;
            rest.split_once(") ").map(|(_, said)| said.trim_end())
        });
        match said {
            Some(said) if said == format!("no match ({EX_NOHOST})") => Self::NotFound,
            Some(said) => said
                .strip_prefix("returns ")
                .and_then(|said| said.strip_suffix(" (0)"))
                .map_or(Self::Failed, |said| Self::Found(said.to_owned())),
            None => Self::Failed,
        }
    }
}

/// Not found, in sysexits.h; 75 would be a temporary failure.
const EX_NOHOST: u8 = 68;
/// Where every Sendmail looks for it.
const FILE: &str = "/etc/mail/sendmail.cf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_sendmail_cf() {
        let settings = Settings::of(
            "# comment\nDZ8.18.1/Debian-6\nDSrelay.example.com\nO DANE=true\n#O TLSFallbacktoClear\n\
             O CACertFile = /a\nOldOption\nKsts socket -d5 -T<TMPF> inet:8425@127.0.0.1\n\
             Kplain dequote\nKsplit socket\n\t-d5\n\t unix:/s\nSLocal_tls_rcpt\n# why\n\
             R$*\t$: $(verifier $1\n\t$: none $)\t\ta comment\nRok\t\t$@ ok\nSother=97\nR$*\t$@ $1\n",
        );
        assert_eq!(settings.get("dane"), "true");
        assert!(settings.is_on("DANE") && !settings.is_on("TLSFallbacktoClear"));
        assert_eq!(settings.get("CACertFile"), "/a");
        assert_eq!(settings.smart_host, "relay.example.com");
        let sts = settings.map_named("sts").unwrap();
        assert_eq!((sts.class.as_str(), sts.flag('d')), ("socket", Some("5")));
        assert_eq!((sts.flag('T'), sts.flag('o')), (Some("<TMPF>"), None));
        assert_eq!(sts.endpoint().unwrap(), "inet:127.0.0.1:8425");
        let split = settings.map_named("split").unwrap();
        assert_eq!(split.endpoint().unwrap(), "unix:/s");
        assert_eq!(settings.map_named("plain").unwrap().endpoint(), None);
        let rules = settings.ruleset("local_TLS_rcpt");
        assert_eq!(rules.len(), 2);
        assert_eq!(
            (rules[1].left.as_str(), rules[1].right.as_str()),
            ("ok", "$@ ok")
        );
        assert_eq!(settings.ruleset("OTHER").len(), 1);
        assert!(settings.ruleset("nothing").is_empty());
    }

    #[test]
    fn places_of_sockets() {
        for (place, expected) in [
            ("inet:8425@localhost", Some("inet:localhost:8425")),
            ("inet6:8425@::1", Some("inet:[::1]:8425")),
            ("inet6:8425@[::1]", Some("inet:[::1]:8425")),
            ("local:/run/s", Some("unix:/run/s")),
            ("inet:8425", None),
            ("/run/s", None),
        ] {
            let map = Map {
                place: place.to_owned(),
                ..Map::default()
            };
            assert_eq!(map.endpoint().as_deref(), expected, "{place}");
        }
    }

    #[test]
    fn what_it_was_compiled_with() {
        let text = "Version 8.18.1\n Compiled with: DANE MAX_TLSA_RR=64\n\t\tSOCKETMAP STARTTLS\n\
                    \u{20}   OS Defines: HASFCHOWN\n   FFR Defines: _FFR_MTA_STS\n\
                    \t\t_FFR_TLS_ALTNAMES\nCanonical name: DNSMAP\n";
        let abilities = Abilities::of(text).unwrap();
        for (feature, expected) in [
            ("DANE", true),
            ("SOCKETMAP", true),
            ("_FFR_MTA_STS", true),
            ("_FFR_TLS_ALTNAMES", true),
            ("HASFCHOWN", false),
            ("DNSMAP", false),
        ] {
            assert_eq!(abilities.has(feature), expected, "{feature}");
        }
        let postfix = "sendmail: fatal: unsupported: -bt";
        assert_eq!(Abilities::of(postfix), None);
    }

    #[test]
    fn what_a_map_says() {
        let front = "ADDRESS TEST MODE\nEnter <ruleset> <address>\n> map_lookup: sts (localhost) ";
        for (said, expected) in [
            ("no match (68)\n> ", Lookup::NotFound),
            ("no match (75)\n> ", Lookup::Failed),
            (
                "returns secure match=a (0)\n> ",
                Lookup::Found("secure match=a".to_owned()),
            ),
        ] {
            assert_eq!(Lookup::of("sts", &format!("{front}{said}")), expected);
        }
        let closed = "> Map named \"sts\" not open\n> ";
        assert_eq!(Lookup::of("sts", closed), Lookup::Failed);
    }
}
