//! A disk that lies the way real ones do: what was not synced may be lost or torn, and any
//! operation may fail. Everything follows from one seed.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;
use vedette::store::Medium;

const PAGE: usize = 4096;

/// A small generator of our own, so that a seed means the same for ever (SplitMix64, Steele and
/// others, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// What goes wrong next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails as with a broken disk.
    Eio,
    /// Writes fail as on a full disk, syncs and reads do not.
    Enospc,
    /// The power goes: this and everything after fails until [`SimDisk::crash`].
    PowerCut,
}

#[derive(Debug, Default)]
struct State {
    /// What a restart is sure to find.
    durable: Vec<u8>,
    /// What the process sees.
    current: Vec<u8>,
    /// Pages written since the last sync.
    dirty: BTreeMap<usize, ()>,
    /// Operations until the next fault, and the fault.
    countdown: Option<(u64, Fault)>,
    powered: bool,
    full: bool,
    syncs: u64,
    /// Handles of databases that are open.
    open: usize,
}

/// The simulated disk. Clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

/// What one database holds of the disk while it is open.
#[derive(Debug)]
struct Handle(SimDisk);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().open -= 1;
    }
}

impl SimDisk {
    pub fn new() -> Self {
        SimDisk(Arc::new(Mutex::new(State { powered: true, ..State::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After `operations` more writes, resizes and syncs, `fault` happens.
    pub fn fail_after(&self, operations: u64, fault: Fault) {
        self.lock().countdown = Some((operations, fault));
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.countdown = None;
        state.full = false;
    }

    /// Waits until no database has the disk open: threads that hold one end a moment after the
    /// last that could ask them something, and a database writes once more when it is closed. A
    /// file is locked against the next until then; this disk is not.
    pub fn released(&self) {
        let began = std::time::Instant::now();
        while self.lock().open > 0 {
            assert!(began.elapsed().as_secs() < 60, "a database is still open");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// The power went and came back: of every page that was not synced, by chance, all, nothing
    /// or a part is there.
    pub fn crash(&self, random: &mut Random) {
        let mut state = self.lock();
        let dirty = std::mem::take(&mut state.dirty);
        let keep_length = random.one_in(2);
        let mut after = state.durable.clone();
        if keep_length {
            after.resize(state.current.len(), 0);
        }
        for page in dirty.into_keys() {
            let (from, until) = (page * PAGE, ((page + 1) * PAGE).min(state.current.len()));
            if from >= until || until > after.len() {
                continue;
            }
            match random.below(3) {
                0 => {}
                1 => after[from..until].copy_from_slice(&state.current[from..until]),
                // Torn at a sector of 512 bytes.
                _ => {
                    let cut = from + 512 * random.below(8) as usize;
                    let cut = cut.min(until);
                    after[from..cut].copy_from_slice(&state.current[from..cut]);
                }
            }
        }
        state.durable.clone_from(&after);
        state.current = after;
        state.powered = true;
        state.full = false;
        state.countdown = None;
    }

    /// Flips a bit at rest.
    pub fn flip_bit(&self, random: &mut Random) {
        let mut state = self.lock();
        let bit = random.below(state.durable.len() as u64 * 8);
        let (byte, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        state.durable[byte] ^= mask;
        state.current[byte] ^= mask;
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.lock().current.clone()
    }
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        if !self.powered {
            return Err(io::Error::other("no power"));
        }
        if let Some((left, fault)) = &mut self.countdown {
            if *left > 0 {
                *left -= 1;
            } else {
                let fault = *fault;
                self.countdown = None;
                match fault {
                    Fault::Eio => return Err(io::Error::from_raw_os_error(5)),
                    Fault::Enospc => self.full = true,
                    Fault::PowerCut => {
                        self.powered = false;
                        return Err(io::Error::other("no power"));
                    }
                }
            }
        }
        Ok(())
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock();
        if !state.powered {
            return Err(io::Error::other("no power"));
        }
        let from = offset as usize;
        let bytes = state.current.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        if state.full && len as usize > state.current.len() {
            return Err(io::Error::from_raw_os_error(28));
        }
        state.current.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        let State { durable, current, dirty, .. } = &mut *state;
        durable.resize(current.len(), 0);
        for page in std::mem::take(dirty).into_keys() {
            let (from, until) = (page * PAGE, ((page + 1) * PAGE).min(current.len()));
            if from < until {
                durable[from..until].copy_from_slice(&current[from..until]);
            }
        }
        state.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        state.step()?;
        if state.full {
            return Err(io::Error::from_raw_os_error(28));
        }
        let from = offset as usize;
        if from + data.len() > state.current.len() {
            state.current.resize(from + data.len(), 0);
        }
        state.current[from..from + data.len()].copy_from_slice(data);
        for page in from / PAGE..=(from + data.len().max(1) - 1) / PAGE {
            state.dirty.insert(page, ());
        }
        Ok(())
    }
}

impl Medium for SimDisk {
    fn backend(&self) -> io::Result<Box<dyn StorageBackend>> {
        let mut state = self.lock();
        if !state.powered {
            return Err(io::Error::other("no power"));
        }
        state.open += 1;
        Ok(Box::new(Handle(self.clone())))
    }

    fn place(&self) -> String {
        "the simulated disk".to_owned()
    }

    fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.lock().current.len() as u64)
    }

    fn disk_space(&self) -> Option<(u64, u64)> {
        None
    }
}
