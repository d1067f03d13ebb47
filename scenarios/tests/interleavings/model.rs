//! The bus as a model that stateright explores exhaustively: every step, in every state, in every order.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, OnceLock},
};

use events::Reason;
use order::{Money, Status};
use stateright::{Checker, HasDiscoveries, Model, Property};

use crate::{
    bus::{Action, Bus, World},
    laws::{LAWS, Law, endings},
    shop::{self, Shop},
    story,
    wish::Wish,
};

/// A possible end of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ending {
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    /// In minor units.
    pub(crate) given_back: i64,
}

/// Extent and result of an exploration.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) worlds: usize,
    pub(crate) steps: usize,
    pub(crate) endings: BTreeSet<Ending>,
    pub(crate) broken: Option<Broken>,
}

/// A broken law, and the shortest run that shows it.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) law: &'static str,
    pub(crate) how: String,
    pub(crate) story: String,
}

struct Interleavings {
    shop: Shop,
    begin: World,
    bus: Bus,
    endings: Mutex<BTreeSet<Ending>>,
    /// The first violation found. Stateright itself would report the last of several.
    broken: OnceLock<(&'static str, String)>,
}

/// Explores every run of these wishes.
pub(crate) fn explore(shop: &Shop, wishes: &[Wish], bus: Bus) -> Explored {
    let begin = shop::open(shop, wishes, &bus.cast);
    let (endings, broken) = (Mutex::default(), OnceLock::new());
    let model = Interleavings { shop: shop.clone(), begin: begin.clone(), bus, endings, broken };
    // Breadth first, so that the first violation has the shortest run.
    let checker = model.checker().finish_when(HasDiscoveries::Any).spawn_bfs().join();
    let path = checker.discoveries().into_values().next();
    let model = checker.model();
    let broken = model.broken.get().zip(path).map(|((law, how), path)| {
        let story = story::tell(&model.bus, &begin, &path.into_actions());
        Broken { law, how: how.clone(), story }
    });
    Explored {
        worlds: checker.unique_state_count(),
        steps: checker.state_count(),
        endings: model.endings.lock().expect("nobody panicked").clone(),
        broken,
    }
}

impl Interleavings {
    fn holds(&self, law: &Law, world: &World) -> bool {
        match (law.holds)(&self.shop, &self.bus, world) {
            Ok(()) => true,
            Err(how) => self.broken.set((law.name, how)).is_err(),
        }
    }

    fn note_endings(&self, world: &World) {
        let purchases = world.databases.order.purchases.iter();
        let endings = purchases.map(|(_, purchase)| Ending {
            status: purchase.status,
            reason: purchase.reason,
            given_back: match purchase.money {
                Money::Open => 0,
                Money::Settled { refunded, .. } => refunded,
            },
        });
        self.endings.lock().expect("nobody panicked").extend(endings);
    }
}

impl Model for Interleavings {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![self.begin.clone()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Action>) {
        steps.extend(self.bus.steps(world));
    }

    fn next_state(&self, world: &World, step: Action) -> Option<World> {
        self.bus.take(world, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("every law holds", |model: &Self, world: &World| {
            if endings::is_final(&model.bus, world) {
                model.note_endings(world);
            }
            LAWS.into_iter().all(|law| model.holds(law, world))
        })]
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if let Some(reason) = self.reason {
            write!(f, " {reason}")?;
        }
        if self.given_back > 0 {
            write!(f, ", {} given back", self.given_back)?;
        }
        Ok(())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken: {} ({})\n{}", self.law, self.how, self.story)
    }
}
