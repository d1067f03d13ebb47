//! Prints an audit for people to read.

use owo_colors::{OwoColorize, Stream::Stdout};

use crate::audit::{Finding, News, Report};

/// The audit: each invariant, what was examined and what was found.
pub fn audit(report: &Report) {
    println!();
    println!("{}", "invariants".if_supports_color(Stdout, |text| text.bold()));
    for invariant in &report.invariants {
        println!(
            "  {} {}  {}",
            mark(invariant.findings.is_empty()),
            invariant.what,
            invariant.looked_at.if_supports_color(Stdout, |text| text.dimmed())
        );
        for finding in &invariant.findings {
            println!("      {}", sentence(finding));
        }
    }
}

/// One look of a watch: what is new.
pub fn watched(news: &News) {
    let now = chrono::Local::now().format("%T");
    for finding in &news.wrong {
        println!("{now} {} {}", mark(false), sentence(finding));
    }
    for finding in &news.mended {
        println!("{now} {} no longer: {}", mark(true), sentence(finding));
    }
    if news.wrong.is_empty() && news.mended.is_empty() {
        println!("{now} · nothing new  {}", news.looked_at.if_supports_color(Stdout, |text| text.dimmed()));
    }
}

fn sentence(finding: &Finding) -> String {
    let order = finding.order.map_or(String::new(), |order| format!("order {order} "));
    format!("{order}{}", finding.what)
}

/// A tick if it holds, a cross if it does not.
pub fn mark(good: bool) -> String {
    if good {
        "✓".if_supports_color(Stdout, |text| text.green()).to_string()
    } else {
        "✗".if_supports_color(Stdout, |text| text.red()).to_string()
    }
}
