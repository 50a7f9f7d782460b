//! A client of a control socket that knows no protocol: requests and replies are JSON.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::service::LONGEST_LINE;

/// A connection to a node.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<UnixStream>,
    /// When the wait for anything is over.
    until: Instant,
}

/// Why a node was not asked, or did not reply.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no way to it.
    #[error("{0}")]
    Unreachable(String),
    /// It said nothing in time.
    #[error("it did not answer in time")]
    Silent,
    /// It ended the connection.
    #[error("it ended the connection")]
    Ended,
    /// It cannot do what it was asked.
    #[error("it refuses: {0}")]
    Refused(String),
    /// What it said is none of the words that it should have.
    #[error("it does not speak as a node does: {0}")]
    Strange(String),
    /// The connection broke.
    #[error(transparent)]
    Broken(io::Error),
}

impl Client {
    /// Connects to the node that listens at a path. Everything that is asked of it has to be answered within `patience`.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn connect(path: &Path, patience: Duration) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|why| unreachable(path, &why))?;
        Ok(Client {
            reader: BufReader::new(stream),
            until: Instant::now() + patience,
        })
    }

    /// Who the node is and how it is.
    ///
    /// # Errors
    ///
    /// It does not say.
    pub fn status(&mut self) -> Result<Value, ClientError> {
        self.send(&serde_json::json!({ "ask": "status" }))?;
        self.reply("status", "status")
    }

    /// Calls the node.
    ///
    /// # Errors
    ///
    /// The connection broke.
    pub fn call(&mut self, command: &Value) -> Result<(), ClientError> {
        self.send(&serde_json::json!({ "ask": "call", "call": 1, "command": command }))
    }

    /// Its next answer.
    ///
    /// # Errors
    ///
    /// There is none in time, or any more.
    pub fn answer(&mut self) -> Result<Value, ClientError> {
        self.reply("answer", "answer")
    }

    fn send(&mut self, request: &Value) -> Result<(), ClientError> {
        let stream = self.reader.get_mut();
        stream
            .set_write_timeout(Some(left(self.until)?))
            .map_err(broken)?;
        match stream.write_all(format!("{request}\n").as_bytes()) {
            // It has ended the connection before it heard anything: why, it may have said.
            Err(why) if is_ended(&why) => Ok(()),
            written => written.map_err(broken),
        }
    }

    /// What a reply of a kind has in a field.
    fn reply(&mut self, kind: &str, field: &str) -> Result<Value, ClientError> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let patience = left(self.until)?;
            self.reader
                .get_ref()
                .set_read_timeout(Some(patience))
                .map_err(broken)?;
            let room = (LONGEST_LINE - line.len()) as u64;
            match self.reader.by_ref().take(room).read_until(b'\n', &mut line) {
                Ok(0) if room == 0 => return Err(ClientError::Strange("a line without an end".to_owned())),
                Ok(0) => return Err(ClientError::Ended),
                Ok(_) => {}
                Err(why) => return Err(broken(why)),
            }
        }
        let strange = || ClientError::Strange(String::from_utf8_lossy(&line).chars().take(200).collect());
        let reply: Value = serde_json::from_slice(&line).map_err(|_| strange())?;
        match reply["reply"].as_str() {
            Some("refused") => Err(ClientError::Refused(
                reply["why"].as_str().unwrap_or_default().to_owned(),
            )),
            Some(found) if found == kind => reply.get(field).cloned().ok_or_else(strange),
            _ => Err(strange()),
        }
    }
}

/// Why there is no way to a node, with what to look for.
fn unreachable(path: &Path, why: &io::Error) -> ClientError {
    let found = fs::metadata(path);
    ClientError::Unreachable(match (found, why.kind()) {
        (Ok(found), _) if found.is_dir() => {
            "this is a folder, and no control socket: the socket is in it, perhaps".to_owned()
        }
        (Ok(found), _) if !found.file_type().is_socket() => {
            "this is a file, and no control socket: a node has one where its `control` or --control says".to_owned()
        }
        (Ok(_), io::ErrorKind::ConnectionRefused) => {
            "nobody listens there any more: the node that made it was killed, and its next start replaces it".to_owned()
        }
        (Ok(_), io::ErrorKind::PermissionDenied) => {
            "this user may not ask: the socket is for the user alone that the node runs as".to_owned()
        }
        (Err(_), io::ErrorKind::NotFound) => {
            "there is no socket: nobody listens there; the node does not run, or its `control` is another path".to_owned()
        }
        // A path that is too long, or through what is no folder.
        _ => format!("it cannot be reached: {why}"),
    })
}

/// How much time there is.
fn left(until: Instant) -> Result<Duration, ClientError> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ClientError::Silent),
        left => Ok(left),
    }
}

fn broken(why: io::Error) -> ClientError {
    match why.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent,
        _ if is_ended(&why) => ClientError::Ended,
        _ => ClientError::Broken(why),
    }
}

/// Whether the other side has ended the connection.
fn is_ended(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_a_node_says_before_it_ends_the_connection_is_heard() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let connected = || Client::connect(&path, Duration::from_secs(60)).expect("a connection");
        let mut client = connected();
        let (mut node, _) = listener.accept().expect("a client");
        node.write_all(b"{\"reply\":\"refused\",\"why\":\"it is full\"}\n")
            .expect("it is there");
        drop(node);
        let refused = client.status().expect_err("it is refused");
        assert_eq!(refused.to_string(), "it refuses: it is full");
        // One that says nothing is told as that.
        let mut client = connected();
        drop(listener.accept().expect("a client"));
        let ended = client.status().expect_err("it has ended");
        assert!(matches!(ended, ClientError::Ended), "{ended}");
    }
}
