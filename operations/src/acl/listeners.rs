//! Open doors in a broker's settings: what makes rules worthless.

use std::collections::BTreeMap;

use super::Rights;

/// A broker's settings by name; None for a value that it does not show.
pub type BrokerSettings = BTreeMap<String, Option<String>>;

/// The only authorizer whose decisions are known here.
const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
const ANONYMOUS: &str = "User:ANONYMOUS";
const FOR_EVERYBODY: &str = "allow.everyone.if.no.acl.found";
const SUPER_USERS: &str = "super.users";
const CLIENT_AUTH: &str = "ssl.client.auth";
/// Hosts that only programs on the broker's own machine reach.
const OWN_MACHINE: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Ways around the rules that a broker's settings leave open, one line each. What it does not show is in [`unseen`].
pub fn open_doors(rights: &Rights, settings: &BrokerSettings) -> Vec<String> {
    let setting = |name: &str| value(settings, name);
    let mut doors = Vec::new();
    match setting("authorizer.class.name") {
        AUTHORIZER => {}
        "" if is_hidden(settings, "authorizer.class.name") => {}
        "" => doors
            .push("the broker has no authorizer: everybody may do everything; set authorizer.class.name".to_owned()),
        other => doors.push(format!("the broker's authorizer is {other}, whose decisions are unknown here")),
    }
    if setting(FOR_EVERYBODY).trim().eq_ignore_ascii_case("true") {
        doors.push(format!("{FOR_EVERYBODY}=true: what has no rule is open to everybody"));
    }
    for user in super_users(settings) {
        if user == ANONYMOUS {
            doors.push(format!("{user} is a super user: whoever does not authenticate may do everything"));
        } else if rights.principals.contains_key(user) {
            doors.push(format!("{user} is a super user: its rules restrict nothing"));
        }
    }
    doors.extend(listeners(settings).iter().filter_map(|listener| unguarded(listener, settings)));
    doors
}

/// What cannot be judged from here, one line each: settings that the broker does not show, as Kafka does not show those of its
/// authorizer, and super users who may be its brokers, or strangers.
pub fn unseen(rights: &Rights, settings: &BrokerSettings) -> Vec<String> {
    let always = ["authorizer.class.name", FOR_EVERYBODY, SUPER_USERS, "listeners", "listener.security.protocol.map"];
    let own = listeners(settings).into_iter().flat_map(|listener| [listener.client_auth(), CLIENT_AUTH.to_owned()]);
    let mut names: Vec<String> = always.map(str::to_owned).into_iter().chain(own).collect();
    names.dedup();
    let hidden = names
        .into_iter()
        // Kafka leaves these two out when nobody has set them. They are then false and empty, unless the answer is not Kafka's.
        .filter(|name| {
            is_hidden(settings, name)
                || [FOR_EVERYBODY, SUPER_USERS].contains(&name.as_str()) && !settings.contains_key(name)
        })
        .map(|name| format!("not verifiable from here: {name}, which the broker does not show; look at its file"));
    let others = super_users(settings).filter(|user| *user != ANONYMOUS && !rights.principals.contains_key(*user));
    let others = others.map(|user| format!("not verifiable from here: that the super user {user} is a broker"));
    hidden.chain(others).collect()
}

/// A listener by its name, in capitals as Kafka compares it.
struct Listener {
    name: String,
    /// Where it listens; empty for every address.
    host: String,
}

impl Listener {
    /// The setting of its own that outweighs [`CLIENT_AUTH`].
    fn client_auth(&self) -> String {
        format!("listener.name.{}.{CLIENT_AUTH}", self.name.to_lowercase())
    }
}

fn listeners(settings: &BrokerSettings) -> Vec<Listener> {
    let each = value(settings, "listeners").split(',').filter_map(|listener| listener.trim().split_once("://"));
    let listener = |(name, address): (&str, &str)| Listener {
        name: name.trim().to_uppercase(),
        host: address.rsplit_once(':').map_or(address, |(host, _)| host).to_lowercase(),
    };
    each.map(listener).collect()
}

