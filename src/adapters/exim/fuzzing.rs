//! What must hold for anything that Exim prints; called by the fuzz target and by the replay of its corpus.

use super::{Call, Settings};

/// The target `exim_config`: what `exim -bP config` prints.
pub fn exim_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let settings = Settings::of(&text);
    assert_eq!(settings, Settings::of(&text));
    let printed: Vec<&str> = text.lines().map(str::trim).collect();
    for line in &settings.acl {
        assert!(printed.contains(&line.as_str()));
    }
    for instance in settings.routers.iter().chain(&settings.transports) {
        assert!(printed.contains(&format!("{}:", instance.name).as_str()));
        for (name, value) in instance.options() {
            assert!(name.starts_with(|letter: char| letter.is_ascii_lowercase()));
            let written = |line: &&str| line.contains(name);
            assert!(printed.iter().any(written), "{name} = {value}");
        }
        for (option, call) in instance.calls() {
            let value = instance.get(option).unwrap_or_default();
            within(value, &call);
        }
    }
    let calls = Call::all(&text);
    assert!(calls.len() <= text.matches("${readsocket").count());
    for call in calls {
        within(&text, &call);
    }
}

/// Nothing of a call is made up.
fn within(text: &str, call: &Call<'_>) {
    let parts = [call.place, call.request];
    let more = call.failure.iter().chain(&call.beside);
    for part in parts.iter().chain(more) {
        assert!(text.contains(&format!("{{{part}}}")), "{part:?}");
    }
    assert!(call.beside.len() <= 2);
    if let Some(verb) = call.verb() {
        assert!(call.request.contains(verb));
    }
}
