//! What a node remembers of the stock: it refuses and shows, and decides nothing else.

use super::world::{
    World, adjustment, context, on_both, order, release, render, ship, sku, take_back, told, units,
};
use crate::{GoodsMove, Inventory, StockCache, StockCacheConfig};
use actors::{Home, SystemIds};
use domain::{Clock, Demand, ReservationOutcome, Shortage, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use topology::Edge;

const BELIEVED: Duration = Duration::from_secs(10);

/// A clock that stands still until it is moved.
#[derive(Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_767_323_045_000_000 + self.0.load(Ordering::SeqCst))
    }
}

/// A node with a memory of its own.
struct Node {
    inventory: Inventory,
    hands: Arc<Hands>,
}

impl Node {
    fn of(world: &World, believed: Duration) -> Self {
        let hands = Arc::new(Hands::default());
        let cache = StockCache::new(StockCacheConfig { believed }, hands.clone(), Edge::unseen());
        let (db, ids) = (world.db.clone(), Arc::new(SystemIds));
        let inventory = crate::start(db, hands.clone(), ids, cache, &Home::current());
        Self { inventory, hands }
    }

    async fn reserve(
        &self,
        world: &World,
        orders: &[(u128, &[(&str, i64)])],
    ) -> Vec<ReservationOutcome> {
        let tx = world.db.begin().await.expect("begins");
        let demands = orders.iter().map(|(number, goods)| demand(*number, goods)).collect();
        let (tx, outcomes) =
            self.inventory.reserve(tx, demands, &context()).await.expect("is judged");
        tx.commit().await.expect("commits");
        outcomes
    }

    async fn adjust(&self, name: &str, delta: i64) {
        let adjustments = vec![adjustment(name, delta, "main")];
        let outcomes =
            self.inventory.adjust(adjustments, render, &context()).await.expect("is judged");
        assert_eq!(told(&outcomes[0]).0, 200, "{outcomes:?}");
    }

    async fn carry_out(&self, world: &World, goods: GoodsMove) {
        let tx = world.db.begin().await.expect("begins");
        let tx = self.inventory.carry_out(tx, vec![goods], &context()).await.expect("is done");
        tx.commit().await.expect("commits");
    }

    async fn available(&self, name: &str, max_age: Duration) -> i64 {
        let (found, age) = self.inventory.recent(&sku(name), max_age).await.expect("is read");
        assert!(age <= max_age, "{age:?}");
        found.expect("has stock").level.available
    }
}

fn demand(number: u128, goods: &[(&str, i64)]) -> Demand {
    Demand { order_id: order(number), units: units(goods) }
}

fn short(shortages: &[(&str, i64, i64)]) -> ReservationOutcome {
    let shortage = |(name, requested, available): &(&str, i64, i64)| Shortage {
        sku: sku(name),
        requested: *requested,
        available: *available,
    };
    ReservationOutcome::Short(shortages.iter().map(shortage).collect())
}

const RESERVED: ReservationOutcome = ReservationOutcome::Reserved;

