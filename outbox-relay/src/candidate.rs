//! A relay that stands by.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::{Lost, Tenure, context::Context, leadership, sequence, store};

/// A relay that stands by, with a session of its own.
pub struct Candidate {
    context: Arc<Context>,
    session: PgConnection,
    /// The publisher that the database belongs to, once it is known.
    publisher: Option<String>,
}

/// The result of an attempt to lead.
pub enum Candidacy {
    /// This relay leads.
    Leads(Box<Tenure>),
    /// Another relay leads.
    StandsBy(Candidate),
}

impl Candidate {
    pub(crate) fn new(context: Arc<Context>, session: PgConnection) -> Self {
        Candidate { publisher: context.publisher().map(str::to_owned), context, session }
    }

    /// Leads if there is no leader: its session is gone, its lease has expired, or there has been none. Does not wait for one to
    /// leave.
    ///
    /// # Errors
    /// Also if the database is in a state in which rows would be lost or published to a wrong topic: see [`Lost`].
    pub async fn try_to_lead(mut self) -> Result<Candidacy, Lost> {
        let (context, session) = (&self.context, &mut self.session);
        if self.publisher.is_none() {
            self.publisher = context.answered(store::declared_publisher(session)).await?;
        }
        // Also while another relay leads, so that a relay of another database with the same publisher finds out.
        if let Some(publisher) = &self.publisher {
            context.claim(publisher)?;
        }
        let Some(vacancy) = context.answered(leadership::vacancy(session, context.abandoned())).await? else {
            return Ok(Candidacy::StandsBy(self));
        };
        if vacancy.is_handed_over() {
            return Err(Lost::HandedOver);
        }
        let publisher = self.publisher.clone().ok_or(Lost::NoPublisher)?;
        let timing = context.timing();
        context.answered(sequence::look(session)).await?.check(vacancy.last_seq)?;
        sequence::check_used_once(session, (vacancy.last_seq, vacancy.last_seq), timing.answered_within()).await?;
        let take_over = leadership::take_over(session, &vacancy, timing.lease, context.holder());
        let Some(mandate) = context.answered(take_over).await? else {
            return Ok(Candidacy::StandsBy(self));
        };
        Ok(Candidacy::Leads(Box::new(Tenure::begin(self.context, self.session, mandate, &publisher)?)))
    }
}
