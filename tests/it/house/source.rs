//! The files of the project, and how the tests of the house read them.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the project.
#[derive(Clone)]
pub(super) struct Source {
    /// Its path from the root of the project, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// The crate it belongs to, if it lies under `crates/`.
    pub(super) fn krate(&self) -> &str {
        self.path.strip_prefix("crates/").and_then(|rest| rest.split('/').next()).unwrap_or("")
    }

    /// Name of the file without its ending.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// Whether the whole file is tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.stem() == "tests" || self.stem().ends_with("_tests")
    }

    /// What of it runs in the product: no comment lines, no modules of tests; numbered from 1.
    pub(super) fn code_lines(&self) -> Vec<(usize, &str)> {
        if self.is_test() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let (mut attribute, mut in_tests) = (false, false);
        for (number, line) in (1..).zip(self.text.lines()) {
            if in_tests {
                // rustfmt puts the end of a module where it began.
                in_tests = line != "}";
            } else if attribute && line.starts_with("mod ") && line.ends_with('{') {
                in_tests = true;
            } else if !line.trim_start().starts_with("//") {
                lines.push((number, line));
            }
            attribute = line == "#[cfg(test)]";
        }
        lines
    }

    /// [`Self::code_lines`] as one text.
    pub(super) fn code(&self) -> String {
        let lines: Vec<&str> = self.code_lines().into_iter().map(|(_, line)| line).collect();
        lines.join("\n")
    }
}

/// The root of the project.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files under a folder of the project whose names end so, by path. There is at least one:
/// a test that looks at nothing proves nothing.
pub(super) fn files(folder: &str, ending: &str) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join(folder), folder, ending, &mut found);
    assert!(!found.is_empty(), "there is no file {ending} under {folder}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, shown: &str, ending: &str, found: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{shown}: {error}"));
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("{shown}: {error}"));
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{shown}/{name}");
        if entry.path().is_dir() {
            if name != "target" {
                walk(&entry.path(), &path, ending, found);
            }
        } else if name.ends_with(ending) {
            let text = fs::read_to_string(entry.path());
            let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
            found.push(Source { path, text });
        }
    }
}

/// One file of the project.
pub(super) fn file(path: &str) -> Source {
    let text = fs::read_to_string(root().join(path));
    let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
    Source { path: path.to_owned(), text }
}

/// The Rust files of all crates.
pub(super) fn rust() -> Vec<Source> {
    files("crates", ".rs")
}

/// All files of Rust, also those of the tests and of the harnesses.
pub(super) fn all_rust() -> Vec<Source> {
    ["chaos", "crates", "simulation", "tests"].map(|folder| files(folder, ".rs")).concat()
}

/// Fails with a sentence and what was found.
#[track_caller]
pub(super) fn none(found: &[String], sentence: &str) {
    assert!(found.is_empty(), "{sentence}\n  {}\n", found.join("\n  "));
}

/// Where a line of the product's code has one of these texts, except in the files that `may`.
pub(super) fn lines_with(texts: &[&str], may: impl Fn(&Source) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust().iter().filter(|source| !may(source)) {
        for (number, line) in source.code_lines() {
            if let Some(text) = texts.iter().find(|text| line.contains(**text)) {
                found.push(format!("{}:{number} has `{text}`", source.path));
            }
        }
    }
    found
}

/// Text between `open` and the next `close`, each time it occurs.
pub(super) fn between<'a>(
    text: &'a str,
    open: &'a str,
    close: &'a str,
) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split_once(close).map(|(part, _)| part))
}

#[test]
fn comments_and_tests_are_not_code() {
    let text = "use a;\n// b\nfn c() {}\n\n#[cfg(test)]\nmod tests {\n    use d;\n}\nfn e() {}\n";
    let source = |path: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let numbers = |s: Source| s.code_lines().iter().map(|(number, _)| *number).collect::<Vec<_>>();
    assert_eq!(numbers(source("crates/x/src/y.rs")), [1, 3, 4, 5, 9]);
    assert!(numbers(source("crates/x/src/y_tests.rs")).is_empty());
    assert!(numbers(source("crates/x/tests/y.rs")).is_empty());
    assert_eq!(source("crates/x/src/y.rs").krate(), "x");
    assert_eq!(between("a(b)c(d", "(", ")").collect::<Vec<_>>(), ["b"]);
}
