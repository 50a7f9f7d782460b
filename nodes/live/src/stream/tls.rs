//! TLS from files: who this node is, and whom it lets in.
//!
//! TLS 1.3 alone, with certificates both ways. What is wrong with the node's own files is said before it boots. No session is resumed:
//! each handshake shows the certificates anew. A server sends a ticket all the same, since that is how a client learns that it was let in.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, StoresServerSessions, WebPkiClientVerifier};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection, RootCertStore,
    ServerConfig, ServerConnection,
};

use super::wire::Session;
use crate::clock::monotonic;
use crate::error::LiveError;
use crate::settings::Tls as Files;
use crate::trouble::{Tell, Trouble};

/// What the connections of a node are secured by.
pub(crate) struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    strangers: Strangers,
}

/// Peers to which no connection can be secured: they try again and again, which is told now and then.
#[derive(Clone, Default)]
pub(super) struct Strangers(Arc<Mutex<Trouble>>);

impl Strangers {
    /// One of them has shown what it is.
    pub(super) fn tell(&self, peer: Ipv4Addr, socket: &TcpStream, why: &str) {
        let came = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .came(monotonic());
        // Of who is gone already the port is not known any more.
        let peer = socket
            .peer_addr()
            .map_or_else(|_| peer.to_string(), |peer| peer.to_string());
        match came {
            Some(Tell::First) => tracing::warn!(peer, "a connection with {peer} is closed: {why}"),
            Some(Tell::Still(times)) => {
                tracing::warn!(
                    peer,
                    times,
                    "a connection with {peer} is closed, as {times} have been: {why}"
                );
            }
            Some(Tell::Over(_)) | None => {}
        }
    }
}

impl Tls {
    /// Reads the files, and finds out whether a peer would let in whoever is at `own` with them.
    pub(crate) fn read(files: &Files, own: Ipv4Addr) -> Result<Self, LiveError> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&files.certificate)?;
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            let taken = roots.add(authority);
            taken.map_err(|why| wrong(&files.authority, format!("it holds no authority: {why}")))?;
        }
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|why| wrong(&files.key, unread(&why, "private key")))?;
        would_be_let_in(&chain, &roots, own, &provider).map_err(|why| wrong(&files.certificate, why))?;
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        let verifier = verifier.map_err(|why| wrong(&files.authority, why.to_string()))?;
        let versions = &[&rustls::version::TLS13];
        let unfit = |why: rustls::Error| wrong(&files.key, does_not_fit(&why));
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .map_err(unfit)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(unfit)?;
        server.session_storage = Arc::new(Forgetful);
        server.send_tls13_tickets = 1;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(unfit)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(unfit)?;
        client.resumption = Resumption::disabled();
        Ok(Tls {
            server: Arc::new(server),
            client: Arc::new(client),
            strangers: Strangers::default(),
        })
    }

    /// For a connection that this node has dialled.
    pub(super) fn dials(&self, peer: Ipv4Addr) -> Result<Session, rustls::Error> {
        let connection = ClientConnection::new(self.client.clone(), named(peer))?;
        Ok(Session::new(
            Connection::Client(connection),
            peer,
            self.strangers.clone(),
        ))
    }

    /// For a connection that a peer has dialled.
    pub(super) fn accepts(&self, peer: Ipv4Addr) -> Result<Session, rustls::Error> {
        let connection = ServerConnection::new(self.server.clone())?;
        Ok(Session::new(
            Connection::Server(connection),
            peer,
            self.strangers.clone(),
        ))
    }
}

/// Whether a certificate is for an address.
pub(super) fn is_for(certificate: &CertificateDer<'_>, address: Ipv4Addr) -> Result<(), rustls::Error> {
    verify_server_name(&ParsedCertificate::try_from(certificate)?, &named(address))
}

fn named(address: Ipv4Addr) -> ServerName<'static> {
    ServerName::IpAddress(address.into())
}

