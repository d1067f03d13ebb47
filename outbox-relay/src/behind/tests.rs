use super::*;

fn stuck(partition: usize) -> Behind {
    let mut behind = Behind::default();
    behind.leave(partition, Instant::now(), 10, 20);
    behind
}

#[test]
fn what_is_stuck_is_left_out_and_holds_the_cursor() {
    let mut behind = stuck(3);
    assert!(behind.leaves_out(3) && !behind.leaves_out(4));
    assert_eq!(behind.acknowledged(), Some(10));
    assert_eq!(behind.look(|_| false, 100), Changes::default());
    assert_eq!(behind.read_after(), None, "what it was given before comes first");
    assert!(!behind.wants(3, 21));
}

#[test]
fn it_catches_up_bit_by_bit_and_joins_when_it_has_what_all_have() {
    let mut behind = stuck(3);
    assert_eq!(behind.look(|partition| partition == 3, 0).take_again, [3]);
    assert_eq!((behind.acknowledged(), behind.read_after()), (Some(20), Some(20)));
    assert!(behind.wants(3, 21) && !behind.wants(3, 20) && !behind.wants(4, 21));
    behind.given(30, 40, 7);
    assert_eq!(behind.read_after(), None, "one thing after the other");
    assert!(behind.leaves_out(3));
    assert_eq!(behind.acknowledged(), Some(20), "not acknowledged so far");
    assert_eq!(behind.look(|_| true, 6), Changes::default());
    assert_eq!((behind.acknowledged(), behind.read_after()), (Some(30), Some(30)));
    behind.given(40, 40, 9);
    assert!(!behind.leaves_out(3), "what comes now is given to all");
    assert_eq!(behind.look(|_| false, 8), Changes::default());
    assert_eq!(behind.acknowledged(), Some(30), "until all it was given to catch up has been acknowledged");
    assert_eq!(behind.look(|_| false, 9).caught_up, [3]);
    assert!(behind.is_empty() && behind.acknowledged().is_none());
}

#[test]
fn what_is_stuck_again_goes_on_where_it_was() {
    let mut behind = stuck(3);
    behind.look(|_| true, 0);
    behind.given(30, 40, 7);
    behind.leave(3, Instant::now(), 39, 50);
    assert!(behind.leaves_out(3));
    assert_eq!(behind.acknowledged(), Some(20));
    behind.look(|_| true, 0);
    assert_eq!((behind.acknowledged(), behind.read_after()), (Some(30), Some(30)), "it was not given what others were");
    behind.given(50, 50, 8);
    behind.leave(3, Instant::now(), 60, 70);
    behind.look(|_| true, 0);
    assert_eq!(behind.read_after(), Some(70), "having joined, it was");
}

#[test]
fn what_is_taken_back_is_given_again() {
    for stage in ["stuck", "catching up", "joined"] {
        let mut behind = stuck(3);
        if stage != "stuck" {
            behind.look(|_| true, 0);
            behind.given(if stage == "joined" { 40 } else { 30 }, 40, 7);
        }
        let acknowledged = behind.acknowledged();
        behind.take_back();
        assert_eq!((behind.acknowledged(), behind.read_after()), (acknowledged, acknowledged), "{stage}");
        assert!(behind.leaves_out(3), "{stage}");
    }
}

#[test]
fn several_catch_up_together_each_from_where_it_is() {
    let mut behind = stuck(3);
    behind.leave(5, Instant::now(), 12, 30);
    assert_eq!(behind.acknowledged(), Some(10));
    behind.look(|_| true, 0);
    assert_eq!(behind.read_after(), Some(20));
    assert!(behind.wants(3, 25) && !behind.wants(5, 25) && behind.wants(5, 31));
    behind.given(25, 50, 1);
    behind.look(|_| true, 0);
    assert_eq!(behind.read_after(), Some(25));
    behind.given(50, 50, 2);
    assert_eq!(behind.look(|_| true, 2).caught_up, [3, 5]);
}
