//! The destinations of a demonstration, where this is one: each with what it shows, to be clicked on.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::words::count;
use super::{Place, shell};
use crate::demo::DemoDomain;
use crate::serve::admin::Admin;
use crate::serve::target::percent_encoded;

pub(super) async fn page(State(admin): State<Arc<Admin>>) -> Response {
    let domains = admin.engine.demo;
    let main = html! {
        h1 { "A small internet to look at" }
        @if domains.is_empty() {
            p { "There is none: this daemon answers for the real one. " code { "hoplock demo" } " has it." }
        } @else {
            (table(domains))
        }
    };
    let status = if domains.is_empty() {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    };
    (
        status,
        shell(Place::Destination, "Demonstration", "", &main),
    )
        .into_response()
}

fn table(domains: &[DemoDomain]) -> Markup {
    html! {
        div.scroll {
            table.demo {
                thead { tr { th { "Destination" } th { "What it shows" } } }
                tbody {
                    @for domain in domains {
                        tr {
                            td data-label="Destination" {
                                a href={
                                    "/destination?next_hop=" (percent_encoded(domain.name))
                                    "&profile=" (domain.map)
                                } { (domain.name) }
                            }
                            td data-label="What it shows" { (domain.shows) }
                        }
                    }
                }
            }
        }
    }
}

/// On the first page, so that nobody takes it for the real thing.
pub(super) fn notice(domains: &[DemoDomain]) -> Markup {
    html! {
        @if !domains.is_empty() {
            p #demo {
                "This is a demonstration over a made-up internet: "
                a href="/demo" { (count(domains.len() as u64, "destination", "destinations")) }
                " to look at."
            }
        }
    }
}

/// On the page of a destination: what it shows.
pub(super) fn sentence(domains: &'static [DemoDomain], asked: &str) -> Markup {
    html! {
        @if let Some(shows) = crate::demo::shows(domains, asked) {
            p #demo { "Shown here: " (shows) "." }
        }
    }
}
