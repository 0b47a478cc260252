//! Experiments as they run: the one task that decides what becomes of them.
//!
//! Owns: adopting definitions, acts of people, dates, canary steps, guardrails, the timeline of
//! estimates, the board that everybody reads. Never: taking results (that is the ledger's), or
//! deciding by itself: `experiments::machine` does. Start reading at [`Experiments`], then
//! `actor.rs`.

mod actor;
mod alerts;
mod entry;
mod judge;
mod rules;
mod stored;
mod timeline;
mod told;

pub use stored::NumberedEntry;
pub use timeline::Point;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::engine::experiments::ledger::Ledger;
use crate::engine::watch::{Catalog, Watch, WatchError};
use crate::experiments::machine::{Act, Refused};
use crate::experiments::{
    Analysis, Assignment, Board, InForce, Progress, Sums, analyze, assign, check_unit,
};
use crate::model::Name;
use crate::store::{Store, StoreError};

/// Commands that may wait for the task; senders wait beyond that.
const COMMANDS_MAX: usize = 256;

/// What experiments need of the rest.
pub struct Parts {
    /// Where states, audits and timelines are kept.
    pub store: Arc<Store>,
    /// What commits, and knows which alerts fire.
    pub watch: Watch,
    /// What people defined.
    pub catalog: Arc<Catalog>,
    /// What knows exposures and sums.
    pub ledger: Ledger,
    /// What everybody reads; the ledger has it too.
    pub board: Arc<Board>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why an act had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentError {
    /// There is none of that name.
    #[error("there is no experiment named {0:?}")]
    Absent(String),
    /// It does not fit, or makes no sense.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be committed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// What is known of an experiment besides how it stands.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The largest evidence so far.
    pub progress: Arc<Progress>,
    /// Why the definition that people gave last is not the one in force.
    pub not_in_force: Option<String>,
    /// What keeps a canary from its next step.
    pub doubt: Option<String>,
}

type KnownByNumber = ArcSwap<BTreeMap<u32, Known>>;

enum Command {
    Act { name: String, act: Act, by: String, note: String, reply: Reply },
    Settle(oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
}

type Reply = oneshot::Sender<Result<Arc<InForce>, ExperimentError>>;

/// What a unit gets, with everything that an application wants to know of it.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The experiment.
    pub experiment: Arc<InForce>,
    /// What the unit gets.
    pub assignment: Assignment,
}

impl Assigned {
    /// The variant's name; none of a unit that is to be treated as if there were no experiment.
    pub fn variant(&self) -> Option<&Name> {
        let place = self.assignment.variant?;
        self.experiment.definition.variants.get(place).map(|variant| &variant.name)
    }

    /// What the application is to go by.
    pub fn configuration(&self) -> Value {
        self.experiment.configuration(self.assignment.variant)
    }
}

/// The way to the experiments.
pub struct Experiments {
    commands: mpsc::Sender<Command>,
    store: Arc<Store>,
    ledger: Ledger,
    board: Arc<Board>,
    known: Arc<KnownByNumber>,
    clock: Arc<dyn Clock>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Experiments {
    /// Reads how experiments stand, puts them on the board and starts the task.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn start(parts: Parts) -> Result<Experiments, String> {
        let read = parts
            .store
            .again(|| stored::read_all(&parts.store))
            .map_err(|error| format!("cannot read how experiments stand: {error}"))?;
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let (store, ledger) = (Arc::clone(&parts.store), parts.ledger.clone());
        let (board, clock) = (Arc::clone(&parts.board), Arc::clone(&parts.clock));
        let known = Arc::new(KnownByNumber::default());
        let actor = actor::Actor::new(parts, Arc::clone(&known), read);
        let task = Mutex::new(Some(tokio::spawn(actor.run(waiting))));
        Ok(Experiments { commands, store, ledger, board, known, clock, task })
    }

    /// An experiment as it is in force; `None` where there is none, or this very moment.
    pub fn get(&self, name: &str) -> Option<Arc<InForce>> {
        self.board.load().get(name).cloned()
    }

    /// All of them, by name.
    pub fn all(&self) -> Arc<BTreeMap<Name, Arc<InForce>>> {
        self.board.load_full()
    }

    /// What is known of one besides.
    pub fn known(&self, number: u32) -> Known {
        self.known.load().get(&number).cloned().unwrap_or_default()
    }

    /// Lets a person act on an experiment, and gives it as it is in force then; durable when this
    /// returns.
    ///
    /// # Errors
    ///
    /// [`ExperimentError`]; nothing was done.
    pub async fn act(
        &self,
        name: &str,
        act: Act,
        by: &str,
        note: &str,
    ) -> Result<Arc<InForce>, ExperimentError> {
        let (reply, answer) = oneshot::channel();
        let (by, note) = (by.to_owned(), note.to_owned());
        let command = Command::Act { name: name.to_owned(), act, by, note, reply };
        let stopping = || ExperimentError::Watch(WatchError::Stopping);
        self.commands.send(command).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// Waits until all definitions that were given so far are taken up.
    pub async fn settled(&self) {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Settle(reply)).await.is_ok() {
            // An error means that it has ended.
            let _ = answer.await;
        }
    }

    /// Decides what a unit gets, and notes that it was exposed where `expose` says so and it is
    /// in the experiment. `attributes` is a JSON object or null.
    ///
    /// # Errors
    ///
    /// When the unit's id is not one.
    pub fn assign(
        &self,
        experiment: &Arc<InForce>,
        unit: &str,
        attributes: &Value,
        expose: bool,
    ) -> Result<Assigned, String> {
        check_unit(unit)?;
        let active = experiment.is_active();
        let known = if active { self.ledger.exposure(experiment.number(), unit) } else { None };
        let assignment = assign(experiment, unit, attributes, known);
        if let (true, true, Some(variant), Some(epoch)) =
            (expose, assignment.in_experiment, assignment.variant, experiment.epoch())
            && known.is_none_or(|known| usize::from(known.variant) != variant)
            && let Ok(variant) = u16::try_from(variant)
        {
            self.ledger.expose(experiment.number(), epoch, unit, variant, self.clock.now());
        }
        Ok(Assigned { experiment: Arc::clone(experiment), assignment })
    }

    /// What an experiment's results come to so far. Takes milliseconds.
    pub fn analysis(&self, experiment: &InForce) -> Analysis {
        let sums = self.sums(experiment.number());
        let progress = self.known(experiment.number()).progress;
        let (definition, state) = (&experiment.definition, &experiment.state);
        analyze(definition, state, &sums, &progress, self.clock.now())
    }

    /// The sums of an experiment's results.
    pub fn sums(&self, number: u32) -> Arc<Sums> {
        self.ledger.sums(number).unwrap_or_default()
    }

    /// The audit, newest first, from before an entry's number: at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn audit(
        &self,
        number: u32,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<NumberedEntry>, StoreError> {
        stored::audit(&self.store, number, before, limit)
    }

    /// The timeline of estimates, oldest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub fn timeline(&self, number: u32) -> Result<Vec<Point>, StoreError> {
        stored::points(&self.store, number)
    }

    /// Ends the task: what was asked of it before is committed.
    pub async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.commands.send(Command::Stop(reply)).await.is_ok() {
            let _ = done.await;
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}
