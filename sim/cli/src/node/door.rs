//! The door to a protocol's live nodes: object-safe, so that the command line needs to know none of them.

use std::any::Any;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;
use squall_live::check::{Beforehand, Finding, check};
use squall_live::disk::{self, Before, Owner};
use squall_live::settings::{Attendance, Bounds, Record, Streams, Tls, WhenFull};
use squall_live::{Around, Backlog, Ended, Screen, Service, Settings, Stop, Terminal};
use squall_nodes::{Node, Outside, Placed, Protocol, ron_options};
use squall_sim::deployment::{
    self, Deployment, DeploymentFile, LONGEST_SOCKET, Over, Recording, Unstartable,
};
use squall_sim::scenario::Complaints;

use super::words::{Words, command};

/// A protocol whose nodes can live.
pub(crate) trait Living: Send + Sync {
    /// What files call it.
    fn name(&self) -> &'static str;

    /// Its own arguments, each with what it does.
    fn words(&self) -> &'static [(&'static str, &'static str)];

    /// A node by a file.
    fn of_file(&self, file: &DeploymentFile, over: &Over) -> Result<Box<dyn Deployed>, Complaints>;

    /// A node by the protocol's own arguments.
    fn of_words(
        &self,
        words: &[String],
        over: &Over,
        outside: &dyn Outside,
    ) -> Result<Box<dyn Deployed>, Unstartable>;

    /// A command as people type it or as files write it, as requests have it; why it is none, otherwise.
    fn command(&self, written: &str) -> Result<Value, String>;

    /// An answer of a reply, as files would write it.
    fn answer(&self, answer: &Value) -> String;
}

/// A node that can be run.
pub(crate) trait Deployed {
    /// Takes relative paths for those in a folder.
    fn move_within(&mut self, folder: &Path);

    /// Takes what is said on the command line in place of what there is.
    ///
    /// # Errors
    ///
    /// That it cannot be.
    fn take_besides(&mut self, besides: Besides) -> anyhow::Result<()>;

    /// Who it is, in a line.
    fn who(&self) -> String;

    /// It as a file.
    fn printed(&self) -> String;

    /// Looks at all that it needs of the machine, and changes nothing.
    fn check(&self, beforehand: &[Beforehand]) -> Vec<Finding>;

    /// Does what is to be done before it starts, and says what became of it.
    ///
    /// # Errors
    ///
    /// That it cannot be done, or that there is no folder to do it to.
    fn prepare(&self, beforehand: Beforehand) -> anyhow::Result<Vec<String>>;

    /// Runs it until it is told to stop, with a terminal at it where there is a screen for one.
    ///
    /// # Errors
    ///
    /// It could not start, or had to stop.
    fn run(
        self: Box<Self>,
        attendance: Attendance,
        log: Backlog,
        screen: Option<Screen>,
    ) -> anyhow::Result<Finished>;
}

/// How a node has ended.
pub(crate) enum Finished {
    InOrder,
    AtOnce,
    Panicked(String),
}

/// What a node has besides who it is, as far as the command line says it.
pub(crate) struct Besides {
    pub(crate) data: Option<PathBuf>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) control: Option<PathBuf>,
    pub(crate) record: Option<Recording>,
    pub(crate) seed: Option<u64>,
    pub(crate) lines: Option<PathBuf>,
    pub(crate) tls: Option<deployment::Tls>,
}

/// The door to a protocol's live nodes.
pub(crate) fn living<P: Protocol>() -> Box<dyn Living> {
    Box::new(Of::<P>(PhantomData))
}

struct Of<P>(PhantomData<fn() -> P>);

