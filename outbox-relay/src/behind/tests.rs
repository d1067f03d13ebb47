use super::*;

fn behind() -> Behind {
    let mut behind = Behind::default();
    behind.leave(3, Instant::now(), 10, 20);
    behind
}

#[test]
fn what_takes_nothing_is_left_out_and_holds_the_cursor() {
    let mut behind = behind();
    assert!(behind.leaves_out(3) && !behind.leaves_out(4));
    assert!(behind.look(|_| false, 100).is_empty());
    assert_eq!(behind.acknowledged(), Some(10));
    assert_eq!(behind.read_after(), None, "what it was given before comes first");
    assert!(!behind.wants(3, 21));
}

#[test]
fn it_catches_up_bit_by_bit_and_joins_when_it_has_what_all_have() {
    let mut behind = behind();
    behind.look(|partition| partition == 3, 0);
    assert_eq!((behind.acknowledged(), behind.read_after()), (Some(20), Some(20)));
    assert!(behind.wants(3, 21) && !behind.wants(3, 20) && !behind.wants(4, 21));
    assert!(behind.given(30, 40, 7).is_empty());
    assert_eq!(behind.read_after(), None, "one thing after the other");
    assert!(behind.leaves_out(3));
    assert_eq!(behind.acknowledged(), Some(20), "not acknowledged so far");
    assert!(behind.look(|_| true, 7).is_empty(), "it has not joined");
    assert_eq!((behind.acknowledged(), behind.read_after()), (Some(30), Some(30)));
    assert_eq!(behind.given(40, 40, 9), [3]);
    assert!(!behind.leaves_out(3), "what comes now is given to all");
    assert!(behind.look(|_| false, 8).is_empty());
    assert_eq!(behind.acknowledged(), Some(30), "until all it was given to catch up has been acknowledged");
    assert_eq!(behind.look(|_| false, 9), [3]);
    assert!(behind.is_empty() && behind.acknowledged().is_none());
}

#[test]
fn what_had_joined_and_takes_nothing_again_has_been_given_what_all_were_given() {
    let mut behind = behind();
    behind.look(|_| true, 0);
    behind.given(40, 40, 7);
    behind.leave(3, Instant::now(), 60, 70);
    assert!(behind.leaves_out(3));
    assert_eq!(behind.acknowledged(), Some(20), "what it was given to catch up has not been acknowledged");
    behind.look(|_| true, 0);
    assert_eq!((behind.acknowledged(), behind.read_after()), (Some(70), Some(70)));
}

#[test]
fn what_is_taken_back_is_given_again() {
    for stage in ["stuck", "catching up", "joined"] {
        let mut behind = behind();
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
    let mut behind = behind();
    behind.leave(5, Instant::now(), 12, 30);
    assert_eq!(behind.acknowledged(), Some(10));
    behind.look(|_| true, 0);
    assert_eq!(behind.read_after(), Some(20));
    assert!(behind.wants(3, 25) && !behind.wants(5, 25) && behind.wants(5, 31));
    behind.given(25, 50, 1);
    behind.look(|_| true, 0);
    assert_eq!(behind.read_after(), Some(25));
    assert_eq!(behind.given(50, 50, 2), [3, 5]);
    assert_eq!(behind.look(|_| true, 2), [3, 5]);
}
