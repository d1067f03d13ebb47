//! An endless sequence of buyers and orders with different outcomes.

use anyhow::Context;
use catalogue::play::Wish;
use events::Currency;
use operations::databases::Databases;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use testbed::{
    Database, Environment,
    cast::{
        ALICE, CANCELLED_SHOW, CHARACTER, E_BOOK, FRANK, GRACE, Good, HEIDI, IVAN, LAMP, MUG, Method, NIAJ, PEGGY,
        POSTCARD, POSTER, Person, QUENTIN, RETIRED_CHARACTER, RETIRED_E_BOOK, RUPERT, SOLD_OUT, SONG, SYBIL, THEME,
        TICKET, crowd,
    },
    seed::{self, MANY_PRODUCTS, MANY_USERS},
};

const TOKYO: &str = "1-1 Chiyoda, Tokyo";
const ATLANTIS: &str = "3 Reef Street, Atlantis";

/// Buyers who order repeatedly.
const REGULARS: [Person; 10] = [FRANK, GRACE, HEIDI, IVAN, NIAJ, PEGGY, QUENTIN, RUPERT, SYBIL, ALICE];
const GOODS: [Good; 12] = [
    MUG,
    POSTCARD,
    THEME,
    LAMP,
    E_BOOK,
    RETIRED_E_BOOK,
    SONG,
    CHARACTER,
    RETIRED_CHARACTER,
    TICKET,
    CANCELLED_SHOW,
    POSTER,
];

/// Seeds all people and goods, with enough money and stock for a long run.
pub async fn enrich(environment: &Environment) -> anyhow::Result<()> {
    seed::well_known(environment).await?;
    seed::many(environment).await?;
    let databases = Databases::of(environment)?;
    for person in REGULARS {
        sqlx::query("select deposit($1, $2, 100000000)")
            .bind(person.id)
            .bind(person.currency.as_str())
            .execute(databases.of_operator(Database::ACCOUNTS))
            .await
            .with_context(|| format!("giving {} money", person.name))?;
    }
    for good in GOODS {
        sqlx::query("select restock($1, 1000000)")
            .bind(good.id)
            .execute(databases.of_operator(Database::INVENTORY))
            .await
            .with_context(|| format!("putting {} in stock", good.name))?;
    }
    Ok(())
}

/// Draws orders from a seed.
#[derive(Debug)]
pub struct Shoppers {
    random: StdRng,
    crowd: Vec<Person>,
}

impl Shoppers {
    pub fn new(seed: u64) -> Self {
        Shoppers { random: StdRng::seed_from_u64(seed), crowd: crowd().collect() }
    }

    /// The next order. Half of them succeed; the rest cover every reason for which an order can end.
    pub fn next_wish(&mut self) -> Wish {
        let stroller = self.crowd[self.random.random_range(0..self.crowd.len())];
        match self.random.random_range(0..24) {
            0..=8 => self.somebody_buys(1..4),
            // 50,000 pieces at 100 each: more than a million.
            9 => self.somebody_buys(50_000..50_001),
            // The crowd's thousand yen are soon spent.
            10 => Wish::of(stroller, &[(TICKET, 3)]),
            11 => Wish::of(stroller, &[(SOLD_OUT, 1)]),
            12 => Wish::of(stroller, &[(TICKET, 1)]).paid_with(ALICE.id),
            13 => Wish::of(HEIDI, &[(CANCELLED_SHOW, 1)]),
            14 | 15 => Wish::of(HEIDI, &[(MUG, 1)]).shipped_to(TOKYO),
            16 => Wish::of(HEIDI, &[(MUG, 2)]).shipped_to(ATLANTIS),
            17 => Wish::of(SYBIL, &[(POSTCARD, 1), (THEME, 1)]).shipped_to(TOKYO),
            18 => Wish::of(IVAN, &[(POSTER, 1), (E_BOOK, 1)]).shipped_to(ATLANTIS),
            19 => Wish::of(RUPERT, &[(LAMP, 1), (RETIRED_E_BOOK, 1)]).shipped_to(TOKYO),
            20 => Wish::of(PEGGY, &[(SONG, 1)]),
            21 => Wish::of(QUENTIN, &[(SONG, 1)]),
            22 => Wish::of(NIAJ, &[(SONG, 2), (E_BOOK, 1)]),
            _ => self.points(),
        }
    }

    /// A buyer of the ten thousand, and a product of the thousand.
    fn somebody_buys(&mut self, quantities: std::ops::Range<i64>) -> Wish {
        let id = self.random.random_range(MANY_USERS);
        let somebody =
            Person { id, name: "somebody", currency: Currency::JPY, owns: 1_000_000, method: Method::Wallet };
        let lines: Vec<(Good, i64)> = (0..self.random.random_range(1..3))
            .map(|_| {
                let good = Good { id: self.random.random_range(MANY_PRODUCTS), price: 100, ..SONG };
                (good, self.random.random_range(quantities.clone()))
            })
            .collect();
        Wish::of(somebody, &lines)
    }

    fn points(&mut self) -> Wish {
        if self.random.random_bool(0.5) {
            Wish::of(FRANK, &[(CHARACTER, 1)])
        } else {
            Wish::of(GRACE, &[(RETIRED_CHARACTER, 1)])
        }
    }
}
