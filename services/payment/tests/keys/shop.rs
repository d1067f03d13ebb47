//! A database with payment methods, and a keyring beside it.

use std::{path::PathBuf, sync::Arc};

use events::{PaymentMethodId, UserId};
use payment::{
    MIGRATIONS,
    keys::store::{self, Retired},
    method::MethodType,
    sealed_details::{Keys, Place, Unopened, v1},
};
use saga::{sessions::Sessions, testing::TestDatabase};
use sealing::{Key, KeyId, KeyringFile, State};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

/// Key of the first format: base64 of 32 bytes.
pub(crate) const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(crate) struct Shop {
    pub(crate) db: TestDatabase,
    pub(crate) keyring: Arc<KeyringFile>,
    folder: TempDir,
}

pub(crate) fn id(id: &str) -> KeyId {
    id.parse().expect("an id")
}

pub(crate) fn card(method: i64, owner: i64) -> Place {
    Place { method: PaymentMethodId(method), owner: UserId(owner), method_type: MethodType::Card }
}

/// The details of a card, whose token is as unique as its method.
pub(crate) fn details(method: i64) -> String {
    format!(r#"{{"token":"tok_{method}","last4":"4242"}}"#)
}

impl Shop {
    /// Two registered keys, `a` (active) and `b`, and no method.
    pub(crate) async fn open() -> Self {
        let db = TestDatabase::create(&MIGRATIONS).await;
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = Arc::new(KeyringFile::open_or_create(&folder.path().join("keyring")).expect("created"));
        let shop = Shop { db, keyring, folder };
        for key in ["a", "b"] {
            shop.keyring.add(&id(key)).expect("added");
            assert!(shop.add(key).await, "registered");
        }
        shop
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("keyring")
    }

    pub(crate) fn sessions(&self) -> Sessions {
        self.db.pool().clone().into()
    }

    /// The keyring's keys, and the first format's.
    pub(crate) fn keys(&self) -> Keys {
        Keys::of(self.keyring.clone()).with_first(FIRST.parse().expect("a key"))
    }

    pub(crate) fn activate(&self, key: &str) {
        self.keyring.set(&id(key), State::Active).expect("set");
    }

    pub(crate) async fn add(&self, key: &str) -> bool {
        let mut db = self.db.pool().begin().await.expect("begun");
        let added = store::add(&mut db, key).await.expect("decided");
        db.commit().await.expect("committed");
        added
    }

    pub(crate) async fn retire(&self, key: &str) -> Retired {
        let mut db = self.db.pool().begin().await.expect("begun");
        let retired = store::retire(&mut db, key).await.expect("decided");
        if retired == Retired::Now {
            db.commit().await.expect("committed");
        }
        retired
    }

    /// Inserts a method with details as they are.
    pub(crate) async fn insert(&self, place: Place, details: Option<&str>) -> sqlx::Result<()> {
        sqlx::query("insert into payment_methods (id, user_id, method_type, method_details) values ($1, $2, $3, $4)")
            .bind(place.method.0)
            .bind(place.owner.0)
            .bind(place.method_type.as_str())
            .bind(details)
            .execute(self.db.pool())
            .await
            .map(drop)
    }

    /// Inserts a card under the active key.
    pub(crate) async fn card(&self, method: i64, owner: i64) {
        let place = card(method, owner);
        let sealed = self.keys().seal(&place, &details(method)).expect("sealed");
        self.insert(place, Some(&sealed)).await.expect("inserted");
    }

    /// Inserts a card in the first format.
    pub(crate) async fn first_card(&self, method: i64, owner: i64) {
        let key: Key = FIRST.parse().expect("a key");
        let sealed = v1::seal(&key, PaymentMethodId(method), &details(method));
        self.insert(card(method, owner), Some(&sealed)).await.expect("inserted");
    }

    /// A card's token, by way of its row as it is now.
    pub(crate) async fn token(&self, keys: &Keys, method: i64) -> Result<String, Unopened> {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        let row = store::present(&mut db, PaymentMethodId(method)).await.expect("read").expect("has details");
        keys.open_token(&row.place, &row.details).map(|token: SecretString| token.expose_secret().to_owned())
    }

    /// Asserts that every card opens, and that its details are its own.
    pub(crate) async fn all_open(&self, keys: &Keys) {
        let ids: Vec<i64> = sqlx::query_scalar("select id from payment_methods where details_key is not null")
            .fetch_all(self.db.pool())
            .await
            .expect("read");
        for method in ids {
            assert_eq!(self.token(keys, method).await.as_deref(), Ok(format!("tok_{method}").as_str()));
        }
    }

    /// Number of rows of each key.
    pub(crate) async fn rows(&self) -> Vec<(String, i64)> {
        let mut db = self.db.pool().acquire().await.expect("a connection");
        let known = store::known(&mut db).await.expect("counted");
        let used = known.into_iter().filter(|known| known.rows > 0);
        used.map(|known| (known.id.unwrap_or_else(|| "none".to_owned()), known.rows)).collect()
    }
}
