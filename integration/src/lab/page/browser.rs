//! A real browser: Chromium, led by chromedriver over the WebDriver protocol.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::servers::until;

/// chromedriver as a process.
pub(super) struct Driver(Child);

/// One window of the browser; it closes when this is dropped.
pub(super) struct Browser {
    session: String,
}

/// How a page is looked at.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    pub is_phone: bool,
    pub scheme: &'static str,
}

impl Driver {
    pub(super) fn start(folder: &Path) -> Self {
        let log = fs::File::create(folder.join("chromedriver.log")).unwrap();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={PORT}")).env("HOME", folder);
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        until("chromedriver", Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", PORT)).is_ok()
        });
        Self(child)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Browser {
    /// A new window; with or without scripts.
    pub(super) fn open(profile: &Path, scripts: bool) -> Self {
        let setting = if scripts { 1 } else { 2 };
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "binary": "/usr/bin/chromium",
                // Root runs the lab; nothing here may look for a network.
                "args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", "--hide-scrollbars",
                    format!("--user-data-dir={}", profile.display())],
                "prefs": {"profile.managed_default_content_settings.javascript": setting},
            },
        }}});
        let answer = call("POST", "/session", Some(&capabilities));
        let session = answer["sessionId"].as_str().expect("a session").to_owned();
        Self { session }
    }

    pub(super) fn go(&self, address: &str) {
        self.post("url", &json!({ "url": address }));
    }

    /// Where it is.
    pub(super) fn address(&self) -> String {
        let answer = self.get("url");
        answer.as_str().unwrap_or_default().to_owned()
    }

    /// The text of each element that fits.
    pub(super) fn texts(&self, selector: &str) -> Vec<String> {
        self.find(selector)
            .iter()
            .map(|element| {
                let text = self.get(&format!("element/{element}/text"));
                text.as_str().unwrap_or_default().to_owned()
            })
            .collect()
    }

    /// The text of the first one; empty where there is none.
    pub(super) fn text(&self, selector: &str) -> String {
        self.texts(selector).into_iter().next().unwrap_or_default()
    }

    pub(super) fn count(&self, selector: &str) -> usize {
        self.find(selector).len()
    }

    /// Clicks the first one, as a person would: it must be there and to be seen.
    pub(super) fn click(&self, selector: &str) {
        let element = self.first(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Clicks a link or a button that leads to another page, and waits until that is there.
    pub(super) fn follow(&self, selector: &str) {
        let before = self.run("return performance.timeOrigin");
        self.click(selector);
        until("the page behind a click", Duration::from_secs(20), || {
            let now =
                self.run("return document.readyState === 'complete' && performance.timeOrigin");
            now.is_number() && now != before
        });
    }

    /// Types into the first one.
    pub(super) fn type_into(&self, selector: &str, text: &str) {
        let element = self.first(selector);
        self.post(&format!("element/{element}/clear"), &json!({}));
        self.post(
            &format!("element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// Runs a script in the page and gives what it returns.
    pub(super) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The same for a script that ends by calling its last argument.
    pub(super) fn run_to_its_end(&self, script: &str) -> Value {
        self.post("execute/async", &json!({ "script": script, "args": [] }))
    }

    /// What the browser's console said since it was asked last, the refusals of the content security policy
    /// among it.
    pub(super) fn console(&self) -> Vec<String> {
        let answer = self.post("se/log", &json!({ "type": "browser" }));
        let lines = answer.as_array().cloned().unwrap_or_default();
        lines
            .iter()
            // Its own first page is none of ours.
            .filter(|line| {
                !line["message"]
                    .as_str()
                    .is_some_and(|own| own.starts_with("chrome://"))
            })
            .map(|line| format!("{} {}", line["level"], line["message"]))
            .collect()
    }

    /// Looks at pages on this screen from now on.
    pub(super) fn look_on(&self, screen: &Screen) {
        let size = json!({"width": screen.width, "height": screen.height, "deviceScaleFactor": 1,
            "mobile": screen.is_phone});
        self.order("Emulation.setDeviceMetricsOverride", &size);
        let scheme =
            json!({"features": [{"name": "prefers-color-scheme", "value": screen.scheme}]});
        self.order("Emulation.setEmulatedMedia", &scheme);
    }

    /// The whole page as a PNG file.
    pub(super) fn keep_picture(&self, file: &Path) {
        let wanted = json!({"format": "png", "captureBeyondViewport": true});
        let answer = self.order("Page.captureScreenshot", &wanted);
        let text = answer["data"].as_str().unwrap_or_default();
        fs::write(file, base64(text)).unwrap();
    }

    fn order(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.post("goog/cdp/execute", &body)
    }

    fn first(&self, selector: &str) -> String {
        let found = self.find(selector);
        let first = found.first();
        first
            .unwrap_or_else(|| panic!("nothing fits {selector}"))
            .clone()
    }

    fn find(&self, selector: &str) -> Vec<String> {
        let by = json!({"using": "css selector", "value": selector});
        let answer = self.post("elements", &by);
        let elements = answer.as_array().cloned().unwrap_or_default();
        let name = |element: &Value| {
            let object = element.as_object()?;
            object.values().next()?.as_str().map(ToOwned::to_owned)
        };
        elements.iter().filter_map(name).collect()
    }

    fn get(&self, what: &str) -> Value {
        call("GET", &format!("/session/{}/{what}", self.session), None)
    }

    fn post(&self, what: &str, body: &Value) -> Value {
        call(
            "POST",
            &format!("/session/{}/{what}", self.session),
            Some(body),
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        call("DELETE", &format!("/session/{}", self.session), None);
    }
}

/// One command of the protocol; what it says it cannot do stops the lab.
fn call(method: &str, path: &str, body: Option<&Value>) -> Value {
    let body = body.map_or_else(String::new, ToString::to_string);
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // It keeps the connection open for some time, whatever it is asked.
    let whole = loop {
        let mut piece = [0; 65_536];
        let read = stream.read(&mut piece).unwrap();
        answer.extend_from_slice(&piece[..read]);
        if let Some(whole) = body_of(&answer) {
            break whole.to_vec();
        }
        assert!(
            read > 0,
            "{method} {path}: {}",
            String::from_utf8_lossy(&answer)
        );
    };
    let parsed: Value = serde_json::from_slice(&whole).unwrap();
    let value = parsed["value"].clone();
    assert!(value.get("error").is_none(), "{method} {path}: {value}");
    value
}

/// The body, once it is whole.
fn body_of(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(answer.get(..end)?).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    answer.get(end..end + length.trim().parse::<usize>().ok()?)
}

/// RFC 4648, 4.
fn base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

const PORT: u16 = 9515;
