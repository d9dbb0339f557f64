//! A Prometheus of a test's own, which scrapes a shop.

use crate::client::{http_client, send};
use crate::process::{eventually, read};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A Prometheus of the test's own. It is killed when this is dropped.
pub struct Prometheus {
    pub url: String,
    child: Child,
    http: reqwest::Client,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `prometheus` is told: where the shop is, what its series are labelled with, and the rules in
/// `rules` within the folder.
fn configure(folder: &Path, target: &str, labels: &str) -> PathBuf {
    let rules = folder.join("rules");
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 300ms}}\n\
         rule_files: [{}/*.yml]\n\
         scrape_configs:\n  - job_name: orderly\n    static_configs: [{{targets: [\"{target}\"], labels: {{{labels}}}}}]\n",
        rules.display()
    );
    fs::write(&config, text).unwrap();
    config
}

impl Prometheus {
    /// Scrapes the private listener at a URL twice a second. `labels` are those of its series,
    /// such as `track: canary`; rules are what lies in the folder `rules`.
    pub async fn start(folder: &Path, private: &str, labels: &str) -> Self {
        let target = private.strip_prefix("http://").unwrap_or(private);
        let config = configure(folder, target, labels);
        let log = folder.join("prometheus.log");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("no prometheus ({error}): `scripts/check-ops --install` brings it")
            });
        let mut prometheus = Self { url: String::new(), child, http: http_client() };
        prometheus.url = eventually("Prometheus says where it listens", async || {
            let said = read(&log);
            let lines = said.lines().filter(|line| line.contains("Listening on"));
            let words = lines.flat_map(|line| line.split_whitespace());
            let mut addresses = words.filter_map(|word| word.strip_prefix("address="));
            match addresses.find(|address| !address.ends_with(":0")) {
                Some(address) => Ok(format!("http://{address}")),
                None => Err(said),
            }
        })
        .await;
        eventually("Prometheus is ready", async || {
            let reply = send(prometheus.http.get(format!("{}/-/ready", prometheus.url))).await;
            if reply.status == 200 { Ok(()) } else { Err(reply.text) }
        })
        .await;
        prometheus
    }

    /// What its API says at a path.
    pub async fn get(&self, path: &str) -> Value {
        let reply = send(self.http.get(format!("{}/api/v1/{path}", self.url))).await;
        let answer = reply.expect(200);
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }

    /// What an expression gives now.
    pub async fn query(&self, expression: &str) -> Vec<Value> {
        let request = self.http.get(format!("{}/api/v1/query", self.url));
        let reply = send(request.query(&[("query", expression)])).await;
        reply.expect(200)["data"]["result"].as_array().unwrap().clone()
    }

    /// Ends it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
