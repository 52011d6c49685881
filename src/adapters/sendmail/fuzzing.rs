//! What must hold for any sendmail.cf and for anything that Sendmail prints; called by the fuzz target and
//! by the replay of its corpus.

use super::{Abilities, Lookup, Settings};

/// The target `sendmail_cf`: a sendmail.cf, what `-d0.13` prints and what `/map` prints, 0x1e between them.
pub fn sendmail_cf(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\u{1e}');
    let mut next = || parts.next().unwrap_or_default();
    let (file, printed, said) = (next(), next(), next());
    let settings = Settings::of(file);
    assert_eq!(settings, Settings::of(file));
    let has = |front: &str| file.lines().any(|line| line.starts_with(front));
    for name in ["DANE", "TLSFallbacktoClear", "CACertFile"] {
        // What is not written is not set; what is commented out neither.
        assert!(settings.get(name).is_empty() || has("O"), "{name}");
        assert!(!settings.is_on(name) || !settings.get(name).is_empty());
    }
    assert!(settings.smart_host.is_empty() || has("DS"));
    for name in ["sts", "verifier"] {
        let Some(map) = settings.map_named(name) else {
            continue;
        };
        assert!(has("K"), "{name}");
        for (flag, value) in &map.flags {
            assert!(file.contains(&format!("-{flag}{value}")));
            assert!(map.flag(*flag).is_some());
        }
        if let Some(place) = map.endpoint() {
            assert!(place.starts_with("unix:") || place.starts_with("inet:"));
        }
    }
    for rule in settings.ruleset("Local_tls_rcpt") {
        // A line may go on in the next one.
        let mut words = rule.left.split_ascii_whitespace();
        assert!(words.all(|word| file.contains(word)) && !rule.left.contains('\t'));
    }
    match Abilities::of(printed) {
        Some(abilities) => assert!(!abilities.has("DANE") || printed.contains("DANE")),
        None => assert!(!printed.contains("Compiled with:")),
    }
    match Lookup::of("sts", said) {
        Lookup::Found(words) => assert!(said.contains(&format!("returns {words} (0)"))),
        Lookup::NotFound => assert!(said.contains("no match (68)")),
        Lookup::Failed => {}
    }
}
