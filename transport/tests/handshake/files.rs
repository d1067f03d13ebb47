//! Files that are replaced, unusable or readable by others, and settings that allow less.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use tokio::net::TcpListener;
use transport::{
    Transport,
    authority::{Authority, Leaf},
};

use crate::{HOUR, World, answer, asked, server, settings};

#[tokio::test]
async fn new_files_are_taken_up_by_clients_and_servers_that_are_there_already() {
    let world = World::new();
    let (order, payment) = (world.transport("order"), world.transport("payment"));
    let url = format!("https://{}", server(&order, false).await);
    let client = payment.http().expect("a client").build().expect("a client");
    assert_eq!(answer(&client, &url).await.as_deref(), Ok("payment"));
    // Another authority altogether: first it is trusted beside the former one, then leaves are changed.
    let next = Authority::create("the next one").expect("an authority");
    let version = payment.version();
    let both = [world.authority.certificate(), next.certificate()].concat();
    for name in ["order", "payment"] {
        fs::write(world.path(name).join("ca.crt"), &both).expect("written");
    }
    order.identity().expect("an identity").refresh();
    payment.identity().expect("an identity").refresh();
    assert_eq!(answer(&client, &url).await.as_deref(), Ok("payment"));
    next.write(&Leaf::of("payment-2", HOUR), &world.path("payment")).expect("written");
    next.write(&Leaf::of("order", HOUR), &world.path("order")).expect("written");
    let last = Instant::now() + Duration::from_secs(20);
    loop {
        // Without any call of ours: the next handshakes look at the files by themselves.
        if answer(&client, &url).await.as_deref() == Ok("payment-2") {
            break;
        }
        assert!(Instant::now() < last, "the new certificates are not shown");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(payment.version() > version);
}

#[tokio::test]
async fn files_that_do_not_belong_together_leave_the_former_ones_in_use() {
    let world = World::new();
    let order = world.transport("order");
    let identity = order.identity().expect("an identity").clone();
    let url = format!("https://{}", server(&order, false).await);
    let payment = world.transport("payment");
    let good = fs::read(world.path("order/tls.key")).expect("a key");
    let other = world.authority.issue(&Leaf::of("order", HOUR)).expect("issued").key;
    for bad in [&b""[..], b"-----BEGIN PRIVATE KEY-----\n", other.as_bytes()] {
        fs::write(world.path("order/tls.key"), bad).expect("written");
        assert_eq!(identity.refresh().version(), 1, "{}", String::from_utf8_lossy(bad));
        assert_eq!(asked(&payment, &url).await.as_deref(), Ok("payment"));
    }
    fs::remove_file(world.path("order/tls.key")).expect("removed");
    assert_eq!(identity.refresh().version(), 1);
    world.authority.write(&Leaf::of("order", HOUR), &world.path("order")).expect("written");
    assert!(identity.refresh().version() > 1, "what belongs together is taken up after all");
    drop(good);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_what_to_do() {
    let world = World::new();
    world.transport("order");
    let key = world.path("order/tls.key");
    for mode in [0o644, 0o604, 0o666, 0o620] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("set");
        let error = settings(&world.path("order")).open().expect_err("readable").to_string();
        assert!(error.contains(&format!("chmod 600 {}", key.display())), "{mode:o}: {error}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("set");
        settings(&world.path("order")).open().expect("private");
    }
}

#[test]
fn a_missing_or_senseless_file_is_named() {
    let world = World::new();
    for name in ["ca.crt", "tls.crt", "tls.key"] {
        world.transport("order");
        let path = world.path("order").join(name);
        fs::write(&path, "nonsense").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        let error = settings(&world.path("order")).open().expect_err(name).to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("PEM"), "{error}");
        fs::remove_file(&path).expect("removed");
        let error = settings(&world.path("order")).open().expect_err(name).to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains("cannot be read"), "{error}");
    }
}

#[test]
fn a_database_is_reached_verified_or_not_at_all() {
    let world = World::new();
    let order = world.transport("order");
    for url in [
        "postgres://o@h/orders",
        "postgres://o@h/orders?sslmode=prefer",
        "postgres://o@h/orders?sslmode=require",
        "postgres://o@h/orders?sslmode=verify-ca",
        "postgres://o@h/orders?sslmode=disable",
    ] {
        let error = order.postgres("DATABASE_URL", url).expect_err(url).to_string();
        assert!(error.contains("DATABASE_URL") && error.contains("sslmode=verify-full"), "{error}");
        Transport::plain().postgres("DATABASE_URL", url).expect("where security is off");
    }
    order.postgres("DATABASE_URL", "postgres://o@h/orders?sslmode=verify-full").expect("verified");
    let socket = "postgres://o@%2Frun%2Fpostgresql/orders?sslmode=verify-full";
    let error = order.postgres("DATABASE_URL", socket).expect_err("no TLS there").to_string();
    assert!(error.contains("socket file"), "{error}");
    for bad in ["s3cret", "mysql://a:s3cret@h/d", "postgres://a:s3cret@h:port/d?sslmode=verify-full"] {
        let error = order.postgres("DATABASE_URL", bad).expect_err(bad).to_string();
        assert!(error.contains("postgres://user:password@host") && !error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn http_without_tls_is_refused_before_a_byte_is_sent() {
    let world = World::new();
    let order = world.transport("order");
    assert!(order.check_url("GATEWAY_URL", "http://h").expect_err("plain").to_string().contains("GATEWAY_URL"));
    order.check_url("GATEWAY_URL", "https://h").expect("encrypted");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    asked(&order, &url).await.expect_err("also by the client itself");
    let waiting = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(waiting.is_err(), "nobody connected");
}
