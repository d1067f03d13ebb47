use std::collections::BTreeMap;

use roxmltree::{Document, Node};
use saga::choreography::{Kind, Part as Table};

use super::*;

fn published(event: &str) -> Reaction {
    let on = On::Occasion { occasion: "noon".to_owned(), kind: Kind::Request };
    Reaction::new(on, "say", vec![event.to_owned()])
}

fn consumed(event: &str, publisher: &str) -> Reaction {
    let on = On::Event {
        event: event.to_owned(),
        publisher: publisher.to_owned(),
        topic: format!("{publisher}.events"),
        version: 1,
    };
    Reaction::new(on, "consume", Vec::new())
}

fn table(service: &str, reactions: Vec<Reaction>) -> Table {
    Table { service: service.to_owned(), topic: format!("{service}.events"), reactions }
}

/// Texts of a class, and how often each is there.
fn texts(picture: &Document<'_>, class: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let is_it = |node: &Node<'_, '_>| node.has_tag_name("text") || node.tag_name().name() == "text";
    for node in picture.descendants().filter(is_it).filter(|node| node.attribute("class") == Some(class)) {
        *found.entry(node.text().unwrap_or_default().to_owned()).or_default() += 1;
    }
    found
}

fn counted<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    names.into_iter().map(|name| (name.to_owned(), 1)).collect()
}

#[test]
fn every_service_and_every_event_is_named_once() {
    let all = Choreography::of_the_shop();
    let svg = all.svg();
    let picture = Document::parse(&svg).expect("XML");
    let services = all.tables().iter().map(|table| table.service.as_str());
    assert_eq!(texts(&picture, "name"), counted(services.chain(["client"])));
    let events = all.tables().iter().flat_map(|table| &table.reactions);
    let events = events.flat_map(|reaction| reaction.says.iter().map(String::as_str).chain(reaction.event()));
    assert_eq!(texts(&picture, "label"), counted(events));
}

/// The arrows lead from the publisher to each service that consumes the event, as the tables say.
#[test]
fn arrows_lead_to_those_that_consume() {
    let all = Choreography::of_the_shop();
    let svg = all.svg();
    let picture = Document::parse(&svg).expect("XML");
    let text = |class: &'static str| picture.descendants().filter(move |node| node.attribute("class") == Some(class));
    let column: BTreeMap<&str, &str> =
        text("name").map(|node| (node.attribute("x").unwrap(), node.text().unwrap())).collect();
    let mut drawn = Vec::new();
    for label in text("label") {
        let line = label.parent().unwrap();
        let dot = line.children().find(|node| node.has_attribute("cx")).unwrap();
        for head in line.descendants().filter(|node| node.attribute("class") == Some("head") && node.has_attribute("d"))
        {
            let place = head.attribute("d").unwrap().strip_prefix('M').unwrap().split(' ').next().unwrap();
            let undoes = head.parent().unwrap().attribute("class") == Some("undo");
            drawn.push((label.text().unwrap(), column[dot.attribute("cx").unwrap()], column[place], undoes));
        }
    }
    let mut told = Vec::new();
    for table in all.tables() {
        for reaction in &table.reactions {
            if let On::Event { event, publisher, .. } = &reaction.on {
                told.push((event.as_str(), publisher.as_str(), table.service.as_str(), undoes(reaction)));
            }
        }
    }
    drawn.sort_unstable();
    told.sort_unstable();
    assert_eq!(drawn, told);
    assert!(drawn.iter().any(|(.., undoes)| *undoes) && drawn.len() > 20);
}

/// Tables of other programs are checked before they are drawn; the picture would be sound without that.
#[test]
fn hostile_names_are_only_text() {
    let odd = "<script>alert(\"1\")</script>&amp;'\u{0}\u{1b}";
    let all = Choreography(vec![
        table(odd, vec![published(odd)]),
        table("b", vec![consumed(odd, odd), consumed(odd, "]]>")]),
    ]);
    let svg = all.svg();
    let picture = Document::parse(&svg).expect("XML");
    let shown = "<script>alert(\"1\")</script>&amp;'\u{fffd}\u{fffd}";
    assert_eq!(texts(&picture, "name"), counted([shown, "b", "]]>"]));
    assert_eq!(texts(&picture, "label").keys().collect::<Vec<_>>(), [shown]);
    let elements = ["svg", "title", "style", "rect", "line", "text", "g", "path", "circle"];
    assert!(picture.descendants().filter(Node::is_element).all(|node| elements.contains(&node.tag_name().name())));
}

#[test]
fn the_picture_needs_nothing_else() {
    let svg = Choreography::of_the_shop().svg();
    let outside = svg.replacen("http://www.w3.org/2000/svg", "", 1);
    for word in ["http", "url(", "@import", "<script", "href"] {
        assert!(!outside.contains(word), "{word}");
    }
    assert!(svg.contains("prefers-color-scheme: dark"));
}

#[test]
fn nothing_is_drawn_beyond_the_edge() {
    let long = "E".repeat(100);
    let systems = [
        Choreography::of_the_shop(),
        Choreography::default(),
        Choreography(vec![table("alone", vec![published("Said"), consumed("Said", "alone")])]),
        Choreography(vec![
            table(&long, vec![published(&long)]),
            table("b", vec![consumed(&long, &long), published("Unheard")]),
        ]),
    ];
    for all in systems {
        let svg = all.svg();
        let picture = Document::parse(&svg).expect("XML");
        let width: usize = picture.root_element().attribute("width").unwrap().parse().unwrap();
        for label in picture.descendants().filter(|node| node.attribute("class") == Some("label")) {
            let x: usize = label.attribute("x").unwrap().parse().unwrap();
            let length = label.text().unwrap().chars().count() * LETTER;
            let fits = if label.attribute("text-anchor") == Some("end") { length <= x } else { x + length <= width };
            assert!(fits, "{} is cut off", label.text().unwrap());
        }
        let legend = picture.descendants().find(|node| node.attribute("class") == Some("legend")).expect("a legend");
        let half = legend.text().unwrap().chars().count() * LETTER / 2;
        let x: usize = legend.attribute("x").unwrap().parse().unwrap();
        assert!(half <= x && x + half <= width, "the legend is cut off: {x} of {width}, {half} on each side");
    }
}
