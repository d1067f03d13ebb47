//! Charts as SVG. They need no font: text remains text.
//!
//! Each colour stands for a role, so that the page can substitute other colours in dark mode.

use plotters::{
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    figures::{Figures, Moment},
    times::Bar,
};

pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFE);
pub(super) const INK: RGBColor = RGBColor(0x1B, 0x1F, 0x24);
pub(super) const GRID: RGBColor = RGBColor(0xDD, 0xE2, 0xE7);
pub(super) const SUCCESS: RGBColor = RGBColor(0x2C, 0x8C, 0x5A);
pub(super) const REFUSED: RGBColor = RGBColor(0xE0, 0xA0, 0x30);
pub(super) const FAILED: RGBColor = RGBColor(0xC8, 0x3E, 0x3A);
pub(super) const MEDIAN: RGBColor = RGBColor(0x2F, 0x6F, 0xB7);
pub(super) const TAIL: RGBColor = RGBColor(0x8A, 0x4F, 0xB5);

const SIZE: (u32, u32) = (820, 360);
const FONT: &str = "system-ui, sans-serif";

/// A chart.
#[derive(Debug)]
pub struct Chart {
    /// File name without extension.
    pub name: String,
    /// Description, as alternative text.
    pub title: String,
    pub svg: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on an empty sheet with a title.
fn draw(name: String, title: String, paint: impl FnOnce(&Area<'_>) -> anyhow::Result<()>) -> anyhow::Result<Chart> {
    let mut svg = String::new();
    {
        let sheet = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        sheet.fill(&PAPER)?;
        let sheet = sheet.titled(&title, (FONT, 17).into_font().color(&INK))?;
        paint(&sheet)?;
        sheet.present()?;
    }
    Ok(Chart { name, title, svg })
}

/// A kind of end: name, position of its bar within the stage, colour, and count.
type Kind = (&'static str, f64, RGBColor, fn(&Figures) -> u32);

/// How the orders of each stage ended.
pub(super) fn outcomes(stages: &[Figures]) -> anyhow::Result<Chart> {
    let tallest = stages.iter().map(|stage| stage.orders).max().unwrap_or_default().max(1);
    draw("outcomes".to_owned(), "How the orders of each stage ended".to_owned(), |sheet| {
        let width = stages.len().max(1) as f64;
        let mut chart = ChartBuilder::on(sheet)
            .margin(10)
            .x_label_area_size(34)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..width, 0.0..f64::from(tallest) * 1.08)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_y_mesh()
            .x_labels(0)
            .y_desc("orders")
            .y_label_formatter(&|orders| format!("{orders:.0}"))
            .axis_style(GRID)
            .label_style((FONT, 13).into_font().color(&INK))
            .draw()?;
        let kinds: [Kind; 3] = [
            ("success", 0.14, SUCCESS, |stage| stage.success),
            ("refused", 0.40, REFUSED, Figures::refusals),
            ("failed", 0.66, FAILED, Figures::failures),
        ];
        for (what, offset, colour, orders) in kinds {
            let bars = stages.iter().zip(0..).map(|(stage, place)| (f64::from(place) + offset, orders(stage)));
            chart
                .draw_series(bars.clone().map(|(left, orders)| {
                    Rectangle::new([(left, 0.0), (left + 0.22, f64::from(orders))], colour.filled())
                }))?
                .label(what)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
            let label = (FONT, 13).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Bottom));
            let above = f64::from(tallest) * 0.01;
            chart.draw_series(bars.map(|(left, orders)| {
                Text::new(orders.to_string(), (left + 0.11, f64::from(orders) + above), label.clone())
            }))?;
        }
        let label = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Top));
        let (left, top) = sheet.get_base_pixel();
        for (stage, place) in stages.iter().zip(0..) {
            let (x, y) = chart.backend_coord(&(f64::from(place) + 0.51, 0.0));
            sheet.draw(&Text::new(stage.stage.clone(), (x - left, y + 10 - top), label.clone()))?;
        }
        legend(&mut chart, SeriesLabelPosition::UpperLeft)?;
        Ok(())
    })
}

type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn legend<'a, 'b: 'a>(chart: &mut Plane<'a, 'b>, position: SeriesLabelPosition) -> anyhow::Result<()> {
    chart
        .configure_series_labels()
        .position(position)
        .label_font((FONT, 13).into_font().color(&INK))
        .border_style(GRID)
        .background_style(PAPER.filled())
        .draw()?;
    Ok(())
}

