//! Whose something is that cannot be had: a lock, a port, a socket. The kernel is asked, and where it does not say, nothing is made up.

use std::fmt;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{fstat, major, minor};

/// Who has something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process, with the name of its program where the system says that.
    Process {
        /// Its number.
        pid: u32,
        /// What its program is called.
        program: Option<String>,
    },
    /// A process of this user, who is not ours.
    User(u32),
    /// Some process.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Process { pid, .. } if *pid == std::process::id() => f.write_str("this process itself"),
            Holder::Process {
                pid,
                program: Some(program),
            } => write!(f, "process {pid} ({program})"),
            Holder::Process { pid, program: None } => write!(f, "process {pid}"),
            Holder::User(user) => write!(f, "a process of the user {user}"),
            Holder::Unknown => f.write_str("another process"),
        }
    }
}

impl Holder {
    fn of(pid: u32) -> Self {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        let program = name.ok().map(|name| shown(name.trim_end()));
        Holder::Process { pid, program }
    }

    /// Who has locked a file, which somebody has.
    pub(crate) fn of_lock(path: &Path) -> Self {
        let Ok(file) = File::open(path) else {
            return Holder::Unknown;
        };
        let Ok(stat) = fstat(&file) else {
            return Holder::Unknown;
        };
        // By what the processes themselves have open, as far as we may look: some file systems go by other numbers in the list of locks.
        let is_it = |found: rustix::fs::Stat| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino);
        let name = path.file_name();
        for (pid, fd) in descriptors() {
            let at = format!("/proc/{pid}/fd/{fd}");
            // What is called otherwise is not looked at any closer: it may be anywhere, and take its time.
            let is_named_so = fs::read_link(&at).is_ok_and(|link| link.file_name() == name);
            if is_named_so
                && rustix::fs::stat(&at).is_ok_and(is_it)
                && fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}"))
                    .is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:")))
            {
                return Holder::of(pid);
            }
        }
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        let device = (major(stat.st_dev), minor(stat.st_dev));
        let pid = locks
            .lines()
            .find_map(|line| locked_by(line, device, stat.st_ino));
        pid.map_or(Holder::Unknown, Holder::of)
    }

    /// Who has a datagram port, which somebody has.
    pub(crate) fn of_udp(at: SocketAddr) -> Self {
        Holder::of_port(&["udp", "udp6"], at, |_| true)
    }

    /// Who listens on a port, which somebody does.
    pub(crate) fn of_tcp(at: SocketAddr) -> Self {
        const LISTENS: &str = "0A";
        Holder::of_port(&["tcp", "tcp6"], at, |state| state == LISTENS)
    }

    /// Who listens on the unix socket that a stream is connected to.
    pub(crate) fn of_peer(stream: &UnixStream) -> Self {
        match rustix::net::sockopt::socket_peercred(stream.as_fd()) {
            Ok(peer) => u32::try_from(peer.pid.as_raw_nonzero().get()).map_or(Holder::Unknown, Holder::of),
            Err(_) => Holder::Unknown,
        }
    }

    fn of_port(tables: &[&str], at: SocketAddr, counts: impl Fn(&str) -> bool) -> Self {
        for table in tables {
            let text = fs::read_to_string(format!("/proc/self/net/{table}")).unwrap_or_default();
            let entry = text
                .lines()
                .filter_map(Entry::read)
                .find(|entry| counts(entry.state) && entry.is_in_the_way_of(at));
            let Some(Entry { user, inode, .. }) = entry else {
                continue;
            };
            let link = format!("socket:[{inode}]");
            let is_it = |(pid, fd): &(u32, u32)| {
                fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|found| found == Path::new(&link))
            };
            return match descriptors().find(is_it) {
                Some((pid, _)) => Holder::of(pid),
                None if user != rustix::process::getuid().as_raw() => Holder::User(user),
                None => Holder::Unknown,
            };
        }
        Holder::Unknown
    }
}

/// A socket in the kernel's tables.
struct Entry<'a> {
    local: SocketAddr,
    state: &'a str,
    user: u32,
    inode: u64,
}

impl<'a> Entry<'a> {
    /// `0: 0100007F:1BBD 00000000:0000 07 00000000:00000000 00:00000000 00000000 1000 0 4711 …`
    fn read(line: &'a str) -> Option<Self> {
        let mut columns = line.split_ascii_whitespace();
        let (ip, port) = columns.nth(1)?.split_once(':')?;
        let state = columns.nth(1)?;
        let user = columns.nth(3)?.parse().ok()?;
        let inode = columns.nth(1)?.parse().ok()?;
        // Addresses are words as they lie in memory.
        let word = |at: usize| u32::from_str_radix(ip.get(at * 8..)?.get(..8)?, 16).ok();
        let ip: IpAddr = if ip.len() == 8 {
            Ipv4Addr::from(word(0)?.to_ne_bytes()).into()
        } else {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_ne_bytes());
            }
            Ipv6Addr::from(bytes).to_canonical()
        };
        Some(Entry {
            local: (ip, u16::from_str_radix(port, 16).ok()?).into(),
            state,
            user,
            inode,
        })
    }

    /// Whether nobody else gets that address while there is this one.
    fn is_in_the_way_of(&self, at: SocketAddr) -> bool {
        let (own, theirs) = (self.local.ip(), at.ip());
        let is_same = own == theirs || own.is_unspecified() || theirs.is_unspecified();
        is_same && self.local.port() == at.port()
    }
}

