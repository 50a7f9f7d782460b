//! From a file to a deployment: everything in it is looked up, and everything that cannot be is complained about, all at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;

use squall_nodes::{Misfit, Node, Placed, Protocol};

use super::file::DeploymentFile;
use super::streams::{Streams, Tls};
use super::{Bounds, Deployment, LONGEST_SOCKET, Over, Recording, WhenFull, is_localhost, pages};
use crate::plan::StreamLaw;
use crate::scenario::complaint::{Complaints, did_you_mean};
use crate::scenario::desk::{Desk, Fields};
use crate::scenario::laws::{SIZES, amount};
use crate::scenario::names::node_name;
use crate::scenario::places::{Item, Shape};
use crate::scenario::settings::Settings;

/// The least recording, and the least that waits: 64 KiB, which holds any datagram.
const LEAST: u64 = 64 << 10;
/// The least inbox: one that any datagram finds room in.
const LEAST_INBOX: u64 = 65_536 + 768;
/// The most of anything but inboxes: 1 TiB.
const MOST: u64 = 1 << 40;
/// The most that a kernel can be asked to keep for a socket, in whole MiB: it counts with 32 bits, one of them for the sign.
const MOST_INBOX: u64 = 2047 << 20;
/// How many recordings may be kept.
const RECORDINGS: RangeInclusive<u64> = 1..=10_000;

/// Resolves a file, with what is said elsewhere in place of what it says.
///
/// # Errors
///
/// Everything that is wrong with the file, with places; or with what is said in its place.
pub fn resolve<P: Protocol>(file: &DeploymentFile, over: &Over) -> Result<Deployment<P>, Complaints> {
    let chosen = Chosen::of::<P>(over)?;
    let mut desk = Desk::new(file.text());
    let deployment = file
        .fields(&mut desk)
        .and_then(|fields| deployment::<P>(&mut desk, &fields, &chosen));
    desk.close(file.name(), file.text())?;
    let Some((mut deployment, places)) = deployment else {
        return Err(Complaints::about_all(
            file.name(),
            "holds no node".to_owned(),
            None,
        ));
    };
    deployment.story = file.story();
    chosen.lay_over(&mut deployment)?;
    // Told last: what the protocol says of a node that could not be read would not be true.
    let misfits = assembled(&mut deployment);
    let mut desk = Desk::new(file.text());
    for Misfit {
        field, message, hint, ..
    } in misfits
    {
        let span = places.of(file, field);
        desk.complain(span, message, hint);
    }
    desk.close(file.name(), file.text())?;
    Ok(deployment)
}

/// What is chosen in place of what files say, looked up.
pub(super) struct Chosen<'o> {
    rules: Option<&'static str>,
    profile: Option<&'static str>,
    over: &'o Over,
}

impl<'o> Chosen<'o> {
    /// Looks up what is chosen by name.
    pub(super) fn of<P: Protocol>(over: &'o Over) -> Result<Self, Complaints> {
        let find = |what: &str, flag: &str, written: &Option<String>, known: &'static [&'static str]| {
            let Some(written) = written else { return Ok(None) };
            let found = known.iter().copied().find(|name| name == written);
            let unknown = || {
                let message = format!("{} has no {what} `{written}`", P::NAME);
                Complaints::about_all(flag, message, did_you_mean(written, known.iter().copied()))
            };
            found.map(Some).ok_or_else(unknown)
        };
        if let Some(name) = &over.name {
            node_name(name)
                .map_err(|(message, hint)| Complaints::about_all("--name", message, Some(hint)))?;
        }
        if let Some(address) = over.address {
            known_by(address)
                .map_err(|(message, hint)| Complaints::about_all("--address", message, Some(hint)))?;
        }
        Ok(Chosen {
            rules: find("rule set", "--rules", &over.rules, P::RULES)?,
            profile: find("profile", "--profile", &over.profile, P::PROFILES)?,
            over,
        })
    }

    /// The rule set, if none is written elsewhere: the last.
    pub(super) fn rules<P: Protocol>(&self) -> &'static str {
        let last = || P::RULES.last().copied().unwrap_or("Standard");
        self.rules.unwrap_or_else(last)
    }

    /// The profile, if none is written elsewhere: the first.
    pub(super) fn profile<P: Protocol>(&self) -> &'static str {
        let first = || P::PROFILES.first().copied().unwrap_or("default");
        self.profile.unwrap_or_else(first)
    }

    /// Puts what is chosen in place of what a deployment has.
    pub(super) fn lay_over<P: Protocol>(&self, deployment: &mut Deployment<P>) -> Result<(), Complaints> {
        let Placed { name, ip, config, .. } = &mut deployment.placed;
        if let Some(chosen) = &self.over.name {
            name.clone_from(chosen);
        }
        if let Some(chosen) = self.over.address {
            *ip = chosen;
        }
        let Some(written) = &self.over.config else {
            return Ok(());
        };
        let root = Item::read(written)
            .map_err(|wrong| Complaints::about_all("--config", wrong.message, wrong.hint))?;
        let mut desk = Desk::new(written);
        desk.inspect(&root);
        let settings = Settings::<P> {
            config: config.clone(),
            profile: deployment.profile,
        };
        let laid = settings.with(&mut desk, &root);
        desk.close("--config", &written.as_str().into())?;
        if let Some(laid) = laid {
            *config = laid;
        }
        Ok(())
    }
}