impl<P: Protocol> Living for Of<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn words(&self) -> &'static [(&'static str, &'static str)] {
        P::WORDS
    }

    fn of_file(&self, file: &DeploymentFile, over: &Over) -> Result<Box<dyn Deployed>, Complaints> {
        Ok(Box::new(Ready(deployment::resolve::<P>(file, over)?)))
    }

    fn of_words(
        &self,
        words: &[String],
        over: &Over,
        outside: &dyn Outside,
    ) -> Result<Box<dyn Deployed>, Unstartable> {
        Ok(Box::new(Ready(deployment::of_words::<P>(words, over, outside)?)))
    }

    fn command(&self, written: &str) -> Result<Value, String> {
        serde_json::to_value(command::<P>(written)?).map_err(|why| why.to_string())
    }

    fn answer(&self, answer: &Value) -> String {
        type Answer<P> = <<P as Protocol>::Node as Node>::Answer;
        let read: Option<Answer<P>> = serde_json::from_value(answer.clone()).ok();
        let written = read.and_then(|answer| {
            let pretty = ron::ser::PrettyConfig::new().struct_names(true);
            ron_options().to_string_pretty(&answer, pretty).ok()
        });
        written.unwrap_or_else(|| answer.to_string())
    }
}

struct Ready<P: Protocol>(Deployment<P>);

impl<P: Protocol> Deployed for Ready<P> {
    fn move_within(&mut self, folder: &Path) {
        self.0.move_within(folder);
    }

    fn take_besides(&mut self, besides: Besides) -> anyhow::Result<()> {
        let Besides {
            data,
            http,
            control,
            record,
            seed,
            lines,
            tls,
        } = besides;
        let deployment = &mut self.0;
        deployment.data = data.or(deployment.data.take());
        deployment.http = http.or(deployment.http);
        deployment.control = control.or(deployment.control.take());
        deployment.record = record.or(deployment.record.take());
        deployment.seed = seed.or(deployment.seed);
        deployment.lines = lines.or(deployment.lines.take());
        deployment.tls = tls.or(deployment.tls.take());
        if let Some(control) = &deployment.control
            && control.as_os_str().len() > LONGEST_SOCKET
        {
            bail!(
                "the path of the control socket is longer than {LONGEST_SOCKET} bytes: {}",
                control.display()
            );
        }
        Ok(())
    }

    fn who(&self) -> String {
        let Placed { name, ip, role, .. } = &self.0.placed;
        format!(
            "{name} ({} {role:?} by the rules {}) at {ip}",
            P::NAME,
            self.0.rules
        )
    }

    fn printed(&self) -> String {
        self.0.printed()
    }

    fn check(&self, beforehand: &[Beforehand]) -> Vec<Finding> {
        check(&settings(&self.0, Attendance::Alone), beforehand)
    }

    fn prepare(&self, beforehand: Beforehand) -> anyhow::Result<Vec<String>> {
        let settings = settings(&self.0, Attendance::Alone);
        let owner = Owner::of(&settings);
        let data = |flag| {
            let none = || format!("{flag}: the node has no data folder that anything could be in");
            settings.data.as_deref().with_context(none)
        };
        Ok(match beforehand {
            Beforehand::Wipe => {
                let moved = disk::wipe(data("--wipe")?, &owner)?;
                let kept = |moved: &PathBuf| format!("what was persisted is kept as {}", moved.display());
                moved.iter().map(kept).collect()
            }
            Beforehand::Adopt => {
                let data = data("--adopt")?;
                let shown = data.display();
                match disk::adopt(data, &owner)? {
                    Before::Own => vec![],
                    Before::Nobodys => vec![format!("{shown} is the data folder of {owner} now")],
                    Before::Anothers(before) => vec![format!(
                        "{shown} was the data folder of {before}, and is of {owner} now"
                    )],
                    Before::Unknown(why) => vec![format!("{why}; {shown} is the data folder of {owner} now")],
                }
            }
        })
    }

