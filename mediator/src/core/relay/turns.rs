//! What goes to a socket next: CLOSE and CREDIT at once, records in turn (RL-24, deficit round robin).
//!
//! A circuit that comes to its turn without enough saved for its next record saves a quantum and goes to the end of the ring. So in
//! each round every circuit gets the same, in bytes and not in records, and whoever has little to send waits for one
//! record of each other circuit at most.
//!
//! Not its concern: credit (`lane`), mail, which has turns with all records together.

use didagent_didcomm::protocols::relay::{CloseCode, FRAME_HEADER, Frame};

use super::{Relay, SocketId};

/// What a circuit adds to its savings in each round; a turn ends when the next record costs more than was saved. Small
/// enough that a circuit of full-size records lets the others through between two of them.
const QUANTUM: usize = 16 * 1024;

impl Relay {
    /// Returns the next CLOSE or CREDIT frame for a socket.
    pub(in crate::core) fn next_control(&mut self, socket: SocketId) -> Option<Vec<u8>> {
        let port = self.ports.get_mut(&socket)?;
        if let Some((circuit, code)) = port.closes.pop_front() {
            return Some(Frame::Close { circuit, code }.encode());
        }
        while let Some(id) = port.credits.pop_first() {
            let Some((key, side)) = port.circuits.get(&id) else { continue };
            let Some(circuit) = self.circuits.get_mut(key) else { continue };
            let bytes = circuit.lanes.of_mut(*side).take_credit();
            if bytes > 0 {
                return Some(Frame::Credit { circuit: id, bytes }.encode());
            }
        }
        None
    }

    /// Returns the next DATA frame for a socket, or the CLOSE after the last one; circuits take turns by bytes (RL-24).
    pub(in crate::core) fn next_data(&mut self, socket: SocketId) -> Option<Vec<u8>> {
        // Each round adds a quantum to a circuit whose next record is at most MAX_RECORD, so this ends.
        loop {
            let port = self.ports.get_mut(&socket)?;
            let id = *port.ring.front()?;
            let Some(&(key, side)) = port.circuits.get(&id) else {
                port.ring.pop_front();
                continue;
            };
            let circuit = self.circuits.get_mut(&key)?;
            let lane = circuit.lanes.of_mut(side.other());
            let Some(cost) = lane.next_cost() else {
                port.ring.pop_front();
                if let Some(code) = lane.close {
                    self.end_half(key, side, CloseCode::DONE);
                    return Some(Frame::Close { circuit: id, code }.encode());
                }
                continue;
            };
            if lane.deficit < cost {
                lane.deficit += QUANTUM;
                port.ring.rotate_left(1);
                continue;
            }
            lane.deficit -= cost;
            let mut frame = Vec::with_capacity(FRAME_HEADER + cost);
            // A DATA frame without its record is the header that the record follows.
            frame.extend_from_slice(&Frame::Data { circuit: id, record: &[] }.encode());
            lane.pop_into(&mut frame);
            if lane.is_empty() && lane.close.is_none() {
                port.ring.pop_front();
            }
            let due = lane.credit_due();
            if due && let Some(sender) = circuit.ends.of(side.other()) {
                if let Some(port) = self.ports.get_mut(&sender.socket) {
                    port.credits.insert(sender.id);
                }
                self.woken.insert(sender.socket);
            }
            return Some(frame);
        }
    }
}
