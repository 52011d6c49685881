//! The user that docs/fleet.md makes can do all that is needed.

use std::path::Path;
use std::time::Duration;

use hoplock::store::reports_checks as checks;
use hoplock::store::valkey::{FleetOptions, ValkeyReports};

use crate::policies::{Node, clock};
use crate::server::{Server, client, reached, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_user_suffices() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fleet.md");
    let page = std::fs::read_to_string(page).unwrap();
    let line = page
        .lines()
        .find(|line| line.starts_with("user hoplock "))
        .unwrap();
    let rights = line.split_whitespace().skip(1);
    let rights = rights.map(|word| if word.starts_with('>') { ">eng" } else { word });
    let server = Server::start(false);
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER");
    for word in rights {
        acl.arg(word);
    }
    let _: () = acl.query(&mut server.stranger()).unwrap();
    let url = format!("redis://hoplock:eng@127.0.0.1:{}/0", server.port);
    let client = client(&url, None);
    reached(&client).await;
    let options = FleetOptions {
        between_rounds: Duration::from_millis(100),
        settling: Duration::ZERO,
    };
    let local = crate::reports::local();
    let reports = ValkeyReports::new(local, client.clone(), clock(0), options);
    checks::counts_what_it_should(&reports).await.unwrap();
    checks::claims_once(&reports).await.unwrap();
    checks::keeps_what_came(&reports).await.unwrap();
    let (one, two) = (Node::new(&client, 0), Node::new(&client, 0));
    one.fetched("a.test", "1", 86_400).await;
    until("it is shared", async || {
        two.elsewhere("a.test").await.is_some()
    })
    .await;
    let domain = hoplock_policy::name::DomainName::parse("a.test").unwrap();
    let domain = hoplock_policy::name::PolicyDomain(domain);
    let lease = hoplock::world::Store::lease_fetch(&one.store, domain.clone()).await;
    assert!(lease.is_some());
    assert!(
        hoplock::world::Store::lease_fetch(&two.store, domain.clone())
            .await
            .is_none()
    );
    drop(lease);
    hoplock::world::Store::forget_policy(&one.store, domain)
        .await
        .unwrap();
    until("it is over", async || two.at_hand("a.test").is_none()).await;
    // Whatever was refused stands in the server's own log.
    let refused: Vec<redis::Value> = redis::cmd("ACL")
        .arg("LOG")
        .query(&mut server.stranger())
        .unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}
