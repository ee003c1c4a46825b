//! Real threads: whatever loads, is dropped, times out, refreshes or is computed from other values, no read is older than an
//! act that had returned before the read began (P1, P2, P6).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use unstale::{Cache, EntryOptions, FailSafe, Load, Node, Overdue};

const ROWS: u64 = 12;
const READS: u32 = 4_000;

/// A table of versions, and for each row the newest version whose invalidation had returned.
#[derive(Default)]
struct Rows {
    committed: [AtomicU64; ROWS as usize],
    announced: [AtomicU64; ROWS as usize],
}

impl Rows {
    fn announced(&self, row: u64) -> u64 {
        self.announced[row as usize].load(Ordering::SeqCst)
    }

    async fn read(&self, row: u64, dice: u64) -> u64 {
        let version = self.committed[row as usize].load(Ordering::SeqCst);
        for _ in 0..dice % 4 {
            tokio::task::yield_now().await;
        }
        version
    }
}

struct World {
    rows: Arc<Rows>,
    users: Cache<u64, u64>,
    pages: Cache<u64, [u64; 2]>,
    node: Node,
}

/// Splitmix64.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 7
    }
}

async fn write(world: &World, dice: &mut Dice) {
    let row = dice.throw() % ROWS;
    let version = world.rows.committed[row as usize].fetch_add(1, Ordering::SeqCst) + 1;
    let users = &world.users;
    let _receipt = match dice.throw() % 12 {
        0 => users.clear().await,
        1 => world.node.clear().await,
        2 | 3 => users.remove_tag(format!("row:{row}")).await,
        4 => world.node.remove_tag(format!("row:{row}")).await,
        5 => users.remove_many(&[row, (row + 1) % ROWS]).await,
        6 | 7 => users.expire(&row).await,
        8 => users.expire_tag(format!("row:{row}")).await,
        _ => users.remove(&row).await,
    }
    .expect("no store that could fail");
    world.rows.announced[row as usize].fetch_max(version, Ordering::SeqCst);
}

async fn read_user(world: &World, row: u64, dice: &mut Dice) -> Option<u64> {
    let (rows, throw) = (Arc::clone(&world.rows), dice.throw());
    let load = async move |load: Load<u64>| {
        load.tag(format!("row:{row}"));
        Ok::<_, Infallible>(rows.read(row, throw).await)
    };
    match dice.throw() % 8 {
        0 | 1 => world.users.get(&row).as_deref().copied(),
        2 => {
            // A caller that goes away after a few polls.
            let read = world.users.get_or_load(&row, load);
            tokio::select! {
                biased;
                value = read => Some(*value.expect("the loader does not fail")),
                () = async { for _ in 0..throw % 3 { tokio::task::yield_now().await } } => None,
            }
        }
        3 => {
            let hurried =
                EntryOptions::new().hard_timeout(Duration::from_nanos(1)).overdue(Overdue::Completes);
            world.users.get_or_load(&row, load).options(&hurried).await.ok().map(|value| *value)
        }
        4 => {
            let (rows, keys) = (Arc::clone(&world.rows), [row, (row + 3) % ROWS]);
            let load = async move |keys: Vec<u64>, load: Load<u64>| {
                let mut found = Vec::new();
                for key in keys {
                    load.tag(format!("row:{key}"));
                    found.push((key, rows.read(key, throw).await));
                }
                Ok::<_, Infallible>(found)
            };
            world.users.get_or_load_many(&keys, load).await.expect("the loader does not fail")[0]
                .as_deref()
                .copied()
        }
        _ => Some(*world.users.get_or_load(&row, load).await.expect("the loader does not fail")),
    }
}

async fn read_page(world: &World, rows: [u64; 2], dice: &mut Dice) -> [u64; 2] {
    let (users, database, throw) = (world.users.clone(), Arc::clone(&world.rows), dice.throw());
    let load = async move |_| {
        let mut page = [0; 2];
        for (place, row) in page.iter_mut().zip(rows) {
            let database = Arc::clone(&database);
            let user = users.get_or_load(&row, async move |load: Load<u64>| {
                load.tag(format!("row:{row}"));
                Ok::<_, Infallible>(database.read(row, throw).await)
            });
            *place = *user.await?;
        }
        tokio::task::yield_now().await;
        Ok::<_, unstale::Error>(page)
    };
    *world.pages.get_or_load(&(rows[0] * ROWS + rows[1]), load).await.expect("the loader does not fail")
}

async fn read(world: &World, dice: &mut Dice) {
    let rows = [dice.throw() % ROWS, dice.throw() % ROWS];
    let announced = rows.map(|row| world.rows.announced(row));
    if dice.throw().is_multiple_of(3) {
        let page = read_page(world, rows, dice).await;
        for ((version, announced), row) in page.iter().zip(announced).zip(rows) {
            assert!(
                *version >= announced,
                "row {row} in a page: {version}, but {announced} was announced before"
            );
        }
    } else if let Some(version) = read_user(world, rows[0], dice).await {
        let announced = announced[0];
        assert!(version >= announced, "row {}: {version}, but {announced} was announced before", rows[0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_older_than_an_act_that_had_returned() {
    let node = Node::builder("shop").start().await.unwrap();
    // Small and short-lived, so that evictions, expiries and refreshes come in between.
    let life = Duration::from_millis(40);
    let users =
        node.cache("users").time_to_live(life).eager_refresh(0.3).capacity_entries(8).build().unwrap();
    let pages = node.cache("pages").time_to_live(life).fail_safe(FailSafe::off()).build().unwrap();
    let world = Arc::new(World { rows: Arc::default(), users, pages, node });
    let mut tasks = Vec::new();
    for seed in 0..6 {
        let world = Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let mut dice = Dice(seed);
            for _ in 0..READS {
                if seed < 2 {
                    write(&world, &mut dice).await;
                    tokio::task::yield_now().await;
                } else {
                    read(&world, &mut dice).await;
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}
