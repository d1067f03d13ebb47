use super::*;

fn complete() -> BTreeMap<String, String> {
    let databases = Database::OF_THE_SHOP.map(|database| (database.variable(), format!("postgres://h/{database}")));
    databases.into_iter().chain([("KAFKA_BROKERS".to_owned(), "h:9092".to_owned())]).collect()
}

fn read(variables: &BTreeMap<String, String>) -> anyhow::Result<Option<Environment>> {
    Environment::from_variables(|name| variables.get(name).cloned())
}

#[test]
fn nothing_set_is_no_environment() {
    assert!(read(&BTreeMap::new()).unwrap().is_none());
}

#[test]
fn a_part_of_it_is_refused_and_the_rest_is_named() {
    let mut variables = complete();
    variables.remove("DATABASE_URL_SHIPPING");
    variables.insert("DATABASE_URL_ORDERS".to_owned(), String::new());
    let error = read(&variables).unwrap_err().to_string();
    assert!(error.contains("DATABASE_URL_ORDERS, DATABASE_URL_SHIPPING are missing"), "{error}");
}

#[test]
fn what_is_not_needed_by_all_is_asked_for_when_it_is_used() {
    let environment = read(&complete()).unwrap().unwrap();
    assert!(environment.order_api().unwrap_err().to_string().contains("ORDER_API_URL"));
    assert_eq!(environment.database(Database::ORDERS).unwrap().expose_secret(), "postgres://h/orders");
}

#[test]
fn an_operator_has_a_role_of_its_own_where_one_is_named() {
    let mut variables = complete();
    variables.insert("DATABASE_OPERATOR_URL_ORDERS".to_owned(), "postgres://o@h/orders".to_owned());
    let environment = read(&variables).unwrap().unwrap();
    let url = |database| environment.operators_database(database).unwrap().expose_secret().to_owned();
    assert_eq!(url(Database::ORDERS), "postgres://o@h/orders");
    assert_eq!(url(Database::ACCOUNTS), "postgres://h/accounts");
}

#[test]
fn what_is_written_can_be_read() {
    let mut variables = complete();
    variables.insert("GATEWAY_URL".to_owned(), "http://h:1".to_owned());
    variables.insert("AUDIT_DATABASE_URL".to_owned(), "postgres://h/audit".to_owned());
    variables.insert("DATABASE_OPERATOR_URL_ORDERS".to_owned(), "postgres://o@h/orders".to_owned());
    let written: BTreeMap<_, _> = read(&variables).unwrap().unwrap().variables().into_iter().collect();
    assert_eq!(written, variables);
}
