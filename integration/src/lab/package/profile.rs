//! The AppArmor profile: it is understood, and all that the daemon touches under load is within it. The kernel
//! need not have AppArmor: the calls are watched by strace, and held against the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{Newcomer, delivered};
use crate::lab::servers::{must, until};
use crate::lab::stage::Lab;

/// As the parser reads it, with all that it includes.
fn parser(arguments: &[&str]) -> String {
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/apparmor/hoplock");
    must(Command::new("apparmor_parser").args(arguments).arg(profile))
}

/// The whole profile compiles.
pub(super) fn parses(lab: &mut Lab<'_>) {
    parser(&["--skip-kernel-load", "--skip-cache"]);
    lab.report.check(true, String::new);
}

impl Newcomer {
    /// Watches a daemon that does what it can do, and finds each file that it touches in the profile.
    pub(super) fn confined(&self, lab: &mut Lab<'_>) {
        let machine = &self.machine;
        machine.told(
            "systemctl stop hoplock; install -d -o hoplock -g hoplock -m 750 /run/hoplock
             sed -e 's|^\\[listen\\]|&\\nreadsocket = [\"unix:/run/hoplock/exim\"]\\n\
             sessions = [\"unix:/run/hoplock/sessions\"]\\n\
             tlsrpt = [\"unix:/var/spool/postfix/hoplock/tlsrpt\"]|' \
             -e 's|^\\[profile.postfix\\]|&\\nown_dane = \"no\"|' /etc/hoplock/hoplock.toml \
             > /etc/hoplock/watched.toml
             printf '[sources]\\npostfix_log = \"journal\"\\n' >> /etc/hoplock/watched.toml",
        );
        let trace = lab.folder.join(format!("trace-{}", self.suite));
        let daemon = machine.shell(
            "exec env STATE_DIRECTORY=/var/lib/hoplock setpriv --reuid hoplock --regid hoplock \
             --groups systemd-journal --no-new-privs --bounding-set=-all \
             hoplock serve --config /etc/hoplock/watched.toml 2>/root/watched.log",
        );
        let mut watched = Command::new("strace");
        watched.args(["-f", "-qq", "-s", "400", "-e", "trace=%file,%network", "-o"]);
        watched
            .arg(&trace)
            .arg(daemon.get_program())
            .args(daemon.get_args());
        let mut watched = watched.spawn().unwrap();
        machine.until("the watched daemon", "test -S /run/hoplock/control.sock");
        // Pinned keys and files of trust anchors, a policy, a broken destination, mail, a reload.
        for (domain, map) in [
            ("dane.test", self.map),
            ("sts.test", self.map),
            ("bogus.test", self.map),
            ("dane.test", "pins"),
            ("ta-key.test", "pins"),
            ("ta-key.test", "postfix"),
        ] {
            machine.run(&format!(
                "postmap -q {domain} socketmap:inet:127.0.0.1:8425:{map}"
            ));
        }
        let to = format!("watched-{}@dane.test", self.suite);
        self.send(&to);
        self.check(lab, delivered(lab, &to), || {
            format!("{to} was not delivered")
        });
        machine.run("hoplock rule add watched.test --answer encrypt --until 1h");
        machine.told(&signal("HUP"));
        until("the reload", Duration::from_secs(20), || {
            let log = fs::read_to_string(machine.file("root/watched.log")).unwrap();
            log.contains("reloaded")
        });
        machine.run("hoplock sessions; hoplock status; hoplock rule remove watched.test");
        machine.told(&signal("TERM"));
        watched.wait().unwrap();
        machine.told("rm -f /etc/hoplock/watched.toml /root/watched.log; systemctl start hoplock");

        let touched = touched(&fs::read_to_string(&trace).unwrap());
        let resolved = self.resolved(&touched);
        let rules = Rules::of(&parser(&["--preprocess"]));
        let outside: BTreeSet<_> = touched
            .iter()
            .zip(&resolved)
            .filter(|((_, access), real)| !rules.allow(real, *access))
            .map(|((path, access), real)| format!("{access} {real} ({path})"))
            .collect();
        self.check(lab, outside.is_empty(), || {
            format!("outside of the AppArmor profile: {outside:#?}")
        });
        // What this test is for was seen.
        for seen in [
            "x /usr/sbin/postconf",
            "x /usr/bin/journalctl",
            "w /var/lib/hoplock/hoplock.db",
        ] {
            let (access, path) = seen.split_once(' ').unwrap();
            let is = touched
                .iter()
                .zip(&resolved)
                .any(|((_, own), real)| own.to_string() == access && real == path);
            self.check(lab, is && touched.len() > 60, || {
                format!("{seen} is not among {} that were seen", touched.len())
            });
        }
    }

