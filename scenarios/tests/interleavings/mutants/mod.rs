//! Tests of the tests: a service has one fault, and the laws must notice. They show the shortest run to the damage.

mod contents;
mod guards;
mod lines;
mod operators;

use crate::{
    bus::{Bus, Cast, Disturbances},
    laws::Law,
    model::{Explored, explore},
    shop::Shop,
    wish::{Pay, Wish},
};

/// A cast with one fault.
struct Mutant {
    /// Introduces the fault.
    lacks: fn(&mut Cast),
    shop: Shop,
    wish: Wish,
    may: Disturbances,
    /// True if repetitions reach the decisions.
    forgetful: bool,
}

impl Mutant {
    fn of(wish: Wish, lacks: fn(&mut Cast)) -> Self {
        Mutant { lacks, shop: Shop::default(), wish, may: Disturbances::default(), forgetful: false }
    }

    /// Without the inbox's filter for repetitions.
    fn forgetful(self) -> Self {
        Mutant { forgetful: true, ..self }
    }

    /// In a shop that lacks something.
    fn in_shop(self, shop: Shop) -> Self {
        Mutant { shop, ..self }
    }

    /// With these disturbances.
    fn amid(self, may: Disturbances) -> Self {
        Mutant { may, ..self }
    }

    fn explored(self) -> Explored {
        let mut bus = Bus { forgetful: self.forgetful, may: self.may, ..Bus::default() };
        (self.lacks)(&mut bus.cast);
        explore(&self.shop, &[self.wish], bus)
    }

    /// Asserts that the law is broken by some run.
    #[track_caller]
    fn caught_by(self, law: &Law) {
        let broken = self.explored().broken.expect("a mutant is noticed");
        eprintln!("{broken}");
        assert_eq!(broken.law, law.name, "{broken}");
    }

    /// Asserts that the law is broken, and how the shortest run ends.
    #[track_caller]
    fn breaks(self, law: &Law, last_step: &str) {
        let broken = self.explored().broken.expect("a mutant is noticed");
        eprintln!("{broken}");
        assert_eq!((broken.law, broken.story.lines().last().unwrap_or_default()), (law.name, last_step), "{broken}");
    }

    /// Asserts that every law holds nevertheless.
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
