//! Where the answers come from: the running daemon, or this process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hoplock_policy::profile::Profile;
use hoplock_policy::render::json;
use serde::Deserialize;
use tokio::time::sleep;

use super::super::control::{Ended, get, percent_encoded};
use super::super::engine::state_folder;
use super::super::exit;
use super::answers::Answer;
use crate::answer::Answerer;
use crate::config::{Config, Endpoint};
use crate::serve::engine::{Engine, Memory};

/// Whoever answers.
pub(super) enum Oracle {
    /// The daemon, by its control socket.
    Daemon {
        socket: PathBuf,
        profiles: Vec<String>,
    },
    /// This process.
    Direct {
        answerer: Arc<Answerer>,
        profiles: Vec<Arc<Profile>>,
    },
}

#[derive(Deserialize)]
struct Answers {
    answers: Vec<Answer>,
}

impl Oracle {
    /// The daemon of the configuration; a question that needs no lookup shows that it is there and knows
    /// the profiles.
    pub(super) async fn daemon(config: &Config, profiles: &[String]) -> Result<Self, Ended> {
        let Endpoint::Unix(socket) = config.control(&state_folder()) else {
            let words = "[listen] control is no unix socket: `--direct` asks without the daemon";
            return Err((words.to_owned(), exit::not_reachable()));
        };
        let profiles = profiles.to_vec();
        let daemon = Self::Daemon { socket, profiles };
        daemon.ask("localhost").await?;
        Ok(daemon)
    }

    /// This process, as the configuration says.
    pub(super) async fn direct(config: &Config, names: &[String]) -> Result<Self, Ended> {
        let engine = Engine::start(config, &Memory::InProcess)
            .await
            .map_err(|error| (error.to_string(), exit::failed()))?;
        let answerer = engine.answerer;
        let mut profiles = Vec::new();
        for name in names {
            let Some(profile) = answerer.profile(name) else {
                let words = format!("there is no profile {name:?}; try postfix");
                return Err((words, exit::bad_input()));
            };
            profiles.push(profile);
        }
        Ok(Self::Direct { answerer, profiles })
    }

    /// The answers for one destination, one for each profile.
    pub(super) async fn ask(&self, next_hop: &str) -> Result<Vec<Answer>, Ended> {
        match self {
            Self::Direct { answerer, profiles } => {
                let settings = answerer.settings();
                let answered = answerer.survey(next_hop, profiles).await;
                let answers = answered.iter().map(|own| {
                    let view = own.view(next_hop, &own.profile, &settings.rules);
                    let value = serde_json::to_value(json::query(&view));
                    value.and_then(serde_json::from_value)
                });
                let answers: Result<Vec<Answer>, _> = answers.collect();
                answers.map_err(|error| (error.to_string(), exit::failed()))
            }
            Self::Daemon { socket, profiles } => {
                let target = format!(
                    "/api/v1/survey?next_hop={}&profiles={}",
                    percent_encoded(next_hop),
                    percent_encoded(&profiles.join(","))
                );
                let mut pauses = PAUSES.iter();
                loop {
                    let why = match get(socket, &target).await {
                        Ok(response) if response.status == 200 => {
                            let read: Result<Answers, _> = serde_json::from_str(&response.body);
                            return read.map(|read| read.answers).map_err(|error| {
                                let words = format!("the daemon's answer is no JSON: {error}");
                                (words, exit::failed())
                            });
                        }
                        Ok(response) if response.status == 404 => {
                            let words = match response.body.trim_end() {
                                "" => {
                                    "the running daemon is older and knows no surveys: restart it"
                                }
                                words => words,
                            };
                            return Err((words.to_owned(), exit::bad_input()));
                        }
                        Ok(response) => format!("the daemon answered {}", response.status),
                        Err(error) => error.to_string(),
                    };
                    // A daemon that is being restarted ends no survey.
                    let Some(pause) = pauses.next().filter(|_| next_hop != "localhost") else {
                        let words = format!("{why} `--direct` asks without the daemon");
                        return Err((words, exit::not_reachable()));
                    };
                    sleep(*pause).await;
                }
            }
        }
    }
}

/// Between attempts.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
