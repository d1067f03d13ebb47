//! Standing by.

use sqlx::PgConnection;

use crate::{Lost, Relay, Tenure, leadership, lost::answered, sequence, store};

/// A relay that stands by, with a session of its own.
pub struct Candidate {
    relay: Relay,
    session: PgConnection,
    /// The publisher that the database belongs to, once it has been asked.
    publisher: Option<String>,
}

/// What became of a try to lead.
pub enum Candidacy {
    /// This one leads.
    Leads(Box<Tenure>),
    /// Another relay leads.
    StandsBy(Candidate),
}

impl Candidate {
    pub(crate) fn new(relay: Relay, session: PgConnection) -> Self {
        Candidate { publisher: relay.publisher().map(str::to_owned), relay, session }
    }

    /// Leads if the leader's session is gone, or its lease is over, or there has been none. Does not wait.
    ///
    /// # Errors
    /// Also if the database is in a state in which rows would be lost or go astray: see [`Lost`].
    pub async fn try_to_lead(mut self) -> Result<Candidacy, Lost> {
        let timing = self.relay.timing();
        let bound = timing.answered_within();
        let session = &mut self.session;
        if self.publisher.is_none() {
            self.publisher = answered(bound, store::declared_publisher(session)).await?;
        }
        // Also while another relay leads: whoever leads another database with the same publisher has to know.
        if let Some(publisher) = &self.publisher {
            self.relay.claim(publisher)?;
        }
        let Some(vacancy) = answered(bound, leadership::vacancy(session, self.relay.abandoned())).await? else {
            return Ok(Candidacy::StandsBy(self));
        };
        if vacancy.is_handed_over() {
            return Err(Lost::HandedOver);
        }
        let publisher = self.publisher.clone().ok_or(Lost::NoPublisher)?;
        answered(bound, sequence::look(session)).await?.check(vacancy.last_seq)?;
        sequence::check_used_once(session, (vacancy.last_seq, vacancy.last_seq), bound).await?;
        let mandate =
            answered(bound, leadership::take_over(session, &vacancy, timing.lease, self.relay.holder())).await?;
        Ok(match mandate {
            Some(mandate) => Candidacy::Leads(Box::new(Tenure::begin(&self.relay, self.session, mandate, &publisher)?)),
            None => Candidacy::StandsBy(self),
        })
    }
}
