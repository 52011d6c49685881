//! The page for people: drawn on the server, whole without a script, and readable on a phone.
//!
//! It shows what `hoplock status`, `explain`, `sessions`, `cache`, `rule list` and `report list` tell, and
//! takes no orders. Nothing in it comes from elsewhere: style and script are its own files, and the policy
//! that is sent with each page lets a browser load nothing else, inline things included.
//!
//! * `overview`: what stands out, what protects mail, how the daemon is.
//! * `destination`: what `explain` says of one destination, and its evidence as a drawing (`chain`).
//! * `lists`: destinations, sessions, policies and rules, reports, each whole.
//! * `demo`: the destinations of a demonstration.
//! * `watch`: one's own domains.
//! * `chart`: the last day as a drawing. `words`: times and lengths of time.

mod chain;
mod chart;
mod demo;
mod destination;
mod health;
mod lists;
mod overview;
mod tables;
mod watch;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};
use tokio::sync::Semaphore;

use super::Admin;

/// The page's routes.
pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/", get(overview::page))
        .route("/demo", get(demo::page))
        .route("/destination", get(destination::page))
        .route("/destinations", get(lists::destinations))
        .route("/sessions", get(lists::sessions))
        .route("/policies", get(lists::policies))
        .route("/reports", get(lists::reports))
        .route("/watch", get(watch::page))
        .layer(middleware::from_fn(guarded))
        .route("/page/style.css", get(style))
        .route("/page/refresh.js", get(script))
}

async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("style.css"))
}

async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("refresh.js"))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ];
    (headers, text).into_response()
}

/// What a browser may do with a page of ours, whatever stands in it.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Destinations stand in addresses of the page.
        (header::REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Where in the page somebody is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Overview,
    Destinations,
    Sessions,
    Policies,
    Reports,
    Watch,
    /// One destination: none of the above.
    Destination,
}

const PLACES: [(Place, &str, &str); 6] = [
    (Place::Overview, "/", "Overview"),
    (Place::Destinations, "/destinations", "Destinations"),
    (Place::Sessions, "/sessions", "Sessions"),
    (Place::Policies, "/policies", "Policies and rules"),
    (Place::Reports, "/reports", "Reports"),
    (Place::Watch, "/watch", "Your own domains"),
];

/// A whole page. `asked` is what stands in the search box.
fn shell(place: Place, title: &str, asked: &str, main: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · hoplock" }
                link rel="stylesheet" href="/page/style.css";
                link rel="icon" href="data:,";
                script src="/page/refresh.js" defer {}
            }
            body {
                header {
                    a.skip href="#main" { "To the content" }
                    a.name href="/" { "hoplock" }
                    form action="/destination" method="get" role="search" {
                        label for="next_hop" { "Why does mail to this domain go as it does?" }
                        div.search {
                            input #next_hop name="next_hop" type="search" value=(asked) required
                                placeholder="example.com" autocomplete="off" autocapitalize="none"
                                spellcheck="false" maxlength="512";
                            button type="submit" { "Explain" }
                        }
                    }
                    nav aria-label="Pages" {
                        @for (own, address, words) in PLACES {
                            a href=(address) aria-current=[(own == place).then_some("page")] { (words) }
                        }
                    }
                }
                main #main data-refresh[place != Place::Destination] { (main) }
                footer {
                    p {
                        "hoplock " (env!("CARGO_PKG_VERSION")) ". Times are UTC. "
                        span #refreshed {}
                    }
                }
            }
        }
    };
    Html(page.into_string())
}

/// Draws something beside the threads that answer mail servers: a full cache takes a while to be looked
/// through, and nobody's mail waits for that. No more than a few do so at once. Says so where it broke.
async fn aside(draw: impl FnOnce() -> Markup + Send + 'static) -> Markup {
    // It is never closed; and kept as long as the work lasts, whoever has gone away meanwhile.
    let seat = SEATS.acquire().await;
    let drawn = tokio::task::spawn_blocking(move || {
        let _seat = seat;
        draw()
    });
    let drawn = drawn.await;
    drawn.unwrap_or_else(
        |_| html! { p.note { "This part broke by a fault of hoplock; its log has more." } },
    )
}

/// The first so many by a key, in order.
fn first_by<T, K: Ord>(mut all: Vec<T>, most: usize, key: impl Fn(&T) -> K) -> Vec<T> {
    if all.len() > most {
        all.select_nth_unstable_by_key(most, &key);
        all.truncate(most);
    }
    all.sort_by_cached_key(key);
    all
}

/// Pages that are drawn at once; each looks through everything that is kept.
static SEATS: Semaphore = Semaphore::const_new(2);

/// Nothing but what this server sends as a file: no inline script or style, no frames, no other host.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many() {
        let all = || vec![5, 3, 9, 1, 7];
        assert_eq!(first_by(all(), 2, |own| *own), [1, 3]);
        assert_eq!(first_by(all(), 5, |own| *own), [1, 3, 5, 7, 9]);
        assert_eq!(
            first_by(all(), 9, |own| std::cmp::Reverse(*own)),
            [9, 7, 5, 3, 1]
        );
        assert!(first_by(all(), 0, |own| *own).is_empty());
    }
}
