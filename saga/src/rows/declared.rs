//! Rows that are declared, and not written out: [`rows!`](crate::rows!).

/// Declares a row of a table, with the statements that load and save it: [`Rows`](crate::Rows) of it by key, for a
/// [`Service`](crate::Service).
///
/// ```
/// use chrono::NaiveDate;
/// use saga::{Rows, StoreError, rows};
/// use sqlx::PgConnection;
///
/// rows! {
///     /// The rooms of a hotel for one night.
///     #[derive(Debug, Clone)]
///     pub struct Night in "nights" by (hotel: i64, night: NaiveDate) {
///         /// Rooms that nobody has.
///         free: i32,
///         price: i64,
///     }
/// }
///
/// async fn sell(db: &mut PgConnection, hotel: i64, night: NaiveDate) -> Result<(), StoreError> {
///     let mut nights: Rows<(i64, NaiveDate), Night> = Night::load(db, [(hotel, night)]).await?;
///     if let Some(night) = nights.get_mut(&(hotel, night)) {
///         night.free -= 1;
///     }
///     Night::save(db, &nights).await
/// }
/// ```
///
/// - `load(db, keys)` reads the rows with these keys and locks them in the order of the keys, so that two batches cannot
///   deadlock.
/// - `save(db, &rows)` inserts new rows and updates changed ones, with one statement each. If another transaction inserted a new
///   row first, it fails with [`StoreError::Raced`](crate::StoreError::Raced), and the batch is loaded and decided again.
///
/// Fields are columns of the same name, of any type that sqlx knows in arrays, [`SagaId`](crate::SagaId) (`uuid`) and
/// [`Status`](crate::barrier::Status) (`text`) included. A key of one column is a plain value, one of several columns a tuple;
/// key types are `Ord` and `Clone`, come back from the database as they were (no nanoseconds), and have a unique index. A row has
/// at least one field beside its key. A table of another shape is loaded and saved by
/// hand.
#[macro_export]
macro_rules! rows {
    (
        $(#[$attribute:meta])*
        $visible:vis struct $row:ident in $table:literal by ($($key:ident: $key_type:ty),+ $(,)?) {
            $($(#[$field_attribute:meta])* $field:ident: $type:ty),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visible struct $row {
            $($(#[$field_attribute])* $visible $field: $type,)+
        }

        #[allow(unused_parens)]
        const _: () = {
            static STATEMENTS: ::std::sync::LazyLock<$crate::Statements> = ::std::sync::LazyLock::new(|| {
                $crate::Statements::new($table, &[$(stringify!($key)),+], &[$(stringify!($field)),+])
            });

            impl $row {
                /// Reads the rows with these keys, and locks them in the order of their keys.
                $visible async fn load(
                    db: &mut $crate::sqlx::PgConnection,
                    keys: impl IntoIterator<Item = ($($key_type),+)>,
                ) -> ::core::result::Result<$crate::Rows<($($key_type),+), Self>, $crate::StoreError> {
                    struct Columns {
                        $($key: ::std::vec::Vec<$key_type>,)+
                    }
                    let mut columns = Columns { $($key: ::std::vec::Vec::new(),)+ };
                    for ($($key),+) in keys {
                        $(columns.$key.push($key);)+
                    }
                    let select = $crate::sqlx::query(STATEMENTS.load());
                    let found = select$(.bind(columns.$key))+.fetch_all(db).await?;
                    let read = found.iter().map(|row| {
                        use $crate::sqlx::Row as _;
                        let fields = $row { $($field: row.try_get($crate::Statements::column(stringify!($field)))?,)+ };
                        let key = ($(row.try_get::<$key_type, _>($crate::Statements::column(stringify!($key)))?),+);
                        ::core::result::Result::Ok((key, fields))
                    });
                    let read = read.collect::<$crate::sqlx::Result<::std::vec::Vec<_>>>()?;
                    ::core::result::Result::Ok($crate::Rows::loaded(read))
                }

                /// Inserts what is new and updates what has changed.
                $visible async fn save(
                    db: &mut $crate::sqlx::PgConnection,
                    rows: &$crate::Rows<($($key_type),+), Self>,
                ) -> ::core::result::Result<(), $crate::StoreError> {
                    #[derive(Default)]
                    struct Columns {
                        $($key: ::std::vec::Vec<$key_type>,)+
                        $($field: ::std::vec::Vec<$type>,)+
                    }
                    let columns = |rows: ::std::vec::Vec<(&($($key_type),+), &Self)>| {
                        let mut columns = Columns { $($key: ::std::vec::Vec::new(),)+ $($field: ::std::vec::Vec::new(),)+ };
                        for (key, row) in rows {
                            let ($($key),+) = ::core::clone::Clone::clone(key);
                            $(columns.$key.push($key);)+
                            $(columns.$field.push(::core::clone::Clone::clone(&row.$field));)+
                        }
                        columns
                    };
                    let (new, changed) = (rows.new_rows(), rows.changed_rows());
                    if !new.is_empty() {
                        let (asked, columns) = (new.len(), columns(new));
                        let insert = $crate::sqlx::query(STATEMENTS.insert());
                        let insert = insert$(.bind(columns.$key))+$(.bind(columns.$field))+;
                        let inserted = insert.execute(&mut *db).await?.rows_affected();
                        $crate::store::all_inserted($table, asked, inserted)?;
                    }
                    if !changed.is_empty() {
                        let columns = columns(changed);
                        let update = $crate::sqlx::query(STATEMENTS.update());
                        update$(.bind(columns.$key))+$(.bind(columns.$field))+.execute(db).await?;
                    }
                    ::core::result::Result::Ok(())
                }
            }
        };
    };
}

/// The statements for the rows of one table. Each takes arrays: those of the keys, then those of the fields.
#[derive(Debug)]
pub struct Statements {
    load: String,
    insert: String,
    update: String,
}

impl Statements {
    /// For a table with these columns.
    pub fn new(table: &str, keys: &[&'static str], fields: &[&'static str]) -> Self {
        let quoted = |names: &[&'static str]| -> Vec<String> {
            names.iter().map(|name| format!("\"{}\"", Self::column(name))).collect()
        };
        let (keys, fields) = (quoted(keys), quoted(fields));
        let arrays = |count: usize| (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
        let all = [keys.as_slice(), fields.as_slice()].concat();
        let (key_list, list, given) = (keys.join(", "), all.join(", "), arrays(all.len()));
        let set: Vec<String> = fields.iter().map(|field| format!("{field} = given.{field}")).collect();
        let same: Vec<String> = keys.iter().map(|key| format!("t.{key} = given.{key}")).collect();
        Statements {
            load: format!(
                "select {list} from {table} where ({key_list}) in (select * from unnest({})) order by {key_list} for update",
                arrays(keys.len())
            ),
            insert: format!(
                "insert into {table} ({list}) select * from unnest({given}) on conflict ({key_list}) do nothing"
            ),
            update: format!(
                "update {table} t set {} from unnest({given}) given ({list}) where {}",
                set.join(", "),
                same.join(" and ")
            ),
        }
    }

    /// The column of a field: of `r#type` it is `type`.
    pub fn column(field: &'static str) -> &'static str {
        field.strip_prefix("r#").unwrap_or(field)
    }

    /// Of the rows with these keys.
    pub fn load(&'static self) -> sqlx::AssertSqlSafe<&'static str> {
        sqlx::AssertSqlSafe(&self.load)
    }

    /// Of new rows.
    pub fn insert(&'static self) -> sqlx::AssertSqlSafe<&'static str> {
        sqlx::AssertSqlSafe(&self.insert)
    }

    /// Of rows that have changed.
    pub fn update(&'static self) -> sqlx::AssertSqlSafe<&'static str> {
        sqlx::AssertSqlSafe(&self.update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_takes_one_array_for_each_column() {
        let one = Statements::new("bookings", &["trip_id"], &["status"]);
        assert_eq!(
            one.load,
            "select \"trip_id\", \"status\" from bookings where (\"trip_id\") in (select * from unnest($1)) order by \"trip_id\" for update"
        );
        let two = Statements::new("nights", &["hotel", "night"], &["free"]);
        assert_eq!(
            two.insert,
            "insert into nights (\"hotel\", \"night\", \"free\") select * from unnest($1, $2, $3) on conflict (\"hotel\", \"night\") do nothing"
        );
        assert_eq!(
            two.update,
            "update nights t set \"free\" = given.\"free\" from unnest($1, $2, $3) given (\"hotel\", \"night\", \"free\") \
             where t.\"hotel\" = given.\"hotel\" and t.\"night\" = given.\"night\""
        );
    }
}
