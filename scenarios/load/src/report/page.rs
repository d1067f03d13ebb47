//! The page: one self-contained file, for light and dark mode.

use super::{
    Report,
    chart::{Chart, FAILED, GRID, INK, MEDIAN, PAPER, REFUSED, SUCCESS, TAIL, milliseconds},
};
use crate::{figures::Figures, processes::Usage};

const STYLE: &str = include_str!("page.css");

pub(super) fn page(report: &Report, charts: &[Chart]) -> String {
    let (overview, of_stages) = charts.split_at(charts.len().min(1));
    let stages: String =
        report.stages.iter().zip(of_stages.chunks(2)).map(|(figures, charts)| section(figures, charts)).collect();
    let caution =
        report.caution.as_deref().map_or(String::new(), |text| format!("<p class=\"caution\">{}</p>", escape(text)));
    let audit = if report.audit_holds {
        "<p class=\"good\">The audit of all databases, the gateway and Kafka found everything in order.</p>"
    } else {
        "<p class=\"caution\">The audit found something that should not be; see the terminal.</p>"
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>Sagas under load</title>\n<style>\n{STYLE}{roles}</style>\n</head>\n<body>\n<main>\n\
         <h1>Sagas under load</h1>\n<p class=\"setting\">{setting}</p>\n<p><code>{command}</code></p>\n{caution}\n{audit}\n\
         {summary}{table}\n{overview}\n{stages}\n</main>\n</body>\n</html>\n",
        roles = roles(),
        setting = escape(&report.setting.line()),
        command = escape(&report.command),
        summary = summary(&report.summary),
        table = outcomes(&report.stages),
        overview = figures(overview),
    )
}

/// Style rules that replace each role's light colour in dark mode.
fn roles() -> String {
    let roles = [
        (PAPER, "paper"),
        (INK, "ink"),
        (GRID, "grid"),
        (SUCCESS, "success"),
        (REFUSED, "refused"),
        (FAILED, "failed"),
        (MEDIAN, "median"),
        (TAIL, "tail"),
    ];
    roles
        .iter()
        .map(|(colour, role)| {
            let hex = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
            format!(
                "svg [fill=\"{hex}\"] {{ fill: var(--{role}) }}\nsvg [stroke=\"{hex}\"] {{ stroke: var(--{role}) }}\n"
            )
        })
        .collect()
}

fn summary(rows: &[Vec<String>]) -> String {
    let Some((header, rows)) = rows.split_first() else { return String::new() };
    let cells = |tag: &str, cells: &[String]| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect()
    };
    let row = |row: &Vec<String>| match row.split_first() {
        Some((name, rest)) => format!("<tr><th>{}</th>{}</tr>\n", escape(name), cells("td", rest)),
        None => String::new(),
    };
    let body: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"wide\"><table><thead><tr>{}</tr></thead><tbody>\n{body}</tbody></table></div>\n",
        cells("th", header)
    )
}

fn outcomes(stages: &[Figures]) -> String {
    let head = "<tr><th>stage</th><th>requests</th><th>success</th><th>refused</th><th>failed</th><th>mean</th>\
                <th>p50</th><th>p95</th><th>p99</th><th>max</th><th>sagas/s</th></tr>";
    let row = |figures: &Figures| {
        let latency = figures.latency;
        let numbers = [latency.mean, latency.p50, latency.p95, latency.p99, latency.max].map(milliseconds);
        let cells: String = [figures.success, figures.refusals(), figures.failures()]
            .map(|orders| orders.to_string())
            .into_iter()
            .chain(numbers)
            .chain([format!("{:.0}", figures.sagas_per_second)])
            .map(|cell| format!("<td>{cell}</td>"))
            .collect();
        let (stage, pace) = (escape(&figures.stage), escape(&figures.pace));
        format!("<tr><th>{stage}</th><td>{}, {pace}</td>{cells}</tr>\n", figures.orders)
    };
    format!(
        "<div class=\"wide\"><table><thead>{head}</thead><tbody>\n{}</tbody></table></div>",
        stages.iter().map(row).collect::<String>()
    )
}

fn section(stage: &Figures, charts: &[Chart]) -> String {
    let row = |usage: &Usage| {
        let process = escape(&usage.process);
        format!("<tr><th>{process}</th><td>{:.2} s</td><td>{:.0} MiB</td></tr>\n", usage.cpu_seconds, usage.peak_mib)
    };
    let rows: String = stage.processes.iter().map(row).collect();
    let processes = if rows.is_empty() {
        String::new()
    } else {
        format!(
            "<details><summary>CPU and memory by process</summary><table><thead><tr><th>process</th><th>CPU</th>\
             <th>peak memory</th></tr></thead><tbody>\n{rows}</tbody></table></details>"
        )
    };
    format!(
        "<section>\n<h2>{}</h2>\n<p>{} orders, {}; {}</p>\n{}\n{processes}\n</section>\n",
        escape(&stage.stage),
        stage.orders,
        escape(&stage.pace),
        escape(&stage.mix),
        figures(charts),
    )
}

