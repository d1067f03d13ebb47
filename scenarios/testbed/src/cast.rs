//! The people and goods of the scenarios. Each scenario has its own, so that all can run at once.

use events::{Currency, Kind, PaymentMethodId, ProductId, UserId};

/// A buyer. The payment method has the same id as the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    pub id: i64,
    pub name: &'static str,
    pub currency: Currency,
    /// Initial balance, in minor units.
    pub owns: i64,
    pub method: Method,
}

/// Payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Through the gateway, with this token; the stand-in for the gateway treats some tokens specially.
    Card(&'static str),
    Wallet,
    Points,
}

/// A product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Good {
    pub id: i64,
    pub name: &'static str,
    pub kind: Kind,
    /// Price of one piece, in minor units.
    pub price: i64,
    pub currency: Currency,
    /// Initial stock in pieces.
    pub stock: i64,
    /// True if a digital good is available.
    pub available: bool,
}

impl Person {
    pub fn user_id(&self) -> UserId {
        UserId(self.id)
    }

    pub fn method_id(&self) -> PaymentMethodId {
        PaymentMethodId(self.id)
    }

    const fn card(id: i64, name: &'static str, owns: i64) -> Person {
        Person { id, name, currency: Currency::JPY, owns, method: Method::Card("tok_visa") }
    }

    const fn points(id: i64, name: &'static str, owns: i64) -> Person {
        Person { id, name, currency: Currency::PTS, owns, method: Method::Points }
    }

    const fn paying(mut self, method: Method) -> Person {
        self.method = method;
        self
    }
}

impl Good {
    pub fn product_id(&self) -> ProductId {
        ProductId(self.id)
    }

    const fn digital(id: i64, name: &'static str, price: i64) -> Good {
        Good { id, name, kind: Kind::Digital, price, currency: Currency::JPY, stock: 10, available: true }
    }

    const fn physical(id: i64, name: &'static str, price: i64) -> Good {
        Good { id, name, kind: Kind::Physical, price, currency: Currency::JPY, stock: 100, available: true }
    }

    const fn for_points(mut self) -> Good {
        self.currency = Currency::PTS;
        self
    }

    const fn discontinued(mut self) -> Good {
        self.available = false;
        self
    }

    const fn stocked(mut self, stock: i64) -> Good {
        self.stock = stock;
        self
    }
}

/// The gateway delays its authorization, which leaves time to cancel.
pub const SLOW_CARD: Method = Method::Card("tok_slow");

pub const ALICE: Person = Person::card(1, "alice", 1_000);
pub const BOB: Person = Person::card(2, "bob", 500);
pub const CHARLIE: Person = Person::card(3, "charlie", 10_000);
pub const DAVE: Person = Person::card(4, "dave", 10_000);
pub const ERIN: Person = Person::card(5, "erin", 20_000);
pub const FRANK: Person = Person::points(6, "frank", 200);
pub const GRACE: Person = Person::points(7, "grace", 200);
pub const HEIDI: Person = Person::card(8, "heidi", 10_000);
pub const IVAN: Person = Person::card(9, "ivan", 10_000);
pub const JUDY: Person = Person::card(10, "judy", 10_000).paying(SLOW_CARD);
pub const KEN: Person = Person::card(11, "ken", 10_000).paying(SLOW_CARD);
pub const LAURA: Person = Person::card(12, "laura", 10_000).paying(Method::Wallet);
pub const MALLORY: Person = Person::card(13, "mallory", 10_000);
pub const NIAJ: Person = Person::card(14, "niaj", 10_000);
pub const OLIVIA: Person = Person::card(15, "olivia", 10_000);
pub const PEGGY: Person = Person::card(16, "peggy", 10_000).paying(Method::Card("tok_declined"));
pub const QUENTIN: Person = Person::card(17, "quentin", 10_000).paying(Method::Card("tok_capture_declined"));
pub const RUPERT: Person = Person::card(18, "rupert", 10_000);
pub const SYBIL: Person = Person::card(19, "sybil", 10_000);
pub const TRENT: Person = Person::card(20, "trent", 10_000);

pub const VICTOR: Person = Person::card(21, "victor", 10_000).paying(Method::Wallet);

pub const PEOPLE: &[Person] = &[
    ALICE, BOB, CHARLIE, DAVE, ERIN, FRANK, GRACE, HEIDI, IVAN, JUDY, KEN, LAURA, MALLORY, NIAJ, OLIVIA, PEGGY,
    QUENTIN, RUPERT, SYBIL, TRENT, VICTOR,
];

pub const BITCOIN: Good = Good::digital(1, "Bitcoin", 100);
pub const HARDWARE_WALLET: Good = Good::physical(2, "Hardware wallet", 300);
pub const MUG: Good = Good::physical(3, "Mug", 500);
pub const POSTER: Good = Good::physical(4, "Poster", 400);
pub const BOMB: Good = Good::digital(5, "Nine thousand nine hundred and ninety-nine", 9_999);
pub const CHARACTER: Good = Good::digital(6, "Character", 50).for_points();
pub const RETIRED_CHARACTER: Good = Good::digital(7, "Retired character", 50).for_points().discontinued();
pub const E_BOOK: Good = Good::digital(8, "E-book", 200);
pub const RETIRED_E_BOOK: Good = Good::digital(9, "Retired e-book", 200).discontinued();
pub const CONCERT: Good = Good::digital(10, "Concert recording", 150);
pub const PODCAST: Good = Good::digital(11, "Podcast", 150);
pub const SONG: Good = Good::digital(12, "Song", 120);
pub const MAP: Good = Good::digital(13, "Map", 130);
pub const FONT: Good = Good::digital(14, "Font", 140);
pub const ALBUM: Good = Good::digital(15, "Album", 160);
pub const FILM: Good = Good::digital(16, "Film", 170);
pub const GAME: Good = Good::digital(17, "Game", 180);
pub const LAMP: Good = Good::physical(18, "Lamp", 600);
pub const POSTCARD: Good = Good::physical(19, "Postcard", 80);
pub const THEME: Good = Good::digital(20, "Theme", 90);
pub const ICON: Good = Good::digital(24, "Icon", 110);
pub const BADGE: Good = Good::digital(25, "Badge", 210);
/// Product that the crowd buys.
pub const TICKET: Good = Good::digital(21, "Ticket", 100).stocked(1_000);
pub const SOLD_OUT: Good = Good::digital(22, "Sold-out ticket", 100).stocked(0);
pub const CANCELLED_SHOW: Good = Good::digital(23, "Ticket for a cancelled show", 100).stocked(1_000).discontinued();

pub const GOODS: &[Good] = &[
    BITCOIN,
    HARDWARE_WALLET,
    MUG,
    POSTER,
    BOMB,
    CHARACTER,
    RETIRED_CHARACTER,
    E_BOOK,
    RETIRED_E_BOOK,
    CONCERT,
    PODCAST,
    SONG,
    MAP,
    FONT,
    ALBUM,
    FILM,
    GAME,
    LAMP,
    POSTCARD,
    THEME,
    TICKET,
    SOLD_OUT,
    CANCELLED_SHOW,
    ICON,
    BADGE,
];

/// Users 101 to 200, each with a wallet, for the scenario with a hundred sagas at once.
pub fn crowd() -> impl Iterator<Item = Person> {
    (101..=200).map(|id| Person { id, name: "crowd", currency: Currency::JPY, owns: 1_000, method: Method::Wallet })
}
