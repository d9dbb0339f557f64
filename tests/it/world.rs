//! A shop of a test's own: the real program, a bank, a database; started, broken and looked at.

use crate::client::{ADMIN_KEY, Api, Reply, http_client, send};
use crate::database::{Database, Folder, PostgresDatabase};
use crate::process::{Environment, Finished, Program, eventually, read};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Worlds at once: each is three processes, and the machine may be small.
static WORLDS: Semaphore = Semaphore::const_new(4);

/// Runs each test on the databases of these names. The parameter's type is made by its functions of
/// the same names.
macro_rules! on_each {
    (
        [$($database:ident)+]
        $(#[$meta:meta])* async fn $name:ident($world:pat_param in $type:ty) $body:block
    ) => {
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn scenario($world: $type) $body

            $(
                #[tokio::test]
                async fn $database() {
                    scenario(<$type>::$database().await).await;
                }
            )+
        }
    };
    (
        $databases:tt
        $($(#[$meta:meta])* async fn $name:ident($world:pat_param in $type:ty) $body:block)+
    ) => {
        $($crate::world::on_each! {
            $databases $(#[$meta])* async fn $name($world in $type) $body
        })+
    };
}
pub(crate) use on_each;

/// Runs each test on both databases: see [`on_each`].
macro_rules! on_both {
    ($($tests:tt)+) => { $crate::world::on_each! { [sqlite postgres] $($tests)+ } };
}
pub(crate) use on_both;

/// The shop.
pub struct World {
    pub api: Api,
    /// Base URL of the private listener.
    pub private: String,
    pub bank: Bank,
    pub database: Database,
    program: Option<Program>,
    environment: Environment,
    errors_expected: bool,
    folder: Folder,
    _permit: SemaphorePermit<'static>,
}

impl World {
    pub async fn sqlite() -> Self {
        let permit = WORLDS.acquire().await.unwrap();
        let folder = Folder::new();
        let database = Database::Sqlite(folder.path().join("data/orderly.db"));
        Self::start(database, folder, permit).await
    }

    pub async fn postgres() -> Self {
        let permit = WORLDS.acquire().await.unwrap();
        let database = Database::Postgres(PostgresDatabase::create().await);
        Self::start(database, Folder::new(), permit).await
    }

    async fn start(database: Database, folder: Folder, permit: SemaphorePermit<'static>) -> Self {
        let bank = Bank::start(folder.path()).await;
        let data = folder.path().join("data");
        let mut environment = Environment::default()
            .with("ORDERLY_LISTEN", "127.0.0.1:0")
            .with("ORDERLY_PRIVATE_LISTEN", "127.0.0.1:0")
            .with("ORDERLY_DATA_DIR", data.display().to_string())
            .with("ORDERLY_ADMIN_KEY", ADMIN_KEY)
            .with("ORDERLY_DRAIN_DELAY_SECS", "0")
            // Tests fail to authenticate far more often than clients do, and a debug build on a
            // busy machine keeps orders waiting: `pressure.rs` is about these limits.
            .with("ORDERLY_FAILED_AUTH_LIMIT", "0")
            .with("ORDERLY_QUEUE_AGE_LIMIT_MS", "60000")
            .with("ORDERLY_LOG_FORMAT", "json")
            .with("ORDERLY_PAYMENTS_URL", bank.url.clone())
            .with("ORDERLY_PAYMENTS_KEY", "sk_test_of_the_tests");
        if let Database::Postgres(postgres) = &database {
            environment = environment.with("DATABASE_URL", postgres.url());
        }
        let mut world = Self {
            api: Api::new(String::new()),
            private: String::new(),
            bank,
            database,
            program: None,
            environment,
            errors_expected: false,
            folder,
            _permit: permit,
        };
        world.serve().await;
        world
    }

    /// Starts the program and reads where it serves.
    async fn serve(&mut self) {
        let mut program =
            Program::start(&["serve"], &self.environment, self.folder.path(), "server");
        let public = program.announced("orderly serves on ").await;
        self.api.base = public.unwrap_or_else(|said| panic!("the server did not start: {said}"));
        let private = program.announced("metrics and probes on ").await;
        self.private = private.unwrap_or_else(|said| panic!("the server ended: {said}"));
        self.program = Some(program);
    }

    /// Ends the program as a crash does.
    pub fn kill(&mut self) {
        self.program.take().expect("the server runs").kill();
    }

    /// Process id of the server.
    pub fn server_id(&self) -> u32 {
        self.program.as_ref().expect("the server runs").id()
    }

    /// Asks the program to stop and waits for its end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.stopped().await
    }

    /// Asks the program to stop.
    pub fn ask_to_stop(&self) {
        self.program.as_ref().expect("the server runs").ask_to_stop();
    }

    /// Waits for the end of the program.
    pub async fn stopped(&mut self) -> ExitStatus {
        self.program.take().expect("the server runs").ended().await
    }

    /// Starts the program again; it must have ended.
    pub async fn restart(&mut self) {
        assert!(self.program.is_none(), "the server still runs");
        self.serve().await;
    }

    /// Like [`Self::restart`], with another admin key. The client uses it too.
    pub async fn restart_with_key(&mut self, key: &str) {
        self.environment = self.environment.clone().with("ORDERLY_ADMIN_KEY", key);
        key.clone_into(&mut self.api.key);
        self.restart().await;
    }

    /// Like [`Self::restart`], with another setting; it stays for further restarts.
    pub async fn restart_with(&mut self, name: &str, value: &str) {
        self.set(name, value);
        self.restart().await;
    }

    /// Changes a setting of the server; it holds from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment = self.environment.clone().with(name, value);
    }

    /// From the next start on the server is told when a file may not grow, and not ended.
    pub fn bear_full_files(&mut self) {
        self.environment = self.environment.clone().bearing_full_files();
    }

    /// The program may log errors in this test.
    pub fn expect_errors(&mut self) {
        self.errors_expected = true;
    }

    /// Runs another command of the program in the server's environment, against this server.
    pub async fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        let environment = self.environment.clone().with("ORDERLY_TARGET", self.api.base.clone());
        Program::run(arguments, &environment, self.folder.path(), name).await
    }

    /// The server's environment.
    pub fn environment(&self) -> Environment {
        self.environment.clone()
    }

    /// A folder for the test's own files.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a product that costs `unit_amount` USD cents.
    pub async fn product(&self, sku: &str, unit_amount: i64) {
        let body = json!({"name": format!("product {sku}"), "unit_amount": unit_amount,
            "currency": "USD"});
        self.api.put(&format!("/v1/products/{sku}"), &body).await.expect(200);
    }

    /// Makes a product and puts `units` of it on the shelf.
    pub async fn stocked(&self, sku: &str, unit_amount: i64, units: i64) {
        self.product(sku, unit_amount).await;
        let path = format!("/v1/stock/{sku}/adjustments");
        let body = json!({"delta": units, "reason": "opening_stock"});
        send(self.api.keyed(&path, &format!("stock-{sku}"), &body)).await.expect(200);
    }

    /// `(on_hand, reserved, available)` of a SKU.
    pub async fn stock(&self, sku: &str) -> (i64, i64, i64) {
        let level = self.api.get(&format!("/v1/stock/{sku}")).await.expect(200);
        let number = |member: &str| level[member].as_i64().unwrap();
        (number("on_hand"), number("reserved"), number("available"))
    }

    /// An order as it is now.
    pub async fn order(&self, id: &str) -> Value {
        self.api.get(&format!("/v1/orders/{id}")).await.expect(200)
    }

    /// Waits until an order is not pending any more.
    pub async fn settled(&self, id: &str) -> Value {
        eventually(&format!("order {id} settles"), async || {
            let order = self.order(id).await;
            if order["status"] == "pending" { Err(order.to_string()) } else { Ok(order) }
        })
        .await
    }

    /// Waits until `count` orders are pending.
    pub async fn pending(&self, count: i64) {
        eventually(&format!("{count} orders are pending"), async || {
            let sql = "SELECT count(*) FROM orders WHERE status = 'pending'";
            let found = self.database.number(sql).await;
            if found == count { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }

    /// The audit, balanced or not.
    pub async fn audit(&self) -> Value {
        let request = self.api.request(reqwest::Method::GET, "/v1/audit");
        send(request.header("X-Request-Timeout-Ms", "60000")).await.expect(200)
    }

    /// Fails unless the books of all services and of the bank agree.
    pub async fn assert_balanced(&self) {
        let audit = self.audit().await;
        assert_eq!(audit["balanced"], true, "{audit:#}");
        let checks = audit["checks"].as_array().unwrap();
        let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
        // Without the bank's books the rest would prove little.
        assert!(names.contains(&"bank_ledger_matches_payments"), "{names:?}");
    }

    /// A page of the private listener.
    pub async fn private(&self, path: &str) -> Reply {
        send(self.api.http.get(format!("{}{path}", self.private))).await
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        read(&self.folder.path().join("server.log"))
    }

    /// What no test may leave behind.
    fn complaints(&mut self) -> Vec<String> {
        if self.errors_expected {
            return Vec::new();
        }
        let log = self.log();
        let is_bad =
            |line: &&str| line.contains(r#""level":"ERROR""#) || line.contains("panicked at");
        let mut complaints: Vec<String> = log.lines().filter(is_bad).map(str::to_owned).collect();
        let Some(program) = &mut self.program else { return complaints };
        if !program.runs() {
            complaints.push("the server ended by itself".to_owned());
            return complaints;
        }
        let metrics = blocking_get(&self.private, "/metrics");
        let panics = |line: &&str| {
            line.starts_with("actor_panics_total") && !line.trim_end().ends_with(" 0")
        };
        complaints.extend(metrics.lines().filter(panics).map(str::to_owned));
        complaints
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the server:\n{}", tail(&self.log()));
            return;
        }
        let complaints = self.complaints();
        if !complaints.is_empty() {
            eprintln!("log of the server:\n{}", tail(&self.log()));
            panic!("the server complained:\n{}", complaints.join("\n"));
        }
    }
}

/// The end of a log, as much as a person reads.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(200)..].join("\n")
}

/// A GET without a runtime, for a world that is being torn down.
fn blocking_get(base: &str, path: &str) -> String {
    let address = base.strip_prefix("http://").unwrap_or(base);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The bank, a process of its own on an address that it keeps.
pub struct Bank {
    pub url: String,
    folder: PathBuf,
    program: Option<Program>,
    http: reqwest::Client,
}

impl Bank {
    /// Starts it on a port below those that the system hands out to clients: none of them can take
    /// the port while the bank is down.
    async fn start(folder: &Path) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let first = u16::try_from(std::process::id() % 89).unwrap() * 100;
        let mut bank = Self {
            url: String::new(),
            folder: folder.to_owned(),
            program: None,
            http: http_client(),
        };
        for _ in 0..200 {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            bank.url = format!("http://127.0.0.1:{}", 11_000 + (first + number) % 9_000);
            // A port that is in use is answered with the next one.
            if bank.try_serve().await.is_ok() {
                return bank;
            }
        }
        panic!("the bank does not start:\n{}", read(&folder.join("bank.log")));
    }

    async fn try_serve(&mut self) -> Result<(), String> {
        let ledger = self.folder.join("bank.ledger").display().to_string();
        let listen = self.url.strip_prefix("http://").unwrap_or_default().to_owned();
        let arguments = ["bank", "--listen", &listen, "--ledger", &ledger];
        let environment = Environment::default()
            .with("ORDERLY_LOG_FORMAT", "json")
            .with("ORDERLY_LOG", "info,bank=debug");
        let mut program = Program::start(&arguments, &environment, &self.folder, "bank");
        program.announced("the bank serves on ").await?;
        self.program = Some(program);
        Ok(())
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.program.take().expect("the bank runs").kill();
    }

    /// Starts it again at the same address with the same ledger.
    pub async fn restart(&mut self) {
        assert!(self.program.is_none(), "the bank still runs");
        self.try_serve().await.unwrap_or_else(|said| panic!("the bank did not start: {said}"));
    }

    /// Sets what goes wrong at the bank.
    pub async fn faults(&self, faults: &Value) {
        self.put("/faults", faults).await;
    }

    /// Changes something at the bank.
    pub async fn put(&self, path: &str, body: &Value) {
        send(self.http.put(format!("{}{path}", self.url)).json(body)).await.expect(200);
    }

    /// Lets every charge wait until [`Self::recover`].
    pub async fn stall(&self) {
        self.faults(&json!({"delay_ms": 600_000})).await;
    }

    /// Takes all faults away; charges that wait go on.
    pub async fn recover(&self) {
        self.faults(&json!({})).await;
    }

    /// The bank's books.
    pub async fn ledger(&self) -> Vec<Value> {
        let reply = send(self.http.get(format!("{}/ledger", self.url))).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The bank's books about one order.
    pub async fn ledger_of(&self, order_id: &str) -> Vec<Value> {
        self.ledger().await.into_iter().filter(|entry| entry["order_id"] == order_id).collect()
    }
}

/// An order of these units, paid with a card that works.
pub fn order_of(lines: &[(&str, i64)]) -> Value {
    let lines: Vec<Value> =
        lines.iter().map(|(sku, quantity)| json!({"sku": sku, "quantity": quantity})).collect();
    json!({"currency": "USD", "lines": lines, "payment": {"method": "pm_card_visa"}})
}
