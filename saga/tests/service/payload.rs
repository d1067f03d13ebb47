//! A payload as Postgres renders it is never longer than the estimate.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use saga::{outbox::rendered_at_most, testing::TestDatabase};

use crate::toy::MIGRATIONS;

const CASES: usize = 2_000;

/// A number in any valid notation.
fn number() -> impl Strategy<Value = String> {
    let exponent = prop_oneof![
        Just(String::new()),
        (prop_oneof![Just("e"), Just("E"), Just("e+"), Just("e-"), Just("E-")], 0..400_u32)
            .prop_map(|(sign, exponent)| format!("{sign}{exponent}")),
    ];
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,20}"];
    (prop_oneof![Just(""), Just("-")], prop_oneof![Just("0".to_owned()), "[1-9][0-9]{0,25}"], fraction, exponent)
        .prop_map(|(sign, whole, fraction, exponent)| format!("{sign}{whole}{fraction}{exponent}"))
}

/// A string in which any character may be escaped in any way. Postgres cannot store NUL.
fn string() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>().prop_filter("no NUL", |c| *c != '\0').prop_map(|c| serde_json::json!(c.to_string()).to_string()),
        any::<u16>()
            .prop_filter("half a pair is no character", |code| *code != 0 && char::from_u32(u32::from(*code)).is_some())
            .prop_map(|code| format!("\"\\u{code:04x}\"")),
        prop_oneof![Just(",:e1"), Just("\\/"), Just("\\\\"), Just("\\\""), Just("\\b\\f\\n\\r\\t"), Just("\u{7f}")]
            .prop_map(|text| format!("\"{text}\"")),
    ];
    prop::collection::vec(character, 0..20).prop_map(|characters| {
        let inside: String = characters.iter().map(|quoted| &quoted[1..quoted.len() - 1]).collect();
        format!("\"{inside}\"")
    })
}

fn json() -> impl Strategy<Value = String> {
    let blank = prop_oneof![3 => Just(""), 1 => Just(" \n\t")];
    let leaf =
        prop_oneof![number(), string(), Just("true".to_owned()), Just("false".to_owned()), Just("null".to_owned())];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        let items = prop::collection::vec(inner.clone(), 0..8);
        let fields = prop::collection::vec((string(), inner), 0..8);
        prop_oneof![
            (items, blank.clone()).prop_map(|(items, blank)| format!("[{}]", items.join(&format!(",{blank}")))),
            (fields, blank.clone()).prop_map(|(fields, blank)| {
                let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}{blank}:{value}")).collect();
                format!("{{{blank}{}}}", fields.join(","))
            }),
        ]
    })
}

#[tokio::test]
async fn what_postgres_makes_of_a_payload_is_never_longer_than_was_reckoned_with() {
    let db = TestDatabase::create(&MIGRATIONS).await;
    let mut runner = TestRunner::new(Config::default());
    let draw = |_| json().new_tree(&mut runner).expect("drawn").current();
    let mut cases: Vec<String> = (0..CASES).map(draw).collect();
    cases.extend(["1e131071", "1e-16383", "-1.5E+300", "[]", "{}", "\"\\u001f\""].map(str::to_owned));
    let rendered: Vec<i32> = sqlx::query_scalar(
        "select octet_length(json::jsonb::text) from unnest($1::text[]) with ordinality c (json, place) order by place",
    )
    .bind(&cases)
    .fetch_all(db.pool())
    .await
    .expect("all of it is JSON");
    for (case, bytes) in cases.iter().zip(rendered) {
        let bytes = usize::try_from(bytes).expect("a length");
        assert!(bytes <= rendered_at_most(case), "{bytes} bytes, {} expected: {case}", rendered_at_most(case));
    }
    // For payloads that we write ourselves, the estimate is close.
    let ours = serde_json::json!({ "order": { "items": [1, 2, 3], "ship_to": "a, b: c" }, "total": 5 }).to_string();
    assert_eq!(rendered_at_most(&ours), ours.len() + 8);
}