fn figures(charts: &[Chart]) -> String {
    let figure = |chart: &Chart| {
        format!("<figure role=\"img\" aria-label=\"{}\">\n{}</figure>\n", escape(&chart.title), chart.svg)
    };
    charts.iter().map(figure).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        cast::Choice,
        machine::{Fsync, Setting},
        plan::{Pace, Stage},
        tally::{End, Tally},
    };

    /// A stage in which an order has ended, and one in which nothing has happened.
    fn report() -> Report {
        let stage = |name: &str| Stage {
            name: name.to_owned(),
            orders: 3,
            pace: Pace::AtOnce,
            mix: "happy=1".parse().unwrap(),
            choice: Choice::default(),
        };
        let tally = Tally::new(3);
        tally.sent(0, Duration::ZERO);
        tally.ended(0, tally.begun() + Duration::from_millis(12), End::Completed);
        let usage = Usage { process: "order".into(), cpu_seconds: 0.5, peak_mib: 14.0, resident_mib: 13.0 };
        Report {
            command: "scenarios load --mix \"<&>\"".into(),
            setting: Setting {
                broker: "Apache Kafka".into(),
                database: "PostgreSQL".into(),
                machine: "2 cores, a < b & c".into(),
                fsync: Fsync { p50_ms: 0.2, p99_ms: 1.0 },
                when: "2025-01-31 12:00".into(),
            },
            caution: Some("figures & figures".into()),
            summary: vec![vec!["figure".into(), "measured".into()], vec!["sagas".into(), "<1,000".into()]],
            stages: vec![
                Figures::of(&stage("busy"), &tally, vec![usage]),
                Figures::of(&stage("nothing <at> all"), &Tally::new(3), Vec::new()),
            ],
            audit_holds: true,
        }
    }

    #[test]
    fn a_system_that_does_nothing_does_not_pass() {
        let mut report = report();
        assert!(report.audit_holds && !report.holds(), "two orders of a stage have no end, and all three of another");
        let done = Tally::new(1);
        done.sent(0, Duration::ZERO);
        done.ended(0, done.begun() + Duration::from_millis(12), End::Completed);
        let stage = Stage {
            name: "done".to_owned(),
            orders: 1,
            pace: Pace::AtOnce,
            mix: "happy=1".parse().unwrap(),
            choice: Choice::default(),
        };
        report.stages = vec![Figures::of(&stage, &done, Vec::new())];
        assert!(report.holds());
        report.audit_holds = false;
        assert!(!report.holds());
    }

    /// Checks that every opened tag is closed in order, and that text has no angle brackets.
    fn well_formed(markup: &str) -> Result<(), String> {
        let mut open: Vec<&str> = Vec::new();
        let mut rest = markup;
        while let Some((text, after)) = rest.split_once('<') {
            if text.contains('>') {
                return Err(format!("a stray > in {text:?}"));
            }
            let (tag, after) = after.split_once('>').ok_or("a < without >")?;
            rest = after;
            let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
            if tag.starts_with('!') || tag.ends_with('/') {
                continue;
            }
            if !tag.starts_with('/') {
                open.push(name);
            } else if open.pop() != Some(name) {
                return Err(format!("</{name}> closes something else"));
            }
            if tag.matches('"').count() % 2 == 1 {
                return Err(format!("an attribute without end: {tag}"));
            }
        }
        if open.is_empty() { Ok(()) } else { Err(format!("never closed: {open:?}")) }
    }

    #[test]
    fn every_picture_and_the_page_are_well_formed() {
        let report = report();
        let charts = report.charts().unwrap();
        assert_eq!(charts.len(), 1 + 2 * 2, "one of all, two of each stage");
        for chart in &charts {
            assert!(chart.svg.starts_with("<svg"));
            well_formed(&chart.svg).unwrap_or_else(|error| panic!("{}: {error}", chart.name));
        }
        let page = page(&report, &charts);
        well_formed(&page).unwrap();
        assert!(page.contains("nothing &lt;at&gt; all") && page.contains("figures &amp; figures"));
        assert!(
            !page.contains("http://") || page.matches("http://").count() == charts.len(),
            "only names of namespaces"
        );
    }

    #[test]
    fn the_page_gives_every_colour_of_the_pictures_a_role() {
        let report = report();
        for chart in report.charts().unwrap() {
            for colour in chart.svg.split("=\"#").skip(1).map(|rest| &rest[..6]) {
                assert!(roles().contains(colour), "#{colour} in {} has no role", chart.name);
            }
        }
    }

    #[test]
    fn what_is_written_can_be_found() {
        let directory = tempfile::tempdir().unwrap();
        let written = report().write(&directory.path().join("load")).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(written.json).unwrap()).unwrap();
        assert_eq!(json["stages"][0]["success"], 1);
        assert_eq!(json["stages"][0]["failed"]["not sent"], 2);
        assert!(std::fs::read_to_string(written.page).unwrap().starts_with("<!doctype html>"));
        assert!(directory.path().join("load/busy-histogram.svg").is_file());
    }
}
