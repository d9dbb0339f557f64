use std::io::Write as _;

use super::*;

const PRODUCTS: &[u8] = b"sku,name,department,category,brand,size,unit_price_minor,currency\n\
    A 1,\"Milk, whole\",GROCERY,DAIRY,,1 L,199,USD\n";
const STOCK: &[u8] = b"sku,opening_stock\nA 1,3\n";
const GOOD: &str = r#"{"order_ref":"o1","customer_ref":"c","store_ref":"s","timestamp":"2017-01-01T00:00:00Z","currency":"USD","lines":[{"sku":"A 1","quantity":2,"unit_price_minor":199,"discount_minor":8,"coupon_minor":3}],"total_minor":390}"#;

fn memory(name: &'static str, bytes: impl Into<Vec<u8>>) -> Source {
    Source::Memory { name, bytes: Vec::leak(bytes.into()) }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(orders: impl Into<Vec<u8>>) -> Vec<Result<Order, String>> {
    let dataset = Dataset::from_sources(
        &memory("p.csv", PRODUCTS),
        &memory("s.csv", STOCK),
        memory("o.ndjson", orders),
    )
    .unwrap();
    dataset.orders().unwrap().map(|order| order.map_err(|e| e.to_string())).collect()
}

fn stock_error(rows: &'static str) -> String {
    let stock = memory("s.csv", rows);
    let error = Dataset::from_sources(&memory("p.csv", PRODUCTS), &stock, memory("o", ""));
    error.unwrap_err().to_string()
}

#[test]
fn plain_and_gzipped_files_read_alike() {
    let plain = Dataset::from_sources(
        &memory("p.csv", PRODUCTS),
        &memory("s.csv", STOCK),
        memory("o", GOOD),
    )
    .unwrap();
    let zipped = Dataset::from_sources(
        &memory("p.csv.gz", gzip(PRODUCTS)),
        &memory("s.csv.gz", gzip(STOCK)),
        memory("o.gz", gzip(GOOD.as_bytes())),
    )
    .unwrap();
    assert_eq!(plain.products, zipped.products);
    assert_eq!(plain.products[0].name, "Milk, whole");
    assert_eq!(plain.products[0].unit_amount, 199);
    assert_eq!(plain.stock, zipped.stock);
    assert_eq!(plain.stock, [Opening { sku: "A 1".into(), units: 3 }]);
    let order = |dataset: &Dataset| dataset.orders().unwrap().next().unwrap().unwrap();
    assert_eq!(order(&plain), order(&zipped));
    assert_eq!(order(&plain).lines[0].discount_amount, 8);
}

#[test]
fn blank_lines_count_as_lines_and_are_skipped() {
    let orders = read(format!("\n{GOOD}\n  \n{{\n"));
    assert_eq!(orders.len(), 2);
    assert_eq!(orders[0].as_ref().unwrap().order_ref, "o1");
    assert_eq!(orders[1].as_ref().unwrap_err(), "o.ndjson, line 4: not a valid order");
}

#[test]
fn an_order_that_contradicts_itself_is_named_by_file_and_line() {
    let broken = [
        (r#""quantity":2"#, r#""quantity":0"#, "quantity, price or discount of SKU A 1"),
        (r#""discount_minor":8"#, r#""discount_minor":399"#, "quantity, price or discount"),
        (r#""unit_price_minor":199"#, r#""unit_price_minor":9223372036854775807"#, "out of range"),
        (r#""total_minor":390"#, r#""total_minor":391"#, "total_minor is 391"),
        (r#""customer_ref":"c""#, r#""customer_ref":"""#, "customer_ref is empty"),
    ];
    for (good, bad, want) in broken {
        let orders = read(format!("{GOOD}\n{}\n", GOOD.replace(good, bad)));
        let error = orders[1].as_ref().unwrap_err();
        assert!(error.starts_with("o.ndjson, line 2: "), "{error}");
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn an_order_without_lines_is_refused() {
    let order =
        r#"{"order_ref":"o","customer_ref":"c","currency":"USD","lines":[],"total_minor":0}"#;
    assert_eq!(read(order)[0], Err("o.ndjson, line 1: the order has no lines".into()));
}

#[test]
fn broken_csv_rows_are_named_by_file_and_line() {
    assert_eq!(stock_error("sku,opening_stock\nA,1\nB,-2\n"), "s.csv, line 3: not a valid row");
    assert_eq!(stock_error("sku,opening_stock\nA,1\nB\n"), "s.csv, line 3: not a valid row");
    assert_eq!(stock_error("sku,units\nA,1\n"), "s.csv, line 2: not a valid row");
    assert_eq!(stock_error("sku,opening_stock\n,1\n"), "s.csv, line 2: the SKU is empty");
    assert_eq!(
        stock_error("sku,opening_stock\nA,1\nA,1\n"),
        "s.csv, line 3: SKU A was there before"
    );
}

#[test]
fn a_missing_file_is_named() {
    let nowhere = Path::new("no-such-folder/orders.ndjson.gz");
    let error = Dataset::open(nowhere, nowhere, nowhere).unwrap_err();
    assert_eq!(error.to_string(), "cannot read no-such-folder/orders.ndjson.gz");
}

#[test]
fn a_truncated_gzip_file_is_an_error_not_a_short_file() {
    let mut bytes = gzip(format!("{GOOD}\n").repeat(50).as_bytes());
    bytes.truncate(bytes.len() - 12);
    let last = read(bytes).pop().unwrap();
    assert_eq!(last.unwrap_err(), "cannot read o.ndjson");
}

#[test]
fn nothing_is_read_behind_an_error() {
    let orders = read(format!("{GOOD}\n{{\n{GOOD}\n"));
    assert_eq!(orders.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}
