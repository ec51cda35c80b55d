//! Questions to the operating system (Linux).

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;

/// Says whether the process runs. One that ended and was not collected yet does not.
pub fn is_running(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name in parentheses may contain anything; the state follows it.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

/// The most memory that the process had resident at a time, in bytes.
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Processes that run now and name `path` in their arguments or in their environment, as one line each.
pub fn processes_that_know(path: &Path) -> Vec<String> {
    let needle = path.as_os_str().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let knows = [&arguments, &environment].iter().any(|bytes| contains(bytes, needle));
        if knows && pid != std::process::id() && is_running(pid) {
            found.push(format!("{pid} {}", String::from_utf8_lossy(&arguments).replace('\0', " ")));
        }
    }
    found
}

/// Local IPv4 addresses on which somebody listens on `port`, and whether somebody does on IPv6.
pub fn listening_on(port: u16) -> (Vec<Ipv4Addr>, bool) {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let addresses = listeners(&table, port)
        .map(|address| Ipv4Addr::from(u32::from_str_radix(address, 16).unwrap().to_ne_bytes()));
    let table6 = std::fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    (addresses.collect(), listeners(&table6, port).next().is_some())
}

/// The addresses in lines of a table of sockets: `0: 0100007F:1F90 00000000:0000 0A ...`; 0A is a listener.
fn listeners(table: &str, port: u16) -> impl Iterator<Item = &str> {
    table.lines().skip(1).filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1);
        let (address, local_port) = words.next()?.split_once(':')?;
        let listens = words.nth(1)? == "0A";
        (listens && u16::from_str_radix(local_port, 16) == Ok(port)).then_some(address)
    })
}

/// This machine's address on the way out, if it has one that is not loopback. Nothing is sent.
pub fn outside_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback() && !address.is_unspecified())
}

/// Says whether `needle` occurs in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
