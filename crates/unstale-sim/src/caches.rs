//! The caches of a simulated process, and the loaders that fill them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use unstale::{Cache, Clock as _, Error, FailSafe, Load, Loaded, Node, Value};

use crate::clock::SimClock;
use crate::database::Database;
use crate::layout::{Kind, Layout, Part, Shown, ShownCodec, Subject};
use crate::planted::{About, Memo, Planted, Ticket};

/// What the caches of a world are like.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a value is fresh.
    pub time_to_live: Duration,
    /// Whether stale values stand in for what cannot be loaded.
    pub fail_safe: bool,
    /// After which a stale value is served instead of waiting.
    pub soft_timeout: Option<Duration>,
    /// After which a call gives up.
    pub hard_timeout: Option<Duration>,
    /// The share of its life after which a value is refreshed.
    pub eager: Option<f64>,
    /// Rows that a node holds at most.
    pub capacity: u64,
    /// Whether there is a second level.
    pub store: bool,
}

/// What caches are filled from.
#[derive(Clone)]
pub struct Source {
    /// Which subjects there are.
    pub layout: Layout,
    /// Where rows come from.
    pub database: Database,
    /// What is wrong.
    pub bug: Bug,
}

/// What is planted into the caches of a process.
#[derive(Clone, Debug, Default)]
pub struct Bug {
    /// Which.
    pub planted: Option<Planted>,
    /// The cache in front of the cache, if the bug is in one.
    pub memo: Option<Arc<Memo>>,
}

/// The caches of one process. The loaders hold them, too.
pub struct Caches {
    layout: Layout,
    database: Database,
    node: Node,
    bug: Bug,
    clock: SimClock,
    /// What was loaded last, where a memo wants it.
    last: Mutex<BTreeMap<Subject, Shown>>,
    rows: Cache<u64, Shown>,
    pages: Cache<u64, Shown>,
    books: Cache<u64, Shown>,
}

/// How old the snapshots are that some bug reads.
const SNAPSHOT: Duration = Duration::from_millis(30);

/// Why a loader gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database is down")
    }
}

impl std::error::Error for Down {}

impl Caches {
    /// Builds them on a node.
    pub fn build(node: &Node, clock: &SimClock, terms: Terms, source: Source) -> Result<Arc<Self>, Error> {
        let Source { layout, database, bug } = source;
        let cache = |kind: Kind| {
            let mut cache = node
                .cache::<u64, Shown>(kind.cache())
                .time_to_live(terms.time_to_live)
                .jitter(terms.time_to_live / 8)
                .capacity_entries(terms.capacity);
            if terms.fail_safe {
                let fail_safe = FailSafe::for_at_most(Duration::from_secs(60));
                cache = cache.fail_safe(fail_safe.throttle(Duration::from_millis(200)));
            }
            if let Some(soft) = terms.soft_timeout {
                cache = cache.soft_timeout(soft);
            }
            if let Some(hard) = terms.hard_timeout {
                cache = cache.hard_timeout(hard);
            }
            if let Some(share) = terms.eager {
                cache = cache.eager_refresh(share);
            }
            if terms.store && kind == Kind::Row {
                cache = cache.stored_as(ShownCodec);
            }
            cache.build()
        };
        let (rows, pages, books) = (cache(Kind::Row)?, cache(Kind::Page)?, cache(Kind::Book)?);
        Ok(Arc::new(Self {
            layout,
            database,
            node: node.clone(),
            bug,
            clock: clock.clone(),
            last: Mutex::default(),
            rows,
            pages,
            books,
        }))
    }

    /// The cache of a kind.
    pub const fn of(&self, kind: Kind) -> &Cache<u64, Shown> {
        match kind {
            Kind::Row => &self.rows,
            Kind::Page => &self.pages,
            Kind::Book => &self.books,
        }
    }

    /// The node that they are on.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// Which subjects there are.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The tag that rows are loaded and set with.
    pub fn tag(&self, row: Subject) -> String {
        format!("t{}", self.layout.tag(row))
    }

