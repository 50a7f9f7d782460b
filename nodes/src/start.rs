//! How a live node is started with arguments of its protocol's own: what these may ask of the outside, and what is said of those that
//! cannot be used.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// The outside, as arguments may need it. A node has nothing to do with it: it is asked before there is one.
pub trait Outside {
    /// The IPv4 address of a host, by its name or as it is written.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn resolve(&self, host: &str) -> Result<Ipv4Addr, String>;

    /// The address of this machine that packets to `there` come from.
    ///
    /// # Errors
    ///
    /// Why none can be sent there.
    fn address_towards(&self, there: Ipv4Addr) -> Result<Ipv4Addr, String>;

    /// A datagram port that is free at an address of this machine.
    ///
    /// # Errors
    ///
    /// Why there is none: the address is not this machine's, for one.
    fn free_port(&self, at: Ipv4Addr) -> Result<u16, String>;

    /// The text of a file, of a bounded length.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// Why arguments cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Unusable {
    /// Without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Unusable {
            message: message.into(),
            hint: None,
        }
    }

    /// With what would be right.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Unusable { hint, ..self }
    }

    /// Arguments of another form than any that there is.
    pub fn form(protocol: &str, words: &[String], known: &[(&str, &str)]) -> Self {
        let forms: Vec<String> = known
            .iter()
            .map(|(form, does)| format!("\n  {protocol} {form}\n      {does}"))
            .collect();
        let message = match words {
            [] => format!("{protocol} wants to know what the node is"),
            _ => format!("`{protocol} {}` is nothing that can be started", words.join(" ")),
        };
        Unusable::new(message).hint(format!("there are{}", forms.concat()))
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unusable {}

/// A port, from 1 to 65 535.
///
/// # Errors
///
/// That the word is none.
pub fn port(word: &str) -> Result<u16, Unusable> {
    let refused = || Unusable::new(format!("`{word}` is not a port")).hint("a whole number from 1 to 65535");
    u16::from_str(word)
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_whole_number_above_nothing() {
        assert_eq!(port("7101"), Ok(7101));
        for word in ["0", "65536", "-1", "7101x", "", "7 101", "http"] {
            let refused = port(word).expect_err(word);
            assert_eq!(
                refused.to_string(),
                format!("`{word}` is not a port; a whole number from 1 to 65535")
            );
        }
    }
}
