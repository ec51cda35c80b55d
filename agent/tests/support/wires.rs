//! Parties whose programs are this test itself: plain TCP to each agent's ports, as MPyC would use them.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::PATIENCE;
use super::party::{Party, text};
use super::stage::{NAMES, Stage};

/// All parties of a run, wired.
#[derive(Debug)]
pub struct Wired {
    /// The agents, in order.
    pub parties: Vec<Party>,
    /// `connections[i][j]`: where party i's program is connected to party j's.
    pub connections: Vec<Vec<Option<TcpStream>>>,
}

impl Wired {
    /// Connects every pair of `count` parties.
    pub fn start(stage: &Stage, count: usize) -> Self {
        let mut parties = vec![stage.invite(NAMES[0], count).start()];
        let link = text(&parties[0].wait_for("room.invitation"), "link").to_owned();
        for name in &NAMES[1..count] {
            parties.push(stage.join(name, &link).start());
            parties[0].wait_for("party.joined");
        }
        let ports: Vec<Vec<u16>> = parties.iter_mut().map(Party::wait_for_ports).collect();
        let mut connections: Vec<Vec<Option<TcpStream>>> = Vec::new();
        connections.resize_with(count, || std::iter::repeat_with(|| None).take(count).collect());
        let listeners: Vec<TcpListener> = (0..count)
            .map(|index| TcpListener::bind((Ipv4Addr::LOCALHOST, ports[index][index])).unwrap())
            .collect();
        for dialler in 0..count {
            for listener in dialler + 1..count {
                let mut near = TcpStream::connect((Ipv4Addr::LOCALHOST, ports[dialler][listener])).unwrap();
                near.set_nodelay(true).unwrap();
                near.write_all(&u16::try_from(dialler).unwrap().to_le_bytes()).unwrap();
                let (mut far, _) = listeners[listener].accept().unwrap();
                far.set_nodelay(true).unwrap();
                far.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut pid = [0; 2];
                far.read_exact(&mut pid).unwrap();
                assert_eq!(usize::from(u16::from_le_bytes(pid)), dialler);
                far.set_read_timeout(None).unwrap();
                connections[dialler][listener] = Some(near);
                connections[listener][dialler] = Some(far);
            }
        }
        Self { parties, connections }
    }

    /// Another handle of the connection of party `from` to party `to`.
    pub fn connection(&self, from: usize, to: usize) -> TcpStream {
        self.connections[from][to].as_ref().unwrap().try_clone().unwrap()
    }
}
