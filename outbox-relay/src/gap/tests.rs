use super::*;

const NOTHING: [i64; 0] = [];
const LATER: Duration = Duration::from_millis(50);

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Publishes the visible numbers that may be published, as the relay does; returns the last one and the gap that it waits for.
fn publish(gaps: &mut Gaps, last: &mut i64, visible: &[i64], now: Instant) -> Vec<i64> {
    let mut published = Vec::new();
    let mut met = None;
    for &seq in visible.iter().filter(|&&seq| seq > *last).collect::<Vec<_>>() {
        if let Place::BehindGap(missing) = gaps.place(*last, seq) {
            met = Some(missing);
            break;
        }
        *last = seq;
        published.push(seq);
    }
    gaps.read_ended(met, now);
    published
}

#[test]
fn numbers_without_a_gap_are_published() {
    let (mut gaps, mut last) = (Gaps::default(), 0);
    assert_eq!(publish(&mut gaps, &mut last, &[1, 2, 3], Instant::now()), [1, 2, 3]);
    assert_eq!(gaps.waiting(), None);
    assert_eq!(gaps.inquiry(Instant::now() + LATER), None);
}

#[test]
fn nothing_passes_a_gap_until_it_closes() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    assert_eq!(publish(&mut gaps, &mut last, &[1, 3, 4], now), [1]);
    assert_eq!(gaps.waiting(), Some((&(2..=2), now)));
    assert_eq!(publish(&mut gaps, &mut last, &[1, 3, 4], now), NOTHING);
    assert_eq!(publish(&mut gaps, &mut last, &[1, 2, 3, 4], now), [2, 3, 4]);
    assert_eq!(gaps.waiting(), None);
}

#[test]
fn a_young_gap_is_not_looked_into() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[2], now);
    assert_eq!(gaps.inquiry(now), None);
    assert_eq!(gaps.inquiry(now + LATER), Some(Inquiry::WhoWrites));
}

#[test]
fn a_gap_without_writers_is_lost() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[2, 5], now);
    gaps.who_writes(5, vec![]);
    assert_eq!(gaps.place(0, 2), Place::BehindLost(1..=1));
    // One answer settles every gap below the highest visible number.
    assert_eq!(publish(&mut gaps, &mut last, &[2, 5, 6], now), [2, 5, 6]);
}

#[test]
fn a_gap_is_lost_only_when_every_writer_has_ended() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[2], now);
    gaps.who_writes(2, names(&["3/7", "4/1"]));
    assert_eq!(gaps.inquiry(now), Some(Inquiry::WhoIsLeft(&names(&["3/7", "4/1"]))));
    assert_eq!(publish(&mut gaps, &mut last, &[2], now), NOTHING);
    gaps.who_is_left(names(&["4/1"]));
    assert_eq!(publish(&mut gaps, &mut last, &[2], now), NOTHING);
    gaps.who_is_left(vec![]);
    assert_eq!(publish(&mut gaps, &mut last, &[2], now), [2]);
}

#[test]
fn a_writer_that_commits_after_all_is_published_in_its_place() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[2], now);
    gaps.who_writes(2, names(&["3/7"]));
    gaps.who_is_left(vec![]);
    assert_eq!(publish(&mut gaps, &mut last, &[1, 2], now), [1, 2]);
}

#[test]
fn numbers_above_the_highest_that_was_visible_are_not_settled() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[2], now);
    gaps.who_writes(2, vec![]);
    // 3 was drawn after the writers had been listed.
    assert_eq!(publish(&mut gaps, &mut last, &[2, 4], now), [2]);
    assert_eq!(gaps.waiting(), Some((&(3..=3), now)));
    assert_eq!(gaps.inquiry(now + LATER), Some(Inquiry::WhoWrites));
}

#[test]
fn a_gap_reaching_past_what_is_settled_waits_as_a_whole() {
    let (mut gaps, now) = (Gaps::default(), Instant::now());
    gaps.read_ended(Some(1..=1), now);
    gaps.who_writes(2, vec![]);
    // The row of number 2, visible then, has been dropped with its partition.
    assert_eq!(gaps.place(0, 5), Place::BehindGap(1..=4));
}

#[test]
fn suspects_of_a_gap_that_closed_are_forgotten_at_the_next() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[2], now);
    gaps.who_writes(2, names(&["3/7", "4/1"]));
    assert_eq!(publish(&mut gaps, &mut last, &[1, 2, 4], now), [1, 2]);
    // 4/1 is still open, but holds a higher number: which transaction could hold 3 has to be asked again.
    assert_eq!(gaps.inquiry(now + LATER), Some(Inquiry::WhoWrites));
}

#[test]
fn the_age_of_a_gap_counts_from_its_first_number() {
    let (mut gaps, mut last, now) = (Gaps::default(), 0, Instant::now());
    publish(&mut gaps, &mut last, &[4], now);
    publish(&mut gaps, &mut last, &[3, 4], now + LATER);
    assert_eq!(gaps.waiting(), Some((&(1..=2), now)));
    publish(&mut gaps, &mut last, &[1, 3, 4], now + LATER);
    assert_eq!(gaps.waiting(), Some((&(2..=2), now + LATER)));
}
