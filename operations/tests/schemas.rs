//! The shop's events, and the schemas that are kept of them in `events/schemas`. `UPDATE_SCHEMAS=1`, and no other value, writes
//! those that are not up to date, unless a reader breaks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use events::schemas;
use operations::choreography::Choreography;
use saga_schema::{Cause, Code, Judgement, Kept};
use serde_json::{Value, json};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace").to_owned()
}

fn folder() -> PathBuf {
    workspace().join("events/schemas")
}

/// The judgement with paths as they are in the workspace.
fn told(judgement: &Judgement) -> String {
    judgement.to_string().replace(&format!("{}/", workspace().display()), "")
}

fn judge(folder: &Path) -> Judgement {
    let shop = Choreography::of_the_shop();
    Kept::in_folder(folder).judge(&schemas::all(), shop.tables()).expect("the kept schemas can be read")
}

#[test]
fn no_change_breaks_a_reader() {
    let (kept, shop) = (Kept::in_folder(folder()), Choreography::of_the_shop());
    let judgement = match std::env::var("UPDATE_SCHEMAS").as_deref() {
        Ok("1") => kept.update(&schemas::all(), shop.tables()).expect("the kept schemas can be written"),
        _ => judge(&folder()),
    };
    assert!(judgement.breaks.is_empty(), "{}", told(&judgement));
}

/// Where the files are is told for this workspace, and not for this machine.
#[test]
fn paths_are_those_of_the_workspace() {
    let without: Vec<_> = schemas::all().into_iter().filter(|event| event.event_type != "StockRejected").collect();
    let judgement = Kept::in_folder(folder()).judge(&without, &[]).expect("the kept schemas can be read");
    let told = told(&judgement);
    assert!(told.contains("kept in events/schemas/inventory/StockRejected.json\n"), "{told}");
}

/// What breaks nobody passes `make test`. `make lint` asks for the kept schemas to follow, so that the next change is compared
/// with what readers know by then.
#[test]
#[ignore = "make lint runs it"]
fn kept_schemas_are_up_to_date() {
    let judgement = judge(&folder());
    let none = judgement.breaks.is_empty() && judgement.outdated.is_empty();
    let judgement = told(&judgement);
    assert!(none, "{judgement}UPDATE_SCHEMAS=1 cargo test --package operations --test schemas writes them");
}

/// Schemas as if they had been kept by now, and one of them before a change of its event. They are made from the events, so
/// that these tests do not depend on what is kept.
struct Copy {
    folder: tempfile::TempDir,
}

impl Copy {
    fn new() -> Self {
        let copy = Copy { folder: tempfile::tempdir().expect("a folder") };
        copy.update();
        assert_eq!(copy.judge(), Judgement::default());
        copy
    }

    fn update(&self) -> Judgement {
        let shop = Choreography::of_the_shop();
        Kept::in_folder(self.folder.path()).update(&schemas::all(), shop.tables()).expect("the schemas can be written")
    }

    fn change(self, file: &str, change: impl FnOnce(&mut Value)) -> Self {
        let path = self.folder.path().join(file);
        let mut schema: Value = serde_json::from_str(&fs::read_to_string(&path).expect("a schema")).expect("JSON");
        change(&mut schema);
        fs::write(&path, schema.to_string()).expect("written");
        self
    }

    /// As if the event were new.
    fn forget(self, file: &str, publisher: &str, event: &str) -> Self {
        fs::remove_file(self.folder.path().join(file)).expect("it was kept");
        self.change("index.json", |index| {
            index[publisher].as_array_mut().expect("names").retain(|name| name != event);
        })
    }

    fn judge(&self) -> Judgement {
        judge(self.folder.path())
    }
}

