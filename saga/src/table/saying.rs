//! Events that a decision may publish, and what each means for its saga.

use crate::{Event, Publisher};

/// Events that a decision may publish: `says![RoomHeld, refuses RoomRefused]`.
///
/// A word before an event says what it means for the saga; an event may have several. Nothing at run time depends on them:
/// they are what a lint or a model checker knows of the flow, beside the [phases](crate::table::Phase) of its lines.
///
/// | word | meaning |
/// |---|---|
/// | `refuses` | the decision has failed: nothing is held or taken by it |
/// | `completes` | the saga has ended well: every step is confirmed or done |
/// | `aborts` | the saga has ended without effect: every step is undone |
/// | `pivot` | the point of no return: from here on nothing fails and nothing is undone |
/// | `informs` | the flow does not depend on it, so that nobody has to consume it |
#[macro_export]
macro_rules! says {
    (@marks $said:expr, refuses $($rest:tt)+) => { $crate::says!(@marks $said.refusing(), $($rest)+) };
    (@marks $said:expr, completes $($rest:tt)+) => { $crate::says!(@marks $said.ending($crate::table::End::Completed), $($rest)+) };
    (@marks $said:expr, aborts $($rest:tt)+) => { $crate::says!(@marks $said.ending($crate::table::End::Aborted), $($rest)+) };
    (@marks $said:expr, pivot $($rest:tt)+) => { $crate::says!(@marks $said.of_no_return(), $($rest)+) };
    (@marks $said:expr, informs $($rest:tt)+) => { $crate::says!(@marks $said.informing(), $($rest)+) };
    (@marks $said:expr, $mark:ident $($rest:tt)+) => {
        compile_error!(concat!("`", stringify!($mark), "` is no mark of an event: refuses, completes, aborts, pivot and informs are"))
    };
    (@marks $said:expr, $event:ty) => { $said.of_event::<$event>() };
    (@list [$($done:expr),*] [$($marks:ident)*] $mark:ident $next:ident $($rest:tt)*) => {
        $crate::says!(@list [$($done),*] [$($marks)* $mark] $next $($rest)*)
    };
    (@list [$($done:expr),*] [$($marks:ident)*] $event:ty, $($rest:tt)*) => {
        $crate::says!(@list [$($done,)* $crate::says!(@marks $crate::table::Saying::NOTHING, $($marks)* $event)] [] $($rest)*)
    };
    (@list [$($done:expr),*] [$($marks:ident)*] $event:ty) => {
        $crate::says!(@list [$($done,)* $crate::says!(@marks $crate::table::Saying::NOTHING, $($marks)* $event)] [])
    };
    (@list [$($done:expr),*] []) => { const { &[$($done),*] } };
    ($($events:tt)*) => { $crate::says!(@list [] [] $($events)*) };
}

/// An event that a decision may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saying {
    /// Wire name.
    pub event_type: &'static str,
    /// The event's only publisher.
    pub publisher: Publisher,
    /// Version of its schema.
    pub version: u32,
    /// True if the decision has failed: it holds and takes nothing.
    pub refuses: bool,
    /// How the saga ends with it, if it does.
    pub ends: Option<End>,
    /// True if nothing fails and nothing is undone after it.
    pub pivot: bool,
    /// True if the flow does not depend on it: nobody has to consume it.
    pub informs: bool,
}

/// How a saga ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Every step is confirmed or done.
    Completed,
    /// Every step is undone, or was never taken.
    Aborted,
}

impl Saying {
    #[doc(hidden)]
    pub const NOTHING: Saying = Saying {
        event_type: "",
        publisher: Publisher::of_events("", ""),
        version: 1,
        refuses: false,
        ends: None,
        pivot: false,
        informs: false,
    };

    /// The entry for event `E`, without a mark.
    pub const fn of<E: Event>() -> Self {
        Self::NOTHING.of_event::<E>()
    }

    #[doc(hidden)]
    pub const fn of_event<E: Event>(self) -> Self {
        Saying { event_type: E::TYPE, publisher: E::PUBLISHER, version: E::VERSION, ..self }
    }

    /// The same, for a decision that has failed.
    pub const fn refusing(self) -> Self {
        Saying { refuses: true, ..self }
    }

    /// The same, as an end of the saga.
    pub const fn ending(self, end: End) -> Self {
        Saying { ends: Some(end), ..self }
    }

    /// The same, as the point of no return.
    pub const fn of_no_return(self) -> Self {
        Saying { pivot: true, ..self }
    }

    /// The same, for an event on which nothing depends.
    pub const fn informing(self) -> Self {
        Saying { informs: true, ..self }
    }
}
