//! Standing by.

use sqlx::PgConnection;

use crate::{Lost, Relay, Tenure, leadership::take_over, lost::answered};

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
    pub async fn try_to_lead(mut self) -> Result<Candidacy, Lost> {
        let lease = self.relay.timing().lease;
        let mandate = answered(lease, take_over(&mut self.session, lease, self.relay.holder())).await?;
        Ok(match mandate {
            Some(mandate) => Candidacy::Leads(Box::new(Tenure::begin(&self.relay, self.session, mandate)?)),
            None => Candidacy::StandsBy(self),
        })
    }
}
