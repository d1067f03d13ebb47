//! Questions that are asked at the same time become one.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Asks one question at a time. Whoever asks meanwhile shares the next one, so nobody gets an answer to a question that was put
/// before he asked.
#[derive(Debug)]
pub(crate) struct Together<V, E> {
    /// The question that is put next.
    next: Mutex<Arc<Question<V, E>>>,
    /// Held while a question is put.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Question<V, E> {
    about: Mutex<BTreeSet<i64>>,
    answer: OnceLock<Result<BTreeMap<i64, V>, E>>,
}

impl<V, E> Default for Question<V, E> {
    fn default() -> Self {
        Question { about: Mutex::default(), answer: OnceLock::new() }
    }
}

impl<V, E> Default for Together<V, E> {
    fn default() -> Self {
        Together { next: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<V: Clone, E: Clone> Together<V, E> {
    /// What is known about these. `put` puts the question; if this future is dropped meanwhile, another of those who share the
    /// question puts it again.
    ///
    /// # Errors
    /// What `put` returned to the one who put the question.
    pub(crate) async fn ask<F: Future<Output = Result<BTreeMap<i64, V>, E>>>(
        &self,
        about: &[i64],
        put: impl FnOnce(Vec<i64>) -> F,
    ) -> Result<BTreeMap<i64, V>, E> {
        let question = {
            let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.about.lock().unwrap_or_else(PoisonError::into_inner).extend(about);
            Arc::clone(&next)
        };
        let answer = match question.answer.get() {
            Some(answer) => answer,
            None => {
                let _turn = self.turn.lock().await;
                match question.answer.get() {
                    Some(answer) => answer,
                    None => {
                        let all = self.close(&question);
                        let answer = put(all).await;
                        question.answer.get_or_init(|| answer)
                    }
                }
            }
        };
        let answer = answer.as_ref().map_err(E::clone)?;
        Ok(about.iter().filter_map(|one| Some((*one, answer.get(one)?.clone()))).collect())
    }

    /// Everything that the question is about; from now on nobody joins it.
    fn close(&self, question: &Arc<Question<V, E>>) -> Vec<i64> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&next, question) {
            *next = Arc::default();
        }
        drop(next);
        question.about.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    type Asking = Together<i64, String>;

    async fn doubled(all: Vec<i64>, times: &AtomicUsize) -> Result<BTreeMap<i64, i64>, String> {
        times.fetch_add(1, Ordering::Relaxed);
        // Others ask meanwhile.
        tokio::task::yield_now().await;
        Ok(all.into_iter().filter(|one| *one != 13).map(|one| (one, 2 * one)).collect())
    }

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_the_next_question_and_get_their_own_answers() {
        let (together, times) = (Asking::default(), AtomicUsize::new(0));
        let asking = (0..50).map(|one| {
            let (together, times) = (&together, &times);
            async move {
                let answer = together.ask(&[one, one + 1], |all| doubled(all, times)).await.unwrap();
                let expected = [one, one + 1].into_iter().filter(|one| *one != 13).map(|one| (one, 2 * one));
                assert_eq!(answer, expected.collect());
            }
        });
        futures::future::join_all(asking).await;
        assert!(times.load(Ordering::Relaxed) <= 2, "{times:?}");
        assert_eq!(together.ask(&[1], |all| doubled(all, &times)).await.unwrap(), [(1, 2)].into());
        assert!(times.load(Ordering::Relaxed) >= 2, "a later question is put again: nothing is remembered");
    }

    #[tokio::test]
    async fn everybody_who_shares_a_question_gets_its_error_and_the_next_one_is_put() {
        let (together, times) = (Asking::default(), AtomicUsize::new(0));
        let failing = |_| async {
            times.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err("away".to_owned())
        };
        let all: Vec<i64> = (0..50).collect();
        let asking = all.chunks(1).map(|one| together.ask(one, failing));
        let answers = futures::future::join_all(asking).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error == "away")));
        assert!(times.load(Ordering::Relaxed) <= 2, "{times:?}");
        assert_eq!(together.ask(&[1], |all| doubled(all, &times)).await.unwrap(), [(1, 2)].into());
    }

    /// The one who puts a question may be given up in the middle: the others are answered all the same.
    #[tokio::test]
    async fn a_question_that_was_given_up_is_put_by_another() {
        let (together, times) = (Arc::new(Asking::default()), Arc::new(AtomicUsize::new(0)));
        let first = tokio::spawn({
            let together = Arc::clone(&together);
            async move { together.ask(&[1], |_| std::future::pending()).await }
        });
        tokio::task::yield_now().await;
        let others: Vec<_> = (2..5)
            .map(|one| {
                let (together, times) = (Arc::clone(&together), Arc::clone(&times));
                tokio::spawn(async move { together.ask(&[one], |all| doubled(all, &times)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        first.abort();
        for (other, one) in others.into_iter().zip(2..) {
            assert_eq!(other.await.unwrap().unwrap(), [(one, 2 * one)].into());
        }
    }

    #[tokio::test]
    async fn one_of_several_who_share_it_is_given_up_while_putting_it() {
        let together = Arc::new(Asking::default());
        let ask = |pending: bool| {
            let together = Arc::clone(&together);
            tokio::spawn(async move {
                together
                    .ask(&[7], |all| async move {
                        if pending {
                            std::future::pending::<()>().await;
                        }
                        Ok(all.into_iter().map(|one| (one, one)).collect())
                    })
                    .await
            })
        };
        // Both join the same question, for the turn is taken.
        let turn = together.turn.lock().await;
        let (first, second) = (ask(true), ask(false));
        tokio::task::yield_now().await;
        drop(turn);
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(second.await.unwrap().unwrap(), [(7, 7)].into());
    }
}
