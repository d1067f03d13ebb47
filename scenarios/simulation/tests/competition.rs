//! Orders that compete, exhaustively.

use std::time::Instant;

use simulation::{
    check,
    shop::{PRICE, Shop},
    wish::{Pay, Wish},
};

#[test]
fn show() {
    for (n, deposit, received) in [(3, 2, 5), (3, 5, 2)] {
        let shop = Shop { deposit: deposit * PRICE, received: Some(received), ..Shop::default() };
        let wishes = vec![Wish::of(1, 0, Pay::Wallet); n];
        for reduced in [true] {
            let begun = Instant::now();
            let check = check(&shop, &wishes).at_most(20_000_000);
            let report = if reduced { check.reduced().explore() } else { check.explore() };
            eprintln!("{n} {deposit} {received} {reduced}: {} {} {:?} {:?} {:?}", report.states, report.steps, report.is_complete, begun.elapsed(), report.endings);
            if let Some(broken) = report.broken { eprintln!("{broken}"); }
            eprintln!("{:?}", report.reduced);
        }
    }
}
