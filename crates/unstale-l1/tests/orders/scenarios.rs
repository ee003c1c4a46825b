//! Two or three threads, few steps. Each scenario tells whether what was read is new enough.

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use std::sync::Arc;

use unstale_core::{ActLog, DigestRow, Name, ProcessId, Stream, Subject, SuspectFilter};
use unstale_l1::{
    Domain, DomainConfig, Flights, Handle, Joined, Key, Lines, Mechanism, NewEntry, Scope, Suspects, Table,
    TableConfig, Tick,
};

pub(crate) type Scenario = fn(Option<Mechanism>) -> bool;

pub(crate) const SCENARIOS: &[(&str, Scenario)] = &[
    ("a load and the expiry of its tag", a_load_and_the_expiry_of_its_tag),
    ("a load and an expiry", a_load_and_an_expiry),
    ("a load and a removal", a_load_and_a_removal),
    ("a composite and a removal", a_composite_and_a_removal),
    ("two acts and two reads", two_acts_and_two_reads),
    ("a hit on another thread", a_hit_on_another_thread),
    ("a hit on another thread after a clear", a_hit_on_another_thread_after_a_clear),
    ("two acts on two caches and two reads", two_acts_on_two_caches_and_two_reads),
    ("a long list and an act", a_long_list_and_an_act),
    ("a vetting and a doubt", a_vetting_and_a_doubt),
];

const TAGS: [&[u8]; 2] = [b"a", b"b"];

#[derive(Clone)]
struct World {
    domain: Domain,
    users: Table<u64, u64>,
    loads: Flights<u64, u64, ()>,
    /// The database: what was committed is seen by who knows of something later, and not by all at once.
    row: Arc<AtomicU64>,
    met: Arc<AtomicU64>,
}

