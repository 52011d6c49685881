//! What the log says while a scenario is played: INFO and above, kept for `logged … = N`.

use std::io;
use std::sync::{Arc, Mutex};

/// The lines so far.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Does `work` with all log lines of this thread going here.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let own = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .with_ansi(false)
            .with_writer(move || own.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work)
    }

    /// In how many lines these words stand.
    pub(super) fn count(&self, words: &str) -> usize {
        let bytes = self.0.lock().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().filter(|line| line.contains(words)).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
