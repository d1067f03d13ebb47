//! One order of every kind, with every trouble, exhaustively: with every order of delivery, with repetitions of everything, and
//! with a cancellation, a deadline, lost answers and abandoned calls at every moment.

use crate::{
    bus::Bus,
    model::explore,
    report::Report,
    shop::Shop,
    troubles::TROUBLES,
    wish::{Pay, Wish},
};

#[test]
fn digital() {
    every_trouble("a digital order", 1, 0);
}

#[test]
fn physical() {
    every_trouble("a physical order", 0, 1);
}

#[test]
fn mixed() {
    every_trouble("a mixed order", 1, 1);
}

fn every_trouble(what: &str, digital: i64, physical: i64) {
    let mut report = Report::of(what);
    for pay in [Pay::Wallet, Pay::Card] {
        let wish = Wish::of(digital, physical, pay);
        for trouble in TROUBLES.iter().filter(|trouble| (trouble.concerns)(&wish)) {
            let (mut shop, mut wish) = (Shop::default(), wish.clone());
            (trouble.befall)(&mut shop, &mut wish);
            // With and without the inbox: the inbox suffices, and the barrier alone suffices.
            for forgetful in [false, true] {
                let explored = explore(&shop, std::slice::from_ref(&wish), Bus { forgetful, ..Bus::default() });
                let case = format!("{what}, {pay:?}, {}, forgetful: {forgetful}", trouble.what);
                report.add(&case, &explored);
                assert_eq!(explored.endings, trouble.endings(&shop, &wish), "{case}");
            }
        }
    }
    report.print();
}
