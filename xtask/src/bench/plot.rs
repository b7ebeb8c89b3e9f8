//! PURE: plots as SVG.

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{IntoSegmentedCoord as _, SegmentValue};
use plotters::prelude::*;

use super::{estimates, program::Report};

/// Pixels.
const SIZE: (u32, u32) = (900, 480);
const FONT: (&str, u32) = ("sans-serif", 16);

/// Colours that people with any colour vision tell apart (Okabe, Ito 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
    RGBColor(0, 0, 0),
];

/// What the plot by flows shows.
const LINES: [&str; 8] = [
    "ipip-4in4",
    "gue-4in4",
    "l2dsr-ipv4",
    "nat-ipv4",
    "armed-known",
    "tracked-ipv4-udp",
    "constant-header",
    "lru-hash",
];

/// A line: its name, and points of x and y.
type Line = (String, Vec<(f64, f64)>);

/// All plots, by the names of their files.
pub(super) fn all(
    report: &Report,
    control_plane: &serde_json::Value,
) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("program-by-flows.svg", by_flows(report)?),
        ("program-by-case.svg", by_case(report)?),
        ("change.svg", change(control_plane)?),
    ])
}

fn by_flows(report: &Report) -> Result<String> {
    let flows = ["1", "1k", "64k", "1M", "16M"];
    let lines = LINES.iter().map(|name| {
        let points = flows.iter().zip(0_u32..).filter_map(|(flows, place)| {
            report.median(name, flows).map(|median| (f64::from(place), median))
        });
        ((*name).to_owned(), points.collect())
    });
    let lines: Vec<Line> = lines.collect();
    let label = |x: f64| {
        let place =
            flows.iter().zip(0_u32..).find(|(_, place)| (f64::from(*place) - x).abs() < 0.01);
        place.map_or_else(String::new, |(name, _)| (*name).to_owned())
    };
    let axes = Axes { x: "flows", y: "ns a packet", x_range: 0.0..4.0, label: &label };
    lines_of("Cost of a packet by number of flows", &axes, &lines)
}

fn change(estimates: &serde_json::Value) -> Result<String> {
    let steps = ["edit the document", "check it", "plan", "difference", "all"];
    let lines = steps.map(|step| {
        let points = (0..5_i32).filter_map(|power| {
            let name = format!("change/{} targets/{step}", 10_u32.pow(power.cast_unsigned()));
            Some((f64::from(power), estimates::milliseconds(estimates, &name)?))
        });
        (step.to_owned(), points.collect())
    });
    let label = |x: f64| {
        if (x - x.round()).abs() < 0.01 { format!("{:.0}", 10_f64.powf(x)) } else { String::new() }
    };
    let axes = Axes { x: "targets", y: "ms", x_range: 0.0..4.0, label: &label };
    lines_of("A change of one target, computed", &axes, &lines)
}

struct Axes<'a> {
    x: &'a str,
    y: &'a str,
    x_range: std::ops::Range<f64>,
    /// The label at a point of the x axis.
    label: &'a dyn Fn(f64) -> String,
}

fn lines_of(title: &str, axes: &Axes<'_>, lines: &[Line]) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw: {error}");
        root.fill(&WHITE).map_err(|error| failed(&error))?;
        let points = lines.iter().flat_map(|(_, points)| points);
        let top = points.map(|(_, y)| *y).fold(0.0, f64::max) * 1.1 + f64::EPSILON;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, FONT)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(axes.x_range.clone(), 0.0..top)
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .x_labels(5)
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_label_formatter(&|x| (axes.label)(*x))
            .light_line_style(WHITE)
            .label_style(FONT)
            .draw()
            .map_err(|error| failed(&error))?;
        for ((name, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))
                .map_err(|error| failed(&error))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.2))
            .label_font(FONT)
            .draw()
            .map_err(|error| failed(&error))?;
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(svg)
}

/// Bars of all rows with 64k flows, or with new ones where there are no others.
fn by_case(report: &Report) -> Result<String> {
    let bars = report.rows.iter().filter_map(|row| {
        let mut flows = ["64k", "all-new"].iter();
        let cell = flows.find_map(|flows| report.cell(&row.name, flows))?;
        Some((row.name.clone(), cell.p50))
    });
    let bars: Vec<(String, f64)> = bars.collect();
    let names: Vec<&str> = bars.iter().rev().map(|(name, _)| name.as_str()).collect();
    let mut svg = String::new();
    {
        let height = 90 + u32::try_from(bars.len()).unwrap_or(0) * 22;
        let root = SVGBackend::with_string(&mut svg, (SIZE.0, height)).into_drawing_area();
        let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw: {error}");
        root.fill(&WHITE).map_err(|error| failed(&error))?;
        let most = bars.iter().map(|(_, median)| *median).fold(1.0, f64::max) * 1.05;
        let places = (0..names.len()).into_segmented();
        let mut chart = ChartBuilder::on(&root)
            .caption("Cost of a packet by case, 64k flows (armed-syn: all new)", FONT)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(150)
            .build_cartesian_2d(0.0..most, places)
            .map_err(|error| failed(&error))?;
        let name_at = |place: &SegmentValue<usize>| match place {
            SegmentValue::CenterOf(at) => (*names.get(*at).unwrap_or(&"")).to_owned(),
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(names.len())
            .x_desc("ns a packet")
            .y_label_formatter(&name_at)
            .label_style(("sans-serif", 14))
            .draw()
            .map_err(|error| failed(&error))?;
        let bar = |(place, (name, median)): (usize, &(String, f64))| {
            let reference = ["swap-macs", "constant-header", "lru-hash"].contains(&name.as_str());
            let colour = if reference { COLOURS[6] } else { COLOURS[0] };
            let corners =
                [(0.0, SegmentValue::Exact(place)), (*median, SegmentValue::Exact(place + 1))];
            let mut bar = Rectangle::new(corners, colour.filled());
            bar.set_margin(3, 3, 0, 0);
            bar
        };
        chart
            .draw_series(bars.iter().rev().enumerate().map(bar))
            .map_err(|error| failed(&error))?;
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::program::tests::report;

    #[test]
    fn plots_show_what_was_measured() {
        let report = report(&[
            ("ipip-4in4", "1", 30.0),
            ("ipip-4in4", "64k", 31.0),
            ("lru-hash", "64k", 131.0),
            ("armed-syn", "all-new", 90.0),
        ]);
        let medians = serde_json::json!({ "median_nanoseconds": {
            "change/1 targets/all": 1e5, "change/10 targets/all": 2e5 } });
        let plots = all(&report, &medians).unwrap();
        assert_eq!(plots.len(), 3);
        for (name, svg) in &plots {
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
        }
        for name in ["ipip-4in4", "lru-hash", "armed-syn"] {
            assert!(plots[1].1.contains(name), "{name}");
        }
        assert!(plots[0].1.contains("flows") && plots[2].1.contains("check it"));
    }
}
