//! What is reached by those who run a node, in the hands of those who should not: its control socket and its pages.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{Cluster, PAGES, PATIENCE};
use crate::garbage::Draws;

/// What a node takes at most, its program included, whatever is asked of it: 128 MiB. Sixteen clients may each have a line of a mebibyte
/// under way.
const MOST_MEMORY: u64 = 128 << 20;

/// A connection to the pages of the node at an address.
fn pages(node: SocketAddrV4) -> TcpStream {
    let stream = TcpStream::connect(SocketAddrV4::new(*node.ip(), PAGES)).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// A page of a node: its head and what it says. Who connects while too many are there waits for his turn.
fn page(node: SocketAddrV4, path: &str) -> String {
    let mut stream = pages(node);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .expect("it is sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it is answered");
    text
}

/// A figure of the metrics of the node at an address.
pub(crate) fn figure(node: SocketAddrV4, name: &str) -> u64 {
    let metrics = page(node, "/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {metrics}"));
    line.trim().parse().expect("a number")
}

/// A connection to the control socket of a node.
fn control(cluster: &Cluster, place: usize) -> UnixStream {
    let path = cluster.path(&format!("{}.sock", cluster.nodes[place].name));
    let stream = UnixStream::connect(path).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// The next reply; nothing when the connection is over.
fn reply(stream: &UnixStream) -> Option<Value> {
    let mut line = String::new();
    match BufReader::new(stream).read_line(&mut line) {
        Ok(0) => None,
        Ok(_) => Some(serde_json::from_str(&line).expect("JSON")),
        Err(why) if is_over(&why) => None,
        Err(why) => panic!("{why}"),
    }
}

fn is_over(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// Writes as much as is taken.
fn pour(mut to: impl Write, bytes: &[u8]) {
    if let Err(why) = to.write_all(bytes) {
        assert!(is_over(&why), "{why}");
    }
}

/// How a node is, once it has room for one more client.
fn status(cluster: &Cluster, place: usize) -> Value {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let mut stream = control(cluster, place);
        pour(&mut stream, b"{\"ask\":\"status\"}\n");
        match reply(&stream) {
            Some(reply) if reply["reply"] == "status" => return reply["status"].clone(),
            // Too many are there still.
            Some(reply) => assert_eq!(reply["reply"], "refused", "{reply}"),
            None => {}
        }
    }
    panic!("{} does not say how it is", cluster.nodes[place].name);
}

fn assert_memory(cluster: &Cluster) {
    for (place, node) in cluster.nodes.iter().enumerate() {
        let most = cluster.most_memory(place);
        assert!(most < MOST_MEMORY, "{} took {most} bytes", node.name);
    }
}

#[test]
fn garbage_on_the_control_socket_is_refused() {
    let mut cluster = Cluster::of_four();
    let mut draws = Draws(2);
    let deep = "[".repeat(100_000) + "\n";
    let mut random = draws.bytes(5_000);
    random.retain(|byte| *byte != b'\n');
    random.push(b'\n');
    let wrong: [&[u8]; 8] = [
        b"hello\n",
        b"{\"ask\":\"call\",\"call\":1,\"command\":\"Fly\"}\n",
        b"{\"ask\":\"call\",\"call\":-1,\"command\":\"Status\"}\n",
        b"{\"ask\":\"policy\",\"policy\":7}\n",
        b"{\"stop\":\"now\"}\n",
        b"\0\0\0\0\n",
        deep.as_bytes(),
        &random,
    ];
    for place in 0..cluster.nodes.len() {
        for line in wrong {
            let stream = control(&cluster, place);
            pour(&stream, line);
            let said = reply(&stream).expect("a reply");
            let why = said["why"].as_str().filter(|_| said["reply"] == "refused");
            assert!(
                why.is_some_and(|why| why.contains("this is no request")),
                "{said}"
            );
            // And it is shown the door.
            assert_eq!(reply(&stream), None);
        }
        let counted = figure(
            cluster.nodes[place].address,
            "squall_turned_away_total{what=\"request\"}",
        );
        assert_eq!(counted, wrong.len() as u64);
    }
    cluster.until_whole("after what nobody understands");
    for place in 0..cluster.nodes.len() {
        assert_eq!(
            status(&cluster, place)["name"],
            cluster.nodes[place].name.as_str()
        );
    }
    assert_memory(&cluster);
}

#[test]
fn endless_lines_and_clients_that_never_read_hold_nobody_up() {
    let mut cluster = Cluster::of_four();
    let endless = vec![b'x'; 3 << 20];
    let calls = "{\"ask\":\"call\",\"call\":1,\"command\":\"Status\"}\n".repeat(20_000);
    for place in 0..cluster.nodes.len() {
        // As many as may be, with lines that have almost reached what they may be.
        let begun: Vec<UnixStream> = (0..12)
            .map(|_| {
                let stream = control(&cluster, place);
                pour(&stream, &endless[..1_000_000]);
                stream
            })
            .collect();
        let stream = control(&cluster, place);
        pour(&stream, &endless);
        let said = reply(&stream);
        // It may have been hung up on before the reply was read.
        let is_told = |said: &Value| said["why"] == "a line is at most 1048576 bytes long";
        assert!(said.as_ref().is_none_or(is_told), "{said:?}");
        // Asks on and on, and never reads: at some point nothing more is taken from it.
        let deaf = control(&cluster, place);
        deaf.set_nonblocking(true).expect("a socket");
        let mut asked = 0;
        while let Ok(taken) = (&deaf).write(&calls.as_bytes()[asked % calls.len()..]) {
            asked += taken;
            assert!(
                asked < 64 << 20,
                "it takes {asked} bytes from one who never reads"
            );
        }
        cluster.until_whole("while they are there");
        status(&cluster, place);
        drop(begun);
    }
    assert_memory(&cluster);
}

#[test]
fn many_clients_are_told_that_there_are_too_many() {
    let mut cluster = Cluster::of_four();
    for place in 0..cluster.nodes.len() {
        let clients: Vec<UnixStream> = (0..40).map(|_| control(&cluster, place)).collect();
        let refused = clients.iter().skip(16).filter_map(reply);
        let whys: Vec<String> = refused.map(|reply| reply["why"].to_string()).collect();
        assert_eq!(whys.len(), 24);
        for why in whys {
            assert!(why.contains("16 clients are connected"), "{why}");
        }
        let counted = figure(
            cluster.nodes[place].address,
            "squall_turned_away_total{what=\"client\"}",
        );
        assert_eq!(counted, 24);
        cluster.until_whole("while they are there");
        drop(clients);
        status(&cluster, place);
    }
    assert_memory(&cluster);
}

#[test]
fn huge_and_broken_requests_for_pages_end_with_their_connections() {
    let mut cluster = Cluster::of_four();
    let mut draws = Draws(3);
    let long = "x".repeat(4 << 20);
    let requests = [
        format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100_000)).into_bytes(),
        [
            b"POST /status HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            long.as_bytes(),
        ]
        .concat(),
        format!("{long}\r\n\r\n").into_bytes(),
        draws.bytes(1 << 20),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc".to_vec(),
        b"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
    ];
    for node in &cluster.nodes {
        for request in &requests {
            let mut stream = pages(node.address);
            pour(&stream, request);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            if let Err(why) = stream.read_to_end(&mut answer) {
                assert!(is_over(&why), "{why}");
            }
            let begin = String::from_utf8_lossy(&answer[..answer.len().min(12)]).into_owned();
            assert!(!begin.starts_with("HTTP/1.1 2"), "{begin}");
        }
    }
    cluster.until_whole("after what nobody understands");
    for node in &cluster.nodes {
        assert!(page(node.address, "/healthz").contains(" 200 "));
    }
    assert_memory(&cluster);
}

