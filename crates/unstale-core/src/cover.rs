//! Fewer acts that include many (P-2): keys and tags become their cache, caches become everything.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::{Act, Name, Size, Subject, Verb};

/// Acts that together include each of `acts` and fit `bound`, by the finest of these steps that does: each subject once;
/// all keys and tags of the caches that weigh most become their caches; everything. At least one act, if there was one,
/// even if that is above the bound.
///
/// O(n log n). The result depends on the set of acts only, not on their order.
pub(crate) fn cover<'a>(acts: impl IntoIterator<Item = &'a Act>, bound: Size) -> Vec<Act> {
    let mut cover = Cover::default();
    for act in acts {
        cover.add(act); // range-holds-all-keys
    }
    cover.widen(bound)
}

impl Act {
    /// Whether who applied this act has done all that `other` asks for.
    ///
    /// ```
    /// use unstale_core::{Act, Name, Subject, Verb};
    ///
    /// let cache = Name::new("users").unwrap();
    /// let key = Act { verb: Verb::Expire, subject: Subject::Key { cache: cache.clone(), key: "42".into() } };
    /// let clear = Act { verb: Verb::Remove, subject: Subject::Cache { cache } };
    /// assert!(clear.includes(&key));
    /// assert!(!key.includes(&clear));
    /// ```
    pub fn includes(&self, other: &Self) -> bool {
        Strength::of(self.verb) >= Strength::of(other.verb) && self.subject.includes(&other.subject)
    }
}

impl Subject {
    fn includes(&self, other: &Self) -> bool {
        match self {
            Self::All => true,
            Self::Cache { cache } => other.cache() == Some(cache),
            Self::Tag { cache: None, tag } => matches!(other, Self::Tag { tag: of, .. } if of == tag),
            Self::Tag { .. } | Self::Key { .. } => self == other,
        }
    }
}

/// What a verb does to what is cached elsewhere: the stronger includes the weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    /// Set and expire.
    Stale,
    /// Remove.
    Ends,
}

impl Strength {
    const fn of(verb: Verb) -> Self {
        match verb {
            Verb::Set | Verb::Expire => Self::Stale,
            Verb::Remove => Self::Ends,
        }
    }

    const fn verb(self) -> Verb {
        match self {
            Self::Stale => Verb::Expire,
            Self::Ends => Verb::Remove,
        }
    }
}

/// Acts by what they can become: those on keys and tags of one cache and of one strength are kept, or widened, together.
#[derive(Default)]
struct Cover<'a> {
    /// Keys and tags.
    fine: BTreeMap<&'a Subject, Verb>,
    /// Caches.
    caches: BTreeMap<&'a Name, Strength>,
    /// Everything.
    all: Option<Strength>,
}

type Kin<'a> = (Option<&'a Name>, Strength);

impl<'a> Cover<'a> {
    fn add(&mut self, act: &'a Act) {
        let strength = Strength::of(act.verb);
        match &act.subject {
            Subject::All => self.all = self.all.max(Some(strength)),
            Subject::Cache { cache } => {
                self.add_cache(cache, strength);
            }
            Subject::Key { .. } | Subject::Tag { .. } => {
                let verb = self.fine.entry(&act.subject).or_insert(act.verb);
                *verb = stronger(*verb, act.verb);
            }
        }
    }

    /// Whether the cache was not there before.
    fn add_cache(&mut self, cache: &'a Name, strength: Strength) -> bool {
        let before = self.caches.insert(cache, strength);
        if let Some(before) = before {
            self.caches.insert(cache, strength.max(before));
        }
        before.is_none()
    }

    fn widen(mut self, bound: Size) -> Vec<Act> {
        self.drop_included();
        let mut size = self.size();
        let mut held = self.weigh();
        let mut heaviest: Vec<Kin<'a>> = held.keys().copied().collect();
        heaviest.sort_by_key(|kin| Reverse(held[kin].bytes));
        for kin in heaviest {
            // What lies in no one cache can only become everything, which is the last resort.
            let (Some(cache), strength) = kin else { continue };
            if size.fits(bound) {
                break;
            }
            let Some(wide) = held.remove(&kin) else { continue };
            size -= wide;
            if strength == Strength::Ends {
                size -= held.remove(&(Some(cache), Strength::Stale)).unwrap_or_default();
            }
            if self.add_cache(cache, strength) {
                size += cache_size(cache);
            }
        }
        if !size.fits(bound) {
            return self.into_everything();
        }
        self.drop_included();
        self.into_acts()
    }

    /// Drops what a wider act in here includes.
    fn drop_included(&mut self) {
        let Self { fine, caches, all } = self;
        caches.retain(|_, strength| Some(*strength) > *all);
        fine.retain(|subject, verb| {
            let wider = subject.cache().and_then(|cache| caches.get(cache).copied()).max(*all);
            Some(Strength::of(*verb)) > wider
        });
    }

    fn weigh(&self) -> BTreeMap<Kin<'a>, Size> {
        let mut sizes = BTreeMap::new();
        for (subject, verb) in &self.fine {
            *sizes.entry((subject.cache(), Strength::of(*verb))).or_insert(Size::default()) +=
                Size::of_act(subject);
        }
        sizes
    }

    fn size(&self) -> Size {
        let fine: Size = self.fine.keys().map(|subject| Size::of_act(subject)).sum();
        let caches = self.caches.keys().map(|cache| cache_size(cache)).sum();
        fine + caches + self.all.map_or(Size::default(), |_| Size::of_act(&Subject::All))
    }

    fn into_acts(self) -> Vec<Act> {
        let all = self.all.map(|strength| (strength.verb(), Subject::All));
        let caches = self
            .caches
            .into_iter()
            .map(|(cache, strength)| (strength.verb(), Subject::Cache { cache: cache.clone() }));
        let fine = self.fine.into_iter().map(|(subject, verb)| (verb, subject.clone()));
        all.into_iter().chain(caches).chain(fine).map(|(verb, subject)| Act { verb, subject }).collect()
    }

    fn into_everything(self) -> Vec<Act> {
        let fine = self.fine.values().map(|verb| Strength::of(*verb));
        let strongest = fine.chain(self.caches.values().copied()).chain(self.all).max();
        strongest.map(|strength| Act { verb: strength.verb(), subject: Subject::All }).into_iter().collect()
    }
}

fn cache_size(cache: &Name) -> Size {
    Size::of_act(&Subject::Cache { cache: cache.clone() })
}

/// The verb that includes both; a set stays a set only among sets.
fn stronger(a: Verb, b: Verb) -> Verb {
    if a == b { a } else { Strength::of(a).max(Strength::of(b)).verb() }
}

#[cfg(test)]
mod tests;