/// Asserts that one event breaks, with this code in this place, and that the message names its reader and what to do.
fn breaks(judgement: &Judgement, event: &str, code: Code, path: &str, reader: &str) {
    let [broken] = &judgement.breaks[..] else { panic!("one event breaks: {judgement}") };
    assert_eq!(broken.event_type, event);
    let Cause::Changes(changes) = &broken.cause else { panic!("{judgement}") };
    assert!(changes.iter().any(|change| (change.code, change.path.as_str()) == (code, path)), "{changes:?}");
    let text = judgement.to_string();
    for said in [&format!("`{event}`, read by `{reader}`"), code.name(), code.explanation(), "raise the version"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

const REJECTED: &str = "inventory/StockRejected.json";

#[test]
fn a_field_that_is_removed_fails_and_names_the_reader() {
    let kept = Copy::new().change(REJECTED, |kept| {
        kept["properties"]["warehouse"] = json!({ "type": "string" });
        kept["required"].as_array_mut().expect("fields").push("warehouse".into());
    });
    breaks(&kept.judge(), "StockRejected", Code::FieldRemoved, "$.warehouse", "payment");
}

#[test]
fn a_field_that_is_renamed_fails_and_names_the_reader() {
    let kept = Copy::new().change(REJECTED, |kept| {
        let properties = kept["properties"].as_object_mut().expect("fields");
        let product = properties.remove("product_id").expect("a field");
        properties.insert("product".to_owned(), product);
        let required = kept["required"].as_array_mut().expect("fields");
        required.retain(|name| name != "product_id");
        required.push("product".into());
    });
    breaks(&kept.judge(), "StockRejected", Code::FieldRenamed, "$.product", "payment");
}

#[test]
fn a_field_that_is_retyped_fails_and_names_the_reader() {
    let kept = Copy::new().change(REJECTED, |kept| kept["properties"]["product_id"] = json!({ "type": "string" }));
    breaks(&kept.judge(), "StockRejected", Code::Retyped, "$.product_id", "payment");
}

#[test]
fn a_field_that_is_newly_required_fails_and_names_the_reader() {
    let optional = |kept: &mut Value| {
        kept["required"].as_array_mut().expect("fields").retain(|name| name != "product_id");
    };
    let kept = Copy::new().change(REJECTED, optional);
    breaks(&kept.judge(), "StockRejected", Code::MadeRequired, "$.product_id", "payment");
    let kept = Copy::new().change(REJECTED, |kept| {
        optional(kept);
        kept["properties"].as_object_mut().expect("fields").remove("product_id");
    });
    breaks(&kept.judge(), "StockRejected", Code::RequiredFieldAdded, "$.product_id", "payment");
}

/// A change of the common facts breaks every reader of every event, and is told once.
#[test]
fn a_change_of_the_order_is_told_once_with_all_its_readers() {
    let mut kept = Copy::new();
    // An erasure is about a user, and has no order.
    let without = ["OrderRequested", "UserErased"];
    let events: Vec<_> = schemas::all().into_iter().filter(|schema| !without.contains(&schema.event_type)).collect();
    for event in &events {
        let file = format!("{}/{}.json", event.publisher.name(), event.event_type);
        kept = kept.change(&file, |kept| kept["$defs"]["Order"]["properties"]["total"] = json!({ "type": "string" }));
    }
    let judgement = kept.judge();
    assert_eq!(judgement.breaks.len(), events.len());
    let text = judgement.to_string();
    assert_eq!(text.matches("$.order.total retyped").count(), 1, "{text}");
    for reader in [
        "`StockReserved`, read by `account`",
        "`StockCommitted`, read by `shipping`",
        "`NotificationSent`, read by no service",
    ] {
        assert!(text.contains(reader), "{reader}: {text}");
    }
}

#[test]
fn what_breaks_nobody_passes_and_can_be_written() {
    let kept = Copy::new().change("order/OrderCreated.json", |kept| {
        kept["$defs"]["Order"]["properties"].as_object_mut().expect("fields").remove("ship_to");
    });
    let kept = kept.forget("order/OrderTimedOut.json", "order", "OrderTimedOut");
    let judgement = kept.judge();
    assert!(judgement.breaks.is_empty(), "{judgement}");
    let outdated: Vec<_> =
        judgement.outdated.iter().map(|(path, why)| (path.file_name().unwrap(), why.as_str())).collect();
    let optional = "$.order.ship_to optional-field-added: the field is new, and optional";
    let expected = [("OrderCreated.json".as_ref(), optional), ("OrderTimedOut.json".as_ref(), "the event is new")];
    assert_eq!(outdated, expected);
    kept.update();
    assert_eq!(kept.judge(), Judgement::default());
}

/// Writing what is not up to date is no way around a break.
#[test]
fn a_break_is_not_written() {
    let kept = Copy::new().change(REJECTED, |kept| kept["properties"]["product_id"] = json!({ "type": "string" }));
    let kept = kept.forget("order/OrderTimedOut.json", "order", "OrderTimedOut");
    let judgement = kept.update();
    assert_eq!(judgement.breaks.len(), 1);
    assert_eq!(kept.judge(), judgement, "nothing has changed");
}

/// Deleting the file is no way around a break either.
#[test]
fn a_kept_schema_that_is_missing_fails() {
    let kept = Copy::new();
    fs::remove_file(kept.folder.path().join(REJECTED)).expect("it was kept");
    let judgement = kept.update();
    assert!(matches!(&judgement.breaks[..], [broken] if broken.cause == Cause::Missing), "{judgement}");
}

#[test]
fn an_event_that_is_gone_fails() {
    let kept = Copy::new();
    fs::copy(kept.folder.path().join(REJECTED), kept.folder.path().join("inventory/StockLost.json")).expect("a copy");
    let judgement = kept.judge();
    assert!(matches!(&judgement.breaks[..], [broken] if broken.cause == Cause::Gone), "{judgement}");
    assert!(judgement.to_string().contains("`StockLost`, read by no service"), "{judgement}");
}