    fn run(
        self: Box<Self>,
        attendance: Attendance,
        log: Backlog,
        screen: Option<Screen>,
    ) -> anyhow::Result<Finished> {
        let settings = settings(&self.0, attendance);
        let (handle, door) = squall_live::door::<P::Node>();
        let (terminal, door) = match screen {
            Some(screen) => {
                screen.show(&format!("{}; `help` says what it can be asked", self.who()));
                let opened = Terminal::open(door, Words::<P>::new(), screen);
                let (terminal, door) = opened.context("a terminal cannot be had")?;
                (Some(terminal), door)
            }
            None => (None, door),
        };
        let service = Service::open(
            &handle,
            Around {
                http: settings.http,
                control: settings.control.clone(),
                status: P::status_command(),
                attendance,
                log: Some(log),
            },
        )?;
        announce(&settings, service.http);
        let mut recorder = squall_live::FlightRecorder::new();
        let ran = catch_unwind(AssertUnwindSafe(|| {
            squall_live::run(settings, door, &mut recorder)
        }));
        service.close();
        drop(terminal);
        match ran {
            Ok(Ok(Ended { how, counts })) => {
                tracing::info!(?how, sent = counts.sent, delivered = counts.delivered, "stopped");
                Ok(match how {
                    Stop::InOrder => Finished::InOrder,
                    Stop::AtOnce => Finished::AtOnce,
                })
            }
            Ok(Err(error)) => Err(error.into()),
            Err(panic) => Ok(Finished::Panicked(message(panic.as_ref()))),
        }
    }
}

/// Says what the node has around it, before it boots.
fn announce<N: Node>(settings: &Settings<N>, http: Option<SocketAddr>) {
    let Placed { name, ip, role, .. } = &settings.placed;
    let (protocol, rules) = (&settings.protocol, &settings.rules);
    tracing::info!(%name, %protocol, %rules, ?role, address = %ip, "starting");
    if let Some(at) = http {
        tracing::info!("pages at http://{at}/status");
        if !at.ip().is_loopback() {
            tracing::warn!("whoever reaches {at} can read them: they ask nobody who he is");
        }
    }
    if let Some(control) = &settings.control {
        tracing::info!("commands through {}", control.display());
    }
    match &settings.data {
        Some(data) => tracing::info!("what it persists is in {}", data.display()),
        None => tracing::warn!("without a data folder (--data) all that it persists is gone when it stops"),
    }
}

fn settings<P: Protocol>(deployment: &Deployment<P>, attendance: Attendance) -> Settings<P::Node> {
    let Deployment {
        story: _,
        rules,
        profile: _,
        placed,
        data,
        seed,
        record,
        http,
        control,
        lines,
        bounds,
        streams,
        tls,
    } = deployment;
    // No machine of fewer bits has that much memory.
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Settings {
        protocol: P::NAME.to_owned(),
        rules: (*rules).to_owned(),
        placed: placed.clone(),
        data: data.clone(),
        seed: *seed,
        record: record.as_ref().map(|record| Record {
            folder: record.folder.clone(),
            bound: record.bound,
            when_full: match record.when_full {
                deployment::WhenFull::Rotate => WhenFull::Rotate,
                deployment::WhenFull::Stop => WhenFull::Stop,
            },
            keep: record.keep,
        }),
        http: *http,
        control: control.clone(),
        lines: lines.clone(),
        attendance,
        bounds: Bounds {
            inbox: size(bounds.inbox),
            waiting: size(bounds.waiting),
            delayed: size(bounds.delayed),
        },
        streams: Streams {
            connections: size(streams.connections),
            of_peer: size(streams.of_peer),
            listen_backlog: size(streams.listen_backlog),
            receive_buffer: size(streams.receive_buffer),
            send_buffer: size(streams.send_buffer),
            backlog: size(streams.backlog),
            backlogs: size(streams.backlogs),
            connect_timeout: streams.connect_timeout,
            user_timeout: streams.user_timeout,
            tls: tls.as_ref().map(|tls| Tls {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                authority: tls.authority.clone(),
            }),
        },
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it did not say why".to_owned())
}