/// What keeps a connection from being secured, in words.
pub(super) fn in_words(why: &rustls::Error) -> String {
    use CertificateError as Wrong;
    use rustls::Error as Why;
    match why {
        Why::InvalidMessage(_) => "what comes is no TLS; it may be set up without".to_owned(),
        Why::PeerIncompatible(_) => format!("it speaks no TLS 1.3 that this node does ({why})"),
        Why::NoCertificatesPresented => "it shows no certificate".to_owned(),
        Why::InvalidCertificate(Wrong::UnknownIssuer | Wrong::BadSignature) => {
            "none of the authorities that this node goes by has signed its certificate".to_owned()
        }
        Why::InvalidCertificate(Wrong::Expired | Wrong::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        Why::InvalidCertificate(Wrong::NotValidYet | Wrong::NotValidYetContext { .. }) => {
            "its certificate is not valid yet".to_owned()
        }
        Why::InvalidCertificate(Wrong::NotValidForName | Wrong::NotValidForNameContext { .. }) => {
            "its certificate is not for its address".to_owned()
        }
        Why::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => {
            "none of the authorities that it goes by has signed this node's certificate".to_owned()
        }
        Why::AlertReceived(alert) => format!("it does not take what this node shows ({alert:?})"),
        other => other.to_string(),
    }
}

/// What a peer would say of the node's own certificates.
fn would_be_let_in(
    chain: &[CertificateDer<'_>],
    roots: &RootCertStore,
    own: Ipv4Addr,
    provider: &CryptoProvider,
) -> Result<(), String> {
    let Some((first, between)) = chain.split_first() else {
        return Err("it holds no certificate".to_owned());
    };
    let certificate =
        ParsedCertificate::try_from(first).map_err(|why| format!("its first is no certificate: {why}"))?;
    let algorithms = provider.signature_verification_algorithms.all;
    let signed =
        verify_server_cert_signed_by_trust_anchor(&certificate, roots, between, UnixTime::now(), algorithms);
    signed.map_err(|why| match why {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "it has expired".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "it is not valid yet".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "none of the authorities has signed it".to_owned(),
        other => format!("no peer would take it: {other}"),
    })?;
    verify_server_name(&certificate, &named(own)).map_err(|why| match why {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!(
            "it is not for {own}, the address of this node, which has to be among its subject alternative names"
        ),
        other => format!("no peer would take it: {other}"),
    })
}

/// All certificates of a file.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, LiveError> {
    let unreadable = |why: pem::Error| wrong(file, unread(&why, "certificate"));
    let all = CertificateDer::pem_file_iter(file).map_err(unreadable)?;
    let all: Result<Vec<_>, _> = all.collect();
    let all = all.map_err(unreadable)?;
    if all.is_empty() {
        return Err(wrong(file, unread(&pem::Error::NoItemsFound, "certificate")));
    }
    Ok(all)
}

/// Why no `item` could be read.
fn unread(why: &pem::Error, item: &str) -> String {
    match why {
        pem::Error::Io(why) => match why.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "this process may not read it".to_owned(),
            _ => why.to_string(),
        },
        pem::Error::NoItemsFound => format!("it holds no {item} in PEM form"),
        other => format!("it is not in PEM form: {other}"),
    }
}

fn does_not_fit(why: &rustls::Error) -> String {
    match why {
        rustls::Error::InconsistentKeys(_) => "it is not the key of the certificate".to_owned(),
        other => format!("its key cannot be used: {other}"),
    }
}

fn wrong(file: &Path, why: String) -> LiveError {
    LiveError::Tls {
        file: file.to_owned(),
        why,
    }
}

/// Says that it keeps sessions, so that tickets go out, and keeps none.
#[derive(Debug)]
struct Forgetful;

impl StoresServerSessions for Forgetful {
    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> bool {
        true
    }

    fn get(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn can_cache(&self) -> bool {
        true
    }
}
