//! The shop's choreography, linted; and the lint, tested by breaking the choreography in every place.

mod mutants;

use operations::choreography::Choreography;
use saga_lint::Lint;

#[test]
fn the_shops_choreography_has_no_fault() {
    let findings = Lint::of(Choreography::of_the_shop().tables().to_vec()).findings();
    assert!(findings.is_empty(), "{}", saga_lint::to_text(&findings));
}
