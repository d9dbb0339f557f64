//! What an order costs in things that can be counted must not rise unnoticed: statements, rows,
//! bytes of the write-ahead log, allocations on the heap. `orderly bench --scenario counts` counts
//! them; `tests/baselines/counts.toml` has what they were.
//!
//! `UPDATE_COUNTS=1 cargo test -p orderly-tests --test counts` writes the file again. It rises with a
//! feature that is worth it, in the commit that brings the feature.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::Mutex;

    /// One database at a time: both write the same file, and the log of the server is counted.
    static ONE: Mutex<()> = Mutex::new(());

    /// How much more than in the file a figure may be, in percent. How large batches become in a crowd
    /// is for the machine to say; when pages split, and how often the workers look for work meanwhile,
    /// moves the others a little.
    fn margin(name: &str) -> f64 {
        match name {
            "alone: statements per order" => 25.0,
            "crowd: statements per order" => 200.0,
            _ => 15.0,
        }
    }

    /// Figures by database and name.
    type Counts = BTreeMap<String, BTreeMap<String, f64>>;

    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baselines/counts.toml")
    }

    /// Reads the file: tables of numbers, each with a quoted name.
    fn parse(text: &str) -> Counts {
        let mut counts = Counts::new();
        let mut table = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = name.to_owned();
            } else if let Some((name, value)) = line.split_once(" = ") {
                let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                let figures = counts.entry(table.clone()).or_default();
                figures.insert(name.trim_matches('"').to_owned(), value);
            } else {
                assert!(line.is_empty() || line.starts_with('#'), "cannot be read: {line}");
            }
        }
        counts
    }

    fn render(counts: &Counts) -> String {
        let mut text =
            "# What an order costs, counted by `orderly bench --scenario counts` and kept \
                        by tests/counts.\n# Written by UPDATE_COUNTS=1 cargo test -p orderly-tests \
                        --test counts\n"
                .to_owned();
        for (database, figures) in counts {
            write!(text, "\n[{database}]\n").unwrap();
            for (name, value) in figures {
                writeln!(text, "\"{name}\" = {value:.2}").unwrap();
            }
        }
        text
    }

    /// Counts anew.
    fn count(database: &str, url: &str) -> BTreeMap<String, f64> {
        let output = Command::new(env!("CARGO_BIN_EXE_orderly-under-test"))
            .args(["bench", "--scenario=counts", "--runs=1", "--skus=1000", "--json"])
            // A debug build on a busy machine keeps orders waiting.
            .arg("--serve-arg=--queue-age-limit-ms=60000")
            .env_clear()
            .env("DATABASE_URL", url)
            .output()
            .unwrap();
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{database}: {said}\n{complaint}");
        let report: serde_json::Value =
            serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap();
        let figures = report["runs"][0]["figures"].as_object().unwrap();
        figures.iter().map(|(name, value)| (name.clone(), value.as_f64().unwrap())).collect()
    }

    /// What has risen, or is not counted any more, in sentences.
    fn risen(was: &BTreeMap<String, f64>, is: &BTreeMap<String, f64>) -> Vec<String> {
        let one = |(name, was): (&String, &f64)| match is.get(name) {
            None => Some(format!("{name} is not counted any more")),
            Some(is) if *is > was * (1.0 + margin(name) / 100.0) => {
                let more = (is / was - 1.0) * 100.0;
                Some(format!("{name}: {is:.2}, was {was:.2} (+{more:.1} %)"))
            }
            Some(_) => None,
        };
        was.iter().filter_map(one).collect()
    }

    fn check(database: &str, url: &str) {
        let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is = count(database, url);
        let mut file = parse(&std::fs::read_to_string(path()).unwrap_or_default());
        println!("{database}: {is:#?}");
        if std::env::var_os("UPDATE_COUNTS").is_some() {
            file.insert(database.to_owned(), is);
            std::fs::write(path(), render(&file)).unwrap();
            return;
        }
        let was = file.get(database).unwrap_or_else(|| panic!("no counts of {database}"));
        assert!(was.len() >= 3, "{was:?}");
        let risen = risen(was, &is);
        assert!(
            risen.is_empty(),
            "an order costs more on {database} than tests/baselines/counts.toml says:\n  {}\n\
             If that is worth it, run `UPDATE_COUNTS=1 scripts/test -p orderly-tests --test counts`, \
             and say in the commit what it is for.",
            risen.join("\n  ")
        );
    }

    #[test]
    fn an_order_on_postgres_costs_what_it_did() {
        let url = std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL: run scripts/test");
        check("postgres", &url);
    }

    #[test]
    fn an_order_on_sqlite_costs_what_it_did() {
        check("sqlite", "sqlite");
    }

    #[test]
    fn what_has_risen_is_named() {
        let of = |figures: &[(&str, f64)]| -> BTreeMap<String, f64> {
            figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        let was = of(&[("alone: statements per order", 9.0), ("x: heap", 100.0), ("gone", 1.0)]);
        let is = of(&[("alone: statements per order", 12.0), ("x: heap", 105.0), ("new", 5.0)]);
        let found = risen(&was, &is);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("alone: statements per order: 12.00, was 9.00"));
        assert_eq!(found[1], "gone is not counted any more");
        assert!(risen(&was, &was).is_empty());
    }

    #[test]
    fn the_file_is_read_as_it_is_written() {
        let figures = BTreeMap::from([("alone: rows".to_owned(), 9.25)]);
        let counts = Counts::from([("postgres".to_owned(), figures)]);
        assert_eq!(parse(&render(&counts)), counts);
    }
}
