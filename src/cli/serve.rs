//! `hoplock serve`: runs the daemon.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use clap::Args;

use super::engine::{load, state_folder};
use super::{ConfigFile, complain, exit};
use crate::config::{Config, LogFormat};
use crate::serve::daemon::{self, Places};
use crate::serve::engine::Memory;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Go on without the state file: nothing is remembered over a restart.
    #[arg(long)]
    no_state: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let file = &arguments.file;
    let loaded = match load(file) {
        Ok(loaded) => loaded,
        Err(why) => {
            complain(&why);
            return exit::bad_input();
        }
    };
    for complaint in &loaded.complaints {
        complain(&complaint.to_string());
    }
    let Some(config) = loaded.config else {
        complain("nothing was started; `hoplock config check` shows the same complaints");
        return exit::bad_input();
    };
    log_to_stderr(&config);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        source = loaded.source,
        "hoplock"
    );
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}"));
            return exit::failed();
        }
    };
    let reread = || load(file)?.usable();
    let state = state_folder();
    let memory = if arguments.no_state {
        Memory::InProcess
    } else {
        Memory::File(config.state_file(&state))
    };
    let places = Places { state, memory };
    match runtime.block_on(daemon::run(config, &places, reread)) {
        Ok(()) => exit::FINE,
        Err(error) => {
            complain(&error.to_string());
            exit::failed()
        }
    }
}

fn log_to_stderr(config: &Config) {
    let filter = EnvFilter::new(&config.log.level);
    let to_terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(to_terminal)
        .with_target(false);
    match config.log.format {
        LogFormat::Json => builder.json().init(),
        // The journal and most log files put their own time before each line.
        LogFormat::Auto if !to_terminal => builder.without_time().init(),
        LogFormat::Auto | LogFormat::Text => builder.init(),
    }
}
