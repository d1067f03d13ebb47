//! Events that are written otherwise than they are read.

use saga::{
    Facts, SagaId,
    schema::{EventSchema, JsonSchema},
};
use saga_schema::{Cause, Kept};

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Trip {
    trip_id: SagaId,
}

impl Facts for Trip {
    fn saga_id(&self) -> SagaId {
        self.trip_id
    }
}

/// A price that is not as simple as it looks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Price {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid: Option<i64>,
    #[serde(default)]
    pub floor: u8,
}

/// Not written if it is zero, and required all the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Left {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub out: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Never {
    #[serde(skip_serializing, default)]
    pub written: i64,
    pub other: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Renamed {
    #[serde(rename(serialize = "cost"))]
    pub price: i64,
}

mod fine {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: super::Price } }
}
mod left_out {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: Option<super::Left> } }
}
mod own_field {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip,
        RoomHeld { #[serde(skip_serializing_if = "String::is_empty")] note: String }
    }
}
mod never {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: super::Never } }
}
mod renamed {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: super::Renamed } }
}

/// The kept schema says what is read. What is written has to be that.
#[test]
fn an_event_that_is_written_otherwise_than_it_is_read_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = |events: &[EventSchema]| Kept::in_folder(folder.path()).judge(events, &[]).expect("readable");
    let judgement = kept(&fine::schemas());
    assert!(judgement.breaks.is_empty(), "{judgement}");
    for (events, path) in [
        (left_out::schemas(), "$.price.out"),
        (own_field::schemas(), "$.note"),
        (never::schemas(), "$.price.written"),
        (renamed::schemas(), "$.price.cost"),
    ] {
        let judgement = kept(&events);
        let [broken] = &judgement.breaks[..] else { panic!("{path}: {judgement}") };
        assert!(matches!(broken.cause, Cause::WrittenOtherwise(_)), "{judgement}");
        let text = judgement.to_string();
        assert!(text.contains(path) && text.contains("is not written as it is read"), "{text}");
    }
}
