//! The choreography as a picture: a column for each service, a line for each event.

use std::collections::BTreeSet;

use saga::{
    choreography::{On, Reaction},
    table::Phase,
};

use super::Choreography;

/// Width of a letter, generously.
const LETTER: usize = 8;
/// Distance of two lines.
const ROW: usize = 34;
/// Height of a service's box.
const BOX: usize = 36;
const MARGIN: usize = 24;
/// Least distance of two columns.
const COLUMN: usize = 150;
/// Space above the first line.
const ABOVE: usize = 44;
/// Distance of the line to services that undo, where others consume the same event.
const BELOW: usize = 7;
/// Space for the explanation below the last line.
const LEGEND: usize = 48;
/// The explanation.
const EXPLANATION: &str =
    "\u{25cf} published by \u{2003} \u{25b6} consumed by \u{2003} dashed: consumed in order to undo";

const STYLE: &str = "
  svg { --ink: #1f2328; --paper: #ffffff; --line: #d0d7de; --box: #ddf4ff; --edge: #0969da; --undo: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --box: #0c2d6b; --edge: #58a6ff; --undo: #f0883e; }
  }
  .paper { fill: var(--paper); }
  text { font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: var(--ink); }
  .service { fill: var(--box); stroke: var(--edge); stroke-width: 1.5; }
  .client { fill: var(--paper); stroke: var(--edge); stroke-width: 1.5; }
  .name { text-anchor: middle; font-weight: bold; }
  .life { stroke: var(--line); stroke-width: 1; }
  .event { stroke: var(--edge); stroke-width: 1.5; fill: none; }
  .head { fill: var(--edge); }
  .undo .event { stroke: var(--undo); stroke-dasharray: 6 4; }
  .undo .head { fill: var(--undo); }
  .legend { text-anchor: middle; font-size: 12px; opacity: 0.8; }
  .label { stroke: var(--paper); stroke-width: 4; paint-order: stroke; stroke-linejoin: round; }
";

/// An event: its publisher, and the services that consume it.
struct Row<'a> {
    event: &'a str,
    from: usize,
    to: Vec<Consumer>,
}

struct Consumer {
    column: usize,
    /// True if the service undoes its step.
    undoes: bool,
}

impl Choreography {
    /// A picture in SVG that needs nothing else, in light and in dark: services from left to right, and from top to bottom the
    /// events, each below one that leads to it. What a service consumes to undo its step is dashed.
    pub fn svg(&self) -> String {
        let columns = self.columns();
        let rows = self.rows(&columns);
        let longest = columns.iter().copied().chain(rows.iter().map(|row| row.event)).map(|name| name.chars().count());
        let distance = COLUMN.max(longest.max().unwrap_or_default() * LETTER + 2 * MARGIN);
        let end = MARGIN + BOX + ABOVE + rows.len() * ROW;
        let wide = columns.len() * distance;
        let (width, height) = (2 * MARGIN + wide.max(EXPLANATION.chars().count() * LETTER), end + LEGEND);
        let left = (width - wide) / 2;
        let x = |column: usize| left + distance / 2 + column * distance;
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\">\n<title>Choreography</title>\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"{width}\" \
             height=\"{height}\"/>\n"
        );
        for (column, name) in columns.iter().enumerate() {
            let is_service = self.0.iter().any(|table| table.service == *name);
            text.push_str(&self::column(name, is_service, x(column), distance - MARGIN, end));
        }
        for (place, row) in rows.iter().enumerate() {
            text.push_str(&line(row, MARGIN + BOX + ABOVE + place * ROW, columns.len() - 1, x));
        }
        text.push_str(&legend(width / 2, end + LEGEND / 2));
        text.push_str("</svg>\n");
        text
    }

    /// Publishers that are no services, which are clients, and then the services.
    fn columns(&self) -> Vec<&str> {
        let services: Vec<&str> = self.0.iter().map(|table| table.service.as_str()).collect();
        let mut columns: Vec<&str> = Vec::new();
        for (_, publisher) in self.arrows() {
            if !services.contains(&publisher) && !columns.contains(&publisher) {
                columns.push(publisher);
            }
        }
        columns.extend(services);
        columns
    }

    /// Every event that is published or consumed, each once: after a request what follows from it first, as far as it goes.
    fn rows<'a>(&'a self, columns: &[&'a str]) -> Vec<Row<'a>> {
        let mut order = Vec::new();
        let reactions =
            || self.0.iter().flat_map(|table| table.reactions.iter().map(move |reaction| (table, reaction)));
        for (_, reaction) in reactions() {
            if let On::Event { event, publisher, .. } = &reaction.on
                && !self.0.iter().any(|table| table.service == *publisher)
            {
                self.follow(event, publisher, &mut order);
            }
        }
        for (table, reaction) in reactions() {
            reaction.says.iter().for_each(|event| self.follow(event, &table.service, &mut order));
        }
        let row = |(event, publisher): (&'a str, &'a str)| {
            let column = |name: &str| columns.iter().position(|column| *column == name).unwrap_or_default();
            let consumers = self.consumers(event, publisher);
            let to =
                consumers.map(|(service, reaction)| Consumer { column: column(service), undoes: undoes(reaction) });
            Row { event, from: column(publisher), to: to.collect() }
        };
        order.into_iter().map(row).collect()
    }

    /// Adds an event, and then what it leads to.
    fn follow<'a>(&'a self, event: &'a str, publisher: &'a str, order: &mut Vec<(&'a str, &'a str)>) {
        let mut open = vec![(event, publisher)];
        while let Some(next) = open.pop() {
            if order.contains(&next) {
                continue;
            }
            order.push(next);
            let says = self
                .consumers(next.0, next.1)
                .flat_map(|(service, reaction)| reaction.says.iter().map(move |event| (event.as_str(), service)));
            let says: Vec<(&str, &str)> = says.collect();
            open.extend(says.into_iter().rev());
        }
    }

    /// Services that consume an event, and what they do on it.
    fn consumers<'a>(&'a self, event: &str, publisher: &str) -> impl Iterator<Item = (&'a str, &'a Reaction)> {
        let is_it = move |reaction: &&Reaction| match &reaction.on {
            On::Event { event: other, publisher: by, .. } => other == event && by == publisher,
            On::Occasion { .. } => false,
        };
        self.0.iter().flat_map(move |table| {
            table.reactions.iter().filter(is_it).map(|reaction| (table.service.as_str(), reaction))
        })
    }
}