    /// The paths as the kernel knows them, behind all links.
    fn resolved(&self, touched: &BTreeSet<(String, char)>) -> Vec<String> {
        let list: String = touched
            .iter()
            .map(|(path, _)| format!("{path}\n"))
            .collect();
        fs::write(self.machine.file("root/paths"), list).unwrap();
        let told = self.machine.told(
            // AppArmor knows folders by the slash at their end.
            "while read -r path; do real=$(realpath -m \"$path\"); \
             if [ -d \"$real\" ]; then real=$real/; fi; echo \"$real\"; done < paths",
        );
        told.lines().map(ToOwned::to_owned).collect()
    }
}

/// Tells the daemon outside of its unit.
fn signal(name: &str) -> String {
    format!(
        "for one in /proc/[0-9]*; do \
         [ \"$(cat $one/comm 2>/dev/null)\" != hoplock ] || kill -{name} ${{one#/proc/}}; done"
    )
}

/// Files and how they were touched, from the daemon's start on: r, w or x. What failed touched nothing.
fn touched(trace: &str) -> BTreeSet<(String, char)> {
    let mut found = BTreeSet::new();
    let mut unfinished = BTreeMap::new();
    let mut begun = false;
    for line in trace.lines() {
        let Some((process, call)) = line.split_once(' ') else {
            continue;
        };
        let mut call = call.trim_start().to_owned();
        if let Some(half) = call.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, half.to_owned());
            continue;
        }
        if let Some((_, rest)) = call.split_once(" resumed>") {
            let half = unfinished.remove(process).unwrap_or_default();
            call = half + rest;
        }
        begun |= call.starts_with("execve(") && call.contains("hoplock\", [\"hoplock\", \"serve\"");
        let Some((arguments, outcome)) = call.rsplit_once(" = ") else {
            continue;
        };
        if !begun || outcome.starts_with('-') || outcome.starts_with('?') {
            continue;
        }
        let name = arguments.split('(').next().unwrap_or_default();
        let mut paths = arguments
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|path| path.starts_with('/'));
        let mut add = |path: Option<&str>, access| {
            if let Some(path) = path {
                found.insert((path.to_owned(), access));
            }
        };
        match name {
            "execve" => add(paths.next(), 'x'),
            "open" | "openat" | "creat" => {
                let path = paths.next();
                if !arguments.contains("O_PATH") {
                    if ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
                        .iter()
                        .any(|flag| arguments.contains(flag))
                    {
                        add(path, 'w');
                    }
                    if !arguments.contains("O_WRONLY") {
                        add(path, 'r');
                    }
                }
            }
            "unlink" | "unlinkat" | "mkdir" | "mkdirat" | "rmdir" | "rename" | "renameat"
            | "renameat2" | "link" | "linkat" | "symlink" | "symlinkat" | "chmod" | "fchmodat"
            | "chown" | "lchown" | "fchownat" | "truncate" | "utimensat" | "bind" | "connect"
            | "sendto" | "sendmsg" => {
                for path in paths {
                    add(Some(path), 'w');
                }
            }
            _ => {}
        }
    }
    found
}

/// The file rules of a profile: patterns, and the letters of what they allow.
struct Rules(Vec<(String, String)>);

impl Rules {
    fn of(profile: &str) -> Self {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        let mut rules = Vec::new();
        for line in profile.lines().map(str::trim) {
            let words = line.trim_end_matches(',');
            if let Some((name, values)) = words.split_once('=').filter(|_| words.starts_with("@{"))
            {
                let name = name.trim_end_matches('+').trim().to_owned();
                let values = values.split_whitespace().collect::<Vec<_>>().join(",");
                let all = match variables.get(&name) {
                    Some(before) => format!("{before},{values}"),
                    None => values,
                };
                variables.insert(name, all);
                continue;
            }
            let words = words.strip_prefix("owner ").unwrap_or(words);
            let mut words = words.split_whitespace();
            let (Some(pattern), Some(allowed)) = (words.next(), words.next()) else {
                continue;
            };
            if line.ends_with(',') && (pattern.starts_with('/') || pattern.starts_with("@{")) {
                rules.push((pattern.to_owned(), allowed.to_owned()));
            }
        }
        let filled = rules.into_iter().map(|(pattern, allowed)| {
            let mut filled = pattern;
            // Variables may stand in variables.
            for _ in 0..4 {
                for (name, values) in &variables {
                    filled = filled.replace(name, &format!("{{{values}}}"));
                }
            }
            (filled, allowed)
        });
        Self(filled.collect())
    }

