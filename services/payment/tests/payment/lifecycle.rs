//! Every phase against every step.

use events::Reason::{CancelledByUser, CardDeclined, GatewayUnavailable, TimedOut};
use payment::{
    lifecycle::{
        Move::{self, *},
        Step::{self, *},
        pass,
    },
    phase::Phase,
};

const PHASES: [Option<Phase>; 13] = [
    None,
    Some(Phase::Authorizing),
    Some(Phase::Authorized),
    Some(Phase::Declined(TimedOut)),
    Some(Phase::Capturing { cancel: None }),
    Some(Phase::Capturing { cancel: Some(TimedOut) }),
    Some(Phase::Captured),
    Some(Phase::CaptureFailed(TimedOut)),
    Some(Phase::Voiding(TimedOut)),
    Some(Phase::Voided(TimedOut)),
    Some(Phase::Refunding(TimedOut)),
    Some(Phase::Refunded(TimedOut)),
    Some(Phase::Cancelled(TimedOut)),
];

const CANCEL: Step = Cancel(CancelledByUser);

const STEPS: [Step; 12] = [
    Authorize,
    Capture,
    CANCEL,
    Authorized,
    AuthorizeDeclined(CardDeclined),
    AuthorizeGaveUp,
    Captured,
    CaptureRefused(CardDeclined),
    Voided,
    CapturedElsewhere,
    Refunded,
    NotCaptured,
];

/// The pairs that have an effect.
#[rustfmt::skip]
const MOVES: [(Option<Phase>, Step, Move); 22] = [
    (None,                                              Authorize,                       Hold),
    (None,                                              CANCEL,                          Forbid(CancelledByUser)),
    (Some(Phase::Authorizing),                          CANCEL,                          Release(CancelledByUser)),
    (Some(Phase::Authorizing),                          Authorized,                      Held),
    (Some(Phase::Authorizing),                          AuthorizeDeclined(CardDeclined), Decline(CardDeclined)),
    (Some(Phase::Authorizing),                          AuthorizeGaveUp,                 GiveUp(GatewayUnavailable)),
    (Some(Phase::Authorized),                           Capture,                         Collect),
    (Some(Phase::Authorized),                           CANCEL,                          Release(CancelledByUser)),
    (Some(Phase::Capturing { cancel: None }),           CANCEL,                          NoteCancel(CancelledByUser)),
    (Some(Phase::Capturing { cancel: None }),           Captured,                        Collected),
    (Some(Phase::Capturing { cancel: None }),           CaptureRefused(CardDeclined),    CollectFailed(CardDeclined)),
    (Some(Phase::Capturing { cancel: Some(TimedOut) }), Captured,                        GiveBack(TimedOut)),
    (Some(Phase::Capturing { cancel: Some(TimedOut) }), CaptureRefused(CardDeclined),    Release(TimedOut)),
    (Some(Phase::Captured),                             CANCEL,                          GiveBack(CancelledByUser)),
    (Some(Phase::CaptureFailed(TimedOut)),              CANCEL,                          Release(CancelledByUser)),
    (Some(Phase::Voiding(TimedOut)),                    Voided,                          Released(TimedOut)),
    (Some(Phase::Refunding(TimedOut)),                  Refunded,                        GivenBack(TimedOut)),
    (Some(Phase::Voiding(TimedOut)),                    Refunded,                        GivenBack(TimedOut)),
    (Some(Phase::Refunding(TimedOut)),                  Voided,                          Released(TimedOut)),
    (Some(Phase::Voiding(TimedOut)),                    CapturedElsewhere,               GiveBackInstead(TimedOut)),
    (Some(Phase::Refunding(TimedOut)),                  NotCaptured,                     ReleaseInstead(TimedOut)),
    (Some(Phase::Declined(TimedOut)),                   CapturedElsewhere,               Recover(TimedOut)),
];

#[test]
fn every_pair_has_its_outcome() {
    for phase in PHASES {
        for step in STEPS {
            let expected = MOVES.iter().find(|(from, on, _)| (*from, *on) == (phase, step)).map(|(_, _, to)| *to);
            match (pass(phase, step), expected) {
                (Nothing(why), None) => assert!(!why.is_empty()),
                (got, expected) => assert_eq!(Some(got), expected, "{step:?} in {phase:?}"),
            }
        }
    }
}

#[test]
fn an_end_is_an_end() {
    for end in
        [Phase::Declined(TimedOut), Phase::Voided(TimedOut), Phase::Refunded(TimedOut), Phase::Cancelled(TimedOut)]
    {
        for step in STEPS {
            // What an abandoned gateway has captured is refunded, without a further event.
            let says_nothing = matches!(pass(Some(end), step), Nothing(_) | Recover(_));
            assert!(says_nothing, "{step:?} in {end:?}");
        }
    }
}
