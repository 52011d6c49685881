//! The destinations of a world that is made to be shown, each with what it shows.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Admin;

/// One destination.
#[derive(Serialize)]
pub(super) struct DemoLine {
    next_hop: &'static str,
    profile: &'static str,
    shows: &'static str,
}

pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Json<Vec<DemoLine>> {
    let line = |domain: &crate::demo::DemoDomain| DemoLine {
        next_hop: domain.name,
        profile: domain.map,
        shows: domain.shows,
    };
    Json(admin.engine.demo.iter().map(line).collect())
}

impl Admin {
    /// A line for people where `next_hop` is one of them, else nothing.
    pub(super) fn shown_by(&self, next_hop: &str) -> String {
        let shows = crate::demo::shows(self.engine.demo, next_hop);
        shows.map_or_else(String::new, |shows| format!("\nShown here: {shows}\n"))
    }
}
