//! Kept schemas of a small system, over the life of an event.

use std::{fs, path::Path};

use saga::{
    Facts, Publisher, SagaId, Table,
    choreography::Part,
    publisher, says,
    schema::{EventSchema, JsonSchema},
};
use saga_schema::{Cause, Code, Judgement, Kept, readers};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Trip {
    trip_id: SagaId,
}

impl Facts for Trip {
    fn saga_id(&self) -> SagaId {
        self.trip_id
    }
}

mod first {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: i64 } RoomRefused {} }
}
/// The next version of the hotel: with a field more that is optional, and said to people in other words.
mod wider {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip,
        /// A room is held.
        RoomHeld { price: i64, floor: Option<u8> }
        RoomRefused {}
    }
}
mod retyped {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: String } RoomRefused {} }
}
mod raised {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld version 2 { price: String } RoomRefused {} }
}
mod fewer {
    saga::events! { saga::publisher!("hotel"), trip: super::Trip, RoomHeld { price: i64 } }
}
mod car {
    saga::events! { saga::publisher!("car"), trip: super::Trip, CarBooked {} }
}

fn tables() -> Vec<Part> {
    let car: Table<Trip> = Table::of(publisher!("car"))
        .on("book", says![car::CarBooked], |event: first::RoomHeld| event.trip)
        .on("forget", says![], |event: first::RoomRefused| event.trip);
    vec![Part::from(&car)]
}

fn judge(folder: &Path, events: &[EventSchema]) -> Judgement {
    Kept::in_folder(folder).judge(events, &tables()).expect("readable")
}

fn update(folder: &Path, events: &[EventSchema]) -> Judgement {
    Kept::in_folder(folder).update(events, &tables()).expect("written")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("it is there")).expect("JSON")
}

#[test]
fn an_event_is_new_then_kept_then_wider_then_of_another_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("schemas");
    let held = folder.join("hotel/RoomHeld.json");
    let new = update(&folder, &first::schemas());
    assert_eq!((new.breaks.len(), new.outdated.len()), (0, 2));
    assert_eq!(judge(&folder, &first::schemas()), Judgement::default());

    let wider = judge(&folder, &wider::schemas());
    assert_eq!((wider.breaks.len(), wider.outdated.len()), (0, 1), "{wider}");
    assert!(wider.to_string().contains("$.floor optional-field-added"), "{wider}");

    let retyped = update(&folder, &retyped::schemas());
    let [broken] = &retyped.breaks[..] else { panic!("{retyped}") };
    assert_eq!(broken.readers, readers(&tables(), "RoomHeld", "hotel"));
    assert!(retyped.to_string().contains("`RoomHeld`, read by `car` (book)"), "{retyped}");
    assert_eq!(read(&held)["properties"]["price"]["type"], "integer", "nothing was written");

    // The author means it.
    let raised = judge(&folder, &raised::schemas());
    assert_eq!((raised.breaks.len(), raised.outdated.len()), (0, 1), "{raised}");
    update(&folder, &raised::schemas());
    assert_eq!(
        (read(&held)["x-version"].clone(), read(&held)["properties"]["price"]["type"].clone()),
        (2.into(), "string".into())
    );
    let before = read(&folder.join("hotel/RoomHeld.v1.json"));
    assert_eq!(
        (before["x-version"].clone(), before["properties"]["price"]["type"].clone()),
        (1.into(), "integer".into())
    );
    assert_eq!(judge(&folder, &raised::schemas()), Judgement::default());

    let back = judge(&folder, &first::schemas());
    assert!(
        matches!(back.breaks[..], [ref broken] if broken.cause == Cause::EarlierVersion { kept: 2, now: 1 }),
        "{back}"
    );
}

#[test]
fn words_for_people_alone_are_outdated_and_break_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    update(folder.path(), &first::schemas());
    let path = folder.path().join("hotel/RoomHeld.json");
    let mut kept = read(&path);
    kept["description"] = "In other words.".into();
    fs::write(&path, kept.to_string()).expect("written");
    let judgement = judge(folder.path(), &first::schemas());
    assert_eq!((judgement.breaks.len(), judgement.outdated.len()), (0, 1), "{judgement}");
}

#[test]
fn an_event_that_is_gone_is_told_with_its_readers() {
    let folder = tempfile::tempdir().expect("a folder");
    update(folder.path(), &first::schemas());
    let judgement = update(folder.path(), &fewer::schemas());
    let [broken] = &judgement.breaks[..] else { panic!("{judgement}") };
    assert_eq!((broken.event_type.as_str(), &broken.cause), ("RoomRefused", &Cause::Gone));
    assert!(judgement.to_string().contains("read by `car` (forget)"), "{judgement}");
    assert!(broken.path.exists(), "only a person deletes it");
}

const CLIENTS: Publisher = Publisher::of_requests("client", "trip.requests", "TripRequested");

/// A request with one field more than a [`Trip`].
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Demanding {
    trip_id: SagaId,
    traveller: String,
}

