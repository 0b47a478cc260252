//! Objects of one kind that people defined, from the settings file, the API, or built in.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Batch, Watch, WatchError, feed};
use crate::model::{Definition, Name, Origin, Timestamp};
use crate::store::{DocumentKind, Store, StoreError, Table, Write, documents};

/// An object and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Defined<T> {
    /// The object.
    pub definition: T,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
    /// When it was made; of the file: when that was read.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Why an object was not taken, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// There is one of that name.
    #[error("a {noun} named {name:?} exists; change it with PUT or PATCH, or use another name")]
    Exists {
        /// What it is called.
        noun: &'static str,
        /// Its name.
        name: Name,
    },
    /// There is none of that name.
    #[error("there is no {noun} named {name:?}")]
    Absent {
        /// What it is called.
        noun: &'static str,
        /// The name.
        name: String,
    },
    /// It is in the settings file.
    #[error("the {noun} {name:?} is defined in the settings file; change it there and reload")]
    OfFile {
        /// What it is called.
        noun: &'static str,
        /// Its name.
        name: Name,
    },
    /// It is not valid.
    #[error("{0}")]
    Invalid(String),
    /// There are too many.
    #[error("there are {max} {noun}s, and no more are taken; remove some")]
    TooMany {
        /// What they are called.
        noun: &'static str,
        /// The bound.
        max: usize,
    },
    /// It could not be committed.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// Objects of one kind from the API: bounds memory and the file.
const DEFINED_MAX: usize = 10_000;

type List<T> = BTreeMap<Name, Arc<Defined<T>>>;

/// All objects of one kind. Of a name, the file wins over the API, and both over what is built
/// in.
pub struct Definitions<T> {
    kind: DocumentKind,
    list: ArcSwap<List<T>>,
    /// Those of the API, also where the file has one of the same name.
    api: tokio::sync::Mutex<List<T>>,
    /// Those of the file and built in.
    fixed: ArcSwap<List<T>>,
    changes: watch::Sender<u64>,
}

impl<T: Definition> Definitions<T> {
    /// Reads those of the API from the database.
    ///
    /// # Errors
    ///
    /// When the database cannot be read. One that cannot be decoded is reported and left out.
    pub fn open(store: &Store, kind: DocumentKind) -> Result<Self, StoreError> {
        let read = || documents::<Defined<T>>(&store.read()?, Table::Watch, kind, T::NOUN);
        let api = store.again(read)?.into_iter();
        let api = api.map(|(_, defined)| (defined.definition.name().clone(), Arc::new(defined)));
        let api: List<T> = api.collect();
        Ok(Definitions {
            kind,
            list: ArcSwap::from_pointee(api.clone()),
            api: tokio::sync::Mutex::new(api),
            fixed: ArcSwap::from_pointee(List::new()),
            changes: watch::Sender::new(0),
        })
    }

    /// All of them, by name.
    pub fn list(&self) -> Arc<BTreeMap<Name, Arc<Defined<T>>>> {
        self.list.load_full()
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<Arc<Defined<T>>> {
        self.list.load().get(name).cloned()
    }

    /// Counts changes; whoever follows them waits on it.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes up what the settings file has, and what is built in, in place of what it had before.
    pub async fn set_fixed(&self, objects: impl IntoIterator<Item = (Origin, T)>, now: Timestamp) {
        let api = self.api.lock().await;
        let mut fixed = List::new();
        for (origin, definition) in objects {
            let name = definition.name().clone();
            if origin == Origin::Default && (fixed.contains_key(&name) || api.contains_key(&name)) {
                continue;
            }
            let known = self.fixed.load().get(&name).cloned();
            let same = known.filter(|k| k.definition == definition && k.origin == origin);
            let defined = same.unwrap_or_else(|| {
                Arc::new(Defined { definition, origin, created_at: now, updated_at: now })
            });
            fixed.insert(name, defined);
        }
        self.fixed.store(Arc::new(fixed));
        self.publish(&api);
    }

    /// Adds one.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`]: it exists, is not valid, or was not committed.
    pub async fn create(
        &self,
        watch: &Watch,
        definition: T,
        now: Timestamp,
    ) -> Result<Arc<Defined<T>>, DefinitionError> {
        let mut api = self.api.lock().await;
        let name = definition.name().clone();
        match self.get(name.as_str()) {
            Some(known) if known.origin != Origin::Default => {
                return Err(DefinitionError::Exists { noun: T::NOUN, name });
            }
            _ => {}
        }
        self.save(watch, &mut api, definition, now, now).await
    }

    /// Puts one in the place of what has its name, or adds it. Gives whether it is new.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`]: it is of the file, not valid, or was not committed.
    pub async fn put(
        &self,
        watch: &Watch,
        definition: T,
        now: Timestamp,
    ) -> Result<(Arc<Defined<T>>, bool), DefinitionError> {
        let mut api = self.api.lock().await;
        let name = definition.name().clone();
        let known = self.get(name.as_str());
        if known.as_ref().is_some_and(|known| known.origin == Origin::File) {
            return Err(DefinitionError::OfFile { noun: T::NOUN, name });
        }
        let created_at = known.as_ref().map_or(now, |known| known.created_at);
        let saved = self.save(watch, &mut api, definition, created_at, now).await?;
        Ok((saved, known.is_none()))
    }

    /// Removes one.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`]: there is none, it is of the file, or this was not committed.
    pub async fn remove(&self, watch: &Watch, name: &str) -> Result<(), DefinitionError> {
        let mut api = self.api.lock().await;
        let absent = || DefinitionError::Absent { noun: T::NOUN, name: name.to_owned() };
        let known = self.get(name).ok_or_else(absent)?;
        if known.origin != Origin::Api {
            let name = known.definition.name().clone();
            return Err(DefinitionError::OfFile { noun: T::NOUN, name });
        }
        let writes = vec![Write::no_document(Table::Watch, self.kind, name)];
        let facts = vec![feed::removed(self.kind, name)];
        watch.commit(Batch { writes, facts, ..Batch::default() }).await?;
        api.remove(name);
        self.publish(&api);
        Ok(())
    }

    async fn save(
        &self,
        watch: &Watch,
        api: &mut List<T>,
        definition: T,
        created_at: Timestamp,
        updated_at: Timestamp,
    ) -> Result<Arc<Defined<T>>, DefinitionError> {
        definition.check().map_err(DefinitionError::Invalid)?;
        let name = definition.name().clone();
        if api.len() >= DEFINED_MAX && !api.contains_key(&name) {
            return Err(DefinitionError::TooMany { noun: T::NOUN, max: DEFINED_MAX });
        }
        let defined = Defined { definition, origin: Origin::Api, created_at, updated_at };
        let write = Write::document(Table::Watch, self.kind, name.as_str(), &defined)
            .map_err(|error| DefinitionError::Invalid(error.to_string()))?;
        let is_new = self.get(name.as_str()).is_none();
        let facts = vec![feed::defined(self.kind, is_new, &defined)];
        watch.commit(Batch { writes: vec![write], facts, ..Batch::default() }).await?;
        let defined = Arc::new(defined);
        api.insert(name, Arc::clone(&defined));
        self.publish(api);
        Ok(defined)
    }

    fn publish(&self, api: &List<T>) {
        let mut list = api.clone();
        let fixed = self.fixed.load();
        for (name, defined) in fixed.iter() {
            if defined.origin == Origin::File || !list.contains_key(name) {
                list.insert(name.clone(), Arc::clone(defined));
            }
        }
        self.list.store(Arc::new(list));
        self.changes.send_modify(|count| *count += 1);
    }
}
