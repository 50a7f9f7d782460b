//! Connections that are secured: only those speak with each other who know each other.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use squall_live::settings::{Settings, Tls};
use squall_live::{LiveError, Stop};
use squall_nodes::{Closed, Span};
use tempfile::TempDir;

use crate::rig::{Heard, Host, PORT, Talker, Wish, address, pattern};

/// An authority, and the folder that it keeps its papers in.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// What may be wrong with a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    Expired,
    NotYet,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("authority.pem"), certificate.pem()).unwrap();
        Authority {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The papers of a node at an address.
    fn papers(&self, ip: Ipv4Addr) -> Tls {
        self.flawed(ip, Flaw::None)
    }

    fn flawed(&self, ip: Ipv4Addr, flaw: Flaw) -> Tls {
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress(ip.into())];
        match flaw {
            Flaw::None => {}
            Flaw::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Flaw::NotYet => params.not_before = date_time_ymd(3000, 1, 1),
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let tls = Tls {
            certificate: self.path(&format!("{ip}.pem")),
            key: self.path(&format!("{ip}.key")),
            authority: self.path("authority.pem"),
        };
        fs::write(&tls.certificate, certificate.pem()).unwrap();
        fs::write(&tls.key, key.serialize_pem()).unwrap();
        tls
    }

    /// A node that has its papers.
    fn host(&self) -> Host {
        let ip = address();
        Host::at(ip, |settings| settings.streams.tls = Some(self.papers(ip)))
    }

    fn listening(&self) -> Host {
        let mut host = self.host();
        host.wish([Wish::Listen(PORT)]);
        host
    }
}

#[test]
fn nodes_that_know_each_other_speak_as_they_do_without() {
    let authority = Authority::new();
    let (mut a, mut b) = (authority.host(), authority.listening());
    let (here, there) = a.connect(&mut b);
    a.wish([Wish::Write(here, b"question".to_vec())]);
    assert_eq!(b.read(there, 8), b"question");
    b.wish([Wish::Write(there, b"answer".to_vec())]);
    assert_eq!(a.read(here, 6), b"answer");
    // Back-pressure goes through, and so does a long message, and the end behind it.
    b.wish([Wish::Pause(there)]);
    a.wish([Wish::WriteMuch(here, 5_000_000)]);
    a.hear(&Heard::Blocked(here));
    b.wish([Wish::Resume(there)]);
    a.hear(&Heard::Writable(here));
    a.wish([Wish::Close(here)]);
    b.hear(&Heard::Closed(there, Closed::Orderly));
    assert!(b.bytes[&there] == pattern(5_000_000));
    a.is_in_time("the end", |status| status.streams.closing == 0);
    // And so does a reset.
    let (_, there) = a.connect(&mut b);
    let counts = a.stop(Stop::AtOnce).streams;
    b.hear(&Heard::Closed(there, Closed::Reset));
    assert_eq!((counts.opened, counts.untrusted), (2, 0));
}

#[test]
fn what_goes_over_the_wire_is_not_what_was_written() {
    let authority = Authority::new();
    let (mut a, mut b) = (authority.host(), authority.listening());
    // Somebody in between, who passes everything on: the peer is not at the address that its certificate is for.
    let (between, port) = (address(), b.port());
    let listener = std::net::TcpListener::bind((between, PORT)).unwrap();
    let listens = std::thread::spawn(move || {
        let (mut inner, _) = listener.accept().unwrap();
        let mut outer = TcpStream::connect(port).unwrap();
        let (mut back, mut forth) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
        let returns = std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
        let _ = std::io::copy(&mut inner, &mut outer);
        let _ = returns.join();
    });
    let conn = a.wish([Wish::Dial((between, PORT).into_v4())]);
    a.hear(&Heard::Closed(conn, Closed::Refused));
    assert_eq!(b.so_far(), []);
    listens.join().unwrap();
    assert_eq!(a.stop(Stop::AtOnce).streams.untrusted, 1);
}

trait IntoV4 {
    fn into_v4(self) -> std::net::SocketAddrV4;
}

impl IntoV4 for (Ipv4Addr, u16) {
    fn into_v4(self) -> std::net::SocketAddrV4 {
        std::net::SocketAddrV4::new(self.0, self.1)
    }
}

