//! What to do with an attempt whose call has returned: decided here, carried out by the worker.

use std::time::Duration;

use super::{Answer, Attempt, RetryPolicy, policy::Next};

/// Conclusion about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conclusion<C> {
    /// The other side has answered: the attempt ends with this command.
    Answered(C),
    /// The Try has used up its retries: the attempt ends, for this reason.
    GivenUp(String),
    /// The attempt is retried later.
    PutOff(Delay),
    /// The attempt waits for an operator, for this reason.
    Parked(String),
}

/// Reason and duration of a postponement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delay {
    pub(super) after: Duration,
    /// True if the try counts.
    pub(super) counts: bool,
    /// False if the call was not even made.
    pub(super) called: bool,
    pub(super) why: String,
}

impl<C> Conclusion<C> {
    /// Draws the conclusion from an answer.
    pub(super) fn from(policy: &RetryPolicy, attempt: &Attempt, answer: Answer<C>) -> Self {
        let next = policy.next(attempt, &answer);
        let called = !matches!(answer, Answer::NotCalled(_));
        let why = match answer {
            Answer::Done(command) => return Conclusion::Answered(command),
            Answer::Transient(why) | Answer::NotCalled(why) | Answer::NeedsPerson(why) => why,
        };
        match next {
            None | Some(Next::GiveUp) => Conclusion::GivenUp(why),
            Some(Next::Park) => Conclusion::Parked(why),
            Some(Next::Retry { after, counts }) => Conclusion::PutOff(Delay { after, counts, called, why }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { delays_ms: Vec::new(), longest_ms: 30_000, patience: 2 };

    fn conclusion(gives_up: bool, tries: u32, answer: Answer<&'static str>) -> Conclusion<&'static str> {
        let attempt = Attempt { gives_up, tries, ..Attempt::example() };
        Conclusion::from(&POLICY, &attempt, answer)
    }

    #[test]
    fn an_answer_ends_the_attempt_whatever_came_before() {
        for (gives_up, tries) in [(true, 1), (true, 99), (false, 1), (false, 99)] {
            assert_eq!(conclusion(gives_up, tries, Answer::Done("booked")), Conclusion::Answered("booked"));
        }
    }

    #[test]
    fn a_try_without_retries_left_is_given_up_and_a_confirm_goes_to_a_person() {
        let failed = || Answer::Transient("503".to_owned());
        assert_eq!(conclusion(true, 1, failed()), Conclusion::GivenUp("503".to_owned()));
        assert_eq!(conclusion(false, 2, failed()), Conclusion::Parked("503".to_owned()));
        let hopeless = Answer::NeedsPerson("404".to_owned());
        assert_eq!(conclusion(true, 1, hopeless), Conclusion::Parked("404".to_owned()));
    }

    #[test]
    fn what_is_put_off_keeps_why_and_a_confirm_that_was_not_called_keeps_its_tries() {
        let put_off = |answer| match conclusion(false, 1, answer) {
            Conclusion::PutOff(delay) => (delay.counts, delay.called, delay.why),
            other => panic!("{other:?}"),
        };
        assert_eq!(put_off(Answer::Transient("503".to_owned())), (true, true, "503".to_owned()));
        assert_eq!(put_off(Answer::NotCalled("open".to_owned())), (false, false, "open".to_owned()));
    }
}
