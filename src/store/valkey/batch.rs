//! Commands that go together, with the keys they are about and what these must be.
//!
//! A key of ours that holds something of another kind can be neither read nor written: nobody's memory is
//! lost by deleting it, and everything stands still until somebody does.

use redis::{Pipeline, Value};

use super::client::{FleetClient, Trouble, well};
use super::scripts;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Hash,
    Set,
    Sorted,
}

/// The commands.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commands: Pipeline,
    keys: Vec<(String, Kind)>,
    writes: bool,
}

impl Batch {
    /// A command about one key.
    pub(super) fn add(&mut self, command: &str, key: String, kind: Kind) -> &mut Pipeline {
        self.commands.cmd(command).arg(&key);
        self.writes |= !READING.contains(&command);
        self.keys.push((key, kind));
        &mut self.commands
    }

    /// A script about these keys.
    pub(super) fn script<const N: usize>(
        &mut self,
        script: &str,
        keys: [(String, Kind); N],
    ) -> &mut Pipeline {
        self.commands.cmd("EVAL").arg(script).arg(N);
        self.writes |= script != scripts::MISSING;
        for (key, kind) in keys {
            self.commands.arg(&key);
            self.keys.push((key, kind));
        }
        &mut self.commands
    }

    /// Has all done in the background; all must go well. Where a key holds something of another kind, that
    /// is deleted, and told to `client`.
    pub(super) async fn work(self, client: &FleetClient) -> Result<Vec<Value>, Trouble> {
        if self.commands.is_empty() {
            return Ok(Vec::new());
        }
        let values = client.work(&self.commands).await?;
        let is_mixed_up = |value: &Value| {
            matches!(value, Value::ServerError(error)
                if error.code() == "WRONGTYPE"
                    || error.details().is_some_and(|details| details.contains("WRONGTYPE")))
        };
        if values.iter().any(is_mixed_up) {
            return Err(self.mend(client).await);
        }
        let values: Result<Vec<_>, _> = values.into_iter().map(well).collect();
        // A server that is full, or forbids what we need, is as good as away, and people must know.
        match &values {
            Err(trouble) => client.refuses(Some(&trouble.to_string())),
            Ok(_) if self.writes => client.refuses(None),
            Ok(_) => {}
        }
        values
    }

    async fn mend(mut self, client: &FleetClient) -> Trouble {
        self.keys.sort_by(|left, right| left.0.cmp(&right.0));
        self.keys.dedup_by(|left, right| left.0 == right.0);
        let mut mend = redis::pipe();
        mend.cmd("EVAL").arg(scripts::MEND).arg(self.keys.len());
        for (key, _) in &self.keys {
            mend.arg(key);
        }
        for (_, kind) in &self.keys {
            mend.arg(kind.word());
        }
        // What was in it is lost, and all hosts hand over anew.
        mend.cmd("EVAL")
            .arg(scripts::LOST)
            .arg(1)
            .arg(client.key("since"))
            .arg(0);
        match client.work_well(&mend).await {
            Ok(_) => {
                tracing::warn!(
                    "the fleet's store had something of another kind where hoplock keeps its own, and \
                     it was deleted; who else writes there?"
                );
                Trouble::Refused("keys of another kind were deleted".to_owned())
            }
            Err(trouble) => trouble,
        }
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Hash => "hash",
            Self::Set => "set",
            Self::Sorted => "zset",
        }
    }
}

/// Commands that a server which is full still takes.
const READING: &[&str] = &[
    "GET",
    "GETRANGE",
    "HGETALL",
    "ZRANGE",
    "ZRANGEBYLEX",
    "ZRANGEBYSCORE",
    "ZREVRANGEBYSCORE",
];
