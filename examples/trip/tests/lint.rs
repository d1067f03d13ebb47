//! The trip's choreography, linted from the three tables alone.

use saga::{Table, choreography::Part};
use saga_lint::{Code, Lint, to_text};
use trip::{Supplier, car::Car, flight::Flight, hotel::Hotel};

#[test]
fn nothing_is_forgotten_and_nothing_gets_stuck() {
    let tables: [Table<_>; 3] = [Flight::table(), Hotel::table(), Car::table()];
    // Without a deadline, a trip waits until each service is back: none refuses because it is late.
    let findings = Lint::of(tables.iter().map(Part::from)).allow(Code::NoDeadline, "travellers are patient").findings();
    assert!(findings.is_empty(), "{}", to_text(&findings));
}
