//! Standing by.

use sqlx::PgConnection;

use crate::{Lost, Relay, Tenure, leadership, lost::answered, outbox, sequence};

/// A relay that stands by, with a session of its own.
pub struct Candidate {
    relay: Relay,
    session: PgConnection,
}

/// What became of a try to lead.
pub enum Candidacy {
    Leads(Box<Tenure>),
    /// Another relay leads.
    StandsBy(Candidate),
}

impl Candidate {
    pub(crate) fn new(relay: Relay, session: PgConnection) -> Self {
        Candidate { relay, session }
    }

    /// Leads if the leader's session is gone, or its lease is over, or there has been none. Does not wait.
    ///
    /// # Errors
    /// Also if the database is in a state in which rows would be lost or go astray: see [`Lost`].
    pub async fn try_to_lead(mut self) -> Result<Candidacy, Lost> {
        let timing = self.relay.timing();
        let bound = timing.answered_within();
        let session = &mut self.session;
        let Some(vacancy) = answered(bound, leadership::vacancy(session, self.relay.abandoned())).await? else {
            return Ok(Candidacy::StandsBy(self));
        };
        let publisher = match self.relay.publisher() {
            Some(publisher) => publisher.to_owned(),
            None => answered(bound, outbox::declared_publisher(session)).await?.ok_or(Lost::NoPublisher)?,
        };
        self.relay.claim(&publisher)?;
        answered(bound, sequence::look(session)).await?.check(vacancy.last_seq)?;
        answered(bound, async { Ok(sequence::check_behind(session, vacancy.last_seq).await) }).await??;
        let mandate =
            answered(bound, leadership::take_over(session, &vacancy, timing.lease, self.relay.holder())).await?;
        Ok(match mandate {
            Some(mandate) => Candidacy::Leads(Box::new(Tenure::begin(&self.relay, self.session, mandate, &publisher)?)),
            None => Candidacy::StandsBy(self),
        })
    }
}
