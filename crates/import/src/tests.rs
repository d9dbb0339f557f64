//! Files are read as they are written, and go on where they stopped.

use super::*;
use std::fs;

/// A file of its own for a test; removed with its folder.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("orderly-import-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("is written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bodies(part: &[Row]) -> Vec<(u64, &str)> {
    part.iter().map(|row| (row.line, if row.body.is_ok() { "row" } else { "bad" })).collect()
}

#[test]
fn each_row_has_the_line_on_which_it_begins() {
    let folder = Folder::new("lines");
    let csv = b"sku,delta,reason\nA,1,\"two\nlines\"\nB,2,\xff\n\nC,3\nD,4,ok\n";
    let file = folder.write("stock.csv", csv);
    let mut reader = Reader::open(Kind::Stock, &file, None).expect("opens");
    let part = reader.part().expect("is read");
    assert_eq!(bodies(&part), [(2, "row"), (4, "bad"), (6, "bad"), (7, "row")]);
    assert_eq!(part[0].text, "A,1,\"two\nlines\"");
    assert!(reader.part().expect("is read").is_empty());

    let crlf = String::from_utf8_lossy(csv).replace('\n', "\r\n");
    let file = folder.write("crlf.csv", crlf.as_bytes());
    let part = Reader::open(Kind::Stock, &file, None).expect("opens").part().expect("is read");
    assert_eq!(part.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4, 6, 7]);

    let long = format!("{{\"sku\": \"{}\"}}", "x".repeat(ROW_BYTES_MAX));
    let lines =
        format!("{{\"sku\": \"A\", \"delta\": 1}}\n\n{long}\r\n{{\"sku\": \"B\", \"delta\": 2}}");
    let file = folder.write("stock.ndjson", lines.as_bytes());
    let mut reader = Reader::open(Kind::Stock, &file, None).expect("opens");
    let part = reader.part().expect("is read");
    assert_eq!(bodies(&part), [(1, "row"), (3, "bad"), (4, "row")]);
    assert_eq!(rows::look_over(&file).expect("is read").lines, 3);
}

#[test]
fn parts_are_the_same_after_rows_were_passed_over() {
    let folder = Folder::new("parts");
    let mut csv = "sku,delta\n".to_owned();
    for row in 0..PART_ROWS + 3 {
        csv += &format!("S{row},1\n");
    }
    let file = folder.write("stock.csv", csv.as_bytes());
    let mut reader = Reader::open(Kind::Stock, &file, None).expect("opens");
    assert_eq!(reader.part().expect("is read").len(), PART_ROWS);
    let rest: Vec<String> =
        reader.part().expect("is read").into_iter().map(|row| row.text).collect();
    let mut again = Reader::open(Kind::Stock, &file, None).expect("opens");
    again.skip(PART_ROWS as u64).expect("is read");
    let same: Vec<String> =
        again.part().expect("is read").into_iter().map(|row| row.text).collect();
    assert_eq!((rest.len(), &rest), (3, &same));
}

#[test]
fn rows_keep_their_numbers_when_others_are_not_sent() {
    let row = |body: Result<&str, &str>| Row {
        line: 1,
        body: body.map(str::to_owned).map_err(str::to_owned),
        text: String::new(),
    };
    let part = [row(Ok("{}")), row(Err("bad")), row(Ok("{}")), row(Ok("{}"))];
    let outcomes = [None, Some(Outcome::refused_here("bad")), Some(Outcome::Accepted), None];
    assert_eq!(lines(&part, &outcomes), b"{}\n\n\n{}\n");
}

#[test]
fn a_note_is_of_one_import_and_bad_rows_go_on_behind_what_was_noted() {
    let folder = Folder::new("note");
    let path = folder.0.join("note");
    assert_eq!(Note::read(&path).expect("is read"), None);
    let mut note = Note::new("r", Kind::Stock, "http://a");
    note.rows = 7;
    note.write(&path).expect("is written");
    assert_eq!(Note::read(&path).expect("is read"), Some(note.clone()));
    for other in [
        Note::new("s", Kind::Stock, "http://a"),
        Note::new("r", Kind::Products, "http://a"),
        Note::new("r", Kind::Stock, "http://b"),
    ] {
        assert!(!note.is_of(&other));
    }
    fs::write(&path, "half a no").expect("is written");
    assert_eq!(Note::read(&path).expect("is read"), None);
    Note::remove(&path).expect("is removed");
    Note::remove(&path).expect("is not there");

    let bad = |line| BadRow { line, code: "C".into(), reason: "why".into(), row: "A,1".into() };
    let file = folder.0.join("bad");
    let mut rows = BadRows::open(file.clone(), 0).expect("opens");
    assert!(!file.exists());
    rows.add(bad(1)).expect("is written");
    let noted = rows.flush().expect("is written");
    rows.add(bad(2)).expect("is written");
    rows.flush().expect("is written");
    let mut again = BadRows::open(file.clone(), noted).expect("opens");
    again.add(bad(3)).expect("is written");
    assert_eq!(again.first(9).expect("is read"), [bad(1), bad(3)]);
    // One that has none leaves no file.
    BadRows::open(file.clone(), 0).expect("opens").close().expect("is closed");
    assert!(!file.exists());
}
