//! Live delivery: which socket gets an account's mail pushed, and what is on its way there.
//!
//! A pushed message stays queued until it is acknowledged. Switching live delivery on, again or on a new socket, forgets
//! what was on its way, so that everything unacknowledged is pushed again: a half-open socket strands nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::SocketId;
use super::limits::Limits;
use super::pickup::Version;

/// Live accounts.
#[derive(Debug, Default)]
pub(super) struct Live {
    accounts: HashMap<Arc<str>, LiveAccount>,
}

#[derive(Debug)]
struct LiveAccount {
    socket: SocketId,
    /// Thread of the message that switched it on.
    thread: String,
    /// In which version it was switched on, and so mail is pushed.
    version: Version,
    /// Number of the last message that was pushed.
    cursor: u64,
    /// Pushed and not acknowledged: id and bytes.
    unacknowledged: HashMap<Arc<str>, usize>,
    bytes: usize,
    /// A push is in the socket's queue already.
    scheduled: bool,
}

impl Live {
    /// Switches live delivery on by a message of `thread`; when another socket had it, returns that and its thread.
    pub(super) fn switch_on(
        &mut self,
        did: &Arc<str>,
        socket: SocketId,
        thread: &str,
        version: Version,
    ) -> Option<(SocketId, String)> {
        let fresh = LiveAccount {
            socket,
            thread: thread.to_owned(),
            version,
            cursor: 0,
            unacknowledged: HashMap::new(),
            bytes: 0,
            scheduled: false,
        };
        let old = self.accounts.insert(did.clone(), fresh)?;
        (old.socket != socket).then_some((old.socket, old.thread))
    }

    /// Switches live delivery off, if it is on at `socket`.
    pub(super) fn switch_off(&mut self, did: &str, socket: SocketId) {
        if self.is_live_at(did, socket) {
            self.accounts.remove(did);
        }
    }

    pub(super) fn socket_closed(&mut self, socket: SocketId) {
        self.accounts.retain(|_, account| account.socket != socket);
    }

    pub(super) fn is_live(&self, did: &str) -> bool {
        self.accounts.contains_key(did)
    }

    pub(super) fn is_live_at(&self, did: &str, socket: SocketId) -> bool {
        self.accounts.get(did).is_some_and(|account| account.socket == socket)
    }

    /// Returns the socket to schedule a push for, unless one is scheduled there or the window is full.
    pub(super) fn schedule(&mut self, did: &str, limits: &Limits) -> Option<SocketId> {
        let account = self.accounts.get_mut(did)?;
        if account.scheduled || !account.has_room(limits) {
            return None;
        }
        account.scheduled = true;
        Some(account.socket)
    }

    /// Starts the scheduled push; returns after which message it begins and how many messages and bytes it may hold, and in
    /// which version.
    pub(super) fn begin(
        &mut self,
        did: &str,
        socket: SocketId,
        limits: &Limits,
    ) -> Option<(u64, usize, usize, Version)> {
        let account = self.accounts.get_mut(did).filter(|account| account.socket == socket)?;
        account.scheduled = false;
        account.has_room(limits).then(|| {
            let messages = limits.live_messages - account.unacknowledged.len();
            let bytes = limits.live_bytes - account.bytes;
            let (messages, bytes) = (messages.min(limits.batch_messages), bytes.min(limits.batch_bytes));
            (account.cursor, messages, bytes, account.version)
        })
    }

    /// Notes that messages up to number `last` are on their way.
    pub(super) fn pushed<'a>(
        &mut self,
        did: &str,
        last: u64,
        mail: impl Iterator<Item = (&'a Arc<str>, usize)>,
    ) {
        let Some(account) = self.accounts.get_mut(did) else { return };
        account.cursor = last;
        for (id, bytes) in mail {
            account.unacknowledged.insert(id.clone(), bytes);
            account.bytes += bytes;
        }
    }

    /// Notes that a message needs no acknowledgement any more.
    pub(super) fn acknowledged(&mut self, did: &str, id: &str) {
        if let Some(account) = self.accounts.get_mut(did)
            && let Some(bytes) = account.unacknowledged.remove(id)
        {
            account.bytes -= bytes;
        }
    }
}

impl LiveAccount {
    fn has_room(&self, limits: &Limits) -> bool {
        self.unacknowledged.len() < limits.live_messages && self.bytes < limits.live_bytes
    }
}
