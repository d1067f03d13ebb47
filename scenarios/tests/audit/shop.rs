//! Orders with every outcome in a system at rest, and the audit of all of it.

use std::collections::BTreeMap;

use chrono::Utc;
use events::{OrderId, publisher};
use order::{Command, Door, Orders, Placement};
use saga::{record::Record, unit_of_work::UnitOfWork};
use scenarios::{
    audit::{self, Booking, Buyers, Delivered, Dossier, Finding, Item, Known, Ledgers, MailRetention, Topics},
    stack::Database,
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::system::{PARTITIONS, System};

/// The shop's own rows: three buyers with balances in three currencies, products of every kind.
async fn stock_up(system: &System) {
    system
        .run(
            Database::ORDERS,
            "insert into products values (1, 'e-book', 100, 'JPY', 'digital'), (2, 'poster', 300, 'JPY', 'physical'),
                                         (3, 'badge', 5, 'PTS', 'digital'), (4, 'old game', 100, 'JPY', 'digital')",
        )
        .await;
    system
        .run(
            Database::ACCOUNTS,
            "insert into users values (1, 'alice'), (2, 'bob');
             insert into balances (user_id, currency, balance)
             values (1, 'JPY', 100000), (1, 'PTS', 50), (2, 'JPY', 100000)",
        )
        .await;
    system
        .run(
            Database::PAYMENTS,
            "insert into payment_methods values (1, 1, 'wallet', null), (2, 1, 'card', 'tok_good'),
                 (3, 1, 'points', null), (4, 1, 'card', 'tok_declined'), (5, 1, 'card', 'tok_capture_declined'),
                 (6, 2, 'card', 'tok_good')",
        )
        .await;
    system
        .run(
            Database::INVENTORY,
            "insert into stock (product_id, stock_quantity) values (1, 100), (2, 20), (3, 100), (4, 100)",
        )
        .await;
    system.run(Database::ENTITLEMENTS, "insert into catalogue values (1, true), (3, true), (4, false)").await;
    system.run(Database::NOTIFICATIONS, "insert into contacts values (2, 'bob@example.org')").await;
}

fn wish(user: i64, method: i64, items: &[(i64, i64)], ship_to: Option<&str>) -> Value {
    let items: Vec<Value> =
        items.iter().map(|(product, quantity)| json!({ "product_id": product, "quantity": quantity })).collect();
    json!({ "user_id": user, "payment_method_id": method, "items": items, "ship_to": ship_to })
}

/// A system at rest with orders of every outcome.
pub(crate) struct Shop {
    pub(crate) system: System,
    /// By outcome.
    pub(crate) orders: BTreeMap<&'static str, OrderId>,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        let mut system = System::new().await;
        stock_up(&system).await;
        let mut orders = BTreeMap::new();
        let home = Some("1-1 Chiyoda, 東京");
        for (what, wish) in [
            ("five by wallet", wish(1, 1, &[(1, 2), (1, 3)], None)),
            ("card", wish(2, 6, &[(2, 2)], home)),
            ("mixed", wish(1, 2, &[(1, 1), (2, 1)], home)),
            ("points", wish(1, 3, &[(3, 2)], None)),
            ("too dear", wish(2, 6, &[(1, 500_000)], None)),
            ("stranger", wish(9, 1, &[(1, 1)], None)),
            ("declined card", wish(1, 4, &[(1, 1)], None)),
            ("another's card", wish(2, 1, &[(1, 1)], None)),
            ("out of stock", wish(1, 2, &[(1, 1), (2, 50)], home)),
            ("nowhere", wish(1, 2, &[(1, 1), (2, 1)], Some("nowhere"))),
            ("discontinued", wish(2, 6, &[(4, 1), (2, 1)], home)),
            ("capture declined", wish(1, 5, &[(1, 1)], None)),
            ("unknown product", wish(1, 1, &[(77, 1)], None)),
            ("two currencies", wish(1, 1, &[(1, 1), (3, 1)], None)),
        ] {
            let order = OrderId(Uuid::now_v7());
            let mut wish = wish;
            wish["order_id"] = json!(order);
            system.publish_request(order, &wish);
            orders.insert(what, order);
        }
        for (what, wish) in [("cancelled", wish(1, 1, &[(1, 1)], None)), ("timed out", wish(1, 2, &[(1, 1)], None))] {
            orders.insert(what, place(&system.order.work, wish).await);
        }
        let ask = |what, command| system.order.work.submit(what, command, None);
        let _said = ask(order::POST_CANCEL, Command::RequestCancel(orders["cancelled"])).await.unwrap();
        let _said = ask(order::DEADLINE_PASSED, Command::TimeOut(orders["timed out"])).await.unwrap();
        system.settle().await;
        Shop { system, orders }
    }

    /// Everything that the audit reads, to be audited repeatedly.
    pub(crate) async fn books(&self) -> Books {
        let mut books =
            Books { known: known(), items: BTreeMap::new(), ledgers: Ledgers::default(), gone: BTreeMap::new() };
        for database in Database::OF_THE_SHOP {
            let mut db = self.system.database(database).acquire().await.unwrap();
            books.read(&mut db, database).await;
        }
        books.read_log(&self.system.log);
        books.read_bookings(&self.system.bookings());
        books.read_mails(self.mails());
        books
    }

    pub(crate) fn mails(&self) -> Vec<Delivered> {
        let files = std::fs::read_dir(self.system.mails.path()).unwrap();
        let mut mails: Vec<Delivered> = files
            .map(|file| {
                let path = file.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                Delivered { name, text: std::fs::read_to_string(path).unwrap() }
            })
            .collect();
        mails.sort_by(|a, b| a.name.cmp(&b.name));
        mails
    }
}

