//! `node`: one live node, from a file or from its protocol's own arguments, until a signal.

mod door;
mod log;
mod words;

use std::io::{self, IsTerminal as _, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use squall_live::backlog::Read;
use squall_live::check::{Beforehand, Finding, Standing};
use squall_live::outside::Machine;
use squall_live::settings::{Attendance, Start};
use squall_live::terminal::{Screen, is_in_front};
use squall_nodes::{Span, Unusable};
use squall_sim::deployment::{DeploymentFile, Over, Recording, Tls, Unstartable};
use squall_sim::scenario::Complaints;

use crate::args::{Level, NodeArgs, Terminal};
use crate::exit::Exit;
use crate::session::{Reader, Session};
use door::{Besides, Deployed, Finished};
pub(crate) use door::{Living, living};

/// How long the end of a log is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does the command. What it comes to is noted in the session.
///
/// # Errors
///
/// What is wrong with the arguments or with the machine; a file's complaints are told here.
pub(crate) fn node(
    doors: &[Box<dyn Living>],
    args: &NodeArgs,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let deployed = match deployed(doors, args) {
        Ok(deployed) => deployed,
        Err(Unfit::Complaints(complaints)) => {
            session.came_to(Exit::Unusable);
            session.complain_in(&complaints, args.colour);
            return Ok(());
        }
        Err(Unfit::Other(error)) => return Err(error),
    };
    if args.print_config {
        return session.say(&deployed.printed());
    }
    let beforehand: Vec<Beforehand> = [(args.adopt, Beforehand::Adopt), (args.wipe, Beforehand::Wipe)]
        .into_iter()
        .filter_map(|(is_wished, what)| is_wished.then_some(what))
        .collect();
    if args.check {
        return check(deployed.as_ref(), &beforehand, session);
    }
    for what in beforehand {
        for told in deployed.prepare(what)? {
            session.tell(&told);
        }
    }
    let screen = match has_terminal(doors, args, session) {
        true => Some(Borrowed(Screen::stdio().context("the terminal cannot be had")?)),
        false => None,
    };
    // What is told at the terminal need not be told twice.
    let usual = if screen.is_some() {
        Level::Warn
    } else {
        Level::Info
    };
    let to: Box<dyn Write + Send> = match &screen {
        Some(Borrowed(screen)) if session.surroundings.stderr == Reader::Terminal => Box::new(screen.log()),
        _ => Box::new(io::stderr()),
    };
    let level = args.log_level.unwrap_or(usual);
    let log = log::begin(to, args.log, level, session.log_colour(args.colour))?;
    let at = screen.as_ref().map(|Borrowed(screen)| screen.clone());
    let ran = deployed.run(attendance(args), log.clone(), at);
    drop(screen);
    // Who has not read it by then does not read what comes after it either, and is not waited for.
    let read = log.finish(PATIENCE);
    match ran {
        Ok(Finished::InOrder) => {}
        Ok(Finished::AtOnce) => session.came_to(Exit::Interrupted),
        Ok(Finished::Panicked(message)) => {
            if read == Read::All {
                session.tell_error(&format!(
                    "the node panicked, which is a bug of the node or of Squall: {message}"
                ));
            }
            session.came_to(Exit::Bug);
        }
        Err(error) if read == Read::All => return Err(error),
        Err(_) => session.came_to(Exit::Unusable),
    }
    Ok(())
}

/// A screen that is given back, whatever becomes of the node, before anything is said of that.
struct Borrowed(Screen);

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Whether there is to be a terminal at the node.
fn has_terminal(doors: &[Box<dyn Living>], args: &NodeArgs, session: &Session<'_>) -> bool {
    match args.terminal {
        Terminal::Always => true,
        Terminal::Never => false,
        Terminal::Auto => {
            let by_words = !matches!(args.words.as_slice(), [file] if is_file(doors, file));
            let is_typed_at = io::stdin().is_terminal() && session.surroundings.stdout == Reader::Terminal;
            by_words && !args.attended && is_typed_at && is_in_front()
        }
    }
}

/// Says of everything that the node needs whether it can have it, a line each.
fn check(
    deployed: &dyn Deployed,
    beforehand: &[Beforehand],
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let findings = deployed.check(beforehand);
    let widest = findings.iter().map(|finding| finding.what.len()).max();
    let widest = widest.unwrap_or_default();
    let mut text = String::new();
    for Finding { what, says, standing } in &findings {
        let mark = match standing {
            Standing::Fine => "✓",
            Standing::Refused => "✗",
        };
        text += &format!("{mark} {what:widest$}  {says}\n");
    }
    let is_refused = findings
        .iter()
        .any(|finding| finding.standing == Standing::Refused);
    let verdict = match is_refused {
        false => "is in order",
        true => "would not start",
    };
    session.say(&format!("{text}{} {verdict}\n", deployed.who()))?;
    if is_refused {
        session.came_to(Exit::Unusable);
    }
    Ok(())
}

/// Why there is nothing to run.
enum Unfit {
    Complaints(Complaints),
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Unfit {
    fn from(error: anyhow::Error) -> Self {
        Unfit::Other(error)
    }
}

impl From<Complaints> for Unfit {
    fn from(complaints: Complaints) -> Self {
        Unfit::Complaints(complaints)
    }
}

/// What is to run, with what is said on the command line in place of what a file says.
fn deployed(doors: &[Box<dyn Living>], args: &NodeArgs) -> Result<Box<dyn Deployed>, Unfit> {
    let over = Over {
        rules: args.rules.clone(),
        profile: args.profile.clone(),
        name: args.name.clone(),
        address: args.address,
        config: args.config.clone(),
    };
    let mut deployed = match args.words.split_first() {
        Some((file, [])) if is_file(doors, file) => {
            if args.members.is_some() {
                return Err(anyhow::anyhow!(
                    "--members is for arguments of a protocol; {file} names members, if it has any, among its settings: `config: (…)`"
                )
                .into());
            }
            of_file(doors, file, &over)?
        }
        Some((file, [word, ..])) if file.ends_with(".ron") => {
            return Err(anyhow::anyhow!(
                "{file} says all that there is to say of the node: take `{word}` away"
            )
            .into());
        }
        Some((protocol, words)) => of_words(doors, protocol, words, args.members.as_deref(), &over)?,
        // The command line's reader wants one at least.
        None => return Err(anyhow::anyhow!("a file, or a protocol and its arguments, is needed").into()),
    };
    deployed.take_besides(Besides {
        data: args.data.clone(),
        http: args.http,
        control: args.control.clone(),
        record: args.record.clone().map(Recording::to),
        seed: args.seed,
        lines: args.lines.clone(),
        tls: args.tls.as_deref().and_then(tls),
    })?;
    Ok(deployed)
}

/// The three files of `--tls`.
fn tls(files: &[PathBuf]) -> Option<Tls> {
    let [certificate, key, authority] = files else {
        return None;
    };
    Some(Tls {
        certificate: certificate.clone(),
        key: key.clone(),
        authority: authority.clone(),
    })
}

/// Whether a single word names a file, and no protocol.
fn is_file(doors: &[Box<dyn Living>], word: &str) -> bool {
    let is_protocol = doors.iter().any(|door| door.name() == word);
    !is_protocol && (word.ends_with(".ron") || word.contains('/') || Path::new(word).exists())
}

fn of_file(doors: &[Box<dyn Living>], path: &str, over: &Over) -> Result<Box<dyn Deployed>, Unfit> {
    let file = DeploymentFile::read(path)?;
    let Some(door) = doors.iter().find(|door| door.name() == file.protocol()) else {
        return Err(file.unknown_protocol(doors.iter().map(|door| door.name())).into());
    };
    let mut deployed = door.of_file(&file, over)?;
    // What is said on the command line is relative to where it is said.
    if let Some(folder) = Path::new(path)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        deployed.move_within(folder);
    }
    Ok(deployed)
}

fn of_words(
    doors: &[Box<dyn Living>],
    protocol: &str,
    words: &[String],
    members: Option<&str>,
    over: &Over,
) -> Result<Box<dyn Deployed>, Unfit> {
    let Some(door) = doors.iter().find(|door| door.name() == protocol) else {
        let forms = doors.iter().flat_map(|door| {
            let form = |(form, _): &(&str, &str)| format!("\n  {} {form}", door.name());
            door.words().iter().map(form).collect::<Vec<_>>()
        });
        let error = anyhow::anyhow!(
            "`{protocol}` is neither a file, which is called `….ron`, nor a protocol; there are{}",
            forms.collect::<String>()
        );
        return Err(error.into());
    };
    let mut words = words.to_vec();
    if let Some(members) = members {
        takes_members(door.as_ref(), &words)?;
        words.extend(["--members".to_owned(), members.to_owned()]);
    }
    match door.of_words(&words, over, &Machine) {
        Ok(deployed) => Ok(deployed),
        Err(Unstartable::Over(complaints)) => Err(complaints.into()),
        Err(Unstartable::Words(Unusable { message, hint })) => {
            let near = nearest_kind(door.as_ref(), &words).map(|kind| format!("did you mean `{kind}`?"));
            let unusable = Unusable {
                message,
                hint: near.or(hint),
            };
            Err(anyhow::anyhow!("{unusable}").into())
        }
        Err(unusable) => Err(anyhow::anyhow!("{unusable}").into()),
    }
}

/// The kind of node that may be meant by a first argument that is none.
fn nearest_kind(door: &dyn Living, words: &[String]) -> Option<&'static str> {
    let written = words.first()?.to_lowercase();
    let kinds = || door.words().iter().filter_map(|(form, _)| form.split(' ').next());
    if kinds().any(|kind| kind == words[0]) {
        return None;
    }
    let near = kinds().map(|kind| (strsim::damerau_levenshtein(kind, &written), kind));
    let near = near.filter(|(off, kind)| *off <= kind.len() / 3).min()?;
    Some(near.1)
}

