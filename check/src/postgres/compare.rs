//! Compares the databases with the model.

use std::collections::BTreeMap;

use saga::SagaId;
use sqlx::PgPool;

use super::{
    real::{Asked, asked, said_since},
    stage::Stage,
};

impl Stage<'_> {
    /// Checks that a service has said and asked for nothing new.
    pub(super) async fn expected_nothing(&mut self, service: usize) -> anyhow::Result<Result<(), String>> {
        self.expected[service].clear();
        self.compare(service).await
    }

    /// Compares what a service has said, asked for and written with the model. An error says how they differ.
    pub(super) async fn compare(&mut self, service: usize) -> anyhow::Result<Result<(), String>> {
        let name = self.universe.check.players[service].name();
        let pool = self.reals[service].pool().clone();
        let mut said: BTreeMap<SagaId, Vec<(String, serde_json::Value)>> = BTreeMap::new();
        for row in said_since(&pool, self.read[service]).await? {
            self.read[service] = row.seq;
            self.published.entry((service, row.saga)).or_default().push(row.record);
            said.entry(row.saga).or_default().push((row.event_type, row.data));
        }
        let expected = std::mem::take(&mut self.expected[service]);
        let is_same = expected.len() == said.len()
            && expected.iter().zip(&said).all(|((saga, model), (other, real))| {
                let pairs = || model.iter().zip(real);
                saga == other && model.len() == real.len() && pairs().all(|(m, r)| m.0 == r.0 && m.1 == r.1)
            });
        if !is_same {
            return Ok(Err(format!(
                "`{name}` has said something else\n  model:    {expected:?}\n  database: {said:?}"
            )));
        }
        let mut model: Vec<Asked> = self.calls[service].iter().map(|call| self.asked(*call)).collect();
        model.sort_by(|one, other| one.key.cmp(&other.key));
        let real = asked(&pool).await?;
        if model != real {
            return Ok(Err(format!("`{name}` has asked for other calls\n  model:    {model:?}\n  database: {real:?}")));
        }
        if let Err(how) = self.compare_aside(service, &pool).await? {
            return Ok(Err(how));
        }
        let rows = self.universe.rows(service, self.world.rows(service)).clone();
        Ok(self.reals[service].compare(&rows).await)
    }

    /// Compares what waits for an operator, and that nothing was taken for a dead letter.
    async fn compare_aside(&self, service: usize, pool: &PgPool) -> anyhow::Result<Result<(), String>> {
        let name = self.universe.check.players[service].name();
        let sagas = self.world.sagas().iter().enumerate();
        let aside = sagas.filter_map(|(saga, between)| {
            let aside = self.universe.between.get(*between).aside.get(&service)?;
            Some((self.universe.saga_id(saga), aside.len()))
        });
        let (model, real) = (aside.collect::<BTreeMap<_, _>>(), self.aside(service).await?);
        if model != real {
            return Ok(Err(format!("`{name}` has other events aside\n  model:    {model:?}\n  database: {real:?}")));
        }
        let letters: i64 = sqlx::query_scalar("select count(*) from dead_letters").fetch_one(pool).await?;
        Ok(if letters == 0 { Ok(()) } else { Err(format!("`{name}` has written {letters} dead letters")) })
    }

    fn asked(&self, call: u32) -> Asked {
        let attempt = &self.universe.calls.get(call).attempt;
        Asked {
            key: attempt.idempotency_key(),
            kind: attempt.kind.to_owned(),
            request: attempt.request.clone(),
            gives_up: attempt.gives_up,
            is_open: self.is_open(call),
        }
    }
}
