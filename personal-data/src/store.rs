//! The keys in their database.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use sealing::{Binding, Envelope, Key, KeyEncryption, KeyError};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    key::PersonKey,
    keys::{Held, PersonKeys, Unusable},
    together::Together,
};

/// Time for each question. Whoever asks waits for the one before as well, and so for twice as long at most.
const WITHIN: Duration = Duration::from_secs(3);
/// Sessions of one program. A question takes about a millisecond.
const SESSIONS: u32 = 4;

/// Where the keys are, if texts are sealed at all. The default seals nothing. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Vault(Option<Keeper>);

impl Vault {
    /// The database of keys; `None` where nothing is sealed.
    pub fn keeper(&self) -> Option<&Keeper> {
        self.0.as_ref()
    }

    /// The keys of these persons; one who has none is missing.
    ///
    /// # Errors
    /// If they cannot be had now.
    pub async fn keys_of(&self, persons: &[i64]) -> Result<PersonKeys, KeysError> {
        match &self.0 {
            Some(keeper) => keeper.held(persons).await.map(PersonKeys::sealing),
            None => Ok(PersonKeys::default()),
        }
    }

    /// The keys of these persons; whoever has none gets one. The role of a keeper is needed for that.
    ///
    /// # Errors
    /// If they cannot be had now.
    pub async fn keys_for(&self, persons: &[i64]) -> Result<PersonKeys, KeysError> {
        let Some(keeper) = &self.0 else { return Ok(PersonKeys::default()) };
        let held = keeper.held(persons).await?;
        let mut new: Vec<i64> = persons.iter().copied().filter(|person| !held.contains_key(person)).collect();
        if new.is_empty() {
            return Ok(PersonKeys::sealing(held));
        }
        new.sort_unstable();
        new.dedup();
        keeper.offer(&new).await?;
        // Read again: somebody else's offer may have been first, or an erasure.
        self.keys_of(persons).await
    }
}

impl From<Keeper> for Vault {
    fn from(keeper: Keeper) -> Self {
        Vault(Some(keeper))
    }
}

/// The database of keys, and the keyring that wraps them. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    pool: PgPool,
    keyring: Arc<dyn KeyEncryption>,
    asking: Arc<Together<Option<String>, KeysError>>,
}

/// The reason why keys cannot be had. None of them concerns a single person: asking again later helps.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeysError {
    /// The database does not answer as it should.
    #[error("the database of personal keys: {0}")]
    Sql(Arc<sqlx::Error>),
    /// It does not answer in time.
    #[error("the database of personal keys has not answered in time")]
    Silent,
    /// The keyring cannot wrap any key.
    #[error("the keyring of personal keys: {0}")]
    Keyring(Arc<KeyError>),
}

/// What became of the keys that were wrapped by another key than the active one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rewrapped {
    /// Number of keys that were wrapped anew.
    pub count: u64,
    /// Those that stay as they are, because they cannot be unwrapped.
    pub unusable: Vec<Unusable>,
}

impl Keeper {
    /// The database at these options. Connects when it is first asked.
    pub fn new(options: PgConnectOptions, keyring: Arc<dyn KeyEncryption>) -> Self {
        let pool = PgPoolOptions::new().max_connections(SESSIONS).acquire_timeout(WITHIN).connect_lazy_with(options);
        Keeper { pool, keyring, asking: Arc::default() }
    }

    /// Offers each of these persons a new key.
    async fn offer(&self, persons: &[i64]) -> Result<(), KeysError> {
        let wrapped = persons.iter().map(|&person| self.wrap(person, &PersonKey::generate()));
        let wrapped = wrapped.collect::<Result<Vec<_>, _>>()?;
        let offering = sqlx::query("select personal.offer($1, $2)").bind(persons).bind(wrapped);
        bounded(offering.execute(&self.pool)).await.map(drop)
    }

    /// Erases a person: his key, and any that might be made for him. Returns whether he was not erased before.
    ///
    /// # Errors
    /// If it cannot be done now; the key may be erased all the same if no answer came.
    pub async fn erase(&self, person: i64) -> Result<bool, KeysError> {
        let erasing = sqlx::query_scalar::<_, bool>("select personal.erase($1)").bind(person);
        bounded(erasing.fetch_one(&self.pool)).await
    }