/// That the arguments are some that a list of members goes with.
fn takes_members(door: &dyn Living, words: &[String]) -> anyhow::Result<()> {
    const MEMBERS: &str = "--members";
    let protocol = door.name();
    let of_that_kind = |form: &&str| form.split(' ').next() == words.first().map(String::as_str);
    let forms = || door.words().iter().map(|(form, _)| *form);
    let mut alike = forms().filter(of_that_kind).peekable();
    // What is of no kind that there is, is told as that.
    if alike.peek().is_none() || alike.any(|form| form.contains(MEMBERS)) {
        return Ok(());
    }
    let words = words.join(" ");
    let hint = match forms().find(|form| form.contains(MEMBERS)) {
        Some(form) => format!("`{protocol} {form}` does"),
        None => format!("none of {protocol}'s arguments do"),
    };
    bail!("`{protocol} {words}` takes no list of members: {hint}; leave {MEMBERS} out")
}

/// Who attends the node.
fn attendance(args: &NodeArgs) -> Attendance {
    if !args.attended {
        return Attendance::Alone;
    }
    Attendance::Attended {
        start: if args.wait { Start::WhenTold } else { Start::AtOnce },
        mark_every: args.mark_every.unwrap_or(Span::from_millis(50)),
        stall: args.stall.unwrap_or(Span::from_millis(100)),
    }
}

/// Reads where pages are served, for flags.
pub(crate) fn pages(text: &str) -> anyhow::Result<SocketAddr> {
    let hint = "an address and a port, such as `127.0.0.1:9100`, or a port of 127.0.0.1 alone: `9100`";
    squall_sim::deployment::pages(text).context(hint)
}

/// Reads the address of a node, for flags. A name is none: others know the node by its address, as it is written here.
pub(crate) fn address(text: &str) -> anyhow::Result<Ipv4Addr> {
    let hint = match squall_sim::deployment::is_localhost(text) {
        true => "a node is known by a number, and `localhost` is 127.0.0.1",
        false => "an address is four numbers up to 255, such as `127.0.0.1`",
    };
    text.parse().ok().context(hint)
}

/// Reads a length of time, for flags.
pub(crate) fn span(text: &str) -> anyhow::Result<Span> {
    let span: Span = text.parse().context("a number and a unit, such as `50ms`")?;
    if span.is_zero() {
        bail!("it is no time at all");
    }
    Ok(span)
}
