//! Fewer acts that include many (P-2): keys and tags become their cache, caches become everything.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::{Act, Name, Size, Subject, Verb, subject_hash};

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

/// Acts by the cache that they lie in, so that those of one cache can be widened together.
#[derive(Default)]
struct Cover<'a> {
    /// The act on everything, if there is one.
    all: Option<Strength>,
    caches: BTreeMap<Option<&'a Name>, Kin<'a>>,
}

/// The acts of one cache, or (without a cache) those on tags of the node.
#[derive(Default)]
struct Kin<'a> {
    /// The act on the cache, if there is one.
    whole: Option<Strength>,
    fine: Vec<Fine<'a>>,
}

/// An act on a key or a tag; the hash comes first, since it is quicker to compare.
type Fine<'a> = (u64, &'a Subject, Verb);

impl<'a> Cover<'a> {
    fn add(&mut self, act: &'a Act) {
        let strength = Some(Strength::of(act.verb));
        match &act.subject {
            Subject::All => self.all = self.all.max(strength),
            Subject::Cache { cache } => {
                let kin = self.kin(Some(cache));
                kin.whole = kin.whole.max(strength);
            }
            subject @ (Subject::Key { .. } | Subject::Tag { .. }) => {
                self.kin(subject.cache()).fine.push((subject_hash(subject), subject, act.verb));
            }
        }
    }

    fn kin(&mut self, cache: Option<&'a Name>) -> &mut Kin<'a> {
        self.caches.entry(cache).or_default()
    }

    fn widen(mut self, bound: Size) -> Vec<Act> {
        let all = self.all;
        for kin in self.caches.values_mut() {
            kin.name_once();
            kin.drop_included(all);
        }
        let mut size: Size = self.caches.iter().map(|(cache, kin)| kin.size(*cache)).sum();
        size += all.map_or(Size::default(), |_| Size::of_act(&Subject::All));
        for (cache, strength) in self.heaviest() {
            if size.fits(bound) {
                break;
            }
            let Some(kin) = self.caches.get_mut(&Some(cache)) else { continue };
            size -= kin.size(Some(cache));
            kin.whole = kin.whole.max(Some(strength));
            kin.drop_included(all);
            size += kin.size(Some(cache));
        }
        if size.fits(bound) { self.into_acts() } else { self.into_everything() }
    }

    /// What can be widened to a cache, by bytes, most first. What lies in no one cache can only become everything, which
    /// is the last resort.
    fn heaviest(&self) -> Vec<(&'a Name, Strength)> {
        let mut weights = Vec::new();
        for (cache, kin) in &self.caches {
            let Some(cache) = *cache else { continue };
            for strength in [Strength::Stale, Strength::Ends] {
                let of_strength = kin.fine.iter().filter(|(_, _, verb)| Strength::of(*verb) == strength);
                let bytes: usize = of_strength.map(|(_, subject, _)| Size::of_act(subject).bytes).sum();
                weights.push((Reverse(bytes), (cache, strength)));
            }
        }
        weights.sort_unstable();
        weights.into_iter().filter(|(bytes, _)| bytes.0 > 0).map(|(_, kin)| kin).collect()
    }

    fn into_acts(self) -> Vec<Act> {
        let mut acts = Vec::new();
        acts.extend(self.all.map(|strength| Act { verb: strength.verb(), subject: Subject::All }));
        for (cache, kin) in self.caches {
            if let (Some(cache), Some(strength)) = (cache, kin.whole) {
                acts.push(Act { verb: strength.verb(), subject: Subject::Cache { cache: cache.clone() } });
            }
            acts.extend(
                kin.fine.into_iter().map(|(_, subject, verb)| Act { verb, subject: subject.clone() }),
            );
        }
        acts
    }

    fn into_everything(self) -> Vec<Act> {
        let strongest = self.caches.values().map(Kin::strongest).max().flatten().max(self.all);
        strongest.map(|strength| Act { verb: strength.verb(), subject: Subject::All }).into_iter().collect()
    }
}

impl Kin<'_> {
    /// Keeps each subject once, with the verb that includes all that were said of it.
    fn name_once(&mut self) {
        self.fine.sort_unstable();
        self.fine.dedup_by(|(_, subject, verb), (_, kept, strongest)| {
            let same = subject == kept;
            if same {
                *strongest = stronger(*strongest, *verb);
            }
            same
        });
    }

    /// Drops what a wider act includes: one on this cache, or one on everything.
    fn drop_included(&mut self, all: Option<Strength>) {
        self.whole = self.whole.filter(|strength| Some(*strength) > all);
        let wider = self.whole.max(all);
        self.fine.retain(|(_, _, verb)| Some(Strength::of(*verb)) > wider);
    }

    fn size(&self, cache: Option<&Name>) -> Size {
        let whole =
            cache.filter(|_| self.whole.is_some()).map(|cache| Subject::Cache { cache: cache.clone() });
        let fine = self.fine.iter().map(|(_, subject, _)| *subject);
        whole.iter().chain(fine).map(Size::of_act).sum()
    }

    fn strongest(&self) -> Option<Strength> {
        self.fine.iter().map(|(_, _, verb)| Strength::of(*verb)).max().max(self.whole)
    }
}

/// The verb that includes both; a set stays a set only among sets.
fn stronger(a: Verb, b: Verb) -> Verb {
    if a == b { a } else { Strength::of(a).max(Strength::of(b)).verb() }
}

#[cfg(test)]
mod tests;
