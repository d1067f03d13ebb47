use super::*;

fn rows(places: &[(&str, u64)]) -> BTreeMap<Place, Tally> {
    let tally = |count| {
        let mut tally = Tally::default();
        tally.add(Share::of_text("abc"), count);
        tally
    };
    places.iter().map(|(place, count)| (Place((*place).to_owned()), tally(*count))).collect()
}

const ORDERS: &str = "orders.orders";
const FIRST: &str = "orders.outbox_20261121";
const SECOND: &str = "orders.outbox_20261122";
const THIRD: &str = "orders.outbox_20261123";

fn are_missed(before: &[(&str, u64)], now: &[(&str, u64)], partitions: &[&str]) -> bool {
    let partitions: Vec<Place> = partitions.iter().map(|name| Place((*name).to_owned())).collect();
    let missing = missing(&rows(before), &rows(now), &partitions);
    assert!(missing.iter().all(|share| *share == Share::of_text("abc")));
    !missing.is_empty()
}

#[test]
fn rows_that_are_gone_or_were_changed_are_missed_but_not_what_retention_has_taken() {
    let before = &[(ORDERS, 2), (FIRST, 5), (SECOND, 3)];
    assert!(!are_missed(before, before, &[FIRST, SECOND]));
    assert!(!are_missed(before, &[(ORDERS, 2), (SECOND, 3), (THIRD, 0)], &[SECOND, THIRD]));
    for (now, partitions) in [
        (&[(ORDERS, 1), (FIRST, 5), (SECOND, 3)][..], &[FIRST, SECOND][..]),
        (&[(ORDERS, 2), (FIRST, 5)], &[FIRST, SECOND]),
        (&[(ORDERS, 2), (FIRST, 4), (SECOND, 3)], &[FIRST, SECOND]),
        (&[(FIRST, 5), (SECOND, 3)], &[FIRST, SECOND]),
        // A day that is still retained but has lost its rows.
        (&[(ORDERS, 2), (SECOND, 3)], &[FIRST, SECOND]),
        // A day in the middle, and the latest one.
        (&[(ORDERS, 2), (FIRST, 5)], &[FIRST, THIRD]),
        (&[(ORDERS, 2), (FIRST, 5)], &[FIRST]),
        (&[(ORDERS, 2)], &[]),
        // Rows from before the mark that were not counted then.
        (&[(ORDERS, 2), (FIRST, 5), (SECOND, 3), (THIRD, 1)], &[FIRST, SECOND, THIRD]),
    ] {
        assert!(are_missed(before, now, partitions), "{now:?}");
    }
}

#[test]
fn before_and_after_are_told_apart_within_bounds() {
    let check = |last, now| Marks { last: Some(last), now }.check(Database::ORDERS).is_ok();
    assert!(check(5, 5) && check(5, 5 + FURTHEST));
    assert!(!check(5, 4) && !check(5, 6 + FURTHEST));
}