#[test]
fn slow_guests_leave_in_good_time_and_others_have_their_turn() {
    let mut cluster = Cluster::of_four();
    let begun = Instant::now();
    // More than there are places, at every node, and each with a request that it never ends.
    let nodes = cluster.nodes.iter().map(|node| node.address);
    let mut guests: Vec<TcpStream> = nodes
        .flat_map(|node| (0..150).map(move |_| node))
        .map(|node| {
            let mut stream = pages(node);
            stream
                .write_all(b"GET /status HTTP/1.1\r\nX: ")
                .expect("it is taken");
            stream
        })
        .collect();
    cluster.until_whole("while they dawdle");
    for node in &cluster.nodes {
        assert!(page(node.address, "/healthz").contains(" 200 "));
    }
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(25), "pages come after {waited:?}");
    for node in &cluster.nodes {
        assert!(figure(node.address, "squall_turned_away_total{what=\"guest\"}") > 0);
    }
    // Who sends a byte now and then is no better off than who sends none.
    let mut left = 0;
    for guest in &mut guests {
        guest
            .set_read_timeout(Some(Duration::from_millis(1)))
            .expect("a timeout");
        let until = begun + PATIENCE;
        loop {
            let sent = guest.write_all(b"y");
            let read = guest.read(&mut [0; 100]);
            let is_waiting = |why: &io::Error| matches!(why.kind(), io::ErrorKind::WouldBlock);
            match (sent, read) {
                (Err(_), _) | (_, Ok(0)) => break,
                (_, Err(why)) if !is_waiting(&why) => break,
                _ => assert!(Instant::now() < until, "a slow guest stays"),
            }
        }
        left += 1;
    }
    assert_eq!(left, guests.len());
    assert_memory(&cluster);
}