fn undoes(reaction: &Reaction) -> bool {
    matches!(reaction.phase, Some(Phase::Cancel | Phase::Withdraw))
}

fn column(name: &str, is_service: bool, x: usize, width: usize, end: usize) -> String {
    let (class, round) = if is_service { ("service", 4) } else { ("client", BOX / 2) };
    format!(
        "<line class=\"life\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\"/>\n<rect class=\"{class}\" x=\"{}\" y=\"{MARGIN}\" \
         width=\"{width}\" height=\"{BOX}\" rx=\"{round}\"/>\n<text class=\"name\" x=\"{x}\" y=\"{}\">{}</text>\n",
        MARGIN + BOX,
        end,
        x - width / 2,
        MARGIN + BOX / 2 + 5,
        escaped(name)
    )
}

/// The line of an event, from its publisher to each service that consumes it. Those on the same side share a line, which is as
/// long as the farthest is away.
fn line(row: &Row<'_>, y: usize, last: usize, x: impl Fn(usize) -> usize) -> String {
    let from = x(row.from);
    let mut text = String::from("<g>\n");
    for undoing in [false, true] {
        let columns: BTreeSet<usize> =
            row.to.iter().filter(|consumer| consumer.undoes == undoing).map(|consumer| consumer.column).collect();
        if columns.is_empty() {
            continue;
        }
        text.push_str(if undoing { "<g class=\"undo\">\n" } else { "<g>\n" });
        let is_shared = undoing && columns.len() < row.to.len();
        let y = if is_shared { y + BELOW } else { y };
        let ends = [columns.first(), columns.last()].into_iter().flatten().map(|column| x(*column));
        let ends: BTreeSet<usize> = match columns.iter().all(|column| *column > row.from) {
            true => ends.max().into_iter().collect(),
            false if columns.iter().all(|column| *column < row.from) => ends.min().into_iter().collect(),
            false => ends.collect(),
        };
        for end in ends {
            text.push_str(&format!("<path class=\"event\" d=\"M{from} {y}H{end}\"/>\n"));
        }
        columns.iter().for_each(|column| text.push_str(&head(*column, row.from, x(*column), y)));
        text.push_str("</g>\n");
    }
    let is_rightwards = match row.to.is_empty() {
        true => row.from < last,
        false => row.to.iter().any(|consumer| consumer.column > row.from),
    };
    let (shift, anchor) = if is_rightwards { (from + 8, "start") } else { (from - 8, "end") };
    text.push_str(&format!(
        "<circle class=\"head\" cx=\"{from}\" cy=\"{y}\" r=\"4\"/>\n<text class=\"label\" x=\"{shift}\" y=\"{}\" \
         text-anchor=\"{anchor}\">{}</text>\n</g>\n",
        y - 7,
        escaped(row.event)
    ));
    text
}

fn legend(x: usize, y: usize) -> String {
    format!("<text class=\"legend\" x=\"{x}\" y=\"{y}\">{EXPLANATION}</text>\n")
}

/// The head of an arrow; a ring where a service consumes its own event.
fn head(column: usize, from: usize, x: usize, y: usize) -> String {
    let back = match column.cmp(&from) {
        std::cmp::Ordering::Equal => return format!("<circle class=\"event\" cx=\"{x}\" cy=\"{y}\" r=\"8\"/>\n"),
        std::cmp::Ordering::Greater => x - 10,
        std::cmp::Ordering::Less => x + 10,
    };
    format!("<path class=\"head\" d=\"M{x} {y}L{back} {}L{back} {}Z\"/>\n", y - 5, y + 5)
}

/// Text as it may stand in XML. What XML has no way to say is replaced.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() || "\u{fffe}\u{ffff}".contains(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests;
