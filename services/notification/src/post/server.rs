//! Address of a mail system.

use std::{fmt, str::FromStr};

/// A mail system's address, `smtp://host:port`; the default port is 25.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { host, port } = self;
        if host.contains(':') { write!(f, "smtp://[{host}]:{port}") } else { write!(f, "smtp://{host}:{port}") }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let malformed = || "a mail system is given as smtp://host:port, without user, password or TLS".to_owned();
        let authority = url.strip_prefix("smtp://").ok_or_else(malformed)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            // The last colon of a bare IPv6 address does not introduce a port.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| malformed())?),
            _ => (authority, 25),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['@', '/', '?', '[', ']']) {
            return Err(malformed());
        }
        Ok(Server { host: host.to_owned(), port })
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
        ] {
            let server: Server = url.parse().expect("a server");
            assert_eq!((server.host.as_str(), server.port), (host, port));
            assert_eq!(server.to_string().parse(), Ok(server));
        }
    }

    #[test]
    fn what_we_do_not_speak_is_refused_at_start() {
        for bad in
            ["", "localhost:25", "smtps://mail:465", "smtp://", "smtp://:25", "smtp://mail:x", "smtp://me:pw@mail:25"]
        {
            assert!(bad.parse::<Server>().is_err(), "{bad:?} is no server");
        }
    }
}
