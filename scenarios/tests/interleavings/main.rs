//! Every interleaving of the saga.
mod bus;
mod laws;
mod model;
mod rows;
mod shop;
mod story;

use std::io::Write;

#[test]
fn measure() {
    use shop::*;
    for forgetful in [false, true] {
    for (name, wishes, deposit, received) in [
        ("two digital wallet, money for one", vec![Wish::of(1,0,Pay::Wallet); 2], 100, 5),
        ("two digital wallet, stock for one", vec![Wish::of(1,0,Pay::Wallet); 2], 1000, 1),
        ("two digital card+wallet, stock for one", vec![Wish::of(1,0,Pay::Wallet), Wish::of(1,0,Pay::Card)], 1000, 1),
    ] {
        let begun = std::time::Instant::now();
        let shop = Shop { deposit, received, ..Shop::default() };
        let e = model::explore(&shop, &wishes, bus::Bus { forgetful, ..Default::default() });
        writeln!(std::io::stderr(), "{name} {forgetful}: {} worlds {} steps {:?}", e.worlds, e.steps, begun.elapsed()).unwrap();
        for end in &e.endings { writeln!(std::io::stderr(), "   {end}").unwrap(); }
        if let Some(b) = e.broken { panic!("{b}"); }
    }}
}