/// Judges a request that is kept, and then demands one field more.
fn demanding(folder: &Path) -> Judgement {
    update(folder, &[EventSchema::of_request::<Trip>(CLIENTS, 1)]);
    judge(folder, &[EventSchema::of_request::<Demanding>(CLIENTS, 1)])
}

#[test]
fn a_request_is_kept_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let judgement = demanding(folder.path());
    let Cause::Changes(changes) = &judgement.breaks[0].cause else { panic!("{judgement}") };
    assert_eq!((changes[0].code, changes[0].path.as_str()), (Code::RequiredFieldAdded, "$.traveller"));
    let raised = judge(folder.path(), &[EventSchema::of_request::<Demanding>(CLIENTS, 2)]);
    assert!(raised.breaks.is_empty(), "{raised}");
}

#[test]
fn a_file_that_is_no_kept_schema_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    update(folder.path(), &first::schemas());
    for (content, why) in [("{", "EOF"), ("{}", "x-version")] {
        fs::write(folder.path().join("hotel/RoomHeld.json"), content).expect("written");
        let error =
            Kept::in_folder(folder.path()).judge(&first::schemas(), &tables()).expect_err("unreadable").to_string();
        assert!(error.contains("RoomHeld.json") && error.contains(why), "{error}");
    }
}

/// A file is deleted, and the event changes: without the file, the event would be new.
#[test]
fn a_kept_schema_that_is_deleted_is_missed() {
    let missing = |folder: &Path, events: &[EventSchema], file: &str| {
        fs::remove_file(folder.join(file)).expect("it was kept");
        let judgement = update(folder, events);
        let [broken] = &judgement.breaks[..] else { panic!("{judgement}") };
        assert_eq!((broken.cause.clone(), broken.path.clone()), (Cause::Missing, folder.join(file)));
        assert!(judgement.to_string().contains("restore"), "{judgement}");
        assert!(!folder.join(file).exists(), "nothing was written");
    };
    let folder = tempfile::tempdir().expect("a folder");
    update(folder.path(), &first::schemas());
    missing(folder.path(), &retyped::schemas(), "hotel/RoomHeld.json");

    // With an earlier version beside it, even if the list is gone, too.
    let folder = tempfile::tempdir().expect("a folder");
    update(folder.path(), &first::schemas());
    update(folder.path(), &raised::schemas());
    fs::remove_file(folder.path().join("index.json")).expect("it was kept");
    let error = Kept::in_folder(folder.path()).judge(&raised::schemas(), &tables()).expect_err("no list").to_string();
    assert!(error.contains("index.json") && error.contains("restore"), "{error}");
    fs::write(folder.path().join("index.json"), "{}").expect("written");
    missing(folder.path(), &raised::schemas(), "hotel/RoomHeld.json");
}

#[test]
fn the_list_of_kept_schemas_only_grows() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = folder.path().join("index.json");
    update(folder.path(), &fewer::schemas());
    assert_eq!(read(&index), serde_json::json!({ "hotel": ["RoomHeld"] }));
    update(folder.path(), &[first::schemas(), car::schemas()].concat());
    let all = serde_json::json!({ "car": ["CarBooked"], "hotel": ["RoomHeld", "RoomRefused"] });
    assert_eq!(read(&index), all);
    // The file alone does not do, where the event is gone.
    fs::remove_file(folder.path().join("hotel/RoomRefused.json")).expect("it was kept");
    let judgement = update(folder.path(), &[fewer::schemas(), car::schemas()].concat());
    let [broken] = &judgement.breaks[..] else { panic!("{judgement}") };
    assert_eq!((broken.event_type.as_str(), &broken.cause), ("RoomRefused", &Cause::Gone));
    assert_eq!(read(&index), all);
    // A name that is not in the list is added.
    fs::write(&index, r#"{ "hotel": ["RoomHeld"] }"#).expect("written");
    let judgement = update(folder.path(), &[fewer::schemas(), car::schemas()].concat());
    assert_eq!((judgement.breaks.len(), judgement.outdated.len()), (0, 1), "{judgement}");
    assert_eq!(read(&index), serde_json::json!({ "car": ["CarBooked"], "hotel": ["RoomHeld"] }));
}

#[test]
fn an_earlier_version_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    update(folder.path(), &first::schemas());
    let earlier = folder.path().join("hotel/RoomHeld.v1.json");
    fs::write(&earlier, "{}").expect("written");
    let error = Kept::in_folder(folder.path()).update(&raised::schemas(), &tables()).expect_err("taken").to_string();
    assert!(error.contains("RoomHeld.v1.json"), "{error}");
    assert_eq!(read(&earlier), serde_json::json!({}));
    // One that an interrupted update has written is no obstacle.
    fs::copy(folder.path().join("hotel/RoomHeld.json"), &earlier).expect("copied");
    update(folder.path(), &raised::schemas());
    assert_eq!(judge(folder.path(), &raised::schemas()), Judgement::default());
}

/// Nobody declares requests with `events!`.
#[test]
fn the_advice_for_a_request_is_about_clients() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = demanding(folder.path()).to_string();
    assert!(text.contains("clients") && text.contains("EventSchema::of_request"), "{text}");
    assert!(!text.contains("events!"), "{text}");
}
