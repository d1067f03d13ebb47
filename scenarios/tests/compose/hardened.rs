//! Rights of the containers, and who reaches whom.

use crate::file::{ComposeFile, Service, compose, read, secured};

/// Rights that are left to a container: PostgreSQL's image begins as root, and certificates are given to the programs' users.
const RIGHTS: [(&str, &[&str]); 2] = [
    ("postgres", &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]),
    ("certs", &["CHOWN", "DAC_OVERRIDE", "FOWNER"]),
];

/// A lock taken out, and what has to be noticed then.
type Opened = (&'static str, fn(&mut Service));

/// Everything in which a service is less closed than it could be.
fn open_in(name: &str, service: &Service) -> Vec<&'static str> {
    let left = RIGHTS.iter().find(|(other, _)| *other == name).map_or(&[][..], |(_, rights)| rights);
    let is_own = |mount: &(&str, &str, bool)| mount.2 || !mount.0.starts_with(['.', '/', '~']);
    [
        (service.read_only, "its files can be changed"),
        (service.cap_drop == ["ALL"], "it keeps rights of root"),
        (service.cap_add == left, "it has rights that it does not use"),
        (service.security_opt.iter().any(|option| option == "no-new-privileges:true"), "it can gain rights"),
        (service.pids_limit.is_some_and(|limit| limit <= 500), "it can start processes without end"),
        (service.mem_limit.is_some(), "it can take all memory"),
        (service.cpus.is_some(), "it can take all processors"),
        (!service.privileged, "it is privileged"),
        (service.network_mode.as_deref().is_none_or(|mode| mode == "none"), "it is on another's network"),
        (service.networks.is_empty() == service.network_mode.is_some(), "it is on the default network"),
        (service.mounts().iter().all(is_own), "it can write to this machine"),
    ]
    .into_iter()
    .filter_map(|(closed, what)| (!closed).then_some(what))
    .collect()
}

#[test]
fn a_container_has_the_rights_that_it_uses_and_no_others() {
    for system in [compose(), secured()] {
        for (name, service) in &system.services {
            assert_eq!(open_in(name, service), [""; 0], "{name}");
        }
    }
}

/// Kafka's image and ours have a user who is not root; PostgreSQL's takes one by itself.
#[test]
fn nobody_is_root_but_who_gives_files_away() {
    for (name, service) in &secured().services {
        let expected = match name.as_str() {
            "certs" => Some("0:0"),
            // Who owns the broker's key.
            "rights" => Some("1000:1000"),
            "mail" => Some("65534:65534"),
            _ => None,
        };
        assert_eq!(service.user.as_deref(), expected, "{name}");
    }
    assert!(read("Dockerfile").lines().any(|line| line == "USER saga"));
}

/// The twin: each lock taken out of each service is noticed.
#[test]
fn a_right_too_many_is_noticed() {
    let take_out: [Opened; 10] = [
        ("its files can be changed", |service| service.read_only = false),
        ("it keeps rights of root", |service| service.cap_drop.clear()),
        ("it has rights that it does not use", |service| service.cap_add.push("NET_ADMIN".to_owned())),
        ("it can gain rights", |service| service.security_opt.clear()),
        ("it can start processes without end", |service| service.pids_limit = None),
        ("it can take all memory", |service| service.mem_limit = None),
        ("it can take all processors", |service| service.cpus = None),
        ("it is privileged", |service| service.privileged = true),
        ("it is on another's network", |service| service.network_mode = Some("host".to_owned())),
        ("it can write to this machine", |service| service.volumes.push("/var/run/docker.sock:/sock".to_owned())),
    ];
    for (name, service) in &secured().services {
        for (what, take_out) in &take_out {
            let mut open = service.clone();
            take_out(&mut open);
            assert!(open_in(name, &open).contains(what), "{name}: {what}");
        }
    }
}

/// The services that reach each server.
fn visitors(system: &ComposeFile, server: &str, once: &[&str]) -> Vec<String> {
    let near = system.neighbours(server).into_iter().filter(|name| !once.contains(name));
    near.map(str::to_owned).collect()
}

#[test]
fn only_those_who_need_a_server_are_on_its_networks() {
    let consumers = ["account", "entitlement", "inventory", "notification", "order", "payment", "shipping"];
    let with = |others: &[&str]| {
        let mut names: Vec<String> = consumers.iter().chain(others).map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    for system in [compose(), secured()] {
        let once = ["migrate", "payment-keys", "rights", "topics"];
        assert_eq!(visitors(&system, "postgres", &once), with(&["outbox-relay", "scenarios"]));
        assert_eq!(visitors(&system, "kafka", &once), with(&["console", "outbox-relay", "scenarios"]));
        assert_eq!(system.neighbours("payment-gateway"), ["payment", "scenarios"]);
        assert_eq!(system.neighbours("mail"), ["notification", "scenarios"]);
    }
    let secured = secured();
    assert_eq!(secured.services["migrate"].networks, ["databases"]);
    // It announces the audit log's head.
    assert_eq!(secured.services["payment-keys"].networks, ["databases", "events"]);
    assert_eq!(secured.services["rights"].networks, ["events"]);
    assert_eq!(secured.services["topics"].networks, ["events"]);
}

#[test]
fn networks_lead_nowhere_else_but_for_a_door_of_each_published_port() {
    let system = secured();
    let named = system.services.values().flat_map(|service| &service.networks);
    assert!(named.clone().all(|network| system.networks.contains_key(network)), "a network is missing");
    for (network, settings) in &system.networks {
        let on_it: Vec<&Service> =
            system.services.values().filter(|service| service.networks.contains(network)).collect();
        match settings.as_ref().is_some_and(|settings| settings.internal) {
            true => assert!(on_it.len() > 1, "{network}"),
            false => assert!(matches!(on_it[..], [only] if !only.ports.is_empty()), "{network}: a door is one's own"),
        }
    }
    let has_door = |service: &Service| service.networks.iter().any(|network| network.ends_with("-door"));
    for (name, service) in &system.services {
        assert_eq!(has_door(service), !service.ports.is_empty(), "{name}");
    }
}
