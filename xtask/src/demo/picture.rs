//! PURE: a recording as an animated SVG of a terminal: lines come one after the other and scroll up. Where
//! nothing moves, it shows the end.
//!
//! The terminal has a background of its own, so that it can be read on light and dark pages.

use std::fmt::Write as _;
use std::time::Duration;

use super::recording::{Colour, Line, Style};

/// Rows that are visible at a time.
const ROWS: usize = 30;

/// Pixels: a character of the font, a row, and around the text.
const CHAR_WIDTH: f64 = 7.8;
const ROW_HEIGHT: usize = 18;
const MARGIN: usize = 16;

/// How long the end stays before it begins again.
const REST: Duration = Duration::from_secs(8);

/// Colours on the background, with a contrast of 7:1 and more.
const STYLE: &str = "\
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
fill:#e6edf3;white-space:pre}.b{font-weight:700}.d{fill:#a5b1bd}.r{fill:#ffa198}.g{fill:#7ee787}\
.y{fill:#e3b341}.c{fill:#79c0ff}";

/// The picture of lines that are there at their times.
pub(super) fn svg(lines: &[Line], title: &str) -> String {
    let columns = lines.iter().map(width).max().unwrap_or(0);
    // A whole number that is small enough.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns of a terminal"
    )]
    let width = (columns as f64 * CHAR_WIDTH).ceil() as usize + 2 * MARGIN;
    let height = ROWS * ROW_HEIGHT + 2 * MARGIN;
    let mut text = String::new();
    let _written = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n<style>\n{STYLE}\n{}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d1117\" stroke=\"#484f58\"/>\n\
         <svg x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{}\" height=\"{}\">\n<g class=\"s\">",
        animation(lines),
        width - 2 * MARGIN,
        ROWS * ROW_HEIGHT,
        title = escaped(title),
    );
    for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.pieces.is_empty()) {
        let y = (row + 1) * ROW_HEIGHT - 5;
        let _written = write!(text, "<text y=\"{y}\">");
        for piece in &line.pieces {
            let words = escaped(&piece.text);
            let _written = match classes(piece.style) {
                Some(classes) => write!(text, "<tspan class=\"{classes}\">{words}</tspan>"),
                None => write!(text, "{words}"),
            };
        }
        text.push_str("</text>\n");
    }
    let _written = writeln!(
        text,
        "</g>\n<rect class=\"k\" width=\"100%\" height=\"100%\" fill=\"#0d1117\"/>\n</svg>\n</svg>"
    );
    text
}

/// How the lines come: a cover gives one row after the other free, and then all scroll.
fn animation(lines: &[Line]) -> String {
    let end = lines.last().map_or(Duration::ZERO, |line| line.at) + REST;
    let mut uncovered = String::new();
    let mut scrolled = String::new();
    for (index, line) in lines.iter().enumerate() {
        // One step for all lines that come at one moment.
        if lines.get(index + 1).is_some_and(|next| next.at == line.at) {
            continue;
        }
        let share = line.at.as_secs_f64() / end.as_secs_f64() * 100.0;
        let count = index + 1;
        if count <= ROWS {
            let _written = write!(uncovered, "{share:.2}%{{{}}}", moved("", count));
        } else {
            let _written = write!(scrolled, "{share:.2}%{{{}}}", moved("-", count - ROWS));
        }
    }
    let last = moved("-", lines.len().saturating_sub(ROWS));
    let (covered, seconds) = (moved("", lines.len().min(ROWS)), end.as_secs_f64());
    format!(
        ".s{{{last};animation:s {seconds:.1}s step-end infinite}}\n\
         .k{{{covered};animation:k {seconds:.1}s step-end infinite}}\n\
         @keyframes s{{0%{{transform:none}}{scrolled}to{{{last}}}}}\n\
         @keyframes k{{{uncovered}to{{{covered}}}}}\n\
         @media(prefers-reduced-motion:reduce){{.s,.k{{animation:none}}}}\n"
    )
}

/// So many rows down, or up.
fn moved(sign: &str, rows: usize) -> String {
    format!("transform:translateY({sign}{}px)", rows * ROW_HEIGHT)
}

fn width(line: &Line) -> usize {
    line.pieces.iter().map(|piece| piece.text.chars().count()).sum()
}

fn classes(style: Style) -> Option<String> {
    let colour = style.colour.map(|colour| match colour {
        Colour::Red => "r",
        Colour::Green => "g",
        Colour::Yellow => "y",
        Colour::Cyan => "c",
    });
    let all = [style.bold.then_some("b"), style.dim.then_some("d"), colour];
    let all: Vec<&str> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// The text in XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::recording::line;
    use super::*;

    #[test]
    fn lines_come_scroll_and_the_end_stays() {
        let lines: Vec<Line> = (0..40)
            .map(|second| {
                line(Duration::from_secs(second), &format!("\x1b[1mline\x1b[0m <{second}>"))
            })
            .collect();
        let svg = svg(&lines, "a & b");
        assert!(svg.contains("<title>a &amp; b</title>"), "{svg}");
        assert!(svg.contains("<tspan class=\"b\">line</tspan> &lt;7&gt;</text>"), "{svg}");
        // 39 s and 8 s of rest, 30 rows.
        assert!(svg.contains("animation:s 47.0s"), "{svg}");
        assert!(svg.contains("@keyframes k{0.00%{transform:translateY(18px)}2.13%{"), "{svg}");
        assert!(svg.contains("@keyframes s{0%{transform:none}63.83%{transform:translateY(-18px)}"));
        assert!(svg.contains(".s{transform:translateY(-180px);"), "{svg}");
    }
}
