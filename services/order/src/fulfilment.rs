//! Progress of an order's fulfilment: one branch for shipping and one for entitlement, if they take part.

use std::{fmt, str::FromStr};

use events::{Kind, Order};

use crate::command::Turn;

/// State of one kind of an order's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Branch {
    /// No event yet.
    Open,
    Done,
    /// Will never be done.
    Refused,
    /// Taken back, or forbidden before it was done.
    Undone,
}

impl Branch {
    pub const ALL: [Branch; 4] = [Branch::Open, Branch::Done, Branch::Refused, Branch::Undone];

    /// The value in the columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Branch::Open => "open",
            Branch::Done => "done",
            Branch::Refused => "refused",
            Branch::Undone => "undone",
        }
    }

    /// The branch after a turn, or why the turn changes nothing. What has been refused or undone is never done again.
    pub fn after(self, turn: Turn) -> Result<Branch, &'static str> {
        match (self, turn) {
            (Branch::Open, Turn::Done) => Ok(Branch::Done),
            // A service does not refuse what it has done; if it does, inventory acts upon the refusal, and so does this service.
            (Branch::Open | Branch::Done, Turn::Refused(_)) => Ok(Branch::Refused),
            (Branch::Open | Branch::Done, Turn::Undone(_)) => Ok(Branch::Undone),
            (Branch::Done, Turn::Done) => Err("done already"),
            (Branch::Refused, Turn::Done) => Err("refused: it stays undone"),
            (Branch::Refused, Turn::Refused(_)) => Err("refused already"),
            (Branch::Refused, Turn::Undone(_)) => Err("refused: there is nothing to undo"),
            (Branch::Undone, Turn::Done) => Err("hanging: it was undone first"),
            (Branch::Undone, Turn::Refused(_)) => Err("undone already: the refusal changes nothing"),
            (Branch::Undone, Turn::Undone(_)) => Err("undone already"),
        }
    }

    fn is_out(self) -> bool {
        match self {
            Branch::Open | Branch::Done => false,
            Branch::Refused | Branch::Undone => true,
        }
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Branch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Branch::ALL
            .into_iter()
            .find(|branch| branch.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no branch state"))
    }
}

/// The branches of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fulfilment {
    /// The physical items, handled by shipping.
    pub parcel: Option<Branch>,
    /// The digital items, handled by entitlement.
    pub unlock: Option<Branch>,
}

impl Fulfilment {
    /// Neither service takes part.
    pub const NONE: Fulfilment = Fulfilment { parcel: None, unlock: None };

    /// What an order needs.
    pub fn of(order: &Order) -> Self {
        let branch = |kind| order.has(kind).then_some(Branch::Open);
        Fulfilment { parcel: branch(Kind::Physical), unlock: branch(Kind::Digital) }
    }

    pub fn branch_mut(&mut self, kind: Kind) -> Option<&mut Branch> {
        match kind {
            Kind::Physical => self.parcel.as_mut(),
            Kind::Digital => self.unlock.as_mut(),
        }
    }

    fn branches(self) -> impl Iterator<Item = Branch> {
        [self.parcel, self.unlock].into_iter().flatten()
    }

    pub fn is_mixed(self) -> bool {
        self.branches().count() == 2
    }

    /// Everything that was bought has been delivered.
    pub fn is_done(self) -> bool {
        self.branches().count() > 0 && self.branches().all(|branch| branch == Branch::Done)
    }

    /// At least one branch is refused or undone. The other will follow: it is compensated.
    pub fn has_failed(self) -> bool {
        self.branches().any(Branch::is_out)
    }

    /// No branch has anything left to undo.
    pub fn is_undone(self) -> bool {
        self.branches().all(Branch::is_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_read_as_it_is_written() {
        assert_eq!(Branch::ALL.map(Branch::as_str), ["open", "done", "refused", "undone"]);
        for branch in Branch::ALL {
            assert_eq!(branch.to_string().parse(), Ok(branch));
        }
        assert_eq!("lost".parse::<Branch>(), Err("`lost` is no branch state".to_owned()));
    }

    #[test]
    fn an_order_without_branches_is_never_done() {
        assert!(!Fulfilment::NONE.is_done());
        assert!(Fulfilment { parcel: Some(Branch::Done), unlock: None }.is_done());
        assert!(!Fulfilment { parcel: Some(Branch::Done), unlock: Some(Branch::Open) }.is_done());
    }
}
