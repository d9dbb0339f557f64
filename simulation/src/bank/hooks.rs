//! What the bank tells of its own accord: signed events, late, twice, out of order, or never.

use super::{Bank, Happening};
use crate::rng::Rng;
use crate::world::World;
use gateway::PlainRequest;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The secret that the shop knows.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_simulation";

/// Times that an event is sent until the bank gives up; a real one goes on for days.
const TRIES: u32 = 6;

/// The header `Stripe-Signature` of a body, signed at this second.
#[must_use]
pub fn signature(secret: &str, seconds: i64, body: &str) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{seconds}.{body}").as_bytes());
    let hex: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// Sends events to the shop as they happen, until the run is over.
pub(crate) async fn tell_the_shop(
    world: Rc<World>,
    mut happenings: mpsc::UnboundedReceiver<Happening>,
) {
    let mut number = 0;
    while let Some(happening) = happenings.recv().await {
        number += 1;
        let rng = world.rng(&format!("event {number}"));
        tokio::task::spawn_local(tell(world.clone(), happening, number, rng));
    }
}

async fn tell(world: Rc<World>, happening: Happening, number: u64, mut rng: Rng) {
    let profile = &world.bank.profile;
    let troubled = !world.calm.is();
    if troubled && rng.permille(profile.event_lost_permille) {
        world.trace.count("event.lost");
        return;
    }
    let twice = troubled && rng.permille(profile.event_twice_permille);
    if twice {
        world.trace.count("event.twice");
    }
    let body = json!({"id": format!("evt_{number}"), "object": "event", "type": happening.kind,
        "data": {"object": happening.object}})
    .to_string();
    for _ in 0..if twice { 2 } else { 1 } {
        let late = if troubled { profile.event_late_millis } else { 5 };
        let late = rng.millis(0, late);
        if late > Duration::from_secs(1) {
            world.trace.count("event.late");
        }
        tokio::time::sleep(late).await;
        deliver(&world, &world.bank, &body, &mut rng).await;
    }
}

async fn deliver(world: &World, bank: &Bank, body: &str, rng: &mut Rng) {
    for attempt in 0..TRIES {
        let troubled = !world.calm.is();
        let forged = troubled && rng.permille(bank.profile.event_forged_permille);
        let old = troubled && rng.permille(bank.profile.event_forged_permille);
        let now = world.seconds();
        let secret = if forged { "whsec_of_somebody_else" } else { WEBHOOK_SECRET };
        let signed = signature(secret, if old { now - 600 } else { now }, body);
        let status = post(world, rng, body, signed).await;
        world.trace.note("bank", format_args!("event {body}: {status:?}"));
        if forged || old {
            world.trace.count(if forged { "event.forged" } else { "event.old" });
            if status == Some(200) {
                world.accepted_forgery(body);
            }
        } else if status == Some(200) {
            world.trace.count("event.told");
            return;
        }
        tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
    }
}

async fn post(world: &World, rng: &mut Rng, body: &str, signed: String) -> Option<u16> {
    let listening: Vec<_> = world.nodes.iter().filter(|node| node.listens()).collect();
    let node = rng.pick(&listening)?;
    let request = PlainRequest {
        method: "POST",
        path: "/v1/webhooks/payments".to_owned(),
        headers: vec![
            ("Stripe-Signature", signed),
            ("Content-Type", "application/json".to_owned()),
        ],
        body: body.as_bytes().to_vec(),
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), node.call(request)).await;
    Some(answer.ok()?.ok()?.status)
}