impl World {
    fn new(without: Option<Mechanism>) -> Self {
        let config =
            DomainConfig { lines: Lines::of_bits(3), seed: Some(7), without, ..DomainConfig::default() };
        let domain = Domain::new(config, ActLog::new(Stream::first(ProcessId(1))));
        let users = domain.table(Name::new("users").expect("a short name"), TableConfig::default());
        let users = users.expect("a new name");
        Self {
            loads: Flights::new(&users),
            domain,
            users,
            row: Arc::new(AtomicU64::new(1)),
            met: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Where the order of threads matters. It orders no memory: loom remembers one access to each place and looks no further
    /// back, so it overlooks that a count was read if its writer read it, too.
    fn meet(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
    }

    fn beside<R: 'static>(&self, f: impl FnOnce(&Self) -> R + 'static) -> thread::JoinHandle<R> {
        let world = self.clone();
        thread::spawn(move || {
            world.meet();
            let result = f(&world);
            world.meet();
            result
        })
    }

    fn change(&self) {
        self.row.store(2, Ordering::Relaxed);
    }

    fn load(&self, tag: usize) {
        self.meet();
        if let Joined::Lead(lead) = self.loads.join(&7) {
            self.meet();
            let value = self.row.load(Ordering::Relaxed);
            self.meet();
            drop_it(lead.land(self.entry(value, tag)));
        }
    }

    fn entry(&self, value: u64, tag: usize) -> NewEntry<u64> {
        NewEntry::value(value).time_to_live(Tick(100)).tags([self.users.tag_subject(TAGS[tag])])
    }

    fn cache(&self, key: u64, tag: usize) {
        drop_it(self.users.set(&key, self.entry(1, tag), 0));
    }

    fn read(&self, key: u64) -> Option<u64> {
        self.meet();
        self.users.get(&key).map(|value: Handle<u64>| *value)
    }

    fn doubt(&self, id: u64, key: u64) {
        let subject = Subject::Key { cache: self.users.name().clone(), key: key.encode() };
        let mut digest = SuspectFilter::default();
        digest.add(&[DigestRow::of(&subject)]);
        self.domain.distrust(id, Suspects::Hashes(&digest), Tick::LAST);
    }
}

fn join<R>(thread: thread::JoinHandle<R>) -> R {
    thread.join().expect("no thread panics")
}

fn drop_it<T>(_: T) {}

fn a_load_and_the_expiry_of_its_tag(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    let writer = world.beside(|world| {
        world.change();
        drop_it(world.users.expire_tag(TAGS[0], 0));
    });
    world.load(0);
    join(writer);
    world.read(7) != Some(1)
}

fn a_load_and_an_expiry(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    let writer = world.beside(|world| {
        world.change();
        drop_it(world.users.expire(&7, 0));
    });
    world.load(0);
    join(writer);
    world.read(7) != Some(1)
}

fn a_load_and_a_removal(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    let writer = world.beside(|world| {
        world.change();
        drop_it(world.users.remove(&7, 0));
    });
    world.load(0);
    join(writer);
    world.read(7) != Some(1)
}

fn a_composite_and_a_removal(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    world.cache(8, 1);
    let writer = world.beside(|world| {
        world.change();
        drop_it(world.users.remove(&8, 0));
    });
    world.meet();
    if let Joined::Lead(lead) = world.loads.join(&7) {
        let scope = Scope::new(&world.users);
        let part = scope.run(|| world.read(8));
        let value = part.unwrap_or_else(|| world.row.load(Ordering::Relaxed));
        world.meet();
        drop_it(lead.land(world.entry(value, 0).parts(scope.recorded())));
    }
    join(writer);
    world.read(7) != Some(1)
}

/// Who saw the second act sees the first one, too.
fn two_acts_and_two_reads(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    world.cache(7, 0);
    world.cache(8, 1);
    let writer = world.beside(|world| {
        drop_it(world.users.expire_tag(TAGS[0], 0));
        drop_it(world.users.expire_tag(TAGS[1], 0));
    });
    let second = world.read(8);
    let first = world.read(7);
    join(writer);
    second.is_some() || first.is_none()
}

/// Who knows that an act returned sees it.
fn a_hit_on_another_thread(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    world.cache(7, 0);
    let writer = world.beside(|world| {
        drop_it(world.users.expire_tag(TAGS[0], 0));
        world.row.store(2, Ordering::Release);
    });
    let acted = world.row.load(Ordering::Acquire) == 2;
    let read = world.read(7);
    join(writer);
    !acted || read.is_none()
}

fn a_hit_on_another_thread_after_a_clear(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    world.cache(7, 0);
    let writer = world.beside(|world| {
        drop_it(world.users.clear(0));
        world.row.store(2, Ordering::Release);
    });
    let acted = world.row.load(Ordering::Acquire) == 2;
    let read = world.read(7);
    join(writer);
    !acted || read.is_none()
}

/// The first is on all of a cache, the second on a tag of another one.
fn two_acts_on_two_caches_and_two_reads(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    let other = world.domain.table(Name::new("orders").expect("a short name"), TableConfig::default());
    let orders: Table<u64, u64> = other.expect("a new name");
    world.cache(7, 0);
    let tag = orders.tag_subject(TAGS[0]);
    drop_it(orders.set(&8, NewEntry::value(1).time_to_live(Tick(100)).tags([tag]), 0));
    let expired = orders.clone();
    let writer = world.beside(move |world| {
        drop_it(world.users.clear(0));
        drop_it(expired.expire_tag(TAGS[0], 0));
    });
    world.meet();
    let second = orders.get(&8).is_some();
    let first = world.read(7);
    join(writer);
    second || first.is_none()
}

fn a_long_list_and_an_act(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    let scope = Scope::new(&world.users);
    (20..23).for_each(|key| world.users.depend_on(&key, &scope));
    drop_it(world.users.set(&7, world.entry(1, 0).parts(scope.recorded()), 0));
    // After this the list is looked through again.
    drop_it(world.users.expire_tag(TAGS[1], 0));
    let writer = world.beside(|world| drop_it(world.users.remove(&20, 0)));
    world.read(7);
    join(writer);
    world.read(7).is_none()
}

fn a_vetting_and_a_doubt(without: Option<Mechanism>) -> bool {
    let world = World::new(without);
    world.cache(7, 0);
    // Below the floor, and innocent.
    world.doubt(1, 8);
    let writer = world.beside(|world| world.doubt(2, 7));
    world.read(7);
    join(writer);
    world.read(7).is_none()
}
