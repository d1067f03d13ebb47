//! Closed doors on a real Apache Kafka that denies what no rule allows: every pair of a principal and a resource is tried.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as a test does")]

mod shop;
mod tries;

use std::{process::Output, time::Duration};

use futures::future::join_all;
use operations::{
    acl::{Acl, CLUSTER, Deviation, EVERYBODY, Kind, Operation, Pattern, Rights, allows},
    cluster::{Connection, Rules},
};
use saga::outbox::{Prefix, kafka::Cluster};
use scenarios::{
    choreography::Choreography,
    stack::{BROKER, Doors, Guard, Kafka, Manifest, Reporter, StateDir, until},
};
use tokio::{process::Command, sync::Mutex};
use transport::Transport;
use tries::{TRIED, is_let};

const BOUND: Duration = Duration::from_secs(20);
/// A principal without any right.
const STRANGER: &str = "stranger";
/// A topic, a group and a transaction of others on the same cluster.
const FOREIGN: &str = "billing.events";

/// A guarded broker whose rules and topics an administrator has made.
struct Closed {
    kafka: Kafka,
    guard: Guard,
    rights: Rights,
    /// A connection of each principal, and of the stranger.
    connections: Vec<(String, Mutex<Connection>)>,
    _directory: tempfile::TempDir,
}

impl Closed {
    async fn start() -> Closed {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::create_in(directory.path()).unwrap();
        let rights = Rights::of(&Choreography::of_the_shop(), &Manifest::of_the_shop(), &Prefix::default()).unwrap();
        let users = rights.principals.keys().filter_map(|principal| principal.strip_prefix("User:")).chain([STRANGER]);
        let guard = Guard::new(&directory.path().join("passwords"), users).unwrap();
        let doors = Doors { guard: Some(guard.clone()), ..Doors::default() };
        let step = Reporter::silent().step("");
        let kafka = Kafka::start_behind(&state, 1, &doors, &step).await.unwrap();
        let mut closed = Closed { kafka, guard, rights, connections: Vec::new(), _directory: directory };
        // The first rules are the super user's to make; with them, the administrator makes everything else.
        closed.done(BROKER, &["acl", "apply"]).await;
        closed.done("admin", &["topics", "create"]).await;
        let users = closed.rights.principals.keys().filter_map(|principal| principal.strip_prefix("User:"));
        let connect = async |user: &str| (user.to_owned(), Mutex::new(closed.connect(user).await));
        closed.connections = join_all(users.chain([STRANGER]).map(connect)).await;
        closed
    }

    async fn run(&self, user: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
        command.env("KAFKA_BROKERS", self.kafka.brokers()).env("KAFKA_PARTITIONS", "1");
        command.env("KAFKA_SASL_USERNAME", user).env("KAFKA_SASL_PASSWORD_FILE", self.guard.file(user));
        tokio::time::timeout(BOUND, command.args(arguments).output()).await.unwrap().unwrap()
    }

    async fn done(&self, user: &str, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.run(user, arguments).await;
        let said = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{arguments:?} as {user}: {said}{}", String::from_utf8_lossy(&stderr));
        said
    }

    async fn connect(&self, user: &str) -> Connection {
        let nobody = Cluster::at(self.kafka.brokers(), &Transport::plain());
        Connection::open(&nobody.with(self.guard.sasl(user).unwrap())).await.unwrap()
    }

    async fn rules(&self) -> Vec<Acl> {
        match self.connect(BROKER).await.rules().await.unwrap() {
            Rules::On { acls, unknown: 0 } => acls,
            other => panic!("{other:?}"),
        }
    }

    /// The resources of a kind, others' included.
    fn resources(&self, kind: Kind) -> Vec<String> {
        let ours = match kind {
            Kind::Topic => self.rights.topics.iter().cloned().collect(),
            Kind::Group => self.rights.groups.iter().cloned().collect(),
            Kind::Cluster => return vec![CLUSTER.to_owned()],
            _ => Vec::new(),
        };
        [ours, vec![FOREIGN.to_owned()]].concat()
    }

    /// Tries everything as everybody, and returns what the broker let through or refused otherwise than the tables say; and the
    /// number of tries that were let through, and refused.
    async fn surprises(&self) -> (Vec<String>, usize, usize) {
        let all = join_all(self.connections.iter().map(|(user, connection)| self.surprises_of(user, connection))).await;
        let (mut surprises, mut let_through, mut refused) = (Vec::new(), 0, 0);
        for (found, through, closed) in all {
            surprises.extend(found);
            let_through += through;
            refused += closed;
        }
        (surprises, let_through, refused)
    }

    async fn surprises_of(&self, user: &str, connection: &Mutex<Connection>) -> (Vec<String>, usize, usize) {
        let rules: Vec<Acl> = self.rights.acls.iter().cloned().collect();
        let mut connection = connection.lock().await;
        let (mut surprises, mut tries) = (Vec::new(), [0, 0]);
        for (kind, operations) in TRIED {
            for name in self.resources(kind) {
                for &operation in operations {
                    let may = allows(&rules, &format!("User:{user}"), operation, kind, &name);
                    let is_let = is_let(&mut connection, operation, kind, &name).await.unwrap();
                    tries[usize::from(is_let)] += 1;
                    if may != is_let {
                        let verb = if is_let { "may" } else { "may not" };
                        surprises.push(format!("{user} {verb} {operation} the {kind} {name}"));
                    }
                }
            }
        }
        (surprises, tries[1], tries[0])
    }

