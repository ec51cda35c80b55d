//! Mail in memory: gone when the mediator stops.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{MAIL_OVERHEAD, Mail, MailStore, Totals};

/// Keeps mail in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    queues: HashMap<Arc<str>, Queue>,
    by_id: HashMap<Arc<str>, (Arc<str>, u64)>,
    /// Queues by cost, so that the fullest is found at once.
    by_cost: BTreeSet<(usize, Arc<str>)>,
    last: u64,
    cost: usize,
}

#[derive(Debug, Default)]
struct Queue {
    mail: BTreeMap<u64, Mail>,
    bytes: usize,
}

impl Queue {
    fn totals(&self) -> Totals {
        Totals {
            messages: self.mail.len(),
            bytes: self.bytes,
            oldest: self.mail.first_key_value().map(|(_, mail)| mail.received),
            newest: self.mail.last_key_value().map(|(_, mail)| mail.received),
        }
    }
}

impl MemoryStore {
    /// Changes a queue and keeps the sums and the index by cost in step; an empty queue is dropped.
    fn change<T>(&mut self, recipient: &Arc<str>, change: impl FnOnce(&mut Queue) -> T) -> T {
        let queue = self.queues.entry(recipient.clone()).or_default();
        let before = queue.totals().cost();
        let result = change(queue);
        let after = queue.totals().cost();
        self.by_cost.remove(&(before, recipient.clone()));
        if queue.mail.is_empty() {
            self.queues.remove(recipient);
        } else {
            self.by_cost.insert((after, recipient.clone()));
        }
        self.cost = self.cost + after - before;
        result
    }
}

impl MailStore for MemoryStore {
    fn put(&mut self, recipient: &str, mail: Mail) -> u64 {
        self.last += 1;
        let recipient: Arc<str> = match self.queues.get_key_value(recipient) {
            Some((recipient, _)) => recipient.clone(),
            None => recipient.into(),
        };
        self.by_id.insert(mail.id.clone(), (recipient.clone(), self.last));
        let number = self.last;
        self.change(&recipient, |queue| {
            queue.bytes += mail.message.len();
            queue.mail.insert(number, mail);
        });
        number
    }

    fn after(&self, recipient: &str, number: u64, limit: usize) -> Vec<(u64, Mail)> {
        let Some(queue) = self.queues.get(recipient) else { return Vec::new() };
        queue
            .mail
            .range(number.saturating_add(1)..)
            .take(limit)
            .map(|(number, mail)| (*number, mail.clone()))
            .collect()
    }

    fn recipient_of(&self, id: &str) -> Option<Arc<str>> {
        self.by_id.get(id).map(|(recipient, _)| recipient.clone())
    }

    fn remove(&mut self, id: &str) -> bool {
        let Some((recipient, number)) = self.by_id.remove(id) else { return false };
        self.change(&recipient, |queue| {
            if let Some(mail) = queue.mail.remove(&number) {
                queue.bytes -= mail.message.len();
            }
        });
        true
    }

    fn remove_all(&mut self, recipient: &str) {
        let Some((recipient, _)) = self.queues.get_key_value(recipient) else { return };
        let recipient = recipient.clone();
        for mail in self.change(&recipient, std::mem::take).mail.values() {
            self.by_id.remove(&mail.id);
        }
    }

    fn expire(&mut self, now: u64) -> usize {
        let all = self.queues.values().flat_map(|queue| queue.mail.values());
        let expired: Vec<Arc<str>> =
            all.filter(|mail| mail.expires <= now).map(|mail| mail.id.clone()).collect();
        expired.iter().filter(|id| self.remove(id)).count()
    }

    fn totals(&self, recipient: &str) -> Totals {
        self.queues.get(recipient).map(Queue::totals).unwrap_or_default()
    }

    fn cost(&self) -> usize {
        self.cost
    }

    fn fullest(&self) -> Option<Arc<str>> {
        self.by_cost.last().map(|(_, recipient)| recipient.clone())
    }

    fn remove_newest(&mut self, recipient: &str) -> Option<usize> {
        let (_, newest) = self.queues.get(recipient)?.mail.last_key_value()?;
        let (id, freed) = (newest.id.clone(), newest.message.len() + MAIL_OVERHEAD);
        self.remove(&id).then_some(freed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(id: &str, expires: u64) -> Mail {
        Mail { id: id.into(), received: expires - 10, expires, message: "12345".into() }
    }

    #[test]
    fn keeps_order_and_counts() {
        let mut store = MemoryStore::default();
        let first = store.put("a", mail("1", 20));
        store.put("b", mail("2", 20));
        store.put("a", mail("3", 30));
        let ids = |mails: Vec<(u64, Mail)>| {
            mails.into_iter().map(|(_, mail)| mail.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(ids(store.after("a", 0, 9)), ["1", "3"]);
        assert_eq!(ids(store.after("a", first, 9)), ["3"]);
        assert_eq!(ids(store.after("a", 0, 1)), ["1"]);
        assert!(store.after("a", u64::MAX, 9).is_empty());
        let totals = Totals { messages: 2, bytes: 10, oldest: Some(10), newest: Some(20) };
        assert_eq!((store.totals("a"), store.cost()), (totals, 15 + 3 * MAIL_OVERHEAD));
        assert_eq!(store.recipient_of("3").as_deref(), Some("a"));
    }

    #[test]
    fn removed_and_expired_mail_leaves_nothing_behind() {
        let mut store = MemoryStore::default();
        for id in ["1", "2", "3", "4"] {
            store.put(if id < "4" { "a" } else { "b" }, mail(id, id.parse::<u64>().unwrap() + 20));
        }
        assert!(store.remove("1") && !store.remove("1"));
        assert_eq!(store.expire(22), 1);
        store.remove_all("a");
        assert_eq!((store.cost(), store.queues.len(), store.by_id.len()), (5 + MAIL_OVERHEAD, 1, 1));
        assert_eq!(store.expire(24), 1);
        assert_eq!((store.cost(), store.queues.len(), store.by_id.len()), (0, 0, 0));
        assert!(store.by_cost.is_empty());
    }

    #[test]
    fn the_fullest_queue_is_known_and_loses_its_newest() {
        let mut store = MemoryStore::default();
        assert_eq!((store.fullest(), store.remove_newest("a")), (None, None));
        for (id, recipient) in [("1", "a"), ("2", "b"), ("3", "b"), ("4", "a"), ("5", "b")] {
            store.put(recipient, mail(id, 20));
        }
        assert_eq!(store.fullest().as_deref(), Some("b"));
        assert_eq!(store.remove_newest("b"), Some(5 + MAIL_OVERHEAD));
        assert_eq!(store.recipient_of("5"), None);
        assert_eq!(store.remove_newest("b"), Some(5 + MAIL_OVERHEAD));
        assert_eq!(store.fullest().as_deref(), Some("a"));
        assert_eq!(store.cost(), 3 * (5 + MAIL_OVERHEAD));
    }
}