#[test]
fn whoever_has_papers_of_another_authority_is_let_in_by_nobody_and_lets_nobody_in() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (mut a, mut b) = (ours.listening(), theirs.listening());
    // TLS 1.3: whoever dials has said all it has to before its certificate is looked at, and is not told that it is open.
    let ports = [b.port(), a.port()];
    for (dialler, listener) in [&mut a, &mut b].into_iter().zip(ports) {
        let conn = dialler.wish([Wish::Dial(listener)]);
        dialler.hear(&Heard::Closed(conn, Closed::Refused));
    }
    assert_eq!((a.so_far(), b.so_far()), (vec![], vec![]));
    for host in [a, b] {
        assert!(host.stop(Stop::AtOnce).streams.untrusted >= 1);
    }
}

#[test]
fn a_client_is_refused_whose_papers_this_side_alone_does_not_take() {
    // It trusts the listener, and the listener does not trust it.
    let (ours, theirs) = (Authority::new(), Authority::new());
    let mut b = ours.listening();
    let ip = address();
    let mut a = Host::at(ip, |settings| {
        let papers = theirs.papers(ip);
        // Its own would not be taken by itself either, which is found at the start: both are in its file.
        let both = theirs.path("both.pem");
        let [first, second] = [&ours, &theirs].map(|all| fs::read(all.path("authority.pem")).unwrap());
        fs::write(&both, [first, second].concat()).unwrap();
        settings.streams.tls = Some(Tls {
            authority: both,
            ..papers
        });
    });
    let conn = a.wish([Wish::Dial(b.port())]);
    a.hear(&Heard::Closed(conn, Closed::Refused));
    assert_eq!(b.so_far(), []);
    assert_eq!(b.stop(Stop::AtOnce).streams.untrusted, 1);
}

#[test]
fn papers_that_are_for_another_address_are_worth_nothing_there() {
    let authority = Authority::new();
    let mut b = authority.listening();
    // A client with the papers of another node: its own edge would not start, so it is one of another make.
    let stolen = authority.papers(Ipv4Addr::new(127, 3, 3, 3));
    assert!(handshake(&stolen, b.port()).is_err());
    b.is_in_time("the refusal", |status| status.counts.streams.untrusted == 1);
    // At its own address it would have been let in.
    let own = authority.papers(Ipv4Addr::LOCALHOST);
    let mut stream = handshake(&own, b.port()).unwrap();
    let conn = b.hear_that("a connection", |heard| match heard {
        Heard::Accepted(conn, ..) => Some(*conn),
        _ => None,
    });
    stream.write_all(b"well").unwrap();
    assert_eq!(b.read(conn, 4), b"well");
    // It goes without a word: nobody can tell whether that was all.
    stream.sock.shutdown(std::net::Shutdown::Both).unwrap();
    b.hear(&Heard::Closed(conn, Closed::Reset));
    assert_eq!(b.so_far(), []);
}

#[test]
fn whoever_has_no_certificate_or_speaks_no_tls_is_not_let_in() {
    let authority = Authority::new();
    let mut b = authority.listening();
    let without = handshake_of(
        client(&authority.papers(Ipv4Addr::LOCALHOST), Papers::None),
        b.port(),
    );
    assert!(without.is_err());
    let mut plain = TcpStream::connect(b.port()).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    // It is told, and that is the end.
    let _ = plain.read_to_end(&mut rest);
    b.is_in_time("both", |status| status.counts.streams.untrusted == 2);
    assert_eq!(b.so_far(), []);
    assert_eq!(b.status().streams.open, 0);
}

#[test]
fn whoever_says_nothing_is_not_waited_for() {
    let authority = Authority::new();
    let ip = address();
    let mut b = Host::at(ip, |settings| {
        settings.streams.tls = Some(authority.papers(ip));
        settings.streams.connect_timeout = Span::from_millis(200);
    });
    b.wish([Wish::Listen(PORT)]);
    let mut silent = TcpStream::connect(b.port()).unwrap();
    let ended = silent.read(&mut [0]);
    assert!(!matches!(ended, Ok(1..)), "{ended:?}");
    b.is_in_time("the end", |status| status.counts.streams.untrusted == 1);
    // And the other way round.
    let silent = std::net::TcpListener::bind((address(), PORT)).unwrap();
    let std::net::SocketAddr::V4(at) = silent.local_addr().unwrap() else {
        unreachable!()
    };
    let conn = b.wish([Wish::Dial(at)]);
    b.hear(&Heard::Closed(conn, Closed::TimedOut));
    assert_eq!(b.so_far(), []);
}

