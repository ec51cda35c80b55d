//! What an authenticated peer may cost in memory (S18), whatever it sends and however little it takes in.

use super::*;
use crate::record::resume::{Message, Resume};

/// A RESUME_RSP of `a` on a connection, with that generation and under the token of `b` at that place.
fn answer(a: &Session, b: &Session, generation: u64, place: usize, on: ConnectionId) -> Message {
    let nonces = b.paths.nonces();
    let echo = nonces.get(usize::try_from(on.value()).unwrap().min(nonces.len() - 1)).copied();
    let rx_next = a.opener.next();
    let message = Resume { generation, rx_next, nonce: [7; 16], echo };
    let mut out = Message::new();
    let key = a.epochs.own_resume_key(a.opener.is_pending());
    message.seal(a.epochs.cipher(), key, &b.cids()[place], &[9; 16], &mut out);
    out
}

/// Decides SE-50: at most 16 are kept, also for a peer that goes back and forth between the tokens it has and takes in nothing.
#[test]
fn s18_se_50_a_peer_that_goes_back_and_forth_between_tokens_costs_no_more_than_sixteen() {
    let (a, mut b, now) = pair(&Limits::default());
    for generation in 1..200 {
        let place = if generation % 2 == 0 { 0 } else { b.cids().len() - 1 };
        let mut record = answer(&a, &b, generation, place, FIRST);
        b.handle(Input::Record { connection: FIRST, record: &mut record }, now).unwrap();
        assert_eq!(b.paths.generations().0, generation, "it is adopted");
        assert!(b.cids().len() <= 16, "{} tokens after {generation}", b.cids().len());
        assert!(b.issued.due_len() <= 16);
        drain(&mut b);
    }
}
