//! A model of the protocol of unstale, written apart from the code that ships and small enough to be explored to its end.
//!
//! Its steps are named by the clauses of PROTOCOL.md. It has no beats and no messages in flight: whatever could have been sent may
//! arrive, at any time, any number of times, or never. What is modelled, how far, and what was found: docs/model.md.
//!
//! ```
//! use unstale_model::{Bounds, Promise, Protocol, Rule, Rules, explore};
//!
//! let bounds = Bounds { acts: 1, ..Bounds::NONE };
//! let without_it = Protocol::new(bounds, Rules::ALL.without(Rule::CountBeforeEcho));
//! let outcome = explore(without_it, 1, |_| ());
//! assert_eq!(outcome.counterexample.expect("there is one").promise, Promise::S1);
//! ```

mod bounds;
mod explore;
mod fold;
mod promise;
mod proof;
mod protocol;
mod rule;
mod set;
mod state;
mod step;
mod steps;
mod trace;

pub use bounds::Bounds;
pub use explore::{Outcome, Progress, explore};
pub use promise::Promise;
pub use protocol::Protocol;
pub use rule::{Rule, Rules};
pub use trace::Counterexample;
