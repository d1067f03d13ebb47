//! The test of the test: a service does one thing wrong, and the laws must notice. What they show is the shortest way to the
//! damage.

mod contents;
mod guards;
mod operators;

use crate::{
    bus::{Bus, Cast, Disturbances},
    laws::Law,
    model::{Explored, explore},
    shop::Shop,
    wish::{Pay, Wish},
};

/// A cast in which one thing is wrong.
struct Mutant {
    /// Makes it so.
    lacks: fn(&mut Cast),
    shop: Shop,
    wish: Wish,
    may: Disturbances,
    /// True if repetitions get through to the decisions.
    forgetful: bool,
}

impl Mutant {
    fn of(wish: Wish, lacks: fn(&mut Cast)) -> Self {
        Mutant { lacks, shop: Shop::default(), wish, may: Disturbances::default(), forgetful: false }
    }

    /// Where the inbox does not keep repetitions out.
    fn forgetful(self) -> Self {
        Mutant { forgetful: true, ..self }
    }

    /// In a shop that lacks something.
    fn in_shop(self, shop: Shop) -> Self {
        Mutant { shop, ..self }
    }

    /// Where this may happen besides.
    fn amid(self, may: Disturbances) -> Self {
        Mutant { may, ..self }
    }

    fn explored(self) -> Explored {
        let mut bus = Bus { forgetful: self.forgetful, may: self.may, ..Bus::default() };
        (self.lacks)(&mut bus.cast);
        explore(&self.shop, &[self.wish], bus)
    }

    /// Asserts that the law is seen broken, however.
    #[track_caller]
    fn caught_by(self, law: &Law) {
        let broken = self.explored().broken.expect("a mutant is noticed");
        eprintln!("{broken}");
        assert_eq!(broken.law, law.name, "{broken}");
    }

    /// Asserts that the law is seen broken, and how the shortest story of it ends.
    #[track_caller]
    fn breaks(self, law: &Law, last_step: &str) {
        let broken = self.explored().broken.expect("a mutant is noticed");
        eprintln!("{broken}");
        assert_eq!((broken.law, broken.story.lines().last().unwrap_or_default()), (law.name, last_step), "{broken}");
    }

    /// Asserts that all is well nevertheless.
    #[track_caller]
    fn breaks_nothing(self) {
        if let Some(broken) = self.explored().broken {
            panic!("{broken}");
        }
    }
}

fn by_wallet() -> Wish {
    Wish::of(1, 0, Pay::Wallet)
}

fn by_card() -> Wish {
    Wish::of(1, 0, Pay::Card)
}
