//! The watch on a disk that fails, with people, clocks and channels that do what they like,
//! against a model that does not. One seed decides everything, so a failure is repeated by
//! `VEDETTE_SIM_SEED=n cargo test --test watch_simulation`.

#[path = "watch_simulation/sink.rs"]
mod sink;
mod support;
#[path = "watch_simulation/world.rs"]
mod world;

use world::World;

const SEEDS: u64 = 200;
const STEPS: u64 = 120;

fn run(seed: u64) {
    let mut world = World::new(seed);
    world.open();
    for _ in 0..STEPS {
        world.step();
    }
    world.drain();
}

#[test]
fn whoever_is_told_of_a_beginning_is_told_of_the_end_through_every_fault() {
    if let Ok(seed) = std::env::var("VEDETTE_SIM_SEED") {
        return run(seed.parse().expect("VEDETTE_SIM_SEED is a number"));
    }
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..SEEDS).step_by(threads as usize).for_each(run));
        }
    });
}
