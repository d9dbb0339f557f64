//! What kind of run a seed makes: how many nodes, how much traffic, and what goes wrong how often.
//!
//! Not every run has every fault: where everything fails, little gets far enough to go wrong in an
//! interesting way. Each seed leaves out about half of the kinds and makes the rest mild or harsh.

use crate::rng::Rng;

/// What goes wrong between a node and the database.
#[derive(Clone, Debug, Default)]
pub struct LinkProfile {
    /// Longest usual time of one way, in milliseconds.
    pub usual_millis: i64,
    /// Longest time of a slow one.
    pub slow_millis: i64,
    /// How many are slow.
    pub slow_permille: u64,
    /// Calls that the server does not hear of.
    pub lost_permille: u64,
    /// Calls whose answer does not come back.
    pub reply_lost_permille: u64,
    /// Commits whose outcome the node does not learn, on top of the two above.
    pub commit_lost_permille: u64,
    /// Calls that another transaction is in the way of.
    pub conflict_permille: u64,
}

/// What goes wrong between a node and the bank, and in it.
#[derive(Clone, Debug, Default)]
pub struct BankProfile {
    /// Longest usual time of one way, in milliseconds.
    pub usual_millis: i64,
    /// Longest time of a slow one: beyond the patience of clients and nodes.
    pub slow_millis: i64,
    /// How many are slow.
    pub slow_permille: u64,
    /// Requests that never arrive.
    pub lost_permille: u64,
    /// Requests that have their effect, and whose answer never arrives.
    pub reply_lost_permille: u64,
    /// 500 without an effect.
    pub error_before_permille: u64,
    /// 500 after the effect.
    pub error_after_permille: u64,
    /// 429, without an effect.
    pub rate_limit_permille: u64,
    /// Answers that are no JSON, after the effect.
    pub malformed_permille: u64,
    /// Answers that name another amount, after the effect.
    pub wrong_amount_permille: u64,
    /// Cards that are refused for no visible reason.
    pub decline_permille: u64,
    /// Events that the shop is never told of.
    pub event_lost_permille: u64,
    /// Events that it is told of twice.
    pub event_twice_permille: u64,
    /// Events with a signature that is somebody else's, or too old.
    pub event_forged_permille: u64,
    /// Longest time until an event is told, in milliseconds.
    pub event_late_millis: i64,
    /// Longest time until a search shows what was done, in milliseconds.
    pub search_lag_millis: i64,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Nodes of the shop.
    pub nodes: usize,
    /// Lanes of each node.
    pub lanes: usize,
    /// Clients that ask one thing after another.
    pub clients: usize,
    /// Operations of all clients.
    pub operations: usize,
    /// Products; the first are the hot ones.
    pub products: usize,
    /// Units on the shelf of a hot product at first.
    pub hot_units: i64,
    /// The database.
    pub link: LinkProfile,
    /// The bank.
    pub bank: BankProfile,
    /// Crashes of nodes at any moment.
    pub crashes: usize,
    /// Crashes at a named point.
    pub crashes_at_points: usize,
    /// Nodes that stand still for a while.
    pub pauses: usize,
    /// Nodes that cannot reach the database for a while.
    pub cuts: usize,
    /// How wrong clocks are at most, in milliseconds.
    pub skew_millis: i64,
    /// Age at which an order whose payment is not known gives its goods to others, in seconds.
    pub payment_expiry_seconds: u64,
    /// How long after its last change an unwanted order ends of whose payment the bank knows
    /// nothing, in seconds. Mostly longer than a request can be on its way, but not always.
    pub give_up_seconds: u64,
    /// Events that a consumer cannot digest at first.
    pub poison_permille: u64,
}

impl Profile {
    /// The run that this seed makes.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed, "profile");
        let nodes = [1, 2, 2, 3, 3][rng.index(5)];
        let some = |rng: &mut Rng, choices: [u64; 4]| choices[rng.index(4)];
        let mut profile = Self {
            nodes,
            lanes: 1 + rng.index(2),
            clients: 4 + rng.index(7),
            operations: 60 + rng.index(61),
            products: 4 + rng.index(6),
            hot_units: rng.between(8, 60),
            link: LinkProfile {
                usual_millis: rng.between(0, 4),
                slow_millis: rng.between(20, 900),
                slow_permille: some(&mut rng, [0, 5, 20, 60]),
                lost_permille: some(&mut rng, [0, 0, 3, 8]),
                reply_lost_permille: some(&mut rng, [0, 0, 2, 6]),
                commit_lost_permille: some(&mut rng, [0, 0, 30, 90]),
                conflict_permille: some(&mut rng, [0, 0, 10, 40]),
            },
            bank: BankProfile {
                usual_millis: rng.between(5, 150),
                slow_millis: rng.between(1_000, 70_000),
                slow_permille: some(&mut rng, [0, 20, 80, 300]),
                lost_permille: some(&mut rng, [0, 0, 40, 120]),
                reply_lost_permille: some(&mut rng, [0, 30, 80, 200]),
                error_before_permille: some(&mut rng, [0, 0, 40, 100]),
                error_after_permille: some(&mut rng, [0, 0, 40, 100]),
                rate_limit_permille: some(&mut rng, [0, 0, 30, 80]),
                malformed_permille: some(&mut rng, [0, 0, 20, 60]),
                wrong_amount_permille: some(&mut rng, [0, 0, 20, 60]),
                decline_permille: some(&mut rng, [0, 40, 80, 150]),
                event_lost_permille: [0, 100, 400, 1_000][rng.index(4)],
                event_twice_permille: some(&mut rng, [0, 50, 150, 300]),
                event_forged_permille: some(&mut rng, [0, 0, 50, 150]),
                event_late_millis: [5, 300, 4_000, 15_000][rng.index(4)],
                search_lag_millis: [0, 0, 2_000, 5_000][rng.index(4)],
            },
            crashes: [0, 1, 2, 4][rng.index(4)],
            crashes_at_points: [0, 1, 1, 3][rng.index(4)],
            pauses: [0, 0, 1, 2][rng.index(4)],
            cuts: [0, 0, 1, 2][rng.index(4)],
            skew_millis: [0, 0, 400, 5_000][rng.index(4)],
            payment_expiry_seconds: [15, 40, 600][rng.index(3)],
            give_up_seconds: [8, 25, 40][rng.index(3)],
            poison_permille: some(&mut rng, [0, 0, 20, 60]),
        };
        if seed % 8 == 6 {
            profile.be_late();
        }
        profile
    }

    /// Makes a run in which requests reach the bank long after the shop has given their orders up:
    /// by chance alone that is rare.
    fn be_late(&mut self) {
        self.payment_expiry_seconds = 15;
        self.give_up_seconds = 8;
        self.bank.slow_permille = 350;
        self.bank.slow_millis = 90_000;
        self.bank.event_lost_permille = 1_000;
    }
}
