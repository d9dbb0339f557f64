//! Latency by percentile as a picture: SVG, both scales logarithmic. Pure.
//!
//! Towards the right each step of the percentile is ten times as rare as the one before (90 %, 99 %,
//! 99.9 % …), so that the tail takes as much room as the middle.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
/// Points of a curve for each step of ten.
const POINTS: u32 = 20;
/// Steps of ten that are shown at most: up to 99.999 %.
const STEPS_MAX: u32 = 5;
/// Colours that can be told apart, also by those who see few of them.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// One curve.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Steps of ten from all towards none being slower (2 is 99 %), and milliseconds.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// Reads a histogram of microseconds, as far as it has enough values to tell.
    pub(crate) fn of(name: String, histogram: &Histogram<u64>) -> Self {
        let mut points = Vec::new();
        for point in 0..=POINTS * STEPS_MAX {
            let steps = f64::from(point) / f64::from(POINTS);
            let rare = 10f64.powf(-steps);
            if histogram.len() as f64 * rare < 1.0 {
                break;
            }
            let micros = histogram.value_at_quantile(1.0 - rare).max(1);
            points.push((steps, micros as f64 / 1e3));
        }
        Self { name, points }
    }
}

/// The bounds of a picture: powers of ten.
struct Scale {
    /// Steps of the percentile.
    steps: f64,
    lowest: i32,
    highest: i32,
}

impl Scale {
    fn of(curves: &[Curve]) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let steps = points().map(|(steps, _)| *steps).fold(1.0, f64::max).ceil();
        let logs = || points().map(|(_, millis)| millis.log10());
        // Bounded, so that the loops over the grid are too.
        let lowest = logs().fold(f64::INFINITY, f64::min).clamp(-3.0, 6.0).floor() as i32;
        let highest = logs().fold(f64::NEG_INFINITY, f64::max).clamp(-3.0, 7.0).ceil() as i32;
        Self { steps, lowest, highest: highest.max(lowest + 1) }
    }

    fn x(&self, steps: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * steps / self.steps
    }

    fn y(&self, millis: f64) -> f64 {
        let share = (millis.log10() - f64::from(self.lowest))
            / f64::from(self.highest - self.lowest).max(1.0);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }
}

/// The picture.
pub(crate) fn svg(title: &str, curves: &[Curve]) -> String {
    let scale = Scale::of(curves);
    let mut out = String::new();
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{LEFT}" y="28" font-size="16">{}</text>
"##,
        escaped(title)
    );
    grid(&scale, &mut out);
    for (number, curve) in curves.iter().enumerate() {
        let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or("#000000");
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|(steps, millis)| format!("{:.1},{:.1}", scale.x(*steps), scale.y(*millis)))
            .collect();
        let _ = writeln!(
            out,
            r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{}"/>"#,
            points.join(" ")
        );
        let y = TOP + 16.0 + 20.0 * number as f64;
        let _ = writeln!(
            out,
            r#"<text x="{}" y="{y}" fill="{colour}">{}</text>"#,
            WIDTH - RIGHT + 12.0,
            escaped(&curve.name)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn grid(scale: &Scale, out: &mut String) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut step = 0.0;
    while step <= scale.steps {
        let x = scale.x(step);
        let _ = writeln!(
            out,
            r##"<path d="M{x:.1} {TOP}V{bottom}" stroke="#dddddd"/><text x="{x:.1}" y="{}" text-anchor="middle">{}</text>"##,
            bottom + 20.0,
            percentile(step)
        );
        step += 1.0;
    }
    for power in scale.lowest..=scale.highest {
        let millis = 10f64.powi(power);
        let y = scale.y(millis);
        let _ = writeln!(
            out,
            r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#dddddd"/><text x="{}" y="{:.1}" text-anchor="end">{millis}</text>"##,
            LEFT - 8.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        out,
        r#"<text x="{}" y="{}" text-anchor="middle">percentile of orders</text><text transform="translate(18 {}) rotate(-90)" text-anchor="middle">ms</text>"#,
        f64::midpoint(LEFT, right),
        HEIGHT - 14.0,
        f64::midpoint(TOP, bottom)
    );
}

/// `0`, `90`, `99`, `99.9` …
fn percentile(steps: f64) -> String {
    match steps as u32 {
        0 => "0".to_owned(),
        1 => "90".to_owned(),
        2 => "99".to_owned(),
        more => format!("99.{}", "9".repeat(more.saturating_sub(2) as usize)),
    }
}

/// A text that may hold anything, as text of XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::latency;

    fn curve(name: &str, count: u64) -> Curve {
        let mut histogram = latency::histogram().unwrap();
        for micros in 1..=count {
            latency::record(&mut histogram, Duration::from_micros(micros));
        }
        Curve::of(name.to_owned(), &histogram)
    }

    #[test]
    fn a_curve_rises_and_ends_where_nothing_more_is_known() {
        let curve = curve("run 1", 1_000);
        assert!(curve.points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{curve:?}");
        let last = curve.points.last().unwrap();
        assert!(last.0 <= 3.0, "of a thousand values one is the slowest in a thousand: {last:?}");
        let (_, median) = curve.points[6];
        assert!((0.4..0.6).contains(&median), "{median}");
    }

    #[test]
    fn every_curve_lies_within_the_picture() {
        let curves = [curve("a", 50), curve("b & <c>", 200_000)];
        let picture = svg("uniform \"x\"", &curves);
        assert!(picture.contains("b &amp; &lt;c&gt;") && picture.contains("&quot;x&quot;"));
        assert_eq!(picture.matches("<polyline").count(), 2);
        let scale = Scale::of(&curves);
        for (steps, millis) in curves.iter().flat_map(|curve| &curve.points) {
            let (x, y) = (scale.x(*steps), scale.y(*millis));
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y));
        }
        assert!(picture.contains(">99.999</text>"), "{picture}");
    }

    #[test]
    fn nothing_measured_is_an_empty_picture() {
        let picture = svg("t", &[curve("none", 0)]);
        assert!(picture.ends_with("</svg>\n") && !picture.contains("NaN"), "{picture}");
    }
}
