use saga::outbox::Prefix;

use super::*;
use crate::{Manifest, choreography::Choreography};

fn rights() -> Rights {
    prefixed("")
}

fn prefixed(prefix: &str) -> Rights {
    let prefix = prefix.parse().expect("a prefix");
    Rights::of(&Choreography::of_the_shop(), &Manifest::of_the_shop(), &prefix).expect("the shop's rights")
}

fn may(principal: &str, operation: Operation, topic: &str) -> bool {
    let acls: Vec<Acl> = rights().acls.into_iter().collect();
    allows(&acls, principal, operation, Kind::Topic, topic)
}

#[test]
fn a_service_reads_what_its_table_consumes_and_writes_only_dead_letters() {
    use Operation::{Create, DescribeConfigs, Read, Write};
    let choreography = Choreography::of_the_shop();
    let rights = rights();
    for table in choreography.tables() {
        let service = principal(&table.service);
        let consumed = choreography.topics_of(&table.service);
        for topic in &rights.topics {
            let reads = consumed.contains(topic);
            let is_its_dead_letters = consumed.iter().any(|consumed| format!("{consumed}-dlt") == *topic);
            assert_eq!(may(&service, Read, topic), reads, "{service} reads {topic}");
            assert_eq!(may(&service, DescribeConfigs, topic), reads, "{service} {topic}");
            assert_eq!(may(&service, Write, topic), is_its_dead_letters, "{service} writes {topic}");
            assert!(!may(&service, Create, topic), "{service} {topic}");
        }
    }
}

#[test]
fn only_its_relay_and_an_operator_write_a_services_topic() {
    let rights = rights();
    for database in Manifest::of_the_shop().databases() {
        let topic = database.publisher().topic();
        let writers: Vec<&str> = rights
            .principals
            .keys()
            .map(String::as_str)
            .filter(|principal| may(principal, Operation::Write, topic))
            .collect();
        assert_eq!(writers, ["User:operator", &principal(&format!("relay-{database}"))]);
    }
}

#[test]
fn a_client_writes_requests_and_reads_nothing() {
    let rights = rights();
    let client: Vec<&Acl> = rights.acls.iter().filter(|acl| acl.principal == principal(CLIENT)).collect();
    assert_eq!(client, [&Acl::allow("User:client", Operation::Write, Kind::Topic, "order.requests")]);
}

#[test]
fn nobody_deletes_but_an_operator_requests_and_an_administrator_sees_no_record() {
    let rights = rights();
    for topic in &rights.topics {
        let deleting: Vec<&String> =
            rights.principals.keys().filter(|principal| may(principal, Operation::Delete, topic)).collect();
        // An erasure removes requests that have been handled: nobody else keeps them.
        let expected: &[&str] = if topic == "order.requests" { &["User:operator"] } else { &[] };
        assert_eq!(deleting, expected, "{topic}");
        assert!(!may("User:admin", Operation::Read, topic) && !may("User:admin", Operation::Write, topic), "{topic}");
    }
}

#[test]
fn a_service_that_takes_the_name_of_another_principal_is_refused() {
    let mut choreography = Choreography::of_the_shop();
    let mut table = choreography.tables()[0].clone();
    (table.service, table.topic) = ("relay-orders".to_owned(), "relay-orders.events".to_owned());
    choreography.add(table).expect("a table");
    let error = Rights::of(&choreography, &Manifest::of_the_shop(), &Prefix::default()).expect_err("twice");
    assert!(error.to_string().contains("rename the service `relay-orders`"), "{error:#}");
}

#[test]
fn a_broker_with_just_these_rules_deviates_in_nothing() {
    let rights = rights();
    let mut found: Vec<Acl> = rights.acls.iter().cloned().collect();
    // A stranger's topics on a shared cluster are none of ours.
    found.push(Acl::allow("User:billing", Operation::All, Kind::Topic, "billing.events"));
    found.push(Acl::allow("User:billing", Operation::CreateTokens, Kind::User, "User:invoices"));
    assert_eq!(Deviation::between(&rights, &found), Deviation::default());
}

