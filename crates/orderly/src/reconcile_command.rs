//! `orderly reconcile`.

use crate::cli::Verdict;
use crate::reconcile::{Entry, Finding, Known, Step};
use crate::replay_command::ServerArgs;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How long the shop or the bank may take for an answer; the ledger may be long.
const PATIENCE: Duration = Duration::from_secs(600);

/// Settings of the reconciliation.
#[derive(Args, Debug)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Base URL of the bank, without /v1; it must show its ledger.
    #[arg(long, env = "ORDERLY_PAYMENTS_URL")]
    payments_url: String,
    /// Secret key for the bank.
    #[arg(long, env = "ORDERLY_PAYMENTS_KEY", hide_env_values = true)]
    payments_key: String,
    /// Give the money of so many unknown orders back: the number that was found without this flag.
    /// If there are more or fewer by now, nothing is done.
    #[arg(long, value_name = "NUMBER")]
    apply: Option<usize>,
    /// Also when the shop knows not a single order of the bank's, which is what a wrong shop looks
    /// like.
    #[arg(long)]
    all_unknown: bool,
    /// Print the result as JSON on the last line.
    #[arg(long)]
    json: bool,
}

/// What of an order is read.
#[derive(Deserialize)]
struct Order {
    status: String,
    amount_captured: i64,
    amount_refunded: i64,
}

/// What is read of who the key belongs to.
#[derive(Deserialize)]
struct Me {
    kind: String,
}

/// Shop and bank, as this command speaks to them.
struct Books {
    http: Client,
    shop: String,
    api_key: String,
    bank: String,
    bank_key: String,
}

/// Compares the bank's books with the shop's orders, and gives back what belongs to nobody.
pub(crate) fn run(args: ReconcileArgs) -> Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let books = Books {
        http: Client::builder().no_proxy().timeout(PATIENCE).build()?,
        shop: args.server.target.trim_end_matches('/').to_owned(),
        api_key: args.server.key()?,
        bank: args.payments_url.trim_end_matches('/').to_owned(),
        bank_key: args.payments_key,
    };
    let asked = Asked { apply: args.apply, all_unknown: args.all_unknown, json: args.json };
    runtime.block_on(reconcile(&books, asked))
}

/// What is to be done.
struct Asked {
    apply: Option<usize>,
    all_unknown: bool,
    json: bool,
}

async fn reconcile(books: &Books, asked: Asked) -> Result<Verdict> {
    let Asked { apply, all_unknown, json } = asked;
    books.check_sight().await?;
    let ledger = books.ledger().await?;
    let entries = ledger.len();
    let (mut unknown, mut others) = (Vec::new(), Vec::new());
    let mut orders_known = 0;
    for entry in ledger {
        // A declined or undone payment needs no question, unless the shop has it otherwise.
        let known = books.known(&entry).await?;
        orders_known += u64::from(matches!(known, Known::Order { .. }));
        let finding = entry.found(known);
        match finding {
            Finding::Agrees => {}
            Finding::Unknown => unknown.push(entry),
            Finding::Differs | Finding::Nameless => others.push((finding, entry)),
        }
    }
    println!("{entries} payments in the bank's books.");
    for entry in &unknown {
        println!("  unknown order   {}", line(entry));
    }
    for (finding, entry) in &others {
        let what = if *finding == Finding::Differs { "sums differ" } else { "no order" };
        println!("  {what:<15} {}", line(entry));
    }
    let mut undone = 0;
    if let Some(expected) = apply {
        ensure!(
            expected == unknown.len(),
            "nothing was done: there are {} unknown orders now, not {expected}",
            unknown.len()
        );
        ensure!(
            orders_known > 0 || unknown.is_empty() || all_unknown,
            "nothing was done: the shop knows none of the bank's orders; if this is the right shop, \
             and it lost all of them, add --all-unknown"
        );
        for entry in &unknown {
            books.undo(entry).await?;
            undone += 1;
        }
    }
    conclude(&unknown, undone, others.len());
    if json {
        let orders: Vec<_> = unknown.iter().map(|entry| &entry.order_id).collect();
        let report = json!({"payments": entries, "unknown": orders, "undone": undone,
            "for_a_person": others.len()});
        println!("{report}");
    }
    let is_well = undone == unknown.len() && others.is_empty();
    Ok(if is_well { Verdict::Good } else { Verdict::Failed })
}

