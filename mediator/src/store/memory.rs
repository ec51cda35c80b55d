//! Mail in memory: gone when the mediator stops.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Mail, MailStore, Totals};

/// Keeps mail in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    queues: HashMap<Arc<str>, Queue>,
    by_id: HashMap<Arc<str>, (Arc<str>, u64)>,
    last: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    mail: BTreeMap<u64, Mail>,
    bytes: usize,
}

impl MailStore for MemoryStore {
    fn put(&mut self, recipient: &str, mail: Mail) -> u64 {
        self.last += 1;
        let recipient: Arc<str> = match self.queues.get_key_value(recipient) {
            Some((recipient, _)) => recipient.clone(),
            None => recipient.into(),
        };
        self.by_id.insert(mail.id.clone(), (recipient.clone(), self.last));
        self.bytes += mail.message.len();
        let queue = self.queues.entry(recipient).or_default();
        queue.bytes += mail.message.len();
        queue.mail.insert(self.last, mail);
        self.last
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
        if let Some(queue) = self.queues.get_mut(&recipient) {
            if let Some(mail) = queue.mail.remove(&number) {
                queue.bytes -= mail.message.len();
                self.bytes -= mail.message.len();
            }
            if queue.mail.is_empty() {
                self.queues.remove(&recipient);
            }
        }
        true
    }

    fn remove_all(&mut self, recipient: &str) {
        let Some(queue) = self.queues.remove(recipient) else { return };
        self.bytes -= queue.bytes;
        for mail in queue.mail.values() {
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
        let Some(queue) = self.queues.get(recipient) else { return Totals::default() };
        Totals {
            messages: queue.mail.len(),
            bytes: queue.bytes,
            oldest: queue.mail.first_key_value().map(|(_, mail)| mail.received),
            newest: queue.mail.last_key_value().map(|(_, mail)| mail.received),
        }
    }

    fn bytes(&self) -> usize {
        self.bytes
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
        assert_eq!((store.totals("a"), store.bytes()), (totals, 15));
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
        assert_eq!((store.bytes(), store.queues.len(), store.by_id.len()), (5, 1, 1));
        assert_eq!(store.expire(24), 1);
        assert_eq!((store.bytes(), store.queues.len(), store.by_id.len()), (0, 0, 0));
    }
}
