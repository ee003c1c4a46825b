//! Batches: acts on many subjects, of this node or of another.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use unstale_core::{Act, Appended, Batch, Name, Subject, Told, Verb};

use crate::act::Section;
use crate::domain::{CHUNK_MAX, Shared};
use crate::fence::{Fences, Reach, SubjectRef};
use crate::registry::{AnyTable, Chunk, Registry};

/// What a local act gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Acted {
    /// Its number in the stream of this node.
    pub appended: Appended,
    /// Whether the key had an entry.
    pub present: bool,
}

/// What a batch of local acts gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Committed {
    /// Their numbers in the stream of this node.
    pub appended: Appended,
    /// How many of the keys had an entry.
    pub present: usize,
}

/// Local acts on any tables, gathered to be done as one batch by [`Domain::commit`](crate::Domain::commit). Nothing happens
/// before, or if it is dropped. Acts on one key take effect in the order in which they were added.
///
/// ```
/// # use unstale_core::{ActLog, Name, ProcessId, Stream};
/// # use unstale_l1::{Domain, DomainConfig, Table, TableConfig};
/// use unstale_core::Batch;
/// use unstale_l1::LocalActs;
///
/// # let domain = Domain::new(DomainConfig::default(), ActLog::new(Stream::first(ProcessId(1))));
/// # let name = |text: &'static str| Name::new(text).unwrap();
/// let users: Table<u64, String> = domain.table(name("users"), TableConfig::default()).unwrap();
/// let orders: Table<u64, u64> = domain.table(name("orders"), TableConfig::default()).unwrap();
/// let mut acts = LocalActs::new();
/// users.remove_in(&mut acts, &7);
/// orders.clear_in(&mut acts);
/// acts.remove_tag("org:7");
/// let committed = domain.commit(acts, Batch::Whole, 0).unwrap();
/// assert_eq!(committed.appended.range.count(), 3);
/// ```
#[derive(Default)]
pub struct LocalActs {
    plans: Vec<Plan>,
    acts: Vec<Act>,
}

impl LocalActs {
    /// No acts.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many acts were added.
    pub const fn len(&self) -> usize {
        self.acts.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.acts.is_empty()
    }

    /// A tag in every cache of the node: what carries it is gone.
    pub fn remove_tag(&mut self, tag: impl Into<Bytes>) {
        self.node_tag(tag.into(), Verb::Remove);
    }

    /// A tag in every cache of the node: what carries it is stale.
    pub fn expire_tag(&mut self, tag: impl Into<Bytes>) {
        self.node_tag(tag.into(), Verb::Expire);
    }

    /// Every cache of the node: everything is gone.
    pub fn clear(&mut self) {
        self.everything(Verb::Remove);
    }

    /// Every cache of the node: everything is stale.
    pub fn expire_all(&mut self) {
        self.everything(Verb::Expire);
    }

    /// Adds an act; the plan with room for it is for the caller to fill.
    pub(crate) fn add(&mut self, act: Act) -> &mut Plan {
        self.acts.push(act);
        if self.plans.last().is_none_or(|plan| plan.len >= CHUNK_MAX) {
            self.plans.push(Plan::default());
        }
        let last = self.plans.len() - 1;
        let plan = &mut self.plans[last];
        plan.len += 1;
        plan
    }

    pub(crate) fn commit(mut self, shared: &Shared, batch: Batch, told: Told) -> Option<Committed> {
        let mut present = 0;
        let last = self.plans.len().checked_sub(1)?;
        for plan in &mut self.plans[..last] {
            present += plan.run(&mut Section::enter(shared), &[]);
        }
        let mut section = Section::enter(shared);
        present += self.plans[last].run(&mut section, &[]);
        let appended = section.acts().log.append_all(self.acts, batch, told);
        drop(section);
        Some(Committed { appended, present })
    }

    fn node_tag(&mut self, tag: Bytes, verb: Verb) {
        let subject = Subject::Tag { cache: None, tag: tag.clone() };
        self.add(Act { verb, subject }).node_tags.push((tag, Reach::of(verb)));
    }

    fn everything(&mut self, verb: Verb) {
        self.add(Act { verb, subject: Subject::All }).everything.push(Reach::of(verb));
    }
}

/// Acts of one critical section, with everything worked out that can be beforehand.
#[derive(Default)]
pub(crate) struct Plan {
    len: usize,
    subjects: Vec<(SubjectRef, Reach)>,
    caches: Vec<(Arc<dyn AnyTable>, Reach)>,
    node_tags: Vec<(Bytes, Reach)>,
    everything: Vec<Reach>,
    /// Each with the address of its table, which it keeps in place.
    chunks: Vec<(usize, Box<dyn Chunk>)>,
}