fn conclude(unknown: &[Entry], undone: usize, others: usize) {
    let left = unknown.len() - undone;
    if undone > 0 {
        println!("The money of {undone} unknown orders was given back.");
    }
    if left > 0 {
        println!("The shop does not know {left} orders; `--apply {left}` gives their money back.");
    }
    if others > 0 {
        println!("{others} payments are for a person to look at.");
    }
    if left == 0 && others == 0 {
        println!("The bank has no money that the shop knows nothing of.");
    }
}

fn line(entry: &Entry) -> String {
    let order = entry.order_id.as_deref().unwrap_or("-");
    format!("{} order {order}: {} {} left", entry.payment_intent, entry.left(), entry.currency)
}

impl Books {
    /// To whom somebody else's order is as good as absent, like a customer, may not judge.
    async fn check_sight(&self) -> Result<()> {
        let url = format!("{}/v1/me", self.shop);
        let request = self.http.get(&url).bearer_auth(&self.api_key);
        let response = request.send().await.with_context(|| url.clone())?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        let me: Me = serde_json::from_str(&text).with_context(|| url.clone())?;
        ensure!(
            me.kind != "customer",
            "a customer sees only their own orders: use a key of the shop"
        );
        Ok(())
    }

    async fn ledger(&self) -> Result<Vec<Entry>> {
        let url = format!("{}/ledger", self.bank);
        let response = self.http.get(&url).send().await.with_context(|| url.clone())?;
        let status = response.status();
        ensure!(status.is_success(), "{url} answered {status}: this bank does not show its books");
        let text = response.text().await?;
        let entries = text.lines().map(serde_json::from_str);
        entries.collect::<Result<_, _>>().context("a line of the bank's ledger cannot be read")
    }

    /// What the shop knows of an entry's order. Only a plain "there is none" counts as nothing.
    async fn known(&self, entry: &Entry) -> Result<Known> {
        let Some(id) = &entry.order_id else { return Ok(Known::Nothing) };
        let url = format!("{}/v1/orders/{id}", self.shop);
        let request = self.http.get(&url).bearer_auth(&self.api_key);
        let response = request.send().await.with_context(|| url.clone())?;
        let status = response.status();
        let text = response.text().await?;
        if status == StatusCode::NOT_FOUND {
            // A wrong address is answered with 404, too, and with the same code.
            ensure!(text.contains("There is no such order."), "{url}: {text}");
            return Ok(Known::Nothing);
        }
        if !status.is_success() {
            bail!("{url} answered {status}: {text}");
        }
        let order: Order = serde_json::from_str(&text).with_context(|| url.clone())?;
        Ok(Known::Order {
            captured: order.amount_captured,
            refunded: order.amount_refunded,
            under_way: order.status == "pending",
        })
    }

    /// Each step has a key made of the payment, so that a second run does nothing twice.
    async fn undo(&self, entry: &Entry) -> Result<()> {
        let intent = &entry.payment_intent;
        for step in entry.undone_by() {
            let (path, name, form) = match step {
                Step::Void => (format!("payment_intents/{intent}/cancel"), "void", vec![]),
                Step::Release => {
                    let nothing = [("amount_to_capture", "0"), ("final_capture", "true")];
                    let form = nothing.map(|(name, value)| (name, value.to_owned())).to_vec();
                    (format!("payment_intents/{intent}/capture"), "release", form)
                }
                Step::Refund(amount) => {
                    let form =
                        vec![("payment_intent", intent.clone()), ("amount", amount.to_string())];
                    ("refunds".to_owned(), "refund", form)
                }
            };
            let url = format!("{}/v1/{path}", self.bank);
            let key = format!("orderly-reconcile-{intent}-{name}");
            let request = self.http.post(&url).bearer_auth(&self.bank_key);
            let request = request.header("Idempotency-Key", key).form(&form);
            let response = request.send().await.with_context(|| url.clone())?;
            let status = response.status();
            let text = response.text().await?;
            ensure!(status.is_success(), "{url} answered {status}: {text}");
        }
        Ok(())
    }
}
