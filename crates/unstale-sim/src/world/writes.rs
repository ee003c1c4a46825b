//! Writes: rows change in the database, and the caches are told.

use std::sync::Arc;

use unstale::{Error, Receipt, SessionToken};

use super::World;
use crate::caches::Caches;
use crate::dice::Dice;
use crate::layout::{Kind, Part, Shown, Subject, Version};
use crate::model::Act;
use crate::planted::About;
use crate::process::Done;
use crate::schedule::Write;

/// How many writes sessions remember.
const SESSIONS_MAX: usize = 64;

impl World {
    /// Commits and tells. Rows that another write has not returned for are left alone, as if they were locked.
    pub(super) fn write(&mut self, node: usize, write: Write, salt: u64) {
        if !self.is_running(node) {
            return;
        }
        let mut dice = Dice::new(salt);
        let rows = self.draw_rows(write, &mut dice);
        if rows.iter().any(|row| self.busy_rows[usize::from(*row)]) {
            return;
        }
        self.write_rows(node, write, &rows, &mut dice);
    }

    pub(super) fn write_rows(&mut self, node: usize, write: Write, rows: &[Subject], dice: &mut Dice) {
        let locked = self.locked_by(write, rows);
        if locked.iter().any(|row| self.busy_rows[usize::from(*row)]) {
            return;
        }
        let step = self.database.step();
        for row in rows {
            self.database.commit(*row);
        }
        let act = Act { covers: self.covers(write, rows, dice), ends: ends(write), step };
        self.operations += 1;
        self.story.note(step ^ write as u64);
        let layout = self.layout();
        self.story.tell(self.now, None, || {
            let told =
                |(subject, version): &(Subject, Version)| format!("{} v{version}", layout.name(*subject));
            let covers = act.covers.iter().map(told).collect::<Vec<_>>().join(", ");
            format!("n{node} has changed rows {rows:?} and tells by {write:?} of {covers}")
        });
        for row in &locked {
            self.busy_rows[usize::from(*row)] = true;
            self.seats[node].locked.push(*row);
        }
        let Some(process) = &mut self.seats[node].process else { return };
        let call = tell(Arc::clone(&process.caches), write, act.clone(), rows.to_vec());
        process.write(act, locked, call);
        // What returned at once was announced at this instant.
        let now = self.now;
        let returned = process.take_done();
        for done in returned {
            if let Done::Written { act, rows, receipt } = done {
                self.written(node, act, &rows, receipt, now);
            } else if let Some(process) = &mut self.seats[node].process {
                process.put_back(done);
            }
        }
    }

    /// A write returned.
    pub(super) fn written(
        &mut self,
        node: usize,
        act: Act,
        rows: &[Subject],
        receipt: Option<(SessionToken, bool)>,
        now: u64,
    ) {
        for row in rows {
            self.busy_rows[usize::from(*row)] = false;
            self.seats[node].locked.retain(|locked| locked != row);
        }
        let Some((token, announced)) = receipt else { return };
        for (row, _) in &act.covers {
            self.untold.remove(row);
        }
        self.story.note(token.seq().0 ^ u64::from(announced) << 40);
        let announced = announced && !self.seats[node].lonely;
        let Some(life) = self.seats[node].process.as_ref().map(|process| process.life) else { return };
        if announced {
            self.announced.entry(life).or_default().push((now, token.stream(), token.seq()));
        } else {
            self.seats[node].unannounced.extend(act.covers.iter().map(|(row, _)| *row));
            self.story.tell(now, None, || format!("n{node}'s write {} is unannounced", token.seq().0));
        }
        let subjects: Vec<Subject> = act.covers.iter().map(|(subject, _)| *subject).collect();
        self.model.returned(node, act, token, announced, now);
        self.sessions.push((token, subjects));
        if self.sessions.len() > SESSIONS_MAX {
            self.sessions.remove(0);
        }
    }

