use std::io::Write as _;

use super::super::super::dataset::Source;
use super::*;

fn dataset(returns: Vec<u8>) -> Dataset {
    let memory = |name, bytes: Vec<u8>| Source::Memory { name, bytes: bytes.leak() };
    let products = "sku,name,category,unit_price_minor,currency\n";
    let dataset = Dataset::from_sources(
        &memory("p", products.into()),
        &memory("s", "sku,opening_stock\n".into()),
        memory("o", Vec::new()),
    );
    Dataset { returns: Some(memory("r", returns)), ..dataset.unwrap() }
}

/// A note over two units of `sku` for 9 each and one of Z for 5, less 1.
fn line(note_ref: &str, customer: &str, sku: &str, at: &str) -> String {
    format!(
        r#"{{"order_ref":"{note_ref}","customer_ref":"{customer}","store_ref":"s","timestamp":"{at}","currency":"GBP","lines":[{{"sku":"{sku}","quantity":2,"unit_price_minor":9,"discount_minor":1}},{{"sku":"Z","quantity":1,"unit_price_minor":5,"discount_minor":0}}],"total_minor":22}}"#
    ) + "\n"
}

const AT: &str = "2010-12-01T09:49:00Z";

fn read(text: &str) -> Vec<Result<CreditNote, String>> {
    let notes = NoteReader::open(&dataset(text.into())).unwrap().unwrap();
    notes.map(|note| note.map_err(|error| error.to_string())).collect()
}

fn scan(text: &str) -> Result<NoteScan, String> {
    let scan = NoteScan::of(&dataset(text.into())).map_err(|error| error.to_string())?;
    Ok(scan.expect("there are returns"))
}

#[test]
fn reads_notes_in_the_order_of_the_file() {
    let notes = read(&[line("C2", "x", "A", AT), line("C1", "y", "B", AT)].concat());
    let first = notes[0].as_ref().unwrap();
    assert_eq!((first.note_ref.as_str(), first.customer_ref.as_str()), ("C2", "x"));
    assert_eq!(first.at, Timestamp::parse(AT));
    assert_eq!((first.currency.as_str(), first.lines.len()), ("GBP", 2));
    assert_eq!((first.lines[0].quantity, first.lines[0].discount_amount), (2, 1));
    assert_eq!(notes[1].as_ref().unwrap().note_ref, "C1");
    assert_eq!(notes.len(), 2);
}

#[test]
fn reads_gzip_as_well() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(line("C1", "x", "A", AT).as_bytes()).unwrap();
    let notes = NoteReader::open(&dataset(gz.finish().unwrap())).unwrap().unwrap();
    assert_eq!(notes.map(Result::unwrap).count(), 1);
}

#[test]
fn a_dataset_may_have_no_returns() {
    let none = Dataset { returns: None, ..dataset(Vec::new()) };
    assert!(NoteReader::open(&none).unwrap().is_none());
    assert!(NoteScan::of(&none).unwrap().is_none());
}

#[test]
fn sums_up_what_the_file_says() {
    let file = [line("C1", "x", "A", AT), line("C2", "x", "B", AT), line("C3", "y", "A", AT)];
    let scan = scan(&file.concat()).unwrap();
    let want = Totals {
        orders: 3,
        lines: 6,
        units: 9,
        gross_minor: 69,
        discount_minor: 3,
        total_minor: 66,
        customers: 2,
        skus: 3,
    };
    assert_eq!(scan.totals, want);
    let mut skus: Vec<&str> = scan.pairs["x"].iter().map(String::as_str).collect();
    skus.sort_unstable();
    assert_eq!(skus, ["A", "B", "Z"]);
    assert_eq!(scan.pairs["y"].len(), 2);
}

#[test]
fn what_is_wrong_is_named_by_line() {
    let good = line("C1", "x", "A", AT);
    let twice = [good.clone(), good.clone()].concat();
    assert_eq!(scan(&twice).unwrap_err(), "r, line 2: order_ref C1 was there before");
    let yesterday = [good.clone(), line("C2", "x", "A", "yesterday")].concat();
    assert_eq!(
        scan(&yesterday).unwrap_err(),
        "r, line 2: the timestamp `yesterday` is not an RFC 3339 time"
    );
    let total = good.replace("\"total_minor\":22", "\"total_minor\":23");
    assert_eq!(
        scan(&total).unwrap_err(),
        "r, line 1: total_minor is 23, which is not the sum of the lines"
    );
}

#[test]
fn reading_ends_at_the_first_fault() {
    let file = [line("C1", "x", "A", "noon"), line("C2", "x", "A", AT)].concat();
    assert_eq!(read(&file).iter().map(Result::is_ok).collect::<Vec<_>>(), [false]);
}