#[test]
fn every_rule_that_opens_more_is_found() {
    let rights = rights();
    let prefixed = |principal: &str, name: &str| Acl {
        pattern: Pattern::Prefixed,
        ..Acl::allow(principal, Operation::Read, Kind::Topic, name)
    };
    let topic = |principal: &str, name: &str| Acl::allow(principal, Operation::Read, Kind::Topic, name);
    let cases = [
        (topic(EVERYBODY, "order.events"), "open to everybody"),
        (topic(EVERYBODY, ANY), "open to everybody"),
        (prefixed("User:billing", "ord"), "open to a stranger"),
        (prefixed("User:billing", ""), "open to a stranger"),
        (topic("User:client", "order.events"), "not needed"),
        (topic("User:order", "billing.events"), "not needed"),
        (Acl { host: "10.0.0.1".to_owned(), ..topic("User:client", "order.events") }, "not needed"),
        (Acl::allow("User:billing", Operation::Alter, Kind::Cluster, CLUSTER), "open to a stranger"),
        (Acl::allow("User:billing", Operation::Read, Kind::Group, "order"), "open to a stranger"),
        (Acl { permission: Permission::Deny, ..topic(EVERYBODY, "order.events") }, "takes away"),
        // Whoever makes tokens for a principal acts as that principal.
        (Acl::allow("User:billing", Operation::CreateTokens, Kind::User, "User:order"), "open to a stranger"),
        (Acl::allow("User:billing", Operation::CreateTokens, Kind::User, ANY), "open to a stranger"),
        (Acl::allow("User:billing", Operation::Describe, Kind::DelegationToken, "some-token"), "open to a stranger"),
    ];
    for (acl, says) in cases {
        let found: Vec<Acl> = rights.acls.iter().cloned().chain([acl.clone()]).collect();
        let lines = Deviation::between(&rights, &found).lines();
        assert!(lines.len() == 1 && lines[0].contains(says), "{acl}: {lines:?}");
    }
    let lines = Deviation::between(&rights, &[]).lines();
    assert_eq!(lines.len(), rights.acls.len(), "all are missing");
}

#[test]
fn a_denial_outweighs_and_some_operations_include_a_look() {
    let read = Acl::allow("User:a", Operation::Read, Kind::Topic, "t");
    let asks = |acls: &[Acl], operation| allows(acls, "User:a", operation, Kind::Topic, "t");
    assert!(
        asks(std::slice::from_ref(&read), Operation::Describe) && !asks(std::slice::from_ref(&read), Operation::Write)
    );
    assert!(!asks(&[Acl { principal: "User:b".to_owned(), ..read.clone() }], Operation::Read));
    let deny = Acl { permission: Permission::Deny, principal: EVERYBODY.to_owned(), ..read.clone() };
    assert!(!asks(&[read, deny], Operation::Read));
}

#[test]
fn the_commands_say_what_the_rules_do() {
    let commands = rights().commands();
    assert_eq!(commands.lines().count(), rights().acls.len());
    for part in [
        "--allow-principal User:order --operation Read --topic order.requests\n",
        "--allow-principal User:admin --operation Alter --cluster\n",
        "--allow-principal User:order --operation Read --group order\n",
    ] {
        assert!(commands.contains(part), "{part}");
    }
}

/// Two systems on one broker, `staging.` and one without a prefix, by both systems' rules together.
#[test]
fn principals_of_a_prefixed_system_touch_nothing_of_another() {
    let (staging, plain) = (prefixed("staging."), rights());
    let both: Vec<Acl> = staging.acls.union(&plain.acls).cloned().collect();
    assert!(staging.principals.keys().all(|principal| !plain.principals.contains_key(principal)));
    let operations = [Operation::Read, Operation::Write, Operation::Describe, Operation::Create, Operation::Alter];
    let allowed = |principal: &String, kind, name: &String| {
        operations.iter().any(|operation| allows(&both, principal, *operation, kind, name))
    };
    for (own, other) in [(&staging, &plain), (&plain, &staging)] {
        assert_eq!((own.topics.len(), own.groups.len()), (other.topics.len(), other.groups.len()));
        for principal in own.principals.keys() {
            let mut theirs = other.topics.iter().filter(|topic| allowed(principal, Kind::Topic, topic));
            assert_eq!(theirs.next(), None, "{principal}");
            let mut theirs = other.groups.iter().filter(|group| allowed(principal, Kind::Group, group));
            assert_eq!(theirs.next(), None, "{principal}");
        }
        // Of the other system's rules, only its administrator's on the cluster concern this one, and `verify` tells them.
        let lines = Deviation::between(own, &both).lines();
        assert!(lines.len() == 3 && lines.iter().all(|line| line.contains("on the cluster")), "{lines:?}");
    }
}