/// How a listener lets somebody in without a name, or tells others what is said there.
fn unguarded(listener: &Listener, settings: &BrokerSettings) -> Option<String> {
    let map = value(settings, "listener.security.protocol.map");
    let pairs = map.split(',').filter_map(|pair| pair.trim().split_once(':'));
    let own = pairs.into_iter().find(|(name, _)| name.trim().to_uppercase() == listener.name);
    let protocol = own.map_or_else(|| listener.name.clone(), |(_, protocol)| protocol.trim().to_uppercase());
    let name = &listener.name;
    match protocol.as_str() {
        "PLAINTEXT" => Some(format!("the listener {name} asks nobody who he is (PLAINTEXT)")),
        "SSL" => {
            let own = settings.get(&listener.client_auth()).or_else(|| settings.get(CLIENT_AUTH));
            // A value that is hidden is told elsewhere.
            let asks = matches!(own, Some(None)) || own.is_some_and(|own| own.as_deref() == Some("required"));
            (!asks).then(|| format!("the listener {name} asks for no certificate: set ssl.client.auth=required"))
        }
        "SASL_PLAINTEXT" if OWN_MACHINE.contains(&listener.host.as_str()) => None,
        "SASL_PLAINTEXT" => Some(format!(
            "the listener {name} is SASL_PLAINTEXT beyond its own machine: whoever is in between reads and changes what is said"
        )),
        "SASL_SSL" => None,
        other => Some(format!("the listener {name} has the protocol {other}, which is unknown here")),
    }
}

fn super_users(settings: &BrokerSettings) -> impl Iterator<Item = &str> {
    value(settings, SUPER_USERS).split(';').map(str::trim).filter(|user| !user.is_empty())
}

fn value<'a>(settings: &'a BrokerSettings, name: &str) -> &'a str {
    settings.get(name).and_then(Option::as_deref).unwrap_or_default()
}

fn is_hidden(settings: &BrokerSettings, name: &str) -> bool {
    settings.get(name).is_some_and(Option::is_none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Manifest, choreography::Choreography};

    fn rights() -> Rights {
        let prefix = "".parse().expect("a prefix");
        Rights::of(&Choreography::of_the_shop(), &Manifest::of_the_shop(), &prefix).expect("the shop's rights")
    }

    fn good() -> BrokerSettings {
        let good = [
            ("authorizer.class.name", AUTHORIZER),
            ("allow.everyone.if.no.acl.found", "false"),
            ("super.users", "User:broker;User:controller"),
            ("listeners", "CLIENTS://:9092,CONTROLLER://127.0.0.1:9093,OTHERS://:9094"),
            ("listener.security.protocol.map", "CLIENTS:SSL,CONTROLLER:SASL_PLAINTEXT,OTHERS:SASL_SSL"),
            ("ssl.client.auth", "required"),
        ];
        good.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    #[test]
    fn settings_that_make_the_rules_worthless_are_found() {
        assert_eq!(open_doors(&rights(), &good()), [""; 0]);
        let map = "listener.security.protocol.map";
        let spoilt = [
            ("authorizer.class.name", ""),
            ("authorizer.class.name", "com.example.Mine"),
            ("allow.everyone.if.no.acl.found", "true"),
            ("allow.everyone.if.no.acl.found", "TRUE"),
            ("super.users", "User:broker;User:ANONYMOUS"),
            ("super.users", "User:order"),
            (map, "CLIENTS:SSL,CONTROLLER:PLAINTEXT,OTHERS:SASL_SSL"),
            // Kafka does not tell capitals from small letters.
            (map, "CLIENTS:SSL,CONTROLLER:plaintext,OTHERS:SASL_SSL"),
            (map, "clients:PlainText,CONTROLLER:SASL_PLAINTEXT,OTHERS:SASL_SSL"),
            (map, "CLIENTS:SSL,CONTROLLER:SASL_PLAINTEXT,OTHERS:SASL_PLAINTEXT"),
            (map, "CLIENTS:SSL,CONTROLLER:SASL_PLAINTEXT,OTHERS:QUANTUM"),
            ("listeners", "plaintext://:9092"),
            ("ssl.client.auth", "none"),
            ("listener.name.clients.ssl.client.auth", "requested"),
        ];
        for (name, value) in spoilt {
            let mut settings = good();
            settings.insert(name.to_owned(), Some(value.to_owned()));
            assert_eq!(open_doors(&rights(), &settings).len(), 1, "{name}={value}");
        }
        let internal = [("listeners", "internal://:9092"), (map, "INTERNAL:plaintext")];
        let mut settings = good();
        settings.extend(internal.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))));
        assert_eq!(open_doors(&rights(), &settings).len(), 1, "internal");
    }

    #[test]
    fn what_the_broker_does_not_show_is_told_and_not_taken_for_good() {
        let lines = unseen(&rights(), &good());
        assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("is a broker")), "{lines:?}");
        for name in ["super.users", "allow.everyone.if.no.acl.found", "ssl.client.auth", "listeners"] {
            let mut settings = good();
            settings.insert(name.to_owned(), None);
            let lines = unseen(&rights(), &settings);
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("not verifiable from here: {name},"))),
                "{lines:?}"
            );
        }
        for name in ["super.users", "allow.everyone.if.no.acl.found"] {
            let mut settings = good();
            settings.remove(name);
            assert!(unseen(&rights(), &settings).iter().any(|line| line.contains(name)), "{name}");
        }
    }
}
