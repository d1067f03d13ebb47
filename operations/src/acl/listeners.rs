//! Open doors in a broker's settings: what makes rules worthless.

use std::collections::BTreeMap;

use super::Rights;

/// The only authorizer whose decisions are known here.
const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
const ANONYMOUS: &str = "User:ANONYMOUS";

/// Ways around the rules that a broker's settings leave open, one line each.
pub fn open_doors(rights: &Rights, settings: &BTreeMap<String, String>) -> Vec<String> {
    let setting = |name: &str| settings.get(name).map_or("", String::as_str);
    let mut doors = Vec::new();
    match setting("authorizer.class.name") {
        AUTHORIZER => {}
        "" => doors
            .push("the broker has no authorizer: everybody may do everything; set authorizer.class.name".to_owned()),
        other => doors.push(format!("the broker's authorizer is {other}, whose decisions are unknown here")),
    }
    if setting("allow.everyone.if.no.acl.found") == "true" {
        doors.push("allow.everyone.if.no.acl.found=true: what has no rule is open to everybody".to_owned());
    }
    for user in setting("super.users").split(';').map(str::trim).filter(|user| !user.is_empty()) {
        if user == ANONYMOUS {
            doors.push(format!("{user} is a super user: whoever does not authenticate may do everything"));
        } else if rights.principals.contains_key(user) {
            doors.push(format!("{user} is a super user: its rules restrict nothing"));
        }
    }
    doors.extend(unauthenticated(settings));
    doors
}

/// Listeners that let somebody in without a name.
fn unauthenticated(settings: &BTreeMap<String, String>) -> Vec<String> {
    let setting = |name: &str| settings.get(name).map_or("", String::as_str);
    let protocols: BTreeMap<&str, &str> =
        setting("listener.security.protocol.map").split(',').filter_map(|pair| pair.trim().split_once(':')).collect();
    let names = setting("listeners").split(',').filter_map(|listener| listener.trim().split_once("://"));
    let mut doors = Vec::new();
    for (name, _) in names {
        let protocol = protocols.get(name).copied().unwrap_or(name);
        let own = format!("listener.name.{}.ssl.client.auth", name.to_lowercase());
        let client_auth = settings.get(&own).map_or_else(|| setting("ssl.client.auth"), String::as_str);
        match protocol {
            "PLAINTEXT" => doors.push(format!("the listener {name} asks nobody who he is (PLAINTEXT)")),
            "SSL" if client_auth != "required" => {
                doors.push(format!("the listener {name} asks for no certificate: set ssl.client.auth=required"));
            }
            _ => {}
        }
    }
    doors
}
