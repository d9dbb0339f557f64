//! What to measure.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::baseline;
use crate::stack::OwnStack;

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Orders over many SKUs.
    Uniform,
    /// Every line of every order names the same SKU.
    Hot,
    /// The orders of a data set.
    Baskets,
    /// The whole life of orders: placed, read, listed, shipped, cancelled, refunded.
    Mixed,
    /// Three times as many orders as the shop can take.
    Overload,
    /// The server dies with many orders in flight and is started again.
    Restart,
    /// Many orders wait for a bank that answers after minutes.
    Inflight,
    /// Many orders in the tables.
    Stored,
    /// From the start of the process to the first order.
    Start,
    /// Two servers on one database.
    TwoNodes,
    /// What an order costs in statements, rows, bytes of the log and allocations.
    Counts,
}

impl Scenario {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Uniform,
        Self::Hot,
        Self::Baskets,
        Self::Mixed,
        Self::Overload,
        Self::Restart,
        Self::Inflight,
        Self::Stored,
        Self::Start,
        Self::TwoNodes,
        Self::Counts,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Hot => "hot",
            Self::Baskets => "baskets",
            Self::Mixed => "mixed",
            Self::Overload => "overload",
            Self::Restart => "restart",
            Self::Inflight => "inflight",
            Self::Stored => "stored",
            Self::Start => "start",
            Self::TwoNodes => "two-nodes",
            Self::Counts => "counts",
        }
    }
}

/// The text names no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario `{0}`: {list}", list = Scenario::ALL.map(Scenario::name).join(", "))]
pub struct ScenarioError(String);

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scenario| scenario.name() == text);
        found.ok_or_else(|| ScenarioError(text.to_owned()))
    }
}

/// Which server is measured.
#[derive(Clone)]
pub enum Target {
    /// One that runs already.
    Running {
        /// Base URL, without `/v1`; plain HTTP.
        url: String,
        /// Key of a principal that may do everything.
        api_key: String,
    },
    /// A stack of the bench's own, a new one for each run.
    Own(OwnStack),
}

/// Everything a bench needs to know.
#[derive(Clone)]
pub struct Options {
    /// What is done.
    pub scenario: Scenario,
    /// To whom.
    pub target: Target,
    /// How often, at least once.
    pub runs: usize,
    /// Time that is measured in each run.
    pub measured: Duration,
    /// Time before that which is not.
    pub warm_up: Duration,
    /// Connections at the same time, at least 1.
    pub connections: usize,
    /// Orders that are due in a second, whatever the answers do. `None`: each connection sends the
    /// next order when it has the answer to the last.
    pub rate: Option<f64>,
    /// SKUs on the shelf, for [`Scenario::Uniform`].
    pub skus: usize,
    /// Lines of an order, but for [`Scenario::Baskets`].
    pub lines: usize,
    /// How many orders are in flight or stored, for the scenarios about that.
    pub orders: Option<u64>,
    /// Where the choice of SKUs starts.
    pub seed: u64,
    /// Folder of a data set for [`Scenario::Baskets`]: `products.csv`, `stock.csv` and
    /// `orders.ndjson`, each with or without `.gz`. `None`: the sample inside the program.
    pub data: Option<PathBuf>,
    /// What the bank of an own stack waits before each charge.
    pub bank_delay: Duration,
    /// Measure the same orders written by SQL alone as well, after each run.
    pub baseline: bool,
    /// Tell on standard error what is going on.
    pub progress: bool,
}

impl Options {
    /// The Postgres server on which an own stack works.
    pub(crate) fn postgres(&self) -> Option<&str> {
        match &self.target {
            Target::Own(own) => own.postgres.as_deref(),
            Target::Running { .. } => None,
        }
    }

    /// Whether the options make sense together.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.runs >= 1, "there must be at least 1 run");
        anyhow::ensure!(self.connections >= 1, "there must be at least 1 connection");
        anyhow::ensure!(!self.measured.is_zero(), "a run must last for some time");
        anyhow::ensure!(
            self.rate.is_none_or(|rate| (0.001..=1e6).contains(&rate)),
            "the rate must lie between 0.001 and 1,000,000 orders a second"
        );
        anyhow::ensure!((1..=1_000_000).contains(&self.skus), "1 to 1,000,000 SKUs");
        anyhow::ensure!((1..=500).contains(&self.lines), "an order has 1 to 500 lines");
        let own = matches!(self.target, Target::Own(_));
        anyhow::ensure!(
            own || self.bank_delay.is_zero(),
            "only the bank of a stack of the bench's own can be told to be slow"
        );
        self.validate_scenario(own)?;
        if self.baseline {
            let comparable = match self.scenario {
                Scenario::Uniform => self.skus == baseline::SKUS && self.lines == 3,
                Scenario::Hot => self.lines == 3,
                _ => false,
            };
            anyhow::ensure!(
                comparable && self.postgres().is_some(),
                "--baseline sql is for the scenarios uniform (with 5,000 SKUs) and hot, with 3 lines \
                 an order, on a stack of the bench's own on Postgres"
            );
        }
        Ok(())
    }
}

impl Options {
    /// Whether the scenario can be had on this target.
    fn validate_scenario(&self, own: bool) -> anyhow::Result<()> {
        use Scenario::{
            Baskets, Counts, Hot, Inflight, Mixed, Overload, Restart, Start, Stored, TwoNodes,
        };
        let (scenario, name) = (self.scenario, self.scenario.name());
        anyhow::ensure!(
            own || matches!(scenario, Scenario::Uniform | Hot | Baskets | Mixed | Overload),
            "the scenario {name} needs a stack of the bench's own"
        );
        anyhow::ensure!(
            self.postgres().is_some() || !matches!(scenario, Stored | TwoNodes),
            "the scenario {name} needs Postgres: --database-url postgres://…"
        );
        anyhow::ensure!(
            self.postgres().is_none() || scenario != Start,
            "the scenario start is about the default, which is SQLite: --database-url sqlite"
        );
        anyhow::ensure!(
            self.rate.is_none()
                || !matches!(scenario, Mixed | Overload | Restart | Inflight | Start | Counts),
            "the scenario {name} has no rate"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        let error = "nonsense".parse::<Scenario>().unwrap_err().to_string();
        assert!(error.contains("nonsense") && error.contains("uniform"), "{error}");
    }
}