    /// What the memo in front of the cache has, if there is one.
    #[inline]
    pub fn memorised(&self, subject: Subject) -> Option<Shown> {
        self.bug.memo.as_ref()?.get(subject, self.clock.wall_ms())
    }

    /// Whether what the memo has is called proven.
    pub fn is_naive(&self) -> bool {
        self.bug.planted == Some(Planted::Naive)
    }

    /// An act of this process is about these.
    pub fn forget(&self, about: About) {
        if let Some(memo) = &self.bug.memo {
            memo.act(about, self.clock.wall_ms());
        }
    }

    /// What the database has for a subject, made of what the caches have of its parts.
    pub async fn load(self: Arc<Self>, subject: Subject, load: Load<Shown>) -> Result<Loaded<Shown>, Down> {
        let ticket = self.bug.memo.as_ref().map(|memo| memo.begin(subject));
        let loaded = match self.layout.place(subject).0 {
            Kind::Row => self.load_row(subject, &load).await?,
            Kind::Page => Loaded::value(self.load_page(subject).await?),
            Kind::Book => Loaded::value(self.load_book(subject).await?),
        };
        if let Some(ticket) = ticket {
            self.memorise(subject, ticket);
        }
        Ok(loaded)
    }

    /// What was loaded last for a subject goes to the memo, which judges by itself whether it may.
    fn memorise(&self, subject: Subject, ticket: Ticket) {
        let (Some(memo), Some(shown)) = (&self.bug.memo, self.loaded(subject)) else { return };
        memo.put(subject, shown, ticket, self.clock.wall_ms());
    }

    fn note(&self, subject: Subject, shown: Shown) {
        if self.bug.memo.is_some() {
            self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(subject, shown);
        }
    }

    fn loaded(&self, subject: Subject) -> Option<Shown> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&subject).copied()
    }

    async fn load_row(&self, row: Subject, load: &Load<Shown>) -> Result<Loaded<Shown>, Down> {
        let plan = self.database.begin();
        load.tag(self.tag(row));
        pause(plan.before).await;
        let version = if self.bug.planted == Some(Planted::OldSnapshot) {
            self.database.read(row, plan.lag.max(SNAPSHOT))
        } else {
            self.database.read(row, plan.lag)
        };
        pause(plan.after).await;
        if plan.fails {
            return Err(Down);
        }
        let is_same =
            |previous: &Value<Shown>| previous.parts().first().is_some_and(|part| part.version == version);
        if plan.conditional && load.previous().is_some_and(is_same) {
            return Ok(Loaded::not_modified());
        }
        let shown = Shown::of(Part { subject: row, version, began: plan.began });
        self.note(row, shown);
        Ok(Loaded::value(shown))
    }

    async fn load_page(self: &Arc<Self>, page: Subject) -> Result<Shown, Down> {
        let plan = self.database.begin();
        let mut shown = Shown::of(Part { subject: page, version: 0, began: plan.began });
        for row in self.layout.parts(page).into_iter().flatten() {
            let caches = Arc::clone(self);
            let loader = async move |load: Load<Shown>| caches.load_row(row, &load).await;
            let part = self.rows.get_or_load(&u64::from(row), loader).await.map_err(|_| Down)?;
            shown.add(&part);
            pause(plan.after / 2).await;
        }
        self.note(page, shown);
        Ok(shown)
    }

    async fn load_book(self: &Arc<Self>, book: Subject) -> Result<Shown, Down> {
        let plan = self.database.begin();
        let mut shown = Shown::of(Part { subject: book, version: 0, began: plan.began });
        for page in self.layout.parts(book).into_iter().flatten() {
            let caches = Arc::clone(self);
            let key = self.layout.place(page).1;
            let loader = async move |_: Load<Shown>| caches.load_page(page).await;
            let part = self.pages.get_or_load(&key, loader).await.map_err(|_| Down)?;
            shown.add(&part);
            pause(plan.before / 2).await;
        }
        Ok(shown)
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