on_both! {
    async fn what_is_sold_out_is_refused_without_a_look_until_its_time_is_up(world) {
        world.stocked("A", &[("main", 1)]).await;
        world.stocked("B", &[("main", 1)]).await;
        let (here, there) = (Node::of(world, BELIEVED), Node::of(world, BELIEVED));
        // The last unit goes in the batch in which others are short: it might not be committed, so
        // nothing is remembered of that yet.
        let outcomes = here.reserve(world, &[(1, &[("A", 1)]), (2, &[("A", 2)])]).await;
        assert_eq!(outcomes, [RESERVED, short(&[("A", 2, 0)])]);
        assert_eq!(here.reserve(world, &[(3, &[("A", 1)])]).await, [short(&[("A", 1, 0)])]);
        // From here on it knows. Nobody told it of what another node puts on the shelf.
        there.adjust("A", 5).await;
        assert_eq!(here.reserve(world, &[(4, &[("A", 1)])]).await, [short(&[("A", 1, 0)])]);
        // In a batch, those that want something else are served.
        let outcomes = here.reserve(world, &[(5, &[("A", 3)]), (6, &[("B", 1)]), (7, &[("A", 1)])]).await;
        assert_eq!(outcomes, [short(&[("A", 3, 0)]), RESERVED, short(&[("A", 1, 0)])]);
        // Whoever wants more than what is sold out is told of all that is short, by a look.
        assert_eq!(here.reserve(world, &[(8, &[("A", 9), ("B", 2)])]).await, [short(&[("A", 9, 5), ("B", 2, 0)])]);
        // What was seen to be there again is not refused any more.
        assert_eq!(here.reserve(world, &[(9, &[("A", 1)])]).await, [RESERVED]);
        there.adjust("B", 5).await;
        for (micros, outcome) in [
            (9_999_999, short(&[("B", 1, 0)])),
            // A clock that was set back believes nothing.
            (-1, RESERVED),
            (0, short(&[("B", 1, 0)])),
            (10_000_000, RESERVED),
        ] {
            here.hands.0.store(micros, Ordering::SeqCst);
            let number = 20_000_000 + u128::try_from(micros + 1).expect("positive");
            assert_eq!(here.reserve(world, &[(number, &[("B", 1)])]).await, [outcome], "{micros}");
        }
    }

    async fn goods_that_come_back_on_a_node_are_seen_there_at_once(world) {
        world.stocked("A", &[("main", 1)]).await;
        let node = Node::of(world, BELIEVED);
        assert_eq!(node.reserve(world, &[(1, &[("A", 1)])]).await, [RESERVED]);
        let sold_out = async |number| {
            assert_eq!(node.reserve(world, &[(number, &[("A", 1)])]).await, [short(&[("A", 1, 0)])]);
        };
        sold_out(2).await;
        node.adjust("A", 1).await;
        assert_eq!(node.reserve(world, &[(3, &[("A", 1)])]).await, [RESERVED]);
        sold_out(4).await;
        node.carry_out(world, release(3)).await;
        assert_eq!(node.reserve(world, &[(5, &[("A", 1)])]).await, [RESERVED]);
        sold_out(6).await;
        node.carry_out(world, ship(1, &[("A", 1)])).await;
        node.carry_out(world, take_back(1, &[("A", 1)], true)).await;
        assert_eq!(node.reserve(world, &[(7, &[("A", 1)])]).await, [RESERVED]);
    }

    async fn a_memory_that_is_wiped_or_off_changes_no_outcome(world) {
        for (name, believed) in [("A", BELIEVED), ("B", Duration::ZERO)] {
            world.stocked(name, &[("main", 2)]).await;
            let node = Node::of(world, believed);
            let base = if name == "A" { 0 } else { 100 };
            for number in 1..=6 {
                let outcome = node.reserve(world, &[(base + number, &[(name, 1)])]).await;
                assert_eq!(outcome, [if number <= 2 { RESERVED } else { short(&[(name, 1, 0)]) }]);
                node.inventory.cache().wipe();
            }
            // Nothing is believed that is not remembered.
            world.adjust(adjustment(name, 1, "main")).await;
            node.inventory.cache().wipe();
            assert_eq!(node.reserve(world, &[(base + 7, &[(name, 1)])]).await, [RESERVED]);
        }
    }

    async fn a_transaction_that_is_undone_marks_nothing(world) {
        world.stocked("A", &[("main", 1)]).await;
        let node = Node::of(world, BELIEVED);
        let tx = world.db.begin().await.expect("begins");
        let demands = vec![demand(1, &[("A", 1)]), demand(2, &[("A", 1)])];
        let (tx, outcomes) = node.inventory.reserve(tx, demands, &context()).await.expect("is judged");
        assert_eq!(outcomes, [RESERVED, short(&[("A", 1, 0)])]);
        tx.rollback().await.expect("is undone");
        assert_eq!(node.reserve(world, &[(2, &[("A", 1)])]).await, [RESERVED]);
    }

    async fn whoever_says_how_old_it_may_be_is_told_from_memory(world) {
        world.stocked("A", &[("main", 3)]).await;
        let (here, there) = (Node::of(world, BELIEVED), Node::of(world, BELIEVED));
        assert_eq!(here.available("A", BELIEVED).await, 3);
        there.adjust("A", 4).await;
        assert_eq!(here.available("A", BELIEVED).await, 3);
        assert_eq!(here.available("A", Duration::ZERO).await, 7);
        // Its own changes a node sees at once.
        here.adjust("A", 1).await;
        assert_eq!(here.available("A", BELIEVED).await, 8);
        there.adjust("A", 1).await;
        here.inventory.cache().wipe();
        assert_eq!(here.available("A", BELIEVED).await, 9);
        let absent = here.inventory.recent(&sku("NONE"), BELIEVED).await.expect("is read");
        assert!(absent.0.is_none());
    }
}
