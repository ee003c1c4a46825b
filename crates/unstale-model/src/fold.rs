//! Names do not matter: states that differ by them are explored once.

use crate::set::Set;
use crate::state::{Admit, LIVES, Life, State, View};

impl State {
    /// One of the states that differ from this one by the names of the nodes only, the same one for all of them: nodes are called in
    /// the order of what can be said of them without a name; where that is equal, the least state is taken.
    pub(crate) fn folded(&self, nodes: usize) -> Self {
        let mut order = [(Looks::default(), 0); LIVES];
        for (node, place) in order.iter_mut().enumerate().take(nodes) {
            *place = (self.looks(node), node);
        }
        order[..nodes].sort_unstable();
        let mut least = None;
        permute_equals(&mut order[..nodes], 0, &mut |order| {
            let mut names = [0; LIVES];
            for (name, (_, node)) in order.iter().enumerate() {
                names[*node] = name;
            }
            let state = self.renamed(&names[..nodes]);
            least = Some(least.map_or(state, |least: Self| least.min(state)));
        });
        least.unwrap_or(*self)
    }

    fn looks(&self, node: usize) -> Looks {
        let life = &self.lives[node];
        let known = |seen: fn(&Life) -> Set| {
            (0..usize::from(self.born)).filter(|other| seen(&self.lives[*other]).has(node)).count() as u8
        };
        let later = (0..usize::from(self.born)).filter(|life| usize::from(self.lives[*life].slot) == node);
        (
            [life.phase as u8, known(|life| life.view.members), known(|life| life.voted)],
            [life.got, life.stale, life.covered, life.lost, self.acts_of(node)],
            [known(|life| life.view.ended), known(|life| life.view.doubted), known(|life| life.admitted)],
            later.filter(|life| *life != node).collect(),
        )
    }

    /// The same with node `n` called `names[n]`. The first life of a node has its node's place, the later ones keep theirs.
    fn renamed(&self, names: &[usize]) -> Self {
        if names.iter().enumerate().all(|(node, name)| node == *name) {
            return *self;
        }
        let place = |life: usize| names.get(life).copied().unwrap_or(life);
        let set = |lives: Set| lives.iter().map(place).collect::<Set>();
        let view = |view: View| View {
            members: set(view.members),
            ended: set(view.ended),
            doubted: set(view.doubted),
        };
        let mut state = *self;
        for (old, life) in self.lives.iter().enumerate().take(usize::from(self.born)) {
            let mut next = Life {
                slot: place(usize::from(life.slot)) as u8,
                view: view(life.view),
                admitted: set(life.admitted),
                voted: set(life.voted),
                leased: set(life.leased),
                ..*life
            };
            for other in 0..LIVES {
                next.since[place(other)] = life.since[other];
                next.until[place(other)] = life.until[other];
                let admit = life.admits[other];
                next.admits[place(other)] = Admit { view: view(admit.view), ..admit };
            }
            state.lives[place(old)] = next;
        }
        for act in state.acts.iter_mut().take(usize::from(self.now)) {
            act.origin = place(usize::from(act.origin)) as u8;
        }
        state
    }
}

/// What can be said of a node without a name.
type Looks = ([u8; 3], [Set; 5], [u8; 3], Set);

/// Calls `each` with every order that keeps what is sorted sorted.
fn permute_equals(order: &mut [(Looks, usize)], from: usize, each: &mut impl FnMut(&[(Looks, usize)])) {
    if from + 1 >= order.len() {
        return each(order);
    }
    for other in from..order.len() {
        if order[other].0 == order[from].0 {
            order.swap(from, other);
            permute_equals(order, from + 1, each);
            order.swap(from, other);
        }
    }
}
