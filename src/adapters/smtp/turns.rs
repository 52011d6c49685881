//! Manners: how many hosts are spoken to at once, and how often one of them.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, SemaphorePermit};

/// Who may speak now.
#[derive(Debug)]
pub(super) struct Turns {
    all: Semaphore,
    /// Only addresses that somebody speaks to or waits for.
    addresses: DashMap<IpAddr, Arc<Mutex<()>>>,
}

/// Leave to speak to one address, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    address: IpAddr,
    line: Arc<Mutex<()>>,
    own: Option<OwnedMutexGuard<()>>,
    permit: Option<SemaphorePermit<'a>>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            all: Semaphore::new(AT_ONCE),
            addresses: DashMap::new(),
        }
    }

    /// Waits until nobody else speaks to this address and fewer than [`AT_ONCE`] speak at all.
    pub(super) async fn take(&self, address: IpAddr) -> Turn<'_> {
        let line = Arc::clone(self.addresses.entry(address).or_default().value());
        // Made before it waits, so that it also goes when the waiting is given up.
        let mut turn = Turn {
            turns: self,
            address,
            line,
            own: None,
            permit: None,
        };
        // The address first: who waits for a busy one keeps nobody from speaking to others.
        turn.own = Some(Arc::clone(&turn.line).lock_owned().await);
        // It is never closed.
        turn.permit = self.all.acquire().await.ok();
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permit = None;
        self.own = None;
        // Ours and the table's: nobody else stands in this line. Who joins does so under the table's
        // lock, which is held here.
        self.turns
            .addresses
            .remove_if(&self.address, |_, line| Arc::strong_count(line) == 2);
    }
}

/// Hosts spoken to at once: enough for every host of a large destination, and far below what a machine's
/// or a network's tables of connections notice.
const AT_ONCE: usize = 16;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    /// One at a time at one address, no more than the bound at all, and nothing is left behind.
    #[tokio::test(start_paused = true)]
    async fn turns_are_taken() {
        let turns = Arc::new(Turns::new());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let most = Arc::new(most);
        let tasks: Vec<_> = (0..200_u8)
            .map(|number| {
                let (turns, now, most) = (turns.clone(), now.clone(), most.clone());
                tokio::spawn(async move {
                    let turn = turns.take(address(number % 40)).await;
                    let speaking = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(speaking, Ordering::SeqCst);
                    assert!(turn.line.try_lock().is_err());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
        assert!(turns.addresses.is_empty());
    }

    #[tokio::test]
    async fn waiting_that_is_given_up_leaves_the_line() {
        let turns = Turns::new();
        let own = turns.take(address(1)).await;
        let patience = Duration::from_millis(10);
        let other = tokio::time::timeout(patience, turns.take(address(1))).await;
        assert!(other.is_err());
        assert!(turns.addresses.contains_key(&address(1)));
        drop(own);
        assert!(turns.addresses.is_empty());
        let again = tokio::time::timeout(patience, turns.take(address(1))).await;
        assert!(again.is_ok());
    }
}
