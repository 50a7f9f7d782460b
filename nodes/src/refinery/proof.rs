//! That someone belongs to the cluster: the secret itself by the original rules, a keyed hash by the hardened ones. Either is compared in
//! a time that says nothing of where a difference is.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::wire::{Establish, Link, MAC, NONCE};

/// What opens everything that is hashed, so that a proof is of no use anywhere else.
const DOMAIN: &[u8] = b"squall refinery proof 1";

/// Whether a cert is the secret. What is compared are hashes, so that not even their lengths make a difference.
pub(super) fn is_cert(given: &str, secret: &str) -> bool {
    let [given, secret] = [given, secret].map(|text| Sha256::digest(text.as_bytes()));
    given.as_slice().ct_eq(secret.as_slice()).into()
}

/// The proof of who dials, over the nonce that it was sent and everything that it has said of itself.
pub(super) fn prove(secret: &str, nonce: &[u8; NONCE], establish: &Establish) -> [u8; MAC] {
    over(secret, nonce, establish).finalize().into_bytes().into()
}

/// Whether a proof is the right one.
pub(super) fn is_proof(given: &[u8; MAC], secret: &str, nonce: &[u8; NONCE], establish: &Establish) -> bool {
    over(secret, nonce, establish).verify_slice(given).is_ok()
}

fn over(secret: &str, nonce: &[u8; NONCE], establish: &Establish) -> Hmac<Sha256> {
    // A key of any length will do.
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    let link = match establish.link {
        Link::Node => 0,
        Link::Follower => 1,
        Link::Reigning => 2,
        Link::Child => 3,
    };
    mac.update(DOMAIN);
    mac.update(nonce);
    for text in [&establish.id, &establish.version, &establish.kind] {
        // Lengths first: where one text ends and the next begins is part of what is proved.
        mac.update(&(text.len() as u64).to_be_bytes());
        mac.update(text.as_bytes());
    }
    mac.update(&establish.port.to_be_bytes());
    mac.update(&establish.epoch.0.to_be_bytes());
    mac.update(&[link]);
    mac
}

#[cfg(test)]
mod tests {
    use super::super::wire::Epoch;
    use super::*;

    fn establish() -> Establish {
        Establish {
            id: "n1".to_owned(),
            version: "1".to_owned(),
            kind: "crusher".to_owned(),
            port: 7500,
            epoch: Epoch(4),
            link: Link::Node,
        }
    }

    #[test]
    fn a_proof_is_of_one_secret_one_nonce_and_all_that_was_said() {
        let (nonce, said) = ([7; NONCE], establish());
        let proof = prove("secret", &nonce, &said);
        assert!(is_proof(&proof, "secret", &nonce, &said));
        assert!(!is_proof(&proof, "Secret", &nonce, &said));
        assert!(!is_proof(&proof, "secret", &[8; NONCE], &said));
        let changes: [fn(&mut Establish); 8] = [
            |said| said.id = "n2".to_owned(),
            |said| said.version = "2".to_owned(),
            |said| said.kind = "mixer".to_owned(),
            |said| said.port = 7501,
            |said| said.epoch = Epoch(5),
            |said| said.link = Link::Follower,
            |said| said.link = Link::Child,
            |said| (said.id, said.version) = ("n".to_owned(), "11".to_owned()),
        ];
        for change in changes {
            let mut other = establish();
            change(&mut other);
            assert!(!is_proof(&proof, "secret", &nonce, &other), "{other:?}");
        }
    }

    #[test]
    fn a_cert_is_the_secret_and_nothing_that_begins_like_it() {
        assert!(is_cert("secret", "secret"));
        for other in ["", "secre", "secrets", "Secret", "secret\0"] {
            assert!(!is_cert(other, "secret"), "{other:?}");
        }
    }
}
