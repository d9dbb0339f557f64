//! The flame graph: each function a bar over its caller, as wide as its share of the whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Profile;

/// Width of the picture.
const WIDTH: f64 = 1_400.0;
/// Height of a bar.
const BAR: f64 = 17.0;
/// Room for the heading.
const HEAD: f64 = 30.0;
/// A bar that would be narrower is left out.
const NARROWEST: f64 = 0.7;
/// Width of a letter, roughly.
const LETTER: f64 = 6.6;

#[derive(Default)]
struct Node<'a> {
    nanos: u64,
    above: BTreeMap<&'a str, Node<'a>>,
}

impl Node<'_> {
    fn height(&self) -> usize {
        1 + self.above.values().map(Node::height).max().unwrap_or(0)
    }
}

/// The picture.
pub(super) fn draw(profile: &Profile) -> String {
    let mut root = Node::default();
    for stack in &profile.stacks {
        root.nanos += stack.nanos;
        let mut at = &mut root;
        for frame in &stack.frames {
            at = at.above.entry(frame.name.as_str()).or_default();
            at.nanos += stack.nanos;
        }
    }
    let height = as_f64(root.height() as u64) * BAR + HEAD + 8.0;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
         width=\"{WIDTH:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"Flame graph\">\n\
         <style>text{{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#1d2127}}\
         rect{{stroke:#fff;stroke-width:.6}}g:hover>rect{{stroke:#000}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"19\">{} in {:.1} s: {:.2} s. Callers below, callees above; the width is the \
         share.</text>",
        profile.what,
        as_f64(profile.took_ns) / 1e9,
        as_f64(root.nanos) / 1e9,
    );
    let whole = as_f64(root.nanos.max(1));
    bar(&mut out, "all", &root, (1.0, height - BAR - 4.0), whole);
    out.push_str("</svg>\n");
    out
}

/// The bar of a function, whose lower left is at `place`, and of all that it called.
fn bar(out: &mut String, name: &str, node: &Node<'_>, place: (f64, f64), whole: f64) {
    let (mut x, y) = place;
    let share = as_f64(node.nanos) / whole;
    let width = share * (WIDTH - 2.0);
    if width < NARROWEST {
        return;
    }
    let _ = write!(out, "<g><title>");
    push_escaped(out, name);
    let _ = write!(
        out,
        " ({:.2} %)</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
         height=\"{BAR:.0}\" fill=\"{}\"/>",
        share * 100.0,
        colour(name)
    );
    let letters = letters_in(width);
    if letters >= 4 {
        let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\">", x + 3.0, y + 12.5);
        push_escaped(out, shortened(name, letters));
        out.push_str("</text>");
    }
    out.push_str("</g>\n");
    for (name, above) in &node.above {
        bar(out, name, above, (x, y - BAR), whole);
        x += as_f64(above.nanos) / whole * (WIDTH - 2.0);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred")]
fn letters_in(width: f64) -> usize {
    ((width - 6.0) / LETTER).max(0.0) as usize
}

/// The end of a path says most.
fn shortened(name: &str, letters: usize) -> &str {
    let count = name.chars().count();
    if count <= letters {
        return name;
    }
    let skip = count - letters;
    name.char_indices().nth(skip).map_or("", |(at, _)| &name[at..])
}

/// Our own functions stand out; the others differ a little by name.
fn colour(name: &str) -> String {
    const OURS: &[&str] = &[
        "actors",
        "bank",
        "broker",
        "catalog",
        "customers",
        "domain",
        "gateway",
        "inventory",
        "orderly",
        "orders",
        "payments",
        "recommendations",
        "resilience",
        "shipping",
        "store",
        "telemetry",
        "topology",
    ];
    let crate_name = name.trim_start_matches(['<', '&']).split("::").next().unwrap_or_default();
    let shade =
        name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    if OURS.contains(&crate_name) {
        format!("hsl({},85%,{}%)", 18 + shade % 18, 60 + shade % 9)
    } else {
        format!("hsl({},30%,{}%)", 200 + shade % 30, 78 + shade % 9)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture")]
const fn as_f64(value: u64) -> f64 {
    value as f64
}

fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push('?'),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, Stack};
    use super::*;

    #[test]
    fn bars_stand_over_their_callers_and_names_are_escaped() {
        let stack = |names: &[&str], nanos| Stack {
            frames: names.iter().map(|name| Frame::named(*name)).collect(),
            count: 1,
            nanos,
        };
        let profile = Profile {
            what: "cpu",
            counted: "samples",
            stacks: vec![
                stack(&["main", "orders::place<T>"], 750),
                stack(&["main", "store::commit"], 250),
            ],
            period_ns: 10,
            took_ns: 1_000,
            ended_ns: 0,
        };
        let picture = draw(&profile);
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert!(picture.contains("<title>main (100.00 %)</title>"));
        assert!(picture.contains("<title>orders::place&lt;T&gt; (75.00 %)</title>"));
        assert!(picture.contains("<title>store::commit (25.00 %)</title>"));
        assert_eq!(picture.matches("<g>").count(), picture.matches("</g>").count());
    }

    #[test]
    fn a_profile_without_samples_is_a_picture_too() {
        let profile = Profile {
            what: "cpu",
            counted: "samples",
            stacks: Vec::new(),
            period_ns: 1,
            took_ns: 1,
            ended_ns: 0,
        };
        assert!(draw(&profile).ends_with("</svg>\n"));
    }
}
