//! The file of the control socket: only its owner may connect, one that a dead process left behind is replaced, one that is served is
//! not, and the node's own is gone when it stops.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::ServiceError;
use crate::whose::Holder;

/// How many connections may wait to be taken.
const BACKLOG: i32 = 16;

/// A socket that is listened on, and whose file is removed when this is dropped.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Where the file is kept, and under which number: by that it is known to be ours still.
    file: (u64, u64),
}

impl Socket {
    /// Listens on a socket at `path`.
    pub(super) fn claim(path: PathBuf) -> Result<Self, ServiceError> {
        match listen(&path) {
            Ok((listener, file)) => Ok(Socket { listener, path, file }),
            Err(why) => Err(ServiceError::Control { path, why }),
        }
    }

    /// The listener, which does not block.
    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.set_nonblocking(true)?;
        self.listener.try_clone()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| identity(&found) == self.file) {
            // That it is left behind is found out, and made good, at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn listen(path: &Path) -> Result<(UnixListener, (u64, u64)), String> {
    make_room(path)?;
    let address = SocketAddrUnix::new(path)
        .map_err(|_| "its path is longer than that of a socket may be".to_owned())?;
    let bound = || -> io::Result<_> {
        let socket = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // Before it has a name: its file is made with this mode, and nobody finds it with another.
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok((UnixListener::from(socket), identity(&fs::symlink_metadata(path)?)))
    };
    bound().map_err(|why| match why.kind() {
        io::ErrorKind::NotFound => "its folder is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "this process may not write to its folder".to_owned(),
        _ => why.to_string(),
    })
}

/// What is in the place of a socket that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum There {
    /// Nothing, as far as can be seen.
    Nothing,
    /// What a process that is gone has left behind.
    LeftBehind,
}

/// What is in the place of a socket that is to be made, or why it cannot be made there.
pub(crate) fn look(path: &Path) -> Result<There, String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        // Whatever else there is to say of it, binding says.
        Err(_) => return Ok(There::Nothing),
    };
    if !found.file_type().is_socket() {
        return Err("something that is no socket is there already".to_owned());
    }
    match UnixStream::connect(path) {
        Ok(stream) => Err(format!("{} listens there", Holder::of_peer(&stream))),
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => Ok(There::LeftBehind),
        Err(why) => Err(format!("a socket is there already, and {why}")),
    }
}

/// Takes away what a process that is gone has left behind.
fn make_room(path: &Path) -> Result<(), String> {
    match look(path)? {
        There::Nothing => Ok(()),
        There::LeftBehind => fs::remove_file(path)
            .map_err(|why| format!("what another process left there cannot be taken away: {why}")),
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn refused(path: &Path) -> String {
        match Socket::claim(path.to_owned()) {
            Ok(_) => panic!("{} is had", path.display()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_its_owner_may_connect_and_its_file_goes_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        let socket = Socket::claim(path.clone()).expect("a socket");
        let mode = fs::metadata(&path).expect("its file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        UnixStream::connect(&path).expect("a connection");
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_process_left_is_replaced_and_what_is_served_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        // The file of a listener that is dropped stays.
        drop(UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists());
        let socket = Socket::claim(path.clone()).expect("it is replaced");
        assert!(refused(&path).contains("this process itself listens there"));
        // Somebody else's file is not taken away.
        fs::remove_file(&path).expect("it is there");
        let other = UnixListener::bind(&path).expect("another socket");
        drop(socket);
        assert!(path.exists());
        drop(other);
    }

    #[test]
    fn what_cannot_be_a_socket_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "kept").expect("a file");
        assert!(refused(&file).contains("no socket is there already"));
        assert_eq!(fs::read(&file).ok(), Some(b"kept".to_vec()));
        assert!(refused(&folder.path().join("none/x.sock")).contains("its folder is not there"));
        assert!(refused(&folder.path().join("x".repeat(200))).contains("longer"));
    }
}
