//! Address of a mail system.

use std::{fmt, str::FromStr};

/// A mail system's address: `smtps://host:port` with TLS from the first byte (RFC 8314; the default port is 465), or
/// `smtp://host:port` without (25).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { host, port, tls } = self;
        let scheme = if *tls { "smtps" } else { "smtp" };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let malformed = || {
            "a mail system is given as smtps://host:port, or as smtp://host:port for trying out; user and \
                                  password are settings of their own"
                .to_owned()
        };
        let (tls, authority) = match (url.strip_prefix("smtps://"), url.strip_prefix("smtp://")) {
            (Some(authority), _) => (true, authority),
            (_, Some(authority)) => (false, authority),
            _ => return Err(malformed()),
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of a bare IPv6 address does not introduce a port.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| malformed())?),
            _ => (authority, if tls { 465 } else { 25 }),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['@', '/', '?', '[', ']']) {
            return Err(malformed());
        }
        Ok(Server { host: host.to_owned(), port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (url, host, port) in [
            ("smtp://mail.example.org:2525", "mail.example.org", 2525),
            ("smtp://localhost", "localhost", 25),
            ("smtp://127.0.0.1:25/", "127.0.0.1", 25),
            ("smtp://[::1]:1025", "::1", 1025),
            ("smtp://[::1]", "::1", 25),
            ("smtps://mail.example.org", "mail.example.org", 465),
        ] {
            let server: Server = url.parse().expect("a server");
            assert_eq!((server.host.as_str(), server.port, server.tls), (host, port, url.starts_with("smtps")));
            assert_eq!(server.to_string().parse(), Ok(server));
        }
    }

    #[test]
    fn what_we_do_not_speak_is_refused_at_start() {
        for bad in [
            "",
            "localhost:25",
            "smtps://",
            "smtpss://mail:465",
            "smtp://",
            "smtp://:25",
            "smtp://mail:x",
            "smtp://me:pw@mail:25",
        ] {
            assert!(bad.parse::<Server>().is_err(), "{bad:?} is no server");
        }
    }
}
