//! Who is recorded, and all that it takes to boot that node again.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};
use squall_nodes::{Node, Time, recording};

use super::build::{VERSION, build};
use super::door::ReplayError;
use super::frame::{Frames, Next, Opened};
use crate::run::Boot;

/// The head of a recording. Role and settings are as [`recording::pack`] has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The program's version.
    pub version: String,
    /// Which [build](mod@super::build) of it.
    pub build: Option<u64>,
    /// The protocol's name.
    pub protocol: String,
    /// The rule set.
    pub rules: String,
    /// The node's name, by which its random stream is keyed.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its role.
    pub role: Vec<u8>,
    /// Its settings.
    pub config: Vec<u8>,
    /// What was on its disk when it booted.
    pub disk: Option<Vec<u8>>,
    /// Its life, counted from 0.
    pub incarnation: u32,
    /// The seed of its random streams.
    pub seed: u64,
    /// When it booted.
    pub booted: Time,
}

impl Head {
    /// The head of the recording of a node that boots.
    pub fn of<N: Node>(boot: &Boot<'_, N>) -> Self {
        let settings = boot.settings;
        let placed = &settings.placed;
        let (mut role, mut config) = (Vec::new(), Vec::new());
        recording::pack(&placed.role, &mut role);
        recording::pack(&placed.config, &mut config);
        Head {
            version: VERSION.to_owned(),
            build: build(),
            protocol: settings.protocol.clone(),
            rules: settings.rules.clone(),
            name: placed.name.clone(),
            ip: placed.ip,
            role,
            config,
            disk: boot.disk.map(<[u8]>::to_vec),
            incarnation: boot.incarnation,
            seed: boot.seed,
            booted: boot.at,
        }
    }

    /// The body of the first frame.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a head is made of strings, numbers and bytes")
    }

    /// Reads a head and what comes before it.
    ///
    /// # Errors
    ///
    /// That the file is no recording that this program can read, and why.
    pub fn read(path: &Path) -> Result<(Head, Frames), ReplayError> {
        let io = |why| ReplayError::Io {
            path: path.to_owned(),
            why,
        };
        // Before it is opened: whoever opens a pipe waits for somebody at its other end.
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(ReplayError::NoRecording(path.to_owned()));
        }
        let file = File::open(path).map_err(io)?;
        let mut frames = match Frames::open(file).map_err(io)? {
            Opened::Frames(frames) => frames,
            Opened::NoRecording => return Err(ReplayError::NoRecording(path.to_owned())),
            Opened::Format(found) => {
                return Err(ReplayError::Format {
                    path: path.to_owned(),
                    found,
                });
            }
        };
        let head = match frames.read().map_err(io)? {
            Next::Frame(body) => postcard::take_from_bytes::<Head>(body).ok(),
            Next::End | Next::CutOff { .. } => None,
        };
        match head {
            Some((head, [])) => Ok((head, frames)),
            _ => Err(ReplayError::NoHead(path.to_owned())),
        }
    }
}

/// The head of a recording, which says of which protocol it is.
///
/// # Errors
///
/// That the file is no recording that this program can read, and why.
pub fn head_of(path: &Path) -> Result<Head, ReplayError> {
    Ok(Head::read(path)?.0)
}