    /// Wraps every key by the active one of the keyring, in the order of the persons. A key that cannot be unwrapped is left as
    /// it is and reported. May be interrupted and repeated.
    ///
    /// # Errors
    /// If no key can be wrapped, or the database does not answer.
    pub async fn rewrap(&self) -> Result<Rewrapped, KeysError> {
        let mut done = Rewrapped::default();
        let mut after = None;
        loop {
            let active = self.keyring.active().map_err(keyring)?;
            let asking = sqlx::query_as("select person, wrapped from personal.wrapped_otherwise($1, $2)")
                .bind(active.as_str())
                .bind(after);
            let some: Vec<(i64, String)> = bounded(asking.fetch_all(&self.pool)).await?;
            let Some((last, _)) = some.last() else { return Ok(done) };
            after = Some(*last);
            for (person, before) in some {
                let anew = match self.rewrapped(person, &before) {
                    Ok(anew) => anew,
                    Err(error) => {
                        done.unusable.push(Unusable { person, why: concerns_one(error)?.to_string() });
                        continue;
                    }
                };
                let replacing = sqlx::query_scalar::<_, bool>("select personal.replace($1, $2, $3)");
                let replacing = replacing.bind(person).bind(&before).bind(anew).fetch_one(&self.pool);
                // Erased, or wrapped anew by another, meanwhile: either way there is nothing to do.
                done.count += u64::from(bounded(replacing).await?);
            }
        }
    }

    async fn held(&self, persons: &[i64]) -> Result<BTreeMap<i64, Held>, KeysError> {
        if persons.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ask = |all: Vec<i64>| async move {
            let asking = sqlx::query_as("select person, wrapped from personal.keys_of($1)").bind(all);
            let rows: Vec<(i64, Option<String>)> = bounded(asking.fetch_all(&self.pool)).await?;
            Ok(rows.into_iter().collect())
        };
        // The one before may be held by somebody who has stopped waiting without giving up.
        let asked = tokio::time::timeout(WITHIN * 2, self.asking.ask(persons, ask)).await;
        let rows = asked.map_err(|_| KeysError::Silent)??;
        rows.into_iter()
            .map(|(person, wrapped)| {
                let Some(wrapped) = wrapped else { return Ok((person, Held::Erased)) };
                let held = match self.unwrap(person, &wrapped) {
                    Ok(key) => Held::Key(key),
                    Err(error) => Held::Unusable(concerns_one(error)?.to_string()),
                };
                Ok((person, held))
            })
            .collect()
    }

    fn wrap(&self, person: i64, key: &PersonKey) -> Result<String, KeysError> {
        Ok(Envelope::seal(&*self.keyring, &place(person), key.bytes()).map_err(keyring)?.to_string())
    }

    fn unwrap(&self, person: i64, wrapped: &str) -> Result<PersonKey, KeyError> {
        let envelope: Envelope = wrapped.parse().map_err(|_| KeyError::Forged)?;
        let bytes = envelope.open(&*self.keyring, &place(person))?;
        Key::from_bytes(&bytes).map(PersonKey::of).ok_or(KeyError::Forged)
    }

    fn rewrapped(&self, person: i64, wrapped: &str) -> Result<String, KeyError> {
        let envelope: Envelope = wrapped.parse().map_err(|_| KeyError::Forged)?;
        Ok(envelope.rewrap(&*self.keyring, &place(person))?.to_string())
    }
}

/// The error, if it is about the one key that was to be unwrapped. A key of another id may be somebody's invention, and must not
/// keep the others waiting.
fn concerns_one(error: KeyError) -> Result<KeyError, KeysError> {
    match error {
        KeyError::Forged | KeyError::Unknown(_) | KeyError::Retired(_) => Ok(error),
        KeyError::NoneActive | KeyError::Unavailable(_) => Err(keyring(error)),
    }
}

fn keyring(error: KeyError) -> KeysError {
    KeysError::Keyring(Arc::new(error))
}

/// Where a wrapped key belongs.
fn place(person: i64) -> Binding {
    Binding::of("personal.keys.wrapped").and(&person.to_be_bytes())
}

async fn bounded<T>(asking: impl Future<Output = sqlx::Result<T>>) -> Result<T, KeysError> {
    match tokio::time::timeout(WITHIN, asking).await {
        Ok(answer) => answer.map_err(|error| KeysError::Sql(Arc::new(error))),
        Err(_) => Err(KeysError::Silent),
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper(..)")
    }
}