/// What a client of another make shows.
enum Papers {
    Own,
    None,
}

fn client(tls: &Tls, papers: Papers) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(&tls.authority).unwrap())
        .unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    match papers {
        Papers::None => config.with_no_client_auth(),
        Papers::Own => {
            let chain = vec![CertificateDer::from_pem_file(&tls.certificate).unwrap()];
            let key = PrivateKeyDer::from_pem_file(&tls.key).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

type Secured = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

fn handshake(tls: &Tls, to: std::net::SocketAddrV4) -> std::io::Result<Secured> {
    handshake_of(client(tls, Papers::Own), to)
}

/// From 127.0.0.1, until the server has shown that it lets it in.
fn handshake_of(config: rustls::ClientConfig, to: std::net::SocketAddrV4) -> std::io::Result<Secured> {
    let name = rustls::pki_types::ServerName::IpAddress((*to.ip()).into());
    let tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&(Ipv4Addr::LOCALHOST, 0).into_v4().into())?;
    socket.connect(&to.into())?;
    let mut stream = rustls::StreamOwned::new(tls, TcpStream::from(socket));
    while stream.conn.tls13_tickets_received() == 0 {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// What a node says that is started with these papers.
fn complaint(ip: Ipv4Addr, tls: Tls) -> String {
    let change = |settings: &mut Settings<Talker>| settings.streams.tls = Some(tls.clone());
    match Host::at(ip, change).ends() {
        Err(why @ LiveError::Tls { .. }) => why.to_string(),
        other => panic!("it starts: {other:?}"),
    }
}

#[test]
fn what_is_wrong_with_papers_is_said_before_the_node_boots() {
    let authority = Authority::new();
    let other = Authority::new();
    let ip = address();
    let good = authority.papers(ip);
    let says = |tls: Tls, file: &Path, why: &str| {
        let complaint = complaint(ip, tls);
        let start = format!("connections cannot be secured by {}: ", file.display());
        assert!(complaint.starts_with(&start), "{complaint}");
        assert!(complaint[start.len()..].contains(why), "{complaint}");
    };
    let missing = authority.path("missing.pem");
    let empty = authority.path("empty.pem");
    fs::write(&empty, "nothing of the kind\n").unwrap();
    let garbled = authority.path("garbled.pem");
    fs::write(
        &garbled,
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let with = |certificate: &Path, key: &Path, authority: &Path| Tls {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        authority: authority.to_owned(),
    };
    let Tls {
        certificate,
        key,
        authority: root,
    } = good.clone();
    says(with(&missing, &key, &root), &missing, "there is no such file");
    says(
        with(&certificate, &missing, &root),
        &missing,
        "there is no such file",
    );
    says(
        with(&certificate, &key, &missing),
        &missing,
        "there is no such file",
    );
    says(
        with(&empty, &key, &root),
        &empty,
        "it holds no certificate in PEM form",
    );
    says(
        with(&certificate, &empty, &root),
        &empty,
        "it holds no private key in PEM form",
    );
    says(
        with(&certificate, &certificate, &root),
        &certificate,
        "it holds no private key in PEM form",
    );
    says(
        with(&certificate, &key, &empty),
        &empty,
        "it holds no certificate in PEM form",
    );
    says(with(&garbled, &key, &root), &garbled, "it is not in PEM form");
    says(
        with(&certificate, &key, &other.path("authority.pem")),
        &certificate,
        "none of the authorities has signed it",
    );
    let elsewhere = authority.papers(Ipv4Addr::new(127, 1, 2, 3));
    says(
        elsewhere.clone(),
        &elsewhere.certificate,
        &format!("it is not for {ip}"),
    );
    says(
        with(&certificate, &elsewhere.key, &root),
        &elsewhere.key,
        "it is not the key of the certificate",
    );
    let expired = authority.flawed(ip, Flaw::Expired);
    says(expired.clone(), &expired.certificate, "it has expired");
    let early = authority.flawed(ip, Flaw::NotYet);
    says(early.clone(), &early.certificate, "it is not valid yet");
}
