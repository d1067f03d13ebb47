//! The audit log of a secured system: those who are turned away are in it, in bounds, and an operator's acts under the name of
//! his certificate; signed heads cover all of it.

use std::time::Duration;

use events::OrderId;
use scenarios::stack::{Environment, Stack, until};
use serde_json::json;
use tokio::process::Command;
use uuid::Uuid;

use crate::{BOUND, buy, with_a_secured_system};

/// Runs the runner as the operator; returns its success and what it says.
pub(crate) async fn runs(stack: &Stack, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scenarios"));
    command.envs(stack.variables()).env("USER", "eve").args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(BOUND, command.output()).await??;
    Ok((output.status.success(), String::from_utf8([output.stdout, output.stderr].concat())?))
}

/// The order API, as a user.
struct Api {
    client: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Api {
    fn of(environment: &Environment, user: Option<i64>) -> anyhow::Result<Self> {
        let token = user.map(|user| environment.credentials.of_user(user)).transpose()?.flatten();
        let client = environment.transport.http()?.timeout(Duration::from_secs(10)).build()?;
        Ok(Api { client, url: environment.order_api()?.to_owned(), token })
    }

    async fn get(&self, path: &str) -> anyhow::Result<u16> {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        Ok(request.send().await?.status().as_u16())
    }
}

async fn place(environment: &Environment) -> anyhow::Result<OrderId> {
    let order = OrderId(Uuid::now_v7());
    let data =
        json!({"order_id": order, "user_id": 5, "payment_method_id": 5, "items": [{"product_id": 21, "quantity": 1}]});
    scenarios::requests::Client::of(environment)?.request(order, &data).await?;
    let erin = Api::of(environment, Some(5))?;
    let path = format!("/orders/{order}");
    until("the order is known", BOUND, async || (erin.get(&path).await.ok()? == 200).then_some(())).await?;
    Ok(order)
}

#[test]
fn who_is_turned_away_and_what_operators_do_is_in_the_log_under_signed_heads() {
    with_a_secured_system(async |stack| {
        let environment = stack.environment().clone();
        let path = format!("/orders/{}", place(&environment).await?);
        assert_eq!(Api::of(&environment, Some(6))?.get(&path).await?, 404);
        assert_eq!(Api::of(&environment, None)?.get(&path).await?, 401);
        let listed = async |needle: &str| {
            until("the denial is in the log", BOUND, async || {
                let (_, said) = runs(stack, &["audit", "list"]).await.ok()?;
                said.contains(needle).then_some(said)
            })
            .await
        };
        listed("6 (token)  denied  route GET /orders/{order_id}  noted: another user's order").await?;
        listed("nobody (unverified)  denied  route GET /orders/{order_id}  noted: a bearer token is required").await?;
        ten_thousand_are_a_few_entries(stack, &environment, &path).await?;

        // The order service has no key to sign heads with; an operator's act signs for all rows before it.
        let nobody = Uuid::new_v4().to_string();
        assert!(!runs(stack, &["parked", "retry", &nobody]).await?.0, "it is not parked");
        let said = listed(&format!("operator (certificate)  parked.retry  parked {nobody}  failed")).await?;
        assert!(!said.contains("eve"), "{said}");
        let (sound, said) = runs(stack, &["audit", "verify"]).await?;
        assert!(sound && said.contains("signed heads cover all rows"), "{said}");
        assert!(runs(stack, &["audit", "announce"]).await?.1.contains("is announced"));
        buy(&environment, 1).await
    })
    .unwrap();
}

/// Ten thousand requests without a token.
async fn ten_thousand_are_a_few_entries(stack: &Stack, environment: &Environment, path: &str) -> anyhow::Result<()> {
    let rows = async || -> anyhow::Result<(usize, u64)> {
        let (_, said) = runs(stack, &["audit", "list", "--actor", "nobody"]).await?;
        let times =
            said.lines().filter_map(|line| line.split_once("\"times\":")?.1.strip_suffix('}')?.parse::<u64>().ok());
        let times: Vec<u64> = times.collect();
        Ok((times.len(), times.iter().sum()))
    };
    let (rows_before, times_before) = rows().await?;
    let nobody = Api::of(environment, None)?;
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        let answers = futures::future::join_all((0..100).map(|_| nobody.get(path))).await;
        assert!(answers.into_iter().all(|status| status.is_ok_and(|status| status == 401)));
    }
    let seconds = begun.elapsed().as_secs() + 1;
    let all = async || {
        let now = rows().await.ok()?;
        (now.1 - times_before >= 10_000).then_some(now)
    };
    let (rows_after, times_after) = until("all are counted", BOUND, all).await?;
    assert_eq!(times_after - times_before, 10_000);
    // This system records once a second.
    let written = (rows_after - rows_before) as u64;
    assert!((1..=seconds + 2).contains(&written), "{written} rows in {seconds} s");
    Ok(())
}