async fn place(work: &UnitOfWork<Orders>, mut wish: Value) -> OrderId {
    let order_id = OrderId(Uuid::now_v7());
    wish["order_id"] = json!(order_id);
    let request = serde_json::from_value(wish).unwrap();
    let command = Command::Place(Placement { order_id, request, door: Door::Api, former: None });
    let _said = work.submit("POST /orders", command, None).await.unwrap();
    order_id
}

fn known() -> Known {
    let mut known = Known { mails: Some(MailRetention::default()), ..Known::default() };
    known.buyers = Buyers { domain: "example.test".to_owned(), ..Buyers::default() };
    known.kept.partitions = publisher::all().map(|publisher| (publisher, PARTITIONS)).collect();
    known
}

/// The source of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Database(Database),
    Log,
    Gateway,
    Mails,
}

/// The audit's input by source, so that each source can be read again separately.
pub(crate) struct Books {
    pub(crate) known: Known,
    pub(crate) items: BTreeMap<Source, Vec<(OrderId, Item)>>,
    pub(crate) ledgers: Ledgers,
    gone: BTreeMap<Database, Vec<Finding>>,
}

impl Books {
    pub(crate) async fn read(&mut self, db: &mut PgConnection, database: Database) {
        let mut items = Vec::new();
        audit::read_within(db, database, &mut self.known, |order, item| {
            items.push((order, item));
            Ok(())
        })
        .await
        .unwrap();
        self.items.insert(Source::Database(database), items);
        self.gone.insert(database, Ledgers::gone(db, database).await.unwrap());
        match database {
            Database::ACCOUNTS => self.ledgers.balances = Ledgers::balances(db).await.unwrap(),
            Database::INVENTORY => self.ledgers.stock = Ledgers::stock(db).await.unwrap(),
            Database::NOTIFICATIONS => {
                self.known.buyers.addresses = audit::addresses(db, vec![1, 2, 9]).await.unwrap();
            }
            _ => {}
        }
    }

    pub(crate) fn read_log(&mut self, log: &[Record]) {
        let (mut topics, mut items) = (Topics::default(), Vec::new());
        for record in log {
            let put = |order, item| {
                items.push((order, item));
                Ok(())
            };
            topics.note(record, put).unwrap();
        }
        self.known.letters = topics.letters().clone().into();
        self.items.insert(Source::Log, items);
    }

    pub(crate) fn read_bookings(&mut self, bookings: &[Booking]) {
        let order = |booking: &Booking| booking.payment_id.parse().unwrap_or(OrderId(Uuid::nil()));
        let items = bookings.iter().map(|booking| (order(booking), Item::Booking(booking.clone())));
        self.items.insert(Source::Gateway, items.collect());
    }

    pub(crate) fn read_mails(&mut self, mails: Vec<Delivered>) {
        let order =
            |mail: &Delivered| mail.name.get(..36).and_then(|id| id.parse().ok()).unwrap_or(OrderId(Uuid::nil()));
        self.items.insert(Source::Mails, mails.into_iter().map(|mail| (order(&mail), Item::Mail(mail))).collect());
    }

    /// All findings.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings_of(|_| true)
    }

    /// The findings about some orders, and about balances and stock.
    pub(crate) fn findings_of(&self, wanted: impl Fn(&OrderId) -> bool) -> Vec<Finding> {
        let items = self.items.values().flatten().filter(|(order, _)| wanted(order)).cloned();
        let judgement = audit::files(Dossier::file(items), &self.known, Utc::now());
        let books = audit::books(&self.ledgers);
        let gone = self.gone.values().flatten().cloned();
        let found = judgement.invariants.into_iter().chain(books).flat_map(|invariant| invariant.findings);
        found.chain(gone).collect()
    }
}

/// A transaction for a change that is rolled back.
pub(crate) async fn begin(db: &mut PgConnection) -> sqlx::Transaction<'_, sqlx::Postgres> {
    db.begin().await.unwrap()
}