    /// Adds a rule that nobody needs, and returns the surprises that it causes.
    async fn with_door(&self, door: &Acl) -> Vec<String> {
        let mut root = self.connect(BROKER).await;
        root.add_rules(std::slice::from_ref(door)).await.unwrap();
        let surprises = until("the broker's rule counts", BOUND, async || {
            let (surprises, ..) = self.surprises().await;
            (!surprises.is_empty()).then_some(surprises)
        });
        let surprises = surprises.await.unwrap();
        let verified = self.run("admin", &["acl", "verify"]).await;
        let said = String::from_utf8(verified.stdout).unwrap();
        assert_eq!(verified.status.code(), Some(1), "{said}");
        assert!(said.contains(&door.to_string()), "{said}");
        root.remove_rules(std::slice::from_ref(door)).await.unwrap();
        surprises
    }

    async fn is_closed(&self) {
        let closed =
            until("the rules are as before", BOUND, async || self.surprises().await.0.is_empty().then_some(()));
        closed.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_tables_do_not_grant_is_refused() {
    let closed = Closed::start().await;
    let (surprises, let_through, refused) = closed.surprises().await;
    assert_eq!(surprises, [""; 0]);
    // The tables do both: a broker that refuses or allows everything would prove nothing.
    assert!(let_through > 150 && refused > 2000, "{let_through} let through, {refused} refused");

    open_doors_are_noticed(&closed).await;
    rules_are_applied_and_verified(&closed).await;
    nobody_is_let_in_without_a_name(&closed).await;
    closed.kafka.stop().await.unwrap();
}

/// With a lock taken out, the same tries notice it, and so does `acl verify`.
async fn open_doors_are_noticed(closed: &Closed) {
    let doors = [
        (
            Acl::allow(EVERYBODY, Operation::Read, Kind::Topic, "order.events"),
            "stranger may Read the topic order.events",
        ),
        (
            Acl { pattern: Pattern::Prefixed, ..Acl::allow("User:client", Operation::Read, Kind::Topic, "acc") },
            "client may Read the topic account.events",
        ),
        (Acl::allow("User:shipping", Operation::Read, Kind::Group, "order"), "shipping may Read the group order"),
    ];
    for (door, surprise) in doors {
        let surprises = closed.with_door(&door).await;
        assert!(surprises.iter().any(|said| said == surprise), "{door}: {surprises:?}");
        closed.is_closed().await;
    }
}

/// Rules that are missing come back; those that are too much go only when asked to.
async fn rules_are_applied_and_verified(closed: &Closed) {
    let verified = closed.done("admin", &["acl", "verify"]).await;
    assert!(verified.contains("0 findings"), "{verified}");
    // Nor does it claim what this broker does not show.
    assert!(verified.contains("not verifiable from here: "), "{verified}");
    assert!(verified.contains("super.users") || verified.contains("the super user"), "{verified}");
    let again = closed.done("admin", &["acl", "apply"]).await;
    assert!(again.starts_with("0 granted"), "{again}");

    let needed = Acl::allow("User:order", Operation::Read, Kind::Topic, "order.requests");
    let too_much = Acl::allow("User:order", Operation::Delete, Kind::Topic, "order.requests");
    let mut root = closed.connect(BROKER).await;
    root.remove_rules(std::slice::from_ref(&needed)).await.unwrap();
    root.add_rules(std::slice::from_ref(&too_much)).await.unwrap();
    until("the rules differ", BOUND, async || {
        let found = Deviation::between(&closed.rights, &closed.rules().await);
        (found.missing == [needed.clone()] && found.surplus == [too_much.clone()]).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(closed.run("admin", &["acl", "verify"]).await.status.code(), Some(1));
    let kept = closed.done("admin", &["acl", "apply"]).await;
    assert!(kept.contains("--prune takes it away") && kept.contains("1 granted"), "{kept}");
    let pruned = closed.done("admin", &["acl", "apply", "--prune"]).await;
    assert!(pruned.contains("taken away: allow User:order Delete on the topic order.requests"), "{pruned}");
    until("the rules are as needed", BOUND, async || {
        Deviation::between(&closed.rights, &closed.rules().await).is_none().then_some(())
    })
    .await
    .unwrap();
    // A service that asks for rules of its own is refused.
    let refused = closed.run("order", &["acl", "apply"]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("Describe on the cluster"));
}

async fn nobody_is_let_in_without_a_name(closed: &Closed) {
    let nobody = Cluster::at(closed.kafka.brokers(), &Transport::plain());
    let mut connection = Connection::open(&nobody).await.unwrap();
    connection.brokers().await.expect_err("no name was given");
    let mut swapped = closed.guard.sasl("client").unwrap();
    swapped.kafka_sasl_username = Some("order".to_owned());
    let Err(error) = Connection::open(&nobody.with(swapped)).await else { panic!("another's password") };
    assert!(format!("{error:#}").contains("authenticating as order"), "{error:#}");
}
