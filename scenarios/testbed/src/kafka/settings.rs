//! The broker's settings: one node of KRaft, broker and controller at once.

use std::path::Path;

use saga::outbox::Prefix;

use super::{
    super::certs::Certs,
    guard::{BROKER, CONTROLLER, Guard},
};

/// A further port of the broker. Clients that come in there are sent on to another port of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    pub port: u16,
    pub advertised: u16,
}

/// Ways into the broker beside its own port, and who may come in.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    pub listeners: Vec<Listener>,
    /// With certificates, everybody shows one and is who it says.
    pub certs: Option<Certs>,
    /// With a guard, the broker knows its users, and allows nothing that no rule allows.
    pub guard: Option<Guard>,
    /// What precedes the names of the system's topics, groups and principals.
    pub prefix: Prefix,
    /// True for a JVM that optimizes.
    pub optimized: bool,
    /// A broker that runs already, instead of one of our own.
    pub shared: Option<String>,
}

/// What `server.properties` holds.
pub(super) fn server(
    broker_port: u16,
    controller_port: u16,
    Doors { listeners: others, certs, guard, prefix, .. }: &Doors,
    partitions: i32,
    data: &Path,
) -> String {
    let protocol = match (certs, guard) {
        (Some(_), _) => "SSL",
        (None, Some(_)) => "SASL_PLAINTEXT",
        (None, None) => "PLAINTEXT",
    };
    let for_each = |line: &dyn Fn(usize, &Listener) -> String| -> String {
        others.iter().enumerate().map(|(number, listener)| line(number, listener)).collect()
    };
    let listen = for_each(&|number, listener| format!(",LINE{number}://127.0.0.1:{}", listener.port));
    let advertise = for_each(&|number, listener| format!(",LINE{number}://127.0.0.1:{}", listener.advertised));
    let protocols = for_each(&|number, _| format!(",LINE{number}:{protocol}"));
    let tls = certs.as_ref().map(|certs| tls_settings(&certs.of("kafka"), prefix)).unwrap_or_default();
    // Three by default: too many for a client each.
    let threads = for_each(&|number, _| format!("listener.name.line{number}.num.network.threads=1\n"));
    let names = std::iter::once("PROGRAMS".to_owned()).chain((0..others.len()).map(|number| format!("LINE{number}")));
    let guarded = match (guard, certs) {
        (Some(guard), None) => guard.properties(&names.collect::<Vec<_>>()) + &authorizer(&[BROKER, CONTROLLER]),
        (Some(_), Some(_)) => authorizer(&["kafka"]),
        (None, _) => String::new(),
    };
    format!(
        "\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PROGRAMS://127.0.0.1:{broker_port},CONTROLLER://127.0.0.1:{controller_port}{listen}
advertised.listeners=PROGRAMS://127.0.0.1:{broker_port}{advertise}
listener.security.protocol.map=PROGRAMS:{protocol},CONTROLLER:{protocol}{protocols}
inter.broker.listener.name=PROGRAMS
{guarded}{threads}{tls}log.dirs={data}

# Topics are made by whoever owns them, with the partitions he wants.
auto.create.topics.enable=false
num.partitions={partitions}
# A dead letter is the original record and more: it has to fit where the original did.
message.max.bytes=2000000

# One broker keeps the only copy.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=10
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The controller dies with the broker. A broker that comes back is let in when its session of before has ended: after nine
# seconds by default.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
# A group begins with its first member instead of waiting for more.
group.initial.rebalance.delay.ms=0
",
        data = data.display()
    )
}

/// TLS 1.3 with certificates on both sides, also between broker and controller. A client is who its certificate's common name
/// says, and of this system.
fn tls_settings(certificates: &Path, prefix: &Prefix) -> String {
    format!(
        "\
ssl.keystore.type=PEM
ssl.keystore.location={certificates}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={certificates}/ca.crt
ssl.client.auth=required
ssl.enabled.protocols=TLSv1.3
ssl.protocol=TLSv1.3
ssl.endpoint.identification.algorithm=https
ssl.principal.mapping.rules=RULE:^CN=(kafka)$/$1/,RULE:^CN=([^,]+).*$/{prefix}$1/
",
        certificates = certificates.display()
    )
}

/// Whatever no rule allows is denied, but to the broker itself.
fn authorizer(super_users: &[&str]) -> String {
    let users: Vec<String> = super_users.iter().map(|user| format!("User:{user}")).collect();
    format!(
        "\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users={}
",
        users.join(";")
    )
}

/// Log4j's configuration: warnings and errors, to standard output.
pub(super) const LOG4J: &str = "\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
";
