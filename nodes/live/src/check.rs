//! What would keep a node from starting, found out without starting it: its data folder, its ports and addresses, its pages, its control
//! socket, its recordings and its lines. Nothing is made, written or moved; a port is bound, and a lock shared, for no longer than it takes
//! to know that it is free.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfs, access, statvfs};
use rustix::net::SocketAddrUnix;
use rustix::process::geteuid;
use squall_nodes::Node;

use crate::clock::monotonic;
use crate::disk::{self, Found, Kept, Owner, look};
use crate::error::{LiveError, about_tcp, about_udp};
use crate::record::folder::{Folder, Turn};
use crate::rehearsal::{First, NOTHING_TO_SECURE, rehearse};
use crate::service::socket::{self, There};
use crate::settings::{Record, Settings};
use crate::stream::{Tls, may_listen};
use crate::whose::Holder;

/// Something that a node is to have, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is, in a word or two.
    pub what: String,
    /// What there is to say of it, on one line.
    pub says: String,
    /// Whether it would keep the node from starting.
    pub standing: Standing,
}

/// Whether something would keep a node from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It would not.
    Fine,
    /// It would.
    Refused,
}

/// What is to be done about a data folder before its node starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beforehand {
    /// What was persisted is to be [moved aside](crate::disk::wipe).
    Wipe,
    /// The folder is to be [made](crate::disk::adopt) the node's, whosever it is.
    Adopt,
}

/// Looks at all that a node of these settings needs of the machine, in the order in which it would ask for it.
pub fn check<N: Node>(settings: &Settings<N>, beforehand: &[Beforehand]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |what: &str, says: Result<String, String>| {
        let (says, standing) = match says {
            Ok(says) => (says, Standing::Fine),
            Err(says) => (says, Standing::Refused),
        };
        findings.push(Finding {
            what: what.to_owned(),
            // What the system or a file says may have more.
            says: says.replace('\n', " "),
            standing,
        });
    };
    let fresh = Found::fresh;
    let found = match &settings.data {
        None => {
            find(
                "data",
                Ok("none: what it persists is gone when it stops".to_owned()),
            );
            fresh()
        }
        Some(folder) => {
            let found = data(folder, &Owner::of(settings), beforehand);
            let says = found.as_ref().map(|(says, _)| says.clone());
            find("data", says.map_err(Clone::clone));
            found.map_or_else(|_| fresh(), |(_, found)| found)
        }
    };
    if let Some(record) = &settings.record {
        find("recordings", recordings(record, settings.data.as_deref(), &found));
    }
    if let Some(lines) = &settings.lines {
        find("lines", file(lines));
    }
    let First {
        ports,
        listens,
        connects,
        not_live,
    } = rehearse(
        &settings.placed,
        settings.seed.unwrap_or_default(),
        &found,
        monotonic(),
    );
    let ip = settings.placed.ip;
    find(
        "address",
        datagrams(SocketAddrV4::new(ip, 0), "this machine has it"),
    );
    for port in ports {
        let at = SocketAddrV4::new(ip, port);
        find(&format!("port {port}"), datagrams(at, "free"));
    }
    for port in listens {
        let at = SocketAddrV4::new(ip, port);
        let says = match may_listen(at) {
            Err(LiveError::Port { why, .. }) => Err(format!("{at}: {why}")),
            Err(why) => Err(why.to_string()),
            Ok(()) => Ok(format!("{at}: free")),
        };
        find(&format!("port {port} for connections"), says);
    }
    if let Some(files) = &settings.streams.tls {
        let says = match Tls::read(files, ip) {
            Err(LiveError::Tls { file, why }) => Err(format!("{}: {why}", file.display())),
            Err(why) => Err(why.to_string()),
            Ok(_) => {
                let beside = match connects {
                    true => String::new(),
                    false => format!("; {NOTHING_TO_SECURE}"),
                };
                Ok(format!(
                    "{} is good for {ip}{beside}",
                    files.certificate.display()
                ))
            }
        };
        find("tls", says);
    }
    if let Some(what) = not_live {
        find(
            what,
            Err(format!("the node asks for {what}, which are not done live")),
        );
    }
    if let Some(at) = settings.http {
        find("pages", pages(at));
    }
    if let Some(control) = &settings.control {
        find("control", socket(control));
    }
    findings
}

