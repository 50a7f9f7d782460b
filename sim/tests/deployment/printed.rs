//! What is printed of a deployment is read as the same deployment.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use proptest::prelude::*;
use squall_nodes::hac::{Config, Hac, Role};
use squall_nodes::{Placed, Protocol, Span};
use squall_sim::deployment::{
    Bounds, Deployment, DeploymentFile, Over, Recording, Streams, Tls, WhenFull, resolve,
};

fn read(text: &str) -> Deployment<Hac> {
    let file =
        DeploymentFile::parse("n.ron", text.to_owned()).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
    resolve(&file, &Over::default()).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

/// As it is placed; a [`Placed`] has no form for people.
#[derive(Clone, Debug)]
struct Who {
    name: String,
    ip: Ipv4Addr,
    role: Role,
    config: Config,
}

fn placed() -> impl Strategy<Value = (usize, usize, Who)> {
    let roles = prop_oneof![Just(Role::Server), Just(Role::Client), Just(Role::Peer)];
    let who = ("[a-zA-Z][a-zA-Z0-9_-]{0,20}", 1..=254u8, roles);
    let settings = (1..=65_535u16, 1..1_000_000_000u64, 1..9u32, any::<bool>());
    (0..2usize, 0..2usize, who, settings).prop_map(|(rules, profile, (name, last, role), settings)| {
        let (port, longer, misses, is_own) = settings;
        let mut config = Hac::config(Hac::PROFILES[profile], Hac::RULES[rules]);
        if is_own {
            let timeout = config.client_timeout.as_nanos() + longer;
            config = Config {
                port,
                misses,
                client_timeout: Span::from_nanos(timeout),
                window: Some(Span::from_nanos(longer)),
                ..config
            };
        }
        if role == Role::Client {
            config.server = "10.1.2.3:7101".parse().ok();
        }
        let ip = Ipv4Addr::new(127, 0, 0, last);
        (
            rules,
            profile,
            Who {
                name,
                ip,
                role,
                config,
            },
        )
    })
}

fn path() -> impl Strategy<Value = Option<PathBuf>> {
    prop::option::of("\\PC{1,30}".prop_map(PathBuf::from))
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![70_000..1u64 << 40, (1..1u64 << 20).prop_map(|mebi| mebi << 20)]
}

fn inbox() -> impl Strategy<Value = u64> {
    prop_oneof![70_000..=2047u64 << 20, (1..=2047u64).prop_map(|mebi| mebi << 20)]
}

fn recording() -> impl Strategy<Value = Option<Recording>> {
    let when_full = prop_oneof![Just(WhenFull::Rotate), Just(WhenFull::Stop)];
    let parts = ("[a-z/]{1,9}", size(), when_full, 1..=10_000u32);
    prop::option::of(parts.prop_map(|(folder, bound, when_full, keep)| Recording {
        folder: folder.into(),
        bound,
        when_full,
        keep,
    }))
}

fn streams() -> impl Strategy<Value = Streams> {
    let counts = (1..=1_000_000u64, 1..=1_000_000u64, 1..=65_535u64);
    let buffers = (4096..=1u64 << 30, 4096..=1u64 << 30);
    let timeouts = [
        1_000_000..=86_400_000_000_000u64,
        1_000_000..=86_400_000_000_000u64,
    ];
    (counts, buffers, (size(), size()), timeouts).prop_map(|(counts, buffers, backlogs, timeouts)| Streams {
        connections: counts.0,
        of_peer: counts.1,
        listen_backlog: counts.2,
        receive_buffer: buffers.0,
        send_buffer: buffers.1,
        backlog: backlogs.0,
        backlogs: backlogs.1,
        connect_timeout: Span::from_nanos(timeouts[0]),
        user_timeout: Span::from_nanos(timeouts[1]),
    })
}

fn tls() -> impl Strategy<Value = Option<Tls>> {
    let file = || "[a-zé \"\\\\]{1,50}".prop_map(PathBuf::from);
    prop::option::of(
        (file(), file(), file()).prop_map(|(certificate, key, authority)| Tls {
            certificate,
            key,
            authority,
        }),
    )
}

fn deployment() -> impl Strategy<Value = Deployment<Hac>> {
    let files = (
        path(),
        prop::option::of("[a-zé \"\\\\]{1,50}".prop_map(PathBuf::from)),
        path(),
    );
    let rest = (
        any::<Option<u64>>(),
        any::<Option<u16>>(),
        (inbox(), size(), size()),
    );
    let over_streams = (streams(), tls());
    let parts = (placed(), files, recording(), rest, over_streams);
    parts.prop_map(
        |((rules, profile, placed), files, record, rest, (streams, tls))| {
            let Who {
                name,
                ip,
                role,
                config,
            } = placed;
            let placed = Placed {
                name,
                ip,
                role,
                config,
            };
            let ((data, control, lines), (seed, http, (inbox, waiting, delayed))) = (files, rest);
            let mut deployment = Deployment {
                story: "A node\n\nof a test".to_owned(),
                rules: Hac::RULES[rules],
                profile: Hac::PROFILES[profile],
                placed,
                data,
                seed,
                record,
                http: http.map(|port| (Ipv4Addr::LOCALHOST, port).into()),
                control,
                lines,
                bounds: Bounds {
                    inbox,
                    waiting,
                    delayed,
                },
                streams,
                tls,
            };
            Hac::assemble(std::slice::from_mut(&mut deployment.placed)).expect("a node that can be");
            deployment
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(deployment in deployment()) {
        let printed = deployment.printed();
        let again = read(&printed);
        prop_assert_eq!(format!("{deployment:?}"), format!("{again:?}"), "{}", printed);
        prop_assert_eq!(printed, again.printed());
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", field in "[a-z]{1,9}") {
        for text in [text.clone(), format!("Node(protocol: \"hac\", {field}: {text})")] {
            if let Ok(file) = DeploymentFile::parse("n.ron", text) {
                let _ = resolve::<Hac>(&file, &Over::default());
            }
        }
    }
}

#[test]
fn what_is_special_about_the_settings_is_printed_and_the_rest_are_comments_that_can_be_taken_as_they_are() {
    let text = "// Who\nNode(protocol: \"hac\", name: \"s\", role: Server, address: \"127.0.0.1\", config: (port: 7101))";
    let printed = read(text).printed();
    let (before, rest) = printed.split_once("    config: (\n").expect("it has settings");
    let (settings, after) = rest.split_once("\n    ),\n").expect("they end");
    assert_eq!(
        (before, after),
        (
            "// Who\nNode(\n    format: 1,\n    protocol: \"hac\",\n    rules: \"Hardened\",\n    profile: \"brisk\",\n    \
             name: \"s\",\n    role: Server,\n    address: \"127.0.0.1\",\n",
            "    bounds: (inbox: \"208KiB\", waiting: \"64MiB\", delayed: \"64MiB\"),\n)\n"
        )
    );
    let (of_profile, own): (Vec<&str>, Vec<&str>) = settings
        .lines()
        .map(str::trim)
        .partition(|line| line.starts_with("// "));
    assert_eq!(own, ["port: 7101,", "address: \"127.0.0.1:7101\","]);
    assert!(
        of_profile.len() > 5 && of_profile.iter().any(|line| line.starts_with("// misses: ")),
        "{printed}"
    );
    let taken = printed.replace("        // ", "        ");
    assert_eq!(read(&taken).printed(), printed);
}

#[test]
fn relative_paths_are_those_of_a_folder() {
    let text = "Node(protocol: \"hac\", name: \"s\", role: Server, address: \"127.0.0.1\", data: \"d\", \
                record: (folder: \"r\"), control: \"/run/c\", lines: \"l\")";
    let mut within = read(text);
    within.move_within("/srv/s".as_ref());
    let path = |path: &str| Some(PathBuf::from(path));
    assert_eq!(
        (within.data, within.control, within.lines),
        (path("/srv/s/d"), path("/run/c"), path("/srv/s/l"))
    );
    assert_eq!(within.record.map(|record| record.folder), path("/srv/s/r"));
}
