//! Fills a shop's tables with many orders at once, past the program, which must be stopped.
//!
//! Orders that the program itself has written serve as models. Which columns there are is read from
//! the database, so that nothing here has to be changed when a table gets another column: a row is
//! copied as it is, but for what names the order.

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::database::{connect, run};

/// Orders that are written in one transaction.
const CHUNK: u64 = 50_000;
/// Ids that are handed back, spread over all orders.
const IDS: u64 = 10_000;

/// Names the new orders. The last byte of an id, which names its partition, stays that of the model;
/// the rest is made like the program's: milliseconds that rise, then chance.
const NAMES: &str = "
CREATE UNLOGGED TABLE bench_copy AS
SELECT model.id AS model, number,
    (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - $ALL + number), 12, '0')
     || '7' || substr(md5('a' || number), 1, 3) || '8' || substr(md5('b' || number), 1, 13)
     || right(model.id::text, 2))::uuid AS id
FROM generate_series($FROM, $TO) AS number
JOIN bench_model AS model ON model.place = number % (SELECT count(*) FROM bench_model)";

/// How the rows of a table belong to orders.
enum Belongs {
    /// By a column that holds the order's id.
    ById(&'static str),
    /// By the order's idempotency key.
    ByKey,
}

/// Copies orders until there are so many more. Ids of some of them are handed back; `seen` is told
/// how many are there.
pub(crate) async fn preload(
    url: &str,
    models: &[String],
    orders: u64,
    seen: impl Fn(u64),
) -> anyhow::Result<Vec<String>> {
    let mut connection = connect(url).await?;
    let db = &mut connection;
    let rows: Vec<String> =
        (0..).zip(models).map(|(place, id)| format!("({place}, '{id}'::uuid)")).collect();
    run(
        db,
        format!(
            "CREATE TABLE bench_model AS SELECT * FROM (VALUES {}) AS model (place, id)",
            rows.join(", ")
        ),
    )
    .await?;
    let copies = statements(db).await?;
    let mut ids = Vec::new();
    let mut done = 0;
    while done < orders {
        let until = orders.min(done + CHUNK);
        let names = NAMES
            .replace("$ALL", &orders.to_string())
            .replace("$FROM", &(done + 1).to_string())
            .replace("$TO", &until.to_string());
        run(db, format!("BEGIN; {names}; {copies}")).await?;
        let every = (orders / IDS).max(1);
        let some = format!("SELECT id::text FROM bench_copy WHERE number % {every} = 0");
        let found = sqlx::query(AssertSqlSafe(some)).fetch_all(&mut *db).await?;
        ids.extend(found.iter().map(|row| row.get::<String, _>(0)));
        run(db, "DROP TABLE bench_copy; COMMIT".to_owned()).await?;
        done = until;
        seen(done);
    }
    // The workers have nothing to do with what was never theirs.
    run(
        db,
        "DROP TABLE bench_model; \
             UPDATE consumer_position SET seq = ends.seq \
             FROM (SELECT partition, max(seq) AS seq FROM event GROUP BY partition) AS ends \
             WHERE ends.partition = consumer_position.partition"
            .to_owned(),
    )
    .await?;
    run(db, "VACUUM ANALYZE".to_owned()).await?;
    connection.close().await?;
    Ok(ids)
}

/// The statements that copy what belongs to the models, table by table.
async fn statements(db: &mut PgConnection) -> anyhow::Result<String> {
    let columns = sqlx::query(
        "SELECT table_name::text, column_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name NOT LIKE 'bench_%' \
         ORDER BY table_name, ordinal_position",
    )
    .fetch_all(db)
    .await?;
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for row in &columns {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ => tables.push((table, vec![column])),
        }
    }
    let copies: Vec<String> =
        tables.iter().filter_map(|(table, columns)| copy(table, columns)).collect();
    anyhow::ensure!(!copies.is_empty(), "the database has no tables of orders");
    Some(copies.join("; ")).context("no statement")
}

/// How the rows of a table are copied; `None` if they do not belong to orders.
fn copy(table: &str, columns: &[String]) -> Option<String> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let belongs = match table {
        "orders" => Belongs::ById("id"),
        _ if has("order_id") => Belongs::ById("order_id"),
        _ if has("principal_id") && has("key") => Belongs::ByKey,
        _ => return None,
    };
    // A place in the log is drawn anew.
    let copied: Vec<&String> = columns.iter().filter(|column| *column != "seq").collect();
    let value = |column: &str| match (column, &belongs) {
        (_, Belongs::ById(by)) if *by == column => "copy.id".to_owned(),
        ("id", _) => "gen_random_uuid()".to_owned(),
        ("idempotency_key" | "key", _) => format!("old.{column} || '-' || copy.number"),
        _ => format!("old.{column}"),
    };
    let values: Vec<String> = copied.iter().map(|column| value(column)).collect();
    let names: Vec<&str> = copied.iter().map(|column| column.as_str()).collect();
    let source = match belongs {
        Belongs::ById(by) => {
            format!("{table} AS old JOIN bench_copy AS copy ON copy.model = old.{by}")
        }
        Belongs::ByKey => format!(
            "{table} AS old JOIN orders AS model \
             ON (model.principal_id, model.idempotency_key) = (old.principal_id, old.key) \
             JOIN bench_copy AS copy ON copy.model = model.id"
        ),
    };
    // The places in the log are drawn in the order of the versions.
    let order = if has("seq") { " ORDER BY copy.number, old.version" } else { "" };
    Some(format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {source}{order}",
        names.join(", "),
        values.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(table: &str, columns: &[&str]) -> Option<String> {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        copy(table, &columns)
    }

    #[test]
    fn rows_are_copied_but_for_what_names_the_order() {
        assert_eq!(
            of("orders", &["id", "idempotency_key", "status"]).unwrap(),
            "INSERT INTO orders (id, idempotency_key, status) \
             SELECT copy.id, old.idempotency_key || '-' || copy.number, old.status \
             FROM orders AS old JOIN bench_copy AS copy ON copy.model = old.id"
        );
        assert_eq!(
            of("event", &["partition", "seq", "id", "order_id", "version"]).unwrap(),
            "INSERT INTO event (partition, id, order_id, version) \
             SELECT old.partition, gen_random_uuid(), copy.id, old.version \
             FROM event AS old JOIN bench_copy AS copy ON copy.model = old.order_id \
             ORDER BY copy.number, old.version"
        );
        let answer = of("answer", &["principal_id", "key", "body"]).unwrap();
        assert!(answer.contains("old.key || '-' || copy.number, old.body"), "{answer}");
        assert_eq!(of("product", &["sku", "name"]), None);
    }
}