/// Lets the protocol put the node in its place, and gives all that it has to say against that.
pub(super) fn assembled<P: Protocol>(deployment: &mut Deployment<P>) -> Vec<Misfit> {
    let law = StreamLaw {
        connections: u32::try_from(deployment.streams.connections).unwrap_or(u32::MAX),
        ..StreamLaw::default()
    };
    let placed = std::slice::from_mut(&mut deployment.placed);
    let assembled = P::assemble(placed).and_then(|()| P::fits(placed, &law));
    assembled.err().unwrap_or_default()
}

/// Where a file says things that only the protocol can judge.
struct Places {
    /// The node's name.
    name: Range<usize>,
}

impl Places {
    /// Where the file says what does not fit: the setting, else the node.
    fn of(&self, file: &DeploymentFile, field: Option<&str>) -> Range<usize> {
        let setting = field.and_then(|field| file.place_of_setting(field));
        setting.unwrap_or_else(|| self.name.clone())
    }
}

/// Reads all of it. After a complaint there may be nothing, or not all of it, and nobody sees it.
fn deployment<'f, P: Protocol>(
    desk: &mut Desk<'f>,
    fields: &Fields<'f>,
    chosen: &Chosen<'_>,
) -> Option<(Deployment<P>, Places)> {
    let written = rules::<P>(desk, fields);
    let rules = chosen.rules.or(written).unwrap_or_else(|| chosen.rules::<P>());
    let written = Settings::<P>::profile(desk, fields);
    let profile = chosen.profile.unwrap_or(written);
    let settings = Settings::<P>::of(desk, fields, rules, profile);
    let name_item = desk.required(fields, "name", "\"a\"");
    let name = name_item.and_then(|item| name(desk, item));
    let role = desk
        .required(fields, "role", "…")
        .and_then(|item| desk.typed::<<P::Node as Node>::Role>(item));
    let address = desk
        .required(fields, "address", "\"127.0.0.1\"")
        .and_then(|item| address(desk, item));
    let data = fields.get("data").and_then(|item| path(desk, item, "a folder"));
    let seed = fields.get("seed").and_then(|item| desk.whole(item, 0..=u64::MAX));
    let record = fields.get("record").and_then(|item| recording(desk, item));
    let http = fields.get("http").and_then(|item| http(desk, item));
    let control = fields.get("control").and_then(|item| control(desk, item));
    let lines = fields.get("lines").and_then(|item| path(desk, item, "a file"));
    let bounds = fields.get("bounds").map(|item| bounds(desk, item));
    let streams = fields.get("streams").map(|item| Streams::read(desk, item));
    let tls = fields.get("tls").and_then(|item| Tls::read(desk, item));
    let deployment = Deployment {
        story: String::new(),
        rules,
        profile,
        placed: Placed {
            name: name?,
            ip: address?,
            role: role?,
            config: settings.config,
        },
        data,
        seed,
        record,
        http,
        control,
        lines,
        bounds: bounds.unwrap_or_default(),
        streams: streams.unwrap_or_default(),
        tls,
    };
    let places = Places {
        name: name_item?.span.clone(),
    };
    Some((deployment, places))
}

/// The rule set that the file names, if it does.
fn rules<'f, P: Protocol>(desk: &mut Desk<'f>, fields: &Fields<'f>) -> Option<&'static str> {
    let item = fields.get("rules")?;
    let written = desk.text(item, "a rule set's name")?;
    let known = P::RULES.iter().copied().find(|known| *known == written);
    if known.is_none() {
        let hint = did_you_mean(&written, P::RULES.iter().copied());
        let message = format!("{} has no rule set `{written}`", P::NAME);
        desk.complain(item.span.clone(), message, hint);
    }
    known
}

fn name(desk: &mut Desk<'_>, item: &Item) -> Option<String> {
    let written = desk.text(item, "a node's name")?;
    match node_name(&written) {
        Ok(()) => Some(written),
        Err((message, hint)) => {
            desk.complain(item.span.clone(), message, Some(hint));
            None
        }
    }
}

/// An address that others can know a node by.
fn address(desk: &mut Desk<'_>, item: &Item) -> Option<Ipv4Addr> {
    let written = desk.text(item, "an IPv4 address")?;
    let read = written.trim().parse::<Ipv4Addr>().map_err(|_| {
        let hint = match written.parse::<std::net::SocketAddrV4>() {
            Ok(with_port) => format!(
                "the address alone: `\"{}\"`; ports are among the settings, in `config`",
                with_port.ip()
            ),
            Err(_) if is_localhost(written.trim()) => {
                "a node is known by a number, and `localhost` is `\"127.0.0.1\"`".to_owned()
            }
            Err(_) => "four numbers up to 255, such as `\"127.0.0.1\"`".to_owned(),
        };
        ("this is not an IPv4 address".to_owned(), hint)
    });
    match read.and_then(|address| known_by(address).map(|()| address)) {
        Ok(address) => Some(address),
        Err((message, hint)) => {
            desk.complain(item.span.clone(), message, Some(hint));
            None
        }
    }
}

