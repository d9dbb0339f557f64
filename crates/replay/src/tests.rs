use super::*;

fn options() -> ReplayOptions {
    ReplayOptions {
        target: "http://127.0.0.1:1".into(),
        api_key: "key".into(),
        connections: DEFAULT_CONNECTIONS,
        rate: None,
        progress: false,
        stock_scale: None,
        limit: None,
        run_id: "run-1".into(),
        expected: None,
    }
}

fn plan(options: &ReplayOptions) -> Plan {
    let dataset = sample().unwrap();
    let scan = Scan::of(&dataset, options.limit).unwrap();
    Plan::new(&dataset, &scan, options)
}

#[test]
fn options_that_make_no_sense_are_refused() {
    assert!(options().validate().is_ok());
    let wrong = [
        ReplayOptions { connections: 0, ..options() },
        ReplayOptions { rate: Some(0.0), ..options() },
        ReplayOptions { rate: Some(f64::NAN), ..options() },
        ReplayOptions { run_id: String::new(), ..options() },
        ReplayOptions { run_id: "a b".into(), ..options() },
        ReplayOptions { run_id: "a".repeat(101), ..options() },
    ];
    for options in wrong {
        assert!(options.validate().is_err(), "{options:?}");
    }
}

#[test]
fn the_key_is_not_shown() {
    let options = ReplayOptions { api_key: "sk_secret".into(), ..options() };
    assert!(!format!("{options:?}").contains("sk_secret"));
}

#[test]
fn the_whole_sample_has_fixed_totals_and_sells_out() {
    let whole = plan(&options());
    assert!(whole.sells_out);
    assert_eq!(whole.totals.as_ref(), Some(&sample_expected().unwrap().totals));
    let written = plan(&ReplayOptions { expected: sample_expected().ok(), ..options() });
    assert_eq!(written.totals, whole.totals);
}

#[test]
fn a_part_of_the_sample_has_its_own_totals_and_leaves_stock() {
    let expected = sample_expected().ok();
    for (limit, orders) in [(100, 100), (7, 7)] {
        let part =
            plan(&ReplayOptions { limit: Some(limit), expected: expected.clone(), ..options() });
        assert!(!part.sells_out);
        assert_eq!(part.totals.unwrap().orders, orders);
    }
}

#[test]
fn with_scaled_stock_no_totals_are_fixed() {
    let scale = "all:0.5".parse().ok();
    let scarce =
        plan(&ReplayOptions { stock_scale: scale, expected: sample_expected().ok(), ..options() });
    assert_eq!(scarce.totals, None);
    assert!(!scarce.sells_out);
    assert_eq!(scarce.opening.len(), 9_745);
    assert!(scarce.opening.values().sum::<u64>() < 29_092 / 2);
}

#[test]
fn a_written_expectation_holds_even_if_the_stock_cannot_meet_it() {
    let mut dataset = sample().unwrap();
    dataset.stock.truncate(10);
    let scan = Scan::of(&dataset, None).unwrap();
    assert_eq!(Plan::new(&dataset, &scan, &options()).totals, None);
    let written = ReplayOptions { expected: sample_expected().ok(), ..options() };
    assert_eq!(Plan::new(&dataset, &scan, &written).totals.unwrap().orders, 2_000);
}

#[test]
fn a_replay_can_be_spawned_on_any_runtime() {
    fn is_send(_: &impl Send) {}
    is_send(&run(sample().unwrap(), options()));
}
