//! A bounded table that forgets what was touched least recently.

use std::collections::BTreeMap;

/// The most recently touched entries, by key.
#[derive(Clone, Debug)]
pub(super) struct Recent<K, V> {
    limit: usize,
    touched: u64,
    /// By the number of the touch: the first is the oldest.
    order: BTreeMap<u64, K>,
    entries: BTreeMap<K, (u64, V)>,
}

impl<K: Clone + Ord, V> Recent<K, V> {
    /// An empty table of at most `limit` entries, at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            touched: 0,
            order: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (touch, value) = self.entries.remove(key)?;
        self.order.remove(&touch);
        Some(value)
    }

    /// Puts an entry in, as the most recent one. Returns the oldest one where it had to go for it.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        self.remove(&key);
        let oldest = match self.entries.len() < self.limit {
            true => None,
            false => self.pop(),
        };
        self.touched += 1;
        self.order.insert(self.touched, key.clone());
        self.entries.insert(key, (self.touched, value));
        oldest
    }

    /// Takes the oldest entry out.
    pub(super) fn pop(&mut self) -> Option<(K, V)> {
        let (_, key) = self.order.pop_first()?;
        let (_, value) = self.entries.remove(&key)?;
        Some((key, value))
    }

    /// Takes out, oldest first, what `goes` says of. Nothing is touched by that.
    pub(super) fn take_if(&mut self, mut goes: impl FnMut(&mut V) -> bool) -> Vec<(K, V)> {
        let mut going = Vec::new();
        for key in self.order.values() {
            if self
                .entries
                .get_mut(key)
                .is_some_and(|(_, value)| goes(value))
            {
                going.push(key.clone());
            }
        }
        let taken = going.into_iter().filter_map(|key| {
            let value = self.remove(&key)?;
            Some((key, value))
        });
        taken.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Recent;

    /// SV-11: the oldest goes, a touched one stays.
    #[test]
    fn the_oldest_goes_first() {
        let mut recent = Recent::new(3);
        for key in ["a", "b", "c"] {
            assert_eq!(recent.insert(key, key.to_owned()), None);
        }
        assert_eq!(recent.insert("a", "again".to_owned()), None);
        assert_eq!(
            recent.insert("d", "d".to_owned()),
            Some(("b", "b".to_owned()))
        );
        assert_eq!(recent.get(&"a").map(String::as_str), Some("again"));
        assert_eq!(recent.remove(&"c").as_deref(), Some("c"));
        assert_eq!(recent.remove(&"c"), None);
        let taken = recent.take_if(|value| value != "d");
        assert_eq!(taken, [("a", "again".to_owned())]);
        assert_eq!(recent.pop(), Some(("d", "d".to_owned())));
        assert_eq!(recent.pop(), None);
    }
}