    fn draw_rows(&self, write: Write, dice: &mut Dice) -> Vec<Subject> {
        let layout = self.layout();
        let one = dice.below(u64::from(layout.rows)) as Subject;
        let count = match write {
            Write::Remove | Write::Expire | Write::Set => 1,
            Write::RemovePage => 0,
            Write::RemoveMany => dice.between(2, 4),
            Write::RemoveTag | Write::ExpireTag | Write::RemoveTagEverywhere => dice.between(1, 3),
            Write::Clear | Write::ExpireAll | Write::ClearEverything => dice.between(1, 4),
        };
        let by_tag = matches!(write, Write::RemoveTag | Write::ExpireTag | Write::RemoveTagEverywhere);
        let stride = if by_tag { layout.tags } else { 1 };
        let mut rows: Vec<Subject> =
            (0..count as u16).map(|nth| (one + nth * stride) % layout.rows).collect();
        if by_tag {
            rows.retain(|row| layout.tag(*row) == layout.tag(one));
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn locked_by(&self, write: Write, rows: &[Subject]) -> Vec<Subject> {
        let layout = self.layout();
        let all = 0..layout.rows;
        match write {
            Write::Remove | Write::Expire | Write::Set | Write::RemoveMany => rows.to_vec(),
            Write::RemovePage => Vec::new(),
            Write::RemoveTag | Write::ExpireTag | Write::RemoveTagEverywhere => all
                .filter(|row| rows.first().is_some_and(|one| layout.tag(*one) == layout.tag(*row)))
                .collect(),
            Write::Clear | Write::ExpireAll | Write::ClearEverything => all.collect(),
        }
    }

    /// What an act makes old, with the versions that are in the database when it is told of.
    fn covers(&self, write: Write, rows: &[Subject], dice: &mut Dice) -> Vec<(Subject, Version)> {
        let layout = self.layout();
        let version = |row: Subject| (row, self.database.read(row, std::time::Duration::ZERO));
        match write {
            Write::RemovePage => {
                let page = layout.rows + dice.below(u64::from(layout.pages)) as Subject;
                vec![(page, 0)]
            }
            Write::ClearEverything => {
                let made = (layout.rows..layout.subjects()).map(|subject| (subject, 0));
                (0..layout.rows).map(version).chain(made).collect()
            }
            Write::Remove
            | Write::Expire
            | Write::Set
            | Write::RemoveMany
            | Write::RemoveTag
            | Write::ExpireTag
            | Write::RemoveTagEverywhere
            | Write::Clear
            | Write::ExpireAll => self.locked_by(write, rows).into_iter().map(version).collect(),
        }
    }
}

const fn ends(write: Write) -> bool {
    !matches!(write, Write::Expire | Write::Set | Write::ExpireTag | Write::ExpireAll)
}

/// The call itself.
async fn tell(
    caches: Arc<Caches>,
    write: Write,
    act: Act,
    rows: Vec<Subject>,
) -> Option<(SessionToken, bool)> {
    let cache = caches.of(Kind::Row);
    let node = caches.node();
    let one = rows.first().copied().unwrap_or_default();
    let key = u64::from(one);
    let tag = caches.tag(one);
    for about in abouts(&caches, write, &rows) {
        caches.forget(about);
    }
    let receipt = match write {
        Write::Remove => cache.remove(&key).await,
        Write::Expire => cache.expire(&key).await,
        Write::Set => set(&caches, one, &act).await,
        Write::RemoveMany => {
            let keys: Vec<u64> = rows.iter().map(|row| u64::from(*row)).collect();
            cache.remove_many(&keys).await
        }
        Write::RemoveTag => cache.remove_tag(tag).await,
        Write::ExpireTag => cache.expire_tag(tag).await,
        Write::RemoveTagEverywhere => node.remove_tag(tag).await,
        Write::Clear => cache.clear().await,
        Write::ExpireAll => cache.expire_all().await,
        Write::ClearEverything => node.clear().await,
        Write::RemovePage => {
            let page = act.covers.first().map_or(0, |(page, _)| caches.layout().place(*page).1);
            caches.of(Kind::Page).remove(&page).await
        }
    };
    receipt.ok().map(|receipt| (receipt.session(), receipt.announced()))
}

/// What an act is about, for a memo that was planted.
fn abouts(caches: &Caches, write: Write, rows: &[Subject]) -> Vec<About> {
    let tag = || rows.first().map(|row| About::Tag(caches.layout().tag(*row)));
    match write {
        Write::Remove | Write::Expire | Write::Set | Write::RemoveMany => {
            rows.iter().map(|row| About::Row(*row)).collect()
        }
        Write::RemoveTag | Write::ExpireTag | Write::RemoveTagEverywhere => tag().into_iter().collect(),
        Write::Clear | Write::ExpireAll | Write::ClearEverything => vec![About::All],
        Write::RemovePage => Vec::new(),
    }
}

async fn set(caches: &Caches, row: Subject, act: &Act) -> Result<Receipt, Error> {
    let version = act.covers.first().map_or(0, |(_, version)| *version);
    let value = Shown::of(Part { subject: row, version, began: act.step });
    let options = unstale::EntryOptions::new().tag(caches.tag(row)).version(u64::from(version));
    caches.of(Kind::Row).set_with(u64::from(row), value, &options).await
}