    fn allow(&self, path: &str, access: char) -> bool {
        self.0.iter().any(|(pattern, allowed)| {
            // A program runs only where a rule says as what.
            let fits = match access {
                'x' => allowed.contains("ix"),
                letter => allowed.contains(letter),
            };
            fits && alternatives(pattern)
                .iter()
                .any(|pattern| matches(&pattern.replace("//", "/"), path))
        })
    }
}

/// A pattern without braces for each way to choose in them.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some(open) = pattern.find('{') else {
        return vec![pattern.to_owned()];
    };
    let (mut depth, mut begun, mut choices, mut end) = (0, open + 1, Vec::new(), pattern.len());
    for (index, letter) in pattern
        .char_indices()
        .skip_while(|(index, _)| *index < open)
    {
        match letter {
            '{' => depth += 1,
            ',' if depth == 1 => {
                choices.push(&pattern[begun..index]);
                begun = index + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&pattern[begun..index]);
                    end = index + 1;
                    break;
                }
            }
            _ => {}
        }
    }
    let chosen = choices
        .iter()
        .map(|choice| format!("{}{choice}{}", &pattern[..open], &pattern[end..]));
    chosen.flat_map(|pattern| alternatives(&pattern)).collect()
}

/// `**` is anything, `*` anything but a slash, `?` one of these, `[…]` one of those.
fn matches(pattern: &str, path: &str) -> bool {
    let mut letters = pattern.chars();
    let Some(first) = letters.next() else {
        return path.is_empty();
    };
    let rest = letters.as_str();
    match first {
        '*' if rest.starts_with('*') => {
            let rest = &rest[1..];
            (0..=path.len())
                .filter(|at| path.is_char_boundary(*at))
                .any(|at| matches(rest, &path[at..]))
        }
        '*' => (0..=path.find('/').unwrap_or(path.len()))
            .filter(|at| path.is_char_boundary(*at))
            .any(|at| matches(rest, &path[at..])),
        '[' => {
            let (set, rest) = rest.split_once(']').unwrap_or((rest, ""));
            let set: Vec<char> = set.chars().collect();
            path.chars().next().is_some_and(|letter| {
                let within = set.contains(&letter)
                    || set
                        .windows(3)
                        .any(|range| range[1] == '-' && (range[0]..=range[2]).contains(&letter));
                within && matches(rest, &path[letter.len_utf8()..])
            })
        }
        _ => path.chars().next().is_some_and(|letter| {
            (letter == first || first == '?') && matches(rest, &path[letter.len_utf8()..])
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_apparmor_reads_them() {
        let rules = Rules::of(
            "@{PROC}=/proc/\n@{pid}={[1-9],[1-9][0-9]}\n@{run}=/run/ /var/run/\nprofile a {\n  \
             @{run}/hoplock/** rw,\n  owner @{PROC}/@{pid}/fd/ r,\n  /usr/{bin,sbin}/postconf ix,\n  \
             /etc/*.conf r,\n  /bin/hoplock mr,\n}",
        );
        for (path, access, expected) in [
            ("/run/hoplock/map", 'w', true),
            ("/var/run/hoplock/a/b", 'r', true),
            ("/run/hoplocks/map", 'w', false),
            ("/proc/42/fd/", 'r', true),
            ("/proc/self/fd/", 'r', false),
            ("/usr/sbin/postconf", 'x', true),
            ("/usr/sbin/postconfig", 'x', false),
            ("/etc/host.conf", 'r', true),
            ("/etc/host.conf", 'w', false),
            ("/etc/a/host.conf", 'r', false),
            // To be read is not to be run.
            ("/bin/hoplock", 'x', false),
        ] {
            assert_eq!(rules.allow(path, access), expected, "{path} {access}");
        }
    }

    #[test]
    fn calls_are_read_from_the_daemon_on() {
        let trace = "1 openat(AT_FDCWD, \"/before\", O_RDONLY) = 3\n\
                     1 execve(\"/usr/bin/hoplock\", [\"hoplock\", \"serve\"], 0x7 /* 3 vars */) = 0\n\
                     2 openat(AT_FDCWD, \"/a\", O_RDWR|O_CREAT, 0640 <unfinished ...>\n\
                     1 openat(AT_FDCWD, \"/missing\", O_RDONLY) = -1 ENOENT (No such file)\n\
                     2 <... openat resumed>) = 5\n\
                     1 connect(7, {sa_family=AF_UNIX, sun_path=\"/run/systemd/notify\"}, 22) = 0\n";
        let found = touched(trace);
        let expected = [
            ("/a", 'r'),
            ("/a", 'w'),
            ("/run/systemd/notify", 'w'),
            ("/usr/bin/hoplock", 'x'),
        ];
        let expected = expected.map(|(path, access)| (path.to_owned(), access));
        assert_eq!(found, BTreeSet::from(expected));
    }
}