/// Everything that processes have open, as far as we may look.
fn descriptors() -> impl Iterator<Item = (u32, u32)> {
    let numbers = |path: String| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
    };
    let processes = numbers("/proc".to_owned());
    processes.flat_map(move |pid| numbers(format!("/proc/{pid}/fd")).map(move |fd| (pid, fd)))
}

/// Whose lock a line of the kernel's list is, if it is one on that file: `1: FLOCK  ADVISORY  WRITE 4711 fe:01:42 0 EOF`.
fn locked_by(line: &str, device: (u32, u32), inode: u64) -> Option<u32> {
    let mut columns = line.split_ascii_whitespace();
    let is_whole = columns.nth(1)? == "FLOCK";
    let pid = columns.nth(2)?.parse().ok().filter(|pid| *pid != 0)?;
    let mut place = columns.next()?.splitn(3, ':');
    let mut number = || u32::from_str_radix(place.next()?, 16).ok();
    let found = (number()?, number()?);
    let is_there = found == device && place.next()?.parse() == Ok(inode);
    (is_whole && is_there).then_some(pid)
}

/// A program's name, of which anything may be part.
fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::UnixListener;

    use super::*;

    fn ours() -> String {
        "this process itself".to_owned()
    }

    #[test]
    fn who_has_a_port_is_found() {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        assert_eq!(Holder::of_udp(udp.local_addr().unwrap()).to_string(), ours());
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        assert_eq!(Holder::of_tcp(tcp.local_addr().unwrap()).to_string(), ours());
        // Nobody has what nobody has.
        let gone = udp.local_addr().unwrap();
        drop(udp);
        assert_eq!(Holder::of_udp(gone), Holder::Unknown);
    }

    #[test]
    fn who_has_a_lock_and_who_listens_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let file = File::create(&path).expect("a file");
        file.try_lock().expect("nobody has it");
        assert_eq!(Holder::of_lock(&path).to_string(), ours());
        file.unlock().expect("it is ours");
        assert_eq!(Holder::of_lock(&path), Holder::Unknown);
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).expect("a socket");
        let stream = UnixStream::connect(&path).expect("somebody listens");
        assert_eq!(Holder::of_peer(&stream).to_string(), ours());
    }

    #[test]
    fn the_kernels_lists_are_read() {
        let line = "12: FLOCK  ADVISORY  WRITE 4711 fe:0a:42 0 EOF";
        assert_eq!(locked_by(line, (0xfe, 0x0a), 42), Some(4711));
        assert_eq!(locked_by(line, (0xfe, 0x0a), 43), None);
        assert_eq!(locked_by(line, (0xfe, 0x0b), 42), None);
        assert_eq!(locked_by(&line.replace("FLOCK", "POSIX"), (0xfe, 0x0a), 42), None);
        // One of another namespace of processes, whose number means nothing here.
        assert_eq!(locked_by(&line.replace("4711", "0"), (0xfe, 0x0a), 42), None);
        assert_eq!(locked_by("", (0, 0), 0), None);
        let line = "  1: 0200007F:1BBD 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 4711 2 0 0";
        let entry = Entry::read(line).expect("a socket");
        assert_eq!((entry.user, entry.inode, entry.state), (1000, 4711, "07"));
        assert!(entry.is_in_the_way_of("127.0.0.2:7101".parse().unwrap()));
        assert!(entry.is_in_the_way_of("0.0.0.0:7101".parse().unwrap()));
        assert!(!entry.is_in_the_way_of("127.0.0.3:7101".parse().unwrap()));
        assert!(!entry.is_in_the_way_of("127.0.0.2:7102".parse().unwrap()));
        let line = "0: 00000000000000000000000000000000:1BBD 0:0 0A 0:0 00:0 0 0 0 5 1 0 100 0 0 10 0";
        assert!(
            Entry::read(line)
                .expect("a socket")
                .is_in_the_way_of("127.0.0.2:7101".parse().unwrap())
        );
        assert!(Entry::read("  sl  local_address rem_address   st").is_none());
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let program = Some("squall".to_owned());
        let known = Holder::Process { pid: 1, program };
        assert_eq!(known.to_string(), "process 1 (squall)");
        assert_eq!(
            Holder::Process {
                pid: 1,
                program: None
            }
            .to_string(),
            "process 1"
        );
        assert_eq!(Holder::User(33).to_string(), "a process of the user 33");
        assert_eq!(Holder::Unknown.to_string(), "another process");
        assert_eq!(shown("a\u{7}b"), "a?b");
    }
}
