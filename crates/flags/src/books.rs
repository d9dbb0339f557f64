//! The tables `flag` and `flag_change`.

use crate::definition::Definition;
use crate::table::{Change, Flag};
use domain::Timestamp;
use std::collections::BTreeMap;
use store::{Db, Row, Statement, StoreError, Tx, statement};
use uuid::Uuid;

static LOCK: Statement = statement!("lock_flags");
static FIND: Statement = statement!("find_flag");
static PUT: Statement = statement!("put_flag");
static NOTE: Statement = statement!("note_flag_change");
static CHANGED: Statement = statement!("changed_flags");
static CHANGES: Statement = statement!("flag_changes");

/// Most flags in one answer of the database.
const PAGE: i64 = 1_000;

/// A change to be made.
pub(crate) struct Setting<'a> {
    pub(crate) key: &'a str,
    pub(crate) definition: &'a Definition,
    pub(crate) actor: &'a str,
    pub(crate) at: Timestamp,
    /// Names the change.
    pub(crate) id: Uuid,
}

/// Sets a flag and notes the change, unless it stands so already.
pub(crate) async fn put(db: &Db, setting: &Setting<'_>) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.fetch(LOCK.query()).await?;
    set(&mut tx, setting, None).await?;
    tx.commit().await
}

/// Sets the flags of a file that stand otherwise there than when a file was last taken over.
pub(crate) async fn import(
    db: &Db,
    flags: &BTreeMap<String, Definition>,
    at: Timestamp,
    id: impl Fn() -> Uuid,
) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    tx.fetch(LOCK.query()).await?;
    for (key, definition) in flags {
        let json = definition.json();
        let kept = tx.fetch(FIND.query().bind(key.as_str())).await?;
        let taken = kept.first().map(|row| row.opt_text("file_definition")).transpose()?.flatten();
        if taken.as_ref() != Some(&json) {
            let setting = Setting { key, definition, actor: "file", at, id: id() };
            set(&mut tx, &setting, Some(json)).await?;
        }
    }
    tx.commit().await
}

async fn set(tx: &mut Tx, setting: &Setting<'_>, file: Option<String>) -> Result<(), StoreError> {
    let Setting { key, definition, actor, at, id } = setting;
    let kept = tx.fetch(FIND.query().bind(*key)).await?;
    let from = kept.first().map(|row| row.text("definition")).transpose()?;
    let to = definition.json();
    let is_news = from.as_ref() != Some(&to);
    if !is_news && file.is_none() {
        return Ok(());
    }
    let put = PUT.query().bind(*key).bind(to.clone()).bind(file).bind(*actor).bind(*at);
    tx.execute(put).await?;
    if is_news {
        let note = NOTE.query().bind(*id).bind(*key).bind(*at).bind(*actor).bind(from).bind(to);
        tx.execute(note).await?;
    }
    Ok(())
}

/// All flags whose revision is higher than `after`, by revision.
pub(crate) async fn changed(db: &Db, mut after: i64) -> Result<Vec<Flag>, StoreError> {
    let mut all = Vec::new();
    loop {
        let rows = db.fetch(CHANGED.query().bind(after).bind(PAGE)).await?;
        let page = rows.iter().map(flag).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.revision;
        all.extend(page);
    }
}

pub(crate) async fn changes(
    db: &Db,
    key: &str,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Change>, StoreError> {
    let change = |row: &Row| {
        Ok(Change {
            id: row.uuid("id")?,
            at: row.time("at")?,
            actor: row.text("actor")?,
            from: row.opt_text("old")?,
            to: row.text("new")?,
        })
    };
    let query = CHANGES.query().bind(key).bind(before).bind(limit.max(0));
    db.fetch(query).await?.iter().map(change).collect()
}

fn flag(row: &Row) -> Result<Flag, StoreError> {
    let definition: Definition = row.json("definition")?;
    let rule = definition.rule().map_err(|why| row.wrong("definition", &why))?;
    Ok(Flag {
        key: row.text("key")?,
        definition,
        revision: row.int("revision")?,
        updated_at: Some(row.time("updated_at")?),
        updated_by: Some(row.text("updated_by")?),
        rule,
    })
}
