//! The places where a text that names a buyer may be in plain, each with its reason. Everything else has to be clean.

use crate::search::Found;

/// A place, or several whose names begin alike, and the texts that may be there.
pub(crate) struct Allowed {
    place: &'static str,
    /// Empty: everything that a client may send.
    whats: &'static [&'static str],
    why: &'static str,
}

pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed { place: "record order.requests: ", whats: &[], why: "what the client wrote itself, until it is removed" },
    Allowed {
        place: "record order.events: ",
        whats: &["forged"],
        why: "the test's own record, written past the service",
    },
    Allowed { place: "record order.requests-dlt: value", whats: &[], why: "the original's bytes" },
    Allowed { place: "record order.requests-dlt: key", whats: &[], why: "the original's key" },
    Allowed { place: "record order.requests-dlt: own header", whats: &[], why: "the original's headers" },
    Allowed { place: "record order.events-dlt: value", whats: &["forged"], why: "the original's bytes" },
    Allowed { place: "record order.events-dlt: own header", whats: &["forged"], why: "the original's headers" },
    Allowed {
        place: "table orders.parked_events.value",
        whats: &["parked", "quoted"],
        why: "a request that is parked",
    },
    Allowed { place: "table accounts.parked_events.value", whats: &["forged"], why: "an event that is parked" },
    Allowed { place: "table accounts.parked_events.header_values", whats: &["forged"], why: "an event that is parked" },
    Allowed { place: "table accounts.users.username", whats: &["user"], why: "the name's own place" },
    Allowed { place: "table notifications.contacts.address", whats: CONTACTS, why: "the mail address's own place" },
    Allowed {
        place: "table notifications.former_contacts.address",
        whats: &["former"],
        why: "until the user is erased",
    },
    Allowed {
        place: "file postgres.log",
        whats: &["quoted"],
        why: "the server's own word for a value that it cannot convert",
    },
    Allowed { place: "mail server", whats: CONTACTS, why: "the mail itself" },
    Allowed { place: "answer GET /orders/{id}", whats: &["address"], why: "the order, to its owner" },
    Allowed {
        place: "command parked show",
        whats: &["parked", "quoted", "forged"],
        why: "the operator asked for all of it",
    },
    Allowed { place: "command dlt show", whats: &[], why: "the operator asked for all of it" },
];

const CONTACTS: &[&str] = &["contact", "refusedmail", "latermail", "nomail"];

/// Credentials, which are allowed with their sender alone: on the topic to which he wrote them.
const CREDENTIALS: &[&str] = &["bearer", "scope"];

impl Allowed {
    pub(crate) fn covers(&self, found: &Found) -> bool {
        let here = found.place.starts_with(self.place);
        let secret = CREDENTIALS.contains(&found.what.as_str()) || found.what.starts_with("password");
        match self.whats {
            [] if secret => here && self.place == "record order.requests: " && !found.what.starts_with("password"),
            [] => here,
            whats => here && whats.contains(&found.what.as_str()),
        }
    }
}

/// What is where it must not be.
pub(crate) fn leaks<'a>(found: impl IntoIterator<Item = &'a Found>) -> Vec<&'a Found> {
    found.into_iter().filter(|found| !ALLOWED.iter().any(|allowed| allowed.covers(found))).collect()
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "in {} ({})", self.place, self.why)
    }
}
