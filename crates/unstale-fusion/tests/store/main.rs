//! The second level in the layout of .NET, on a real Redis: the promises of every store, and what is its own.

mod evictions;
mod layout;
mod shelves;
mod suite;
