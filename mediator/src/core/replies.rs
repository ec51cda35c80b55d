//! Replies that wait for one socket, with what they take of memory.
//!
//! A reply is as large as its request makes it, so a number of replies bounds nothing: what counts is their weight.

use std::collections::VecDeque;

use didagent_didcomm::message::Message;
use serde_json::Value;

use super::Peer;
use super::limits::Limits;

/// What a message takes beside its texts, in bytes: the structs, the allocations and a place in the queue.
const MESSAGE: usize = 1024;

/// What a JSON value takes in its array or object, in bytes.
const VALUE: usize = 32;

/// What a JSON object takes beside its members, in bytes: a tree node has room for eleven, filled or not.
const OBJECT: usize = 640;

/// The queue of one socket.
#[derive(Debug, Default)]
pub(super) struct Replies {
    queue: VecDeque<(Peer, Message, usize)>,
    queued: usize,
    /// The reply that is being written; it takes memory until the socket has taken it.
    in_flight: usize,
}

/// There is no room, because the client does not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotRead;

impl Replies {
    /// Queues a reply. An idle socket takes one reply whatever its size.
    pub(super) fn push(&mut self, to: Peer, message: Message, limits: &Limits) -> Result<(), NotRead> {
        let weight = weight_of(&to, &message);
        let idle = self.queue.is_empty() && self.in_flight == 0;
        let room = self.queue.len() < limits.replies_per_socket
            && self.weight() + weight <= limits.reply_bytes_per_socket;
        if !room && !idle {
            return Err(NotRead);
        }
        self.queued += weight;
        self.queue.push_back((to, message, weight));
        Ok(())
    }

    /// Takes the next reply to write; the one before has been written.
    pub(super) fn pop(&mut self) -> Option<(Peer, Message)> {
        self.in_flight = 0;
        let (to, message, weight) = self.queue.pop_front()?;
        self.queued -= weight;
        self.in_flight = weight;
        Some((to, message))
    }

    /// Drops what waits: the socket is to be closed.
    pub(super) fn clear(&mut self) {
        self.queue = VecDeque::new();
        self.queued = 0;
    }

    /// Returns the bytes of memory that the replies take, about.
    pub(super) fn weight(&self) -> usize {
        self.queued + self.in_flight
    }
}

fn weight_of(to: &Peer, message: &Message) -> usize {
    let headers = [&message.from, &message.thid, &message.pthid].into_iter().flatten();
    let headers: usize = headers.chain(message.to.iter().flatten()).map(String::len).sum();
    MESSAGE + to.did.len() + to.kid.len() + to.our_kid.len() + headers + weight_of_value(&message.body)
}

fn weight_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => VALUE,
        Value::String(text) => VALUE + text.len(),
        Value::Array(values) => VALUE + values.iter().map(weight_of_value).sum::<usize>(),
        Value::Object(members) => {
            OBJECT + members.iter().map(|(name, value)| name.len() + weight_of_value(value)).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer { did: "did:a".into(), kid: "did:a#1".into(), our_kid: "did:m#1".into() }
    }

    fn reply(bytes: usize) -> Message {
        Message::new("1", "t", serde_json::json!({ "a": ["x".repeat(bytes)] }))
    }

    #[test]
    fn weight_counts_until_a_reply_is_written() {
        let limits = Limits { reply_bytes_per_socket: 10_000, ..Limits::default() };
        let mut replies = Replies::default();
        assert_eq!(replies.push(peer(), reply(50_000), &limits), Ok(()), "one fits always");
        assert!(replies.weight() > 50_000);
        assert_eq!(replies.push(peer(), reply(1), &limits), Err(NotRead));
        assert!(replies.pop().is_some());
        assert_eq!(replies.push(peer(), reply(1), &limits), Err(NotRead), "it is not written yet");
        assert!(replies.pop().is_none());
        assert_eq!(replies.weight(), 0);
        for _ in 0..5 {
            assert_eq!(replies.push(peer(), reply(1), &limits), Ok(()));
        }
        assert_eq!(replies.push(peer(), reply(1), &limits), Err(NotRead));
        replies.clear();
        assert_eq!(replies.weight(), 0);
    }

    #[test]
    fn many_small_values_weigh_what_they_take() {
        let entries: Vec<Value> = (0..256).map(|_| serde_json::json!({ "a": "" })).collect();
        let weight = weight_of(&peer(), &Message::new("1", "t", Value::Array(entries)));
        assert!(weight > 256 * 632, "{weight}");
    }
}
