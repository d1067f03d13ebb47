use super::*;

fn with(text: &str) -> anyhow::Result<Manifest> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Manifest::with_file(file.path())
}

#[test]
fn the_names_that_code_has_for_the_shops_programs_and_databases_are_its_manifests() {
    let shop = Manifest::of_the_shop();
    let named = [
        Program::ORDER,
        Program::ACCOUNT,
        Program::PAYMENT,
        Program::INVENTORY,
        Program::SHIPPING,
        Program::ENTITLEMENT,
        Program::NOTIFICATION,
        Program::PAYMENT_GATEWAY,
        Program::OUTBOX_RELAY,
    ];
    assert_eq!(shop.programs().collect::<Vec<_>>(), named);
    assert_eq!(shop.databases().collect::<Vec<_>>(), Database::OF_THE_SHOP);
    assert_eq!(shop.databases().map(Database::publisher).collect::<Vec<_>>(), events::publisher::SERVICES);
    assert_eq!(shop.databases_of(Program::OUTBOX_RELAY), Database::OF_THE_SHOP);
    assert_eq!(shop.further_databases().count(), 0);
    let topics: Vec<&str> = events::publisher::all().map(Publisher::topic).collect();
    assert_eq!(shop.topics(), topics);
}

#[test]
fn a_further_service_comes_behind_the_shops_and_its_binary_lies_beside_its_manifest() {
    let all = with("[[programs]]\nname = 'loyalty'\ndatabase = 'points'\nbinary = 'bin/loyalty'\n").unwrap();
    let loyalty = all.program("loyalty").unwrap();
    let points = loyalty.database().unwrap();
    assert_eq!((points.name(), points.publisher().topic()), ("points", "loyalty.events"));
    assert_eq!(points.variable(), "DATABASE_URL_POINTS");
    assert!(loyalty > Program::OUTBOX_RELAY && points > Database::NOTIFICATIONS);
    assert_eq!(all.further_databases().collect::<Vec<_>>(), [points]);
    assert!(all.databases_of(Program::OUTBOX_RELAY).contains(&points), "the relay serves it too");
    assert!(all.publishers().contains("points=loyalty") && all.publishers().contains("orders=order"));
    let binary = all.entries().last().unwrap().binary.clone().unwrap();
    assert!(binary.is_absolute() && binary.ends_with("bin/loyalty"), "{}", binary.display());
}

#[test]
fn what_cannot_be_is_refused_with_what_to_change() {
    for (text, complaint) in [
        ("", "names no program"),
        ("programs = 1", "invalid type"),
        ("[[programs]]\nname = 'a'", "has no database"),
        ("[[programs]]\nname = 'a'\ndatabase = 'a'\ncolour = 'red'", "unknown field `colour`"),
        ("[[programs]]\nname = 'A'\ndatabase = 'a'", "makes no topic"),
        ("[[programs]]\nname = 'order'\ndatabase = 'a'", "is there twice"),
        ("[[programs]]\nname = 'outbox_relay'\ndatabase = 'a'", "is there twice"),
        ("[[programs]]\nname = 'a'\ndatabase = 'orders'", "which is order's"),
        ("[[programs]]\nname = 'a'\ndatabase = 'a; drop'", "choose a letter"),
        ("[[programs]]\nname = 'a'\ndatabase = 'postgres'", "which is the server's"),
        ("[[programs]]\nname = 'a'\nrole = 'relay'", "`outbox-relay` serves the databases of all"),
        ("[[programs]]\nname = 'a'\nrole = 'outside'\ndatabase = 'a'", "which only services have"),
        ("[[programs]]\nname = 'a'\ndatabase = 'a'\nrequests = ['order.events']", "such as `a.requests`"),
        ("[[programs]]\nname = 'a'\ndatabase = 'a'\nrequests = ['a b']", "is not a valid topic"),
        ("[[programs]]\nname = 'a'\ndatabase = 'a'\nrequests = ['a.requests-dlt']", "such as `a.requests`"),
        ("[[programs]]\nname = 'client'\ndatabase = 'a'", "those who are no service"),
        ("[[programs]]\nname = 'a'\ndatabase = 'public'", "which is the server's"),
        ("[[programs]]\nname = 'a'\ndatabase = 'pg_a'", "which is the server's"),
        ("[[programs]]\nname = 'a'\ndatabase = 'a'\nenvironment = { HTTP_ADDR = 'x' }", "leave it out"),
    ] {
        let error = with(text).map(|_| ()).expect_err(text);
        assert!(format!("{error:#}").contains(complaint), "{text}: {error:#}");
    }
    let error = format!("{:#}", Manifest::with_file(Path::new("/nowhere.toml")).unwrap_err());
    assert!(error.contains("/nowhere.toml"), "{error}");
}

#[test]
fn clients_may_address_two_services_on_one_topic() {
    let all = with("[[programs]]\nname = 'audit'\ndatabase = 'audit'\nrequests = ['order.requests']\n").unwrap();
    assert_eq!(all.topics().iter().filter(|topic| **topic == "order.requests").count(), 1);
}
