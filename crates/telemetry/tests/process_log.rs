//! The log of a whole process: installed once, on standard error, with levels that change.

use std::process::Command;

use serde_json::Value as Json;
use telemetry::{LogConfig, LogFormat, TelemetryError, init_logs, log_error};

/// Installs the log of this process, so it is the only test here that may.
#[test]
fn installs_once_and_changes_levels() {
    let config = LogConfig {
        service: "orderly".to_owned(),
        format: LogFormat::Auto,
        filter: "info".to_owned(),
    };
    let control = init_logs(&config).unwrap();
    let again = init_logs(&config).unwrap_err();
    assert!(matches!(again, TelemetryError::LogInstalled { .. }), "{again}");
    tracing::debug!("below the level");
    control.set_filter("debug").unwrap();
    tracing::debug!(event = "level_changed", "now above it");
    let error = std::io::Error::other("connection reset");
    log_error("BANK_SILENT", &error, "the card could not be charged");
}

#[test]
fn a_process_logs_json_to_standard_error() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "installs_once_and_changes_levels", "--nocapture"])
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let stderr = String::from_utf8(child.stderr).unwrap();
    let lines: Vec<Json> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let [changed, failed] = &lines[..] else { panic!("{stderr}") };
    assert_eq!(changed["event"], "level_changed");
    assert_eq!(changed["service"], "orderly");
    assert_eq!(failed["code"], "BANK_SILENT");
    assert_eq!(failed["cause"], serde_json::json!(["connection reset"]));
    assert!(!String::from_utf8_lossy(&child.stdout).contains("BANK_SILENT"));
}