/// A data folder, and what the node would find in it.
fn data(folder: &Path, owner: &Owner, beforehand: &[Beforehand]) -> Result<(String, Found), String> {
    let shown = folder.display();
    let says = |says: &str| format!("{shown}: {says}");
    let will = |what| beforehand.contains(&what);
    if writable(folder)? == Place::ToBeMade {
        return Ok((says("it is not there, and would be made"), Found::fresh()));
    }
    has_room(folder)?;
    if let Some(holder) = held(&disk::lock_of(folder)).map_err(|why| says(&why))? {
        return Err(says(&format!("it is in use by {holder}")));
    }
    let before = match disk::owner_of(folder) {
        Ok(before) => before,
        Err(_) if will(Beforehand::Adopt) => None,
        Err(why) => return Err(why.to_string()),
    };
    let found = match will(Beforehand::Adopt) {
        // As if it were the node's own by then.
        true => disk::look_at_own(folder),
        false => look(folder, owner),
    };
    let found = match found {
        Ok(found) => found,
        Err(LiveError::Damaged { file, what }) if will(Beforehand::Wipe) => {
            let text = format!("{} is damaged ({what}), and would be moved aside", file.display());
            return Ok((says(&text), Found::fresh()));
        }
        Err(LiveError::LivesLost { .. }) if will(Beforehand::Wipe) => {
            let text = "its file named incarnation is missing; what is persisted would be moved aside, and life 0 would be next";
            return Ok((says(text), Found::fresh()));
        }
        // They name the folder.
        Err(why) => return Err(why.to_string()),
    };
    let whose = match &before {
        None if found == Found::fresh() => "nobody's yet".to_owned(),
        None => "it does not say whose it is, and would be its own".to_owned(),
        Some(before) if before == owner => "its own".to_owned(),
        Some(before) => format!("{before}'s, and would be taken"),
    };
    let state = match &found.state {
        Some(_) if will(Beforehand::Wipe) => "what is persisted would be moved aside".to_owned(),
        Some(state) => format!("{} bytes are persisted", state.len()),
        None if found.kept == Kept::StateMissing => {
            "something was persisted and its file named state is gone, so that it would begin without"
                .to_owned()
        }
        None => "nothing is persisted".to_owned(),
    };
    let life = found.incarnation;
    let found = match will(Beforehand::Wipe) {
        true => Found { state: None, ..found },
        false => found,
    };
    Ok((
        says(&format!("{whose}; {state}; life {life} would be next")),
        found,
    ))
}

fn recordings(record: &Record, data: Option<&Path>, found: &Found) -> Result<String, String> {
    let folder = &record.folder;
    let says = |says: &str| format!("{}: {says}", folder.display());
    if data.is_some_and(|data| data == folder) {
        return Err(says(
            "it is the data folder, and recordings need one of their own",
        ));
    }
    if writable(folder)? == Place::ToBeMade {
        return Ok(says("it is not there, and would be made"));
    }
    if let Some(holder) = held(&folder.join(Folder::LOCK)).map_err(|why| says(&why))? {
        return Err(says(&format!("{holder} records there")));
    }
    let turn = Folder::turn_in(folder, record, found.incarnation).map_err(|why| says(&why.to_string()))?;
    Ok(match turn {
        Turn::Record(path) => format!("{} would be next", path.display()),
        Turn::Full { path, .. } => format!(
            "nothing would be recorded: {} is full, and no other is begun until it is taken away",
            path.display()
        ),
    })
}

/// A file that is appended to.
fn file(path: &Path) -> Result<String, String> {
    let says = |says: &str| format!("{}: {says}", path.display());
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(says("it is a folder")),
        Ok(_) => may(path, Access::WRITE_OK).map(|()| says("it would be appended to")),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let folder = parent(path);
            is_folder(&folder).map_err(|why| says(&format!("its folder {why}")))?;
            may(&folder, Access::WRITE_OK | Access::EXEC_OK)?;
            Ok(says("it is not there, and would be made"))
        }
        Err(why) => Err(says(&why.to_string())),
    }
}

fn datagrams(at: SocketAddrV4, free: &str) -> Result<String, String> {
    match UdpSocket::bind(at) {
        Ok(_) if at.port() == 0 => Ok(format!("{}: {free}", at.ip())),
        Ok(_) => Ok(format!("{at}: {free}")),
        Err(why) if at.port() == 0 => Err(format!("{}: {}", at.ip(), about_udp(at, &why))),
        Err(why) => Err(format!("{at}: {}", about_udp(at, &why))),
    }
}

