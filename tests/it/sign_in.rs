//! Signing in under attack: wrong passwords, used tokens, thousands of wrong keys, logs.

use crate::client::{Reply, send};
use crate::process::eventually;
use crate::users::{PASSWORD, person, sign_in, staff};
use crate::world::{World, on_both};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;

/// A body without what differs from request to request.
fn told(reply: &Reply) -> Value {
    let mut body = reply.json();
    body["trace_id"].take();
    body
}

async fn refresh(world: &World, token: &str) -> Reply {
    let body = json!({"grant_type": "refresh_token", "refresh_token": token});
    world.api.with_key("").post("/v1/tokens", &body).await
}

fn text(grant: &Value, member: &str) -> String {
    grant[member].as_str().unwrap_or_else(|| panic!("no {member} in {grant}")).to_owned()
}

/// How often keys were asked of the database.
async fn looked_up(world: &World) -> u64 {
    let metrics = world.private("/metrics").await.text;
    let line =
        metrics.lines().find(|l| l.starts_with(r#"api_key_checks_total{outcome="looked_up"}"#));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

on_both! {
    async fn an_unknown_address_and_a_wrong_password_are_told_the_same(world in World) {
        let ada = person(&world, "ada").await;
        let wrong = sign_in(&world, &ada.email, "wrong horse battery").await;
        let unknown = sign_in(&world, "eve@example.org", PASSWORD).await;
        let none = sign_in(&world, "not an address", PASSWORD).await;
        for reply in [&wrong, &unknown, &none] {
            reply.problem(401, "INVALID_CREDENTIALS");
            assert_eq!(told(reply), told(&wrong));
            let names = |reply: &Reply| -> BTreeSet<String> {
                reply.headers.keys().map(ToString::to_string).collect()
            };
            assert_eq!(names(reply), names(&wrong));
        }
        let taken = json!({"email": "ADA@example.org", "password": PASSWORD, "name": "E"});
        world.api.with_key("").post("/v1/sign-up", &taken).await.problem(409, "ACCOUNT_EXISTS");
        let weak = json!({"email": "weak@example.org", "password": "password", "name": "E"});
        let problem = world.api.with_key("").post("/v1/sign-up", &weak).await;
        let problem = problem.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["pointer"], "/password");
    }

    async fn a_refresh_token_is_good_once_and_a_second_time_ends_the_session(world in World) {
        let ada = person(&world, "ada").await;
        let elsewhere = sign_in(&world, &ada.email, PASSWORD).await.expect(200);
        let second = refresh(&world, &ada.refresh_token).await.expect(200);
        assert_eq!((&second["token_type"], &second["expires_in"]), (&json!("Bearer"), &json!(600)));
        let fresh = world.api.with_key(&text(&second, "access_token"));
        fresh.get("/v1/me").await.expect(200);
        // Who has the old one is not alone with it.
        refresh(&world, &ada.refresh_token).await.problem(401, "INVALID_CREDENTIALS");
        refresh(&world, &text(&second, "refresh_token")).await.problem(401, "INVALID_CREDENTIALS");
        for api in [&fresh, &ada.api] {
            api.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
        }
        let other = world.api.with_key(&text(&elsewhere, "access_token"));
        other.get("/v1/me").await.expect(200);
        let metrics = world.private("/metrics").await;
        assert!(metrics.text.contains("refresh_token_reuses_total 1"), "{}", metrics.text);
    }

    async fn of_many_that_use_one_refresh_token_at_once_one_at_most_gets_on(world in World) {
        let ada = person(&world, "ada").await;
        let tries = (0..16).map(|_| refresh(&world, &ada.refresh_token));
        let replies: Vec<Reply> = stream::iter(tries).buffer_unordered(16).collect().await;
        let good: Vec<Value> =
            replies.iter().filter(|reply| reply.status == 200).map(Reply::json).collect();
        assert!(good.len() <= 1, "{}", good.len());
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            reply.problem(401, "INVALID_CREDENTIALS");
        }
        for grant in good {
            refresh(&world, &text(&grant, "refresh_token")).await.problem(401, "INVALID_CREDENTIALS");
        }
        ada.api.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
    }

    async fn whoever_signs_out_or_changes_the_password_is_out(world in World) {
        let ada = person(&world, "ada").await;
        let out = |token: &str, everywhere: bool| {
            let body = json!({"refresh_token": token, "everywhere": everywhere});
            let api = world.api.with_key("");
            async move { api.post("/v1/tokens:revoke", &body).await.status }
        };
        for token in [&ada.refresh_token, &ada.refresh_token, "rt_never_was"] {
            assert_eq!(out(token, false).await, 204, "whatever is sent");
        }
        ada.api.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
        refresh(&world, &ada.refresh_token).await.problem(401, "INVALID_CREDENTIALS");
        let one = sign_in(&world, &ada.email, PASSWORD).await.expect(200);
        let two = sign_in(&world, &ada.email, PASSWORD).await.expect(200);
        let api = world.api.with_key(&text(&one, "access_token"));
        let change = |current: &str, new: &str| {
            let body = json!({"current_password": current, "new_password": new});
            let api = api.clone();
            async move { api.put("/v1/me/password", &body).await }
        };
        let next = "another horse battery";
        change("wrong horse", next).await.problem(401, "INVALID_CREDENTIALS");
        change(PASSWORD, "short").await.problem(422, "VALIDATION_FAILED");
        api.get("/v1/me").await.expect(200);
        assert_eq!(change(PASSWORD, next).await.status, 204);
        for grant in [&one, &two] {
            let api = world.api.with_key(&text(grant, "access_token"));
            api.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
            let token = text(grant, "refresh_token");
            refresh(&world, &token).await.problem(401, "INVALID_CREDENTIALS");
        }
        sign_in(&world, &ada.email, PASSWORD).await.problem(401, "INVALID_CREDENTIALS");
        let three = sign_in(&world, &ada.email, next).await.expect(200);
        let four = sign_in(&world, &ada.email, next).await.expect(200);
        assert_eq!(out(&text(&three, "refresh_token"), true).await, 204);
        let api = world.api.with_key(&text(&four, "access_token"));
        api.get("/v1/me").await.problem(401, "UNAUTHENTICATED");
        let body = json!({"current_password": PASSWORD, "new_password": next});
        world.api.put("/v1/me/password", &body).await.problem(403, "FORBIDDEN");
    }

    async fn wrong_passwords_of_one_account_are_bounded_and_others_sign_in(world in World) {
        let (ada, eve) = (person(&world, "ada").await, person(&world, "eve").await);
        // Side by side: being fast is no way around it.
        for email in [ada.email.as_str(), "nobody@example.org"] {
            let tries = (0..30).map(|_| sign_in(&world, email, "wrong horse battery"));
            let replies: Vec<Reply> = stream::iter(tries).buffer_unordered(30).collect().await;
            let let_through = replies.iter().filter(|reply| reply.status == 401).count();
            assert_eq!(let_through, 10, "{email}");
            for reply in replies.iter().filter(|reply| reply.status != 401) {
                reply.problem(429, "RATE_LIMITED");
                assert!(reply.header("ratelimit-policy").starts_with("\"sign-in\";q=10;w=600"));
                assert!(!reply.header("retry-after").is_empty());
            }
        }
        sign_in(&world, &ada.email, PASSWORD).await.problem(429, "RATE_LIMITED");
        // Who is in stays in, and a right password costs nothing.
        ada.api.get("/v1/me").await.expect(200);
        for _ in 0..12 {
            sign_in(&world, &eve.email, PASSWORD).await.expect(200);
        }
    }

    async fn ten_thousand_wrong_keys_are_refused_without_asking_the_database_for_each(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_FAILED_AUTH_LIMIT", "20").await;
        world.api.get("/v1/orders").await.expect(200);
        let before = looked_up(&world).await;
        let began = Instant::now();
        let at_once = 50;
        let guess = |number: u32| {
            let api = world.api.with_key(&format!("ok_a-wrong-key-of-some-length-{number:06}"));
            async move { api.get("/v1/orders").await }
        };
        let mut unauthenticated = 0;
        let mut replies = stream::iter((0..10_000).map(guess)).buffer_unordered(at_once);
        while let Some(reply) = replies.next().await {
            match reply.status {
                401 => unauthenticated += 1,
                _ => drop(reply.problem(429, "RATE_LIMITED")),
            }
        }
        // Twenty at once, one more in each three seconds, and those on their way at the same time.
        let bound = 20 + began.elapsed().as_secs() / 3 + 1 + u64::try_from(at_once).unwrap();
        assert!(unauthenticated <= bound, "{unauthenticated} of 10,000, bound {bound}");
        let asked = looked_up(&world).await - before;
        assert!(asked <= bound, "the database was asked {asked} times, bound {bound}");
        // Whoever is known is not held up by somebody at the same address.
        world.api.get("/v1/orders").await.expect(200);
        sign_in(&world, "ada@example.org", PASSWORD).await.problem(429, "RATE_LIMITED");
    }

    async fn no_secret_is_written_anywhere(mut world in World) {
        world.terminate().await;
        world.restart_with("ORDERLY_LOG", "debug").await;
        let ada = person(&world, "ada").await;
        let operator = staff(&world, "operator").await;
        operator.get("/v1/orders").await.expect(200);
        let second = refresh(&world, &ada.refresh_token).await.expect(200);
        refresh(&world, &ada.refresh_token).await.problem(401, "INVALID_CREDENTIALS");
        let (wrong, next) = ("a wrong canary 77", "the next canary 78");
        sign_in(&world, &ada.email, wrong).await.problem(401, "INVALID_CREDENTIALS");
        let again = sign_in(&world, &ada.email, PASSWORD).await.expect(200);
        let api = world.api.with_key(&text(&again, "access_token"));
        let body = json!({"current_password": PASSWORD, "new_password": next});
        assert_eq!(api.put("/v1/me/password", &body).await.status, 204);
        let key = json!({"name": "till", "scopes": ["orders:read"]});
        let key = text(&world.api.post("/v1/api-keys", &key).await.expect(201), "secret");
        world.api.with_key(&key).get("/v1/orders").await.expect(200);
        // Where a secret does not belong, and in a body that cannot be read.
        let nonsense = format!(r#"{{"grant_type":"password","email":"a@b","password":"{wrong}""#);
        let request = world.api.http.post(format!("{}/v1/tokens", world.api.base));
        send(request.body(nonsense)).await.problem(400, "INVALID_BODY");
        world.api.with_key(wrong).get("/v1/orders").await.problem(401, "UNAUTHENTICATED");
        let metrics = world.private("/metrics").await.text;
        assert_eq!(world.terminate().await.code(), Some(0));
        let log = eventually("the log is there", async || {
            let log = std::fs::read_to_string(world.path().join("server.log")).unwrap_or_default();
            if log.contains("refresh_token_reused") { Ok(log) } else { Err(log.len().to_string()) }
        })
        .await;
        assert!(log.lines().count() > 50, "the log says little: {log}");
        let mut secrets = vec![PASSWORD.to_owned(), wrong.to_owned(), next.to_owned(), key];
        secrets.extend([ada.refresh_token, ada.api.key, operator.key]);
        for grant in [&second, &again] {
            secrets.extend([text(grant, "access_token"), text(grant, "refresh_token")]);
        }
        for secret in secrets {
            // A part of it would be as bad.
            let part = &secret[secret.len().saturating_sub(16)..];
            assert!(!log.contains(part) && !metrics.contains(part), "the log holds {secret}");
            for (path, bytes) in crate::auth::files(world.path()) {
                let found = bytes.windows(part.len()).any(|window| window == part.as_bytes());
                assert!(!found, "{} holds {secret}", path.display());
            }
        }
        assert!(!log.contains("example.org"), "an e-mail address is in the log");
    }
}
