use super::*;

fn loyalty(topic: &str, event: &str) -> Table {
    let on = On::Event {
        event: event.to_owned(),
        publisher: "order".to_owned(),
        topic: "order.events".to_owned(),
        version: 1,
    };
    let reaction = Reaction::new(on, "award", vec!["PointsAwarded".to_owned()]);
    Table { service: "loyalty".to_owned(), topic: topic.to_owned(), reactions: vec![reaction] }
}

#[test]
fn nobody_in_the_shop_waits_for_an_event_that_nobody_says() {
    Choreography::of_the_shop().check().unwrap();
}

#[test]
fn a_service_reads_the_same_topics_by_its_table_and_by_what_it_tells_of_it() {
    let told = Choreography::of_the_shop();
    for part in parts() {
        let read: BTreeSet<&str> = part.topics.iter().copied().collect();
        assert_eq!(told.topics_of(part.service.name()), read.into_iter().collect::<Vec<_>>(), "{}", part.service);
    }
}

#[test]
fn a_further_service_takes_its_place_in_the_picture() {
    let mut all = Choreography::of_the_shop();
    all.add(loyalty("loyalty.events", "OrderCompleted")).unwrap();
    all.add(loyalty("loyalty.events", "OrderCompleted")).expect("each replica tells the same");
    all.check().unwrap();
    assert!(all.mermaid().contains("    order -- \"OrderCompleted\" --> loyalty\n"), "{}", all.mermaid());
    let follows: Vec<&str> = all.follows("OrderCompleted", "order.events").map(|(service, _)| service).collect();
    assert_eq!(follows, ["notification", "loyalty"]);
}

#[test]
fn what_cannot_be_followed_is_refused_with_what_to_change() {
    let mut all = Choreography::of_the_shop();
    let topic = all.add(loyalty("order.events", "OrderCompleted")).expect_err("another's topic").to_string();
    assert!(topic.contains("`loyalty` publishes on loyalty.events"), "{topic}");
    for odd in ["Order\nCompleted", "Order\"Completed", "", "Order|Completed", "Order\u{1b}[2J"] {
        let error = all.add(loyalty("loyalty.events", odd)).expect_err(odd).to_string();
        assert!(error.contains("is no name"), "{error}");
    }
    let mut stranger = loyalty("loyalty.events", "OrderCompleted");
    stranger.reactions[0].on =
        On::Event { event: "OrderCompleted".into(), publisher: "oder".into(), topic: "oder.events".into(), version: 1 };
    let mut requests = loyalty("loyalty.events", "PointsWanted");
    requests.reactions[0].on = On::Event {
        event: "PointsWanted".into(),
        publisher: "members".into(),
        topic: "points.requests".into(),
        version: 1,
    };
    let mut asked = Choreography::of_the_shop();
    asked.add(requests.clone()).unwrap();
    asked.check().expect("clients of its own may ask it for something");
    let On::Event { publisher, .. } = &mut requests.reactions[0].on else { unreachable!() };
    *publisher = "order".into();
    let mut confused = Choreography::of_the_shop();
    confused.add(requests).unwrap();
    assert!(confused.check().is_err(), "a service asks nobody on a topic of requests");
    let mut misspelt = Choreography::of_the_shop();
    misspelt.add(stranger).unwrap();
    let error = misspelt.check().expect_err("nobody").to_string();
    assert!(error.contains("`oder` on oder.events, and no such service is known"), "{error}");
    all.add(loyalty("loyalty.events", "OrderCompletd")).unwrap();
    let nobody = all.check().expect_err("nobody says it").to_string();
    assert!(nobody.contains("`loyalty` waits for `OrderCompletd` of `order`, which never says it"), "{nobody}");
    let two = all.add(loyalty("loyalty.events", "OrderCompleted")).expect_err("two versions").to_string();
    assert!(two.contains("another table already"), "{two}");
}

#[test]
fn what_undoes_is_dashed_and_who_is_no_service_is_round() {
    let dot = Choreography::of_the_shop().dot();
    assert!(dot.contains("    \"client\" [shape=ellipse];\n"), "{dot}");
    assert!(
        dot.contains("    \"payment\" -> \"inventory\" [label=\"PaymentAuthorized\\nPaymentCaptured\"];\n"),
        "{dot}"
    );
    assert!(
        dot.contains("    \"payment\" -> \"inventory\" [label=\"PaymentCaptureFailed\", style=dashed];\n"),
        "{dot}"
    );
}