/// A histogram of latencies.
pub(super) fn histogram(figures: &Figures) -> anyhow::Result<Chart> {
    let bars = &figures.histogram;
    let from = bars.first().map_or(1.0, |bar| bar.from).log10() - 0.05;
    let to = bars.last().map_or(10.0, |bar| bar.to).log10() + 0.05;
    let most = bars.iter().map(|bar| bar.orders).max().unwrap_or(1) as f64;
    let title = format!("{}: latency of completed orders", figures.stage);
    draw(format!("{}-histogram", file_name(&figures.stage)), title, |sheet| {
        let mut chart = ChartBuilder::on(sheet)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(from..to, 0.0..most * 1.18)?;
        chart
            .configure_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_labels(8)
            .x_desc("from the intended beginning to the end")
            .y_desc("orders")
            .x_label_formatter(&|log| milliseconds(10_f64.powf(*log)))
            .y_label_formatter(&|orders| format!("{orders:.0}"))
            .label_style((FONT, 13).into_font().color(&INK))
            .draw()?;
        let bar = |bar: &Bar| {
            let mut bar =
                Rectangle::new([(bar.from.log10(), 0.0), (bar.to.log10(), bar.orders as f64)], SUCCESS.filled());
            bar.set_margin(0, 0, 1, 1);
            bar
        };
        chart.draw_series(bars.iter().map(bar))?;
        let latency = figures.latency;
        for (name, value, colour, height) in [("p50", latency.p50, MEDIAN, 1.06), ("p99", latency.p99, TAIL, 1.12)] {
            if value > 0.0 {
                let x = value.log10();
                chart.draw_series(LineSeries::new([(x, 0.0), (x, most * height)], colour.stroke_width(2)))?;
                let label = (FONT, 13).into_font().color(&colour);
                chart.draw_series([Text::new(
                    format!(" {name} {}", milliseconds(value)),
                    (x, most * (height + 0.03)),
                    label,
                )])?;
            }
        }
        Ok(())
    })
}

/// Latency over the course of the stage.
pub(super) fn over_time(figures: &Figures) -> anyhow::Result<Chart> {
    let last = figures.took_seconds.max(0.001);
    let dots = figures.dots.iter().map(|dot| dot.latency);
    let highest = figures.over_time.iter().map(|moment| moment.p99).chain(dots).fold(1.0, f64::max);
    let title = format!("{}: latency over time", figures.stage);
    draw(format!("{}-over-time", file_name(&figures.stage)), title, |sheet| {
        let mut chart = ChartBuilder::on(sheet)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..last, 0.0..highest * 1.08)?;
        chart
            .configure_mesh()
            .light_line_style(GRID.mix(0.0))
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_desc("seconds since the stage began, at the order's end")
            .y_desc("latency")
            .x_label_formatter(&|second| format!("{second:.1}"))
            .y_label_formatter(&|value| milliseconds(*value))
            .label_style((FONT, 13).into_font().color(&INK))
            .draw()?;
        chart.draw_series(figures.dots.iter().map(|dot| {
            let colour = if dot.success { SUCCESS } else { REFUSED };
            Circle::new((dot.second, dot.latency), 2, colour.mix(0.45).filled())
        }))?;
        let moments = &figures.over_time;
        for (name, colour, value) in
            [("p50", MEDIAN, (|moment: &Moment| moment.p50) as fn(&_) -> f64), ("p99", TAIL, |moment| moment.p99)]
        {
            let line = moments.iter().map(|moment| (moment.second, value(moment)));
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
        }
        legend(&mut chart, SeriesLabelPosition::UpperLeft)
    })
}

/// A short form with its unit.
pub(super) fn milliseconds(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v >= 10_000.0 => format!("{:.0} s", v / 1e3),
        v if v >= 1_000.0 => format!("{:.1} s", v / 1e3),
        v if v >= 10.0 => format!("{v:.0} ms"),
        v if v >= 1.0 => format!("{v:.1} ms"),
        v => format!("{v:.2} ms"),
    }
}

/// A stage's name in a form suitable for file names.
fn file_name(stage: &str) -> String {
    stage.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