/// Says why a node cannot be known by an address, and what would be right.
fn known_by(address: Ipv4Addr) -> Result<(), (String, String)> {
    if address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
        let message = format!("nobody can be reached at {address}");
        let hint = "an address of this machine: others know the node by it, so it cannot be all of them";
        return Err((message, hint.to_owned()));
    }
    Ok(())
}

/// A path that says something. Nothing is looked up.
pub(super) fn path(desk: &mut Desk<'_>, item: &Item, what: &str) -> Option<PathBuf> {
    let written = desk.text(item, &format!("the path of {what}"))?;
    if written.is_empty() || written.contains('\0') {
        let hint = "leave the field out, or name one".to_owned();
        desk.complain(
            item.span.clone(),
            format!("this is not the path of {what}"),
            Some(hint),
        );
        return None;
    }
    Some(PathBuf::from(written))
}

fn control(desk: &mut Desk<'_>, item: &Item) -> Option<PathBuf> {
    let path = path(desk, item, "a socket")?;
    if path.as_os_str().len() > LONGEST_SOCKET {
        let message = format!("the path of a socket is at most {LONGEST_SOCKET} bytes long");
        let hint = "put it nearer to the root, such as in `/run`".to_owned();
        desk.complain(item.span.clone(), message, Some(hint));
        return None;
    }
    Some(path)
}

fn http(desk: &mut Desk<'_>, item: &Item) -> Option<SocketAddr> {
    if item.shape == Shape::Number {
        let port = desk.slice(item);
        let hint = format!("in quotes: `\"{port}\"`, or with the address: `\"127.0.0.1:{port}\"`");
        desk.complain(item.span.clone(), "this is not an address and a port", Some(hint));
        return None;
    }
    let written = desk.text(item, "an address and a port")?;
    let read = pages(written.trim());
    if read.is_none() {
        let hint = "such as `\"127.0.0.1:9100\"`, which only this machine reaches; `\"9100\"` is the same";
        desk.complain(
            item.span.clone(),
            "this is not an address and a port",
            Some(hint.to_owned()),
        );
    }
    read
}

fn recording<'f>(desk: &mut Desk<'f>, item: &'f Item) -> Option<Recording> {
    let fields = desk.fields(item, "a recording", &["folder", "bound", "when_full", "keep"])?;
    let folder = desk.required(&fields, "folder", "\"flights\"");
    let mut recording = Recording::to(
        folder
            .and_then(|item| path(desk, item, "a folder"))
            .unwrap_or_default(),
    );
    if let Some(bound) = fields
        .get("bound")
        .and_then(|item| size(desk, item, LEAST..=MOST))
    {
        recording.bound = bound;
    }
    if let Some(item) = fields.get("when_full") {
        match (&item.shape, desk.head(item)) {
            (Shape::Word, Some("Rotate")) => recording.when_full = WhenFull::Rotate,
            (Shape::Word, Some("Stop")) => recording.when_full = WhenFull::Stop,
            (_, head) => {
                let hint = did_you_mean(head.unwrap_or_default(), ["Rotate", "Stop"]);
                desk.complain(item.span.clone(), "this is not what a recorder does", hint);
            }
        }
    }
    if let Some(keep) = fields.get("keep").and_then(|item| desk.whole(item, RECORDINGS)) {
        // It is within bounds.
        recording.keep = u32::try_from(keep).unwrap_or(u32::MAX);
    }
    Some(recording)
}

fn bounds<'f>(desk: &mut Desk<'f>, item: &'f Item) -> Bounds {
    let mut bounds = Bounds::default();
    let Some(fields) = desk.fields(item, "the bounds", &["inbox", "waiting", "delayed"]) else {
        return bounds;
    };
    let parts = [
        ("inbox", &mut bounds.inbox, LEAST_INBOX..=MOST_INBOX),
        ("waiting", &mut bounds.waiting, LEAST..=MOST),
        ("delayed", &mut bounds.delayed, LEAST..=MOST),
    ];
    for (name, bound, within) in parts {
        if let Some(bytes) = fields.get(name).and_then(|item| size(desk, item, within)) {
            *bound = bytes;
        }
    }
    bounds
}

/// A size within bounds.
pub(super) fn size(desk: &mut Desk<'_>, item: &Item, within: RangeInclusive<u64>) -> Option<u64> {
    let bytes = amount(desk, item, "a size", "64MiB", &SIZES)?;
    let hint = match bytes {
        few if few < *within.start() => format!("it is {} bytes at least", within.start()),
        many if many > *within.end() => format!("it is {}MiB at most", within.end() >> 20),
        _ => return Some(bytes),
    };
    desk.complain(item.span.clone(), "this size cannot be", Some(hint));
    None
}
