//! This command's stdout, written by a thread of its own.
//!
//! Whoever reads it may be slow or stand still, and a write would then block whoever makes it; the engine must go on to hear its
//! peers and Ctrl-C. So lines are queued. What reads a program's output waits for room first, so the program is slowed down and
//! the queue stays short; everything else that is written is little.
//!
//! ```text
//! program --pipe--> [room?] --> report --> queue --> thread --> stdout
//! ```

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Bytes that wait for the reader before a program has to wait too.
const ROOM: usize = 1024 * 1024;

static STDOUT: LazyLock<Queue> = LazyLock::new(|| {
    // Without a thread the lines wait for ever, and the end of the command with them; the system gave none at its very start.
    let _ = std::thread::Builder::new().name("stdout".into()).spawn(|| STDOUT.write_all(&mut io::stdout()));
    Queue::default()
});

/// Queues a line.
pub(crate) fn write_line(line: String) {
    STDOUT.push(line);
}

/// Waits until a program may write more.
pub(crate) async fn room() {
    STDOUT.until(|state| state.bytes < ROOM).await;
}

/// Says whether a program may write more.
pub(crate) fn has_room() -> bool {
    STDOUT.lock().bytes < ROOM
}

/// Waits until everything is written, or nobody reads any more.
pub(crate) async fn flushed() {
    STDOUT.until(|state| state.bytes == 0).await;
}

/// Drops what was not written yet: nobody waits for the reader any longer.
pub(crate) fn give_up() {
    let mut state = STDOUT.lock();
    state.give_up();
    drop(state);
    STDOUT.written.notify_waiters();
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// Wakes the thread.
    more: Condvar,
    /// Wakes those who wait for the thread.
    written: Notify,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    /// Bytes in the queue and in the thread's hands.
    bytes: usize,
    /// Nobody reads any more; that is the reader's choice, not a failure.
    closed: bool,
}

impl State {
    fn give_up(&mut self) {
        *self = Self { closed: true, ..Self::default() };
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, mut line: String) {
        line.push('\n');
        let mut state = self.lock();
        if !state.closed {
            state.bytes += line.len();
            state.lines.push_back(line);
            self.more.notify_one();
        }
    }

    /// Writes what is queued, for ever.
    fn write_all(&self, out: &mut impl Write) {
        let mut state = self.lock();
        loop {
            let lines = std::mem::take(&mut state.lines);
            if lines.is_empty() {
                state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            let size = lines.iter().map(String::len).sum::<usize>();
            let result = lines.iter().try_for_each(|line| out.write_all(line.as_bytes()));
            let result = result.and_then(|()| out.flush());
            state = self.lock();
            match result {
                Ok(()) => state.bytes = state.bytes.saturating_sub(size),
                Err(_) => state.give_up(),
            }
            self.written.notify_waiters();
        }
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let written = self.written.notified();
            if condition(&self.lock()) {
                return;
            }
            written.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// Takes so many bytes, then refuses.
    struct Pipe {
        left: usize,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.left);
            if count == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.left -= count;
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn queue(left: usize) -> (Arc<Queue>, Arc<Mutex<Vec<u8>>>) {
        let (queue, taken) = (Arc::new(Queue::default()), Arc::default());
        let (writer, mut pipe) = (Arc::clone(&queue), Pipe { left, taken: Arc::clone(&taken) });
        std::thread::spawn(move || writer.write_all(&mut pipe));
        (queue, taken)
    }

    #[tokio::test]
    async fn lines_come_out_whole_and_in_order() {
        let (queue, taken) = queue(usize::MAX);
        for number in 0..1000 {
            queue.push(number.to_string());
        }
        queue.until(|state| state.bytes == 0).await;
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(taken.lock().unwrap().clone()).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_reader_that_leaves_keeps_nobody_waiting() {
        let (queue, taken) = queue(3);
        queue.push("abcdef".to_owned());
        let done = tokio::time::timeout(Duration::from_secs(60), queue.until(|state| state.bytes == 0)).await;
        done.unwrap();
        queue.push("more".to_owned());
        assert_eq!(queue.lock().bytes, 0);
        assert_eq!(*taken.lock().unwrap(), b"abc");
    }
}