impl Plan {
    /// A plan for acts of another node.
    pub(crate) fn of_remote(acts: &[Act], registry: &Registry) -> Self {
        let mut plan = Self::default();
        // Acts on keys come in runs of one cache.
        let mut run: Option<(&Name, Option<usize>)> = None;
        for (done, act) in acts.iter().enumerate() {
            let reach = Reach::of(act.verb);
            match &act.subject {
                Subject::Key { cache, key } => {
                    let chunk = match run {
                        Some((of, chunk)) if of.is(cache) || of == cache => chunk,
                        _ => registry.get(cache).map(|table| {
                            let address = Arc::as_ptr(&table).addr();
                            plan.chunk(address, || table.chunk(acts.len() - done))
                        }),
                    };
                    run = Some((cache, chunk));
                    if let Some(chunk) = chunk {
                        plan.chunks[chunk].1.add(done, key, reach);
                    }
                }
                Subject::Tag { cache: Some(cache), tag } => {
                    if let Some(table) = registry.get(cache) {
                        plan.subjects.push((table.tag(tag), reach));
                    }
                }
                Subject::Tag { cache: None, tag } => plan.node_tags.push((tag.clone(), reach)),
                Subject::Cache { cache } => {
                    plan.caches.extend(registry.get(cache).map(|table| (table, reach)));
                }
                Subject::All => plan.everything.push(reach),
            }
        }
        plan
    }

    pub(crate) fn add_subject(&mut self, subject: SubjectRef, reach: Reach) {
        self.subjects.push((subject, reach));
    }

    pub(crate) fn add_cache(&mut self, table: Arc<dyn AnyTable>, reach: Reach) {
        self.caches.push((table, reach));
    }

    /// Which of the chunks has the acts on the keys of the table at an address.
    fn chunk(&mut self, address: usize, new: impl FnOnce() -> Box<dyn Chunk>) -> usize {
        self.chunks.iter().position(|(of, _)| *of == address).unwrap_or_else(|| {
            self.chunks.push((address, new()));
            self.chunks.len() - 1
        })
    }

    /// The chunk of acts on the keys of a table, with its types.
    pub(crate) fn typed_chunk<T, C: Chunk>(
        &mut self,
        table: &Arc<T>,
        new: impl Fn(Arc<T>) -> C,
    ) -> Option<&mut C> {
        let address = Arc::as_ptr(table).addr();
        let index = self.chunk(address, || Box::new(new(Arc::clone(table))));
        let chunk: &mut dyn Any = &mut *self.chunks[index].1;
        chunk.downcast_mut()
    }

    /// Does the acts: `remote`, if the plan was made of those. What they displace stays in the plan, which must outlive the section.
    pub(crate) fn run(&mut self, section: &mut Section<'_>, remote: &[Act]) -> usize {
        let registry = Arc::clone(&section.acts().registry);
        let fences = &section.shared().fences;
        section.raise_then_drop(
            self,
            |plan, number| plan.raise(number, fences, &registry),
            |plan, number| plan.chunks.iter_mut().map(|(_, chunk)| chunk.withdraw(number, remote)).sum(),
        )
    }

    /// How many of the acts that were done name keys by bytes that no key encodes to.
    pub(crate) fn undecodable(&self) -> usize {
        self.chunks.iter().map(|(_, chunk)| chunk.undecodable()).sum()
    }

    fn raise(&self, number: u64, fences: &Fences, registry: &Registry) {
        for (subject, reach) in &self.subjects {
            fences.raise(*subject, number, *reach);
        }
        for (table, reach) in &self.caches {
            raise_cache(&**table, number, *reach, fences);
        }
        for (tag, reach) in &self.node_tags {
            for table in registry.tables() {
                fences.raise(table.tag(tag), number, *reach);
            }
        }
        for reach in &self.everything {
            for table in registry.tables() {
                raise_cache(&*table, number, *reach, fences);
            }
        }
        for (_, chunk) in &self.chunks {
            chunk.raise(number);
        }
    }
}

impl Reach {
    pub(crate) const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Set | Verb::Expire => Self::Stale,
            Verb::Remove => Self::Gone,
        }
    }
}

/// Reaches all that an act on one of its keys or tags would: what other caches computed from it has the fence of the whole
/// cache among its dependencies.
fn raise_cache(table: &dyn AnyTable, number: u64, reach: Reach, fences: &Fences) {
    fences.raise(table.whole(), number, reach);
    match reach {
        Reach::Stale => table.floors().expire(number),
        Reach::Gone => table.floors().clear(number),
    }
}