fn pages(at: SocketAddr) -> Result<String, String> {
    match TcpListener::bind(at) {
        Ok(_) if at.port() == 0 => Ok(format!("{at}: at a port that the system has free")),
        Ok(_) => Ok(format!("{at}: free")),
        Err(why) => Err(format!("{at}: {}", about_tcp(at, &why))),
    }
}

fn socket(path: &Path) -> Result<String, String> {
    let says = |says: &str| format!("{}: {says}", path.display());
    SocketAddrUnix::new(path).map_err(|_| says("its path is longer than that of a socket may be"))?;
    let there = socket::look(path).map_err(|why| says(&why))?;
    let folder = parent(path);
    is_folder(&folder).map_err(|why| says(&format!("its folder {why}")))?;
    may(&folder, Access::WRITE_OK | Access::EXEC_OK)?;
    Ok(match there {
        There::Nothing => says("free"),
        There::LeftBehind => says("a process that is gone has left it behind, and it would be replaced"),
    })
}

/// Whether a folder is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    There,
    ToBeMade,
}

/// Whether a folder is there or can be made, and can be written to.
fn writable(folder: &Path) -> Result<Place, String> {
    let says = |says: &str| format!("{}: {says}", folder.display());
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Err(says("it is not a folder")),
        Ok(_) => {
            may(folder, Access::WRITE_OK | Access::EXEC_OK)?;
            Ok(Place::There)
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            let nearest = folder
                .ancestors()
                .skip(1)
                .map(within)
                .find(|above| above.exists());
            let nearest = nearest.unwrap_or_else(|| PathBuf::from("."));
            is_folder(&nearest).map_err(|why| says(&format!("{} {why}", nearest.display())))?;
            may(&nearest, Access::WRITE_OK | Access::EXEC_OK)?;
            Ok(Place::ToBeMade)
        }
        Err(why) if why.kind() == io::ErrorKind::NotADirectory => Err(says("it is not a folder")),
        Err(why) => Err(says(&why.to_string())),
    }
}

/// Who has locked a file, if anybody has.
fn held(lock: &Path) -> Result<Option<Holder>, String> {
    let Ok(file) = File::open(lock) else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(Holder::of_lock(lock))),
        Err(TryLockError::Error(why)) => Err(format!("it cannot be locked: {why}")),
    }
}

/// That this process may do something with a file or folder.
fn may(path: &Path, what: Access) -> Result<(), String> {
    access(path, what).map_err(|why| {
        format!(
            "{}: it cannot be written to: {}",
            path.display(),
            io::Error::from(why)
        )
    })
}

/// That a disk has room for anything at all.
fn has_room(folder: &Path) -> Result<(), String> {
    match statvfs(folder) {
        Ok(disk) if is_full_for(Writer::own(), &disk) => Err(format!(
            "{}: it cannot be written to: there is no room on its disk",
            folder.display()
        )),
        _ => Ok(()),
    }
}

/// Who writes to a disk, many of which keep some room back for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    Root,
    AnybodyElse,
}

impl Writer {
    /// Who this process is.
    fn own() -> Self {
        match geteuid().is_root() {
            true => Writer::Root,
            false => Writer::AnybodyElse,
        }
    }
}

/// Whether a disk has no room for somebody. One that says nothing of its size has.
fn is_full_for(writer: Writer, disk: &StatVfs) -> bool {
    let free = match writer {
        Writer::Root => disk.f_bfree,
        Writer::AnybodyElse => disk.f_bavail,
    };
    disk.f_blocks > 0 && free == 0
}

fn is_folder(path: &Path) -> Result<(), &'static str> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err("is not a folder"),
        Err(_) => Err("is not there"),
    }
}

/// The folder that a file is in.
fn parent(path: &Path) -> PathBuf {
    within(path.parent().unwrap_or(Path::new("/")))
}

/// A folder, where nothing stands for the one that this process is in.
fn within(folder: &Path) -> PathBuf {
    match folder.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_disk_keeps_back_is_room_for_root_alone() {
        let of = |blocks, free, others| {
            let mut disk = statvfs("/proc").unwrap();
            (disk.f_blocks, disk.f_bfree, disk.f_bavail) = (blocks, free, others);
            [Writer::Root, Writer::AnybodyElse].map(|writer| is_full_for(writer, &disk))
        };
        assert_eq!(of(1_000, 50, 10), [false, false]);
        assert_eq!(of(1_000, 50, 0), [false, true]);
        assert_eq!(of(1_000, 0, 0), [true, true]);
        // As /proc has it, and others that have no size of their own.
        assert_eq!(of(0, 0, 0), [false, false]);
    }
}
