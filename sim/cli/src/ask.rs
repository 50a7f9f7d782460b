//! `ask`: a command for a live node, through its control socket.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use squall_live::client::{Client, ClientError};

use crate::args::{AskArgs, Format};
use crate::exit::Exit;
use crate::node::Living;
use crate::session::Session;

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// There is nobody to ask, or the command is none.
pub(crate) fn ask(
    doors: &[Box<dyn Living>],
    args: &AskArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let socket = args.socket.display();
    let patience = Duration::from_nanos(args.timeout.as_nanos());
    let mut client = Client::connect(&args.socket, patience).with_context(|| socket.to_string())?;
    let status = match client.status() {
        Ok(status) => status,
        Err(error) => return came_to(error, args, session),
    };
    let written = args.command.join(" ");
    if written.is_empty() {
        return session.say(&match args.format {
            Format::Json => format!("{status}\n"),
            Format::Text => format!("{status:#}\n"),
        });
    }
    let protocol = status["protocol"].as_str().unwrap_or_default();
    let door = doors.iter().find(|door| door.name() == protocol);
    let door = door.ok_or_else(|| {
        anyhow!("{socket}: this program does not know the protocol `{protocol}` of the node")
    })?;
    let command = door.command(&written).map_err(anyhow::Error::msg)?;
    if let Err(error) = client.call(&command) {
        return came_to(error, args, session);
    }
    let mut answers = 0;
    loop {
        let answer = match client.answer() {
            Ok(answer) => answer,
            // It was waited for until now.
            Err(ClientError::Silent) if answers > 0 => return Ok(()),
            Err(error) => return came_to(error, args, session),
        };
        session.say(&match args.format {
            Format::Json => format!("{answer}\n"),
            Format::Text => format!("{}\n", door.answer(&answer)),
        })?;
        answers += 1;
        if !args.all {
            return Ok(());
        }
    }
}

/// A node that says nothing in time may be well: it is not known.
fn came_to(error: ClientError, args: &AskArgs, session: &mut Session<'_>) -> anyhow::Result<()> {
    let socket = args.socket.display();
    match error {
        ClientError::Silent => {
            session.tell_error(&format!("{socket}: {error} ({})", args.timeout));
            session.came_to(Exit::Unknown);
            Ok(())
        }
        other => Err(anyhow!(other).context(socket.to_string())),
    }
}
