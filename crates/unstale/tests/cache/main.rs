//! What caches promise, one file per subject. Time is paused and moves only as timers come due; interleavings are forced by
//! gates in loaders and stores.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod capacity;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod conditional;
#[cfg(test)]
mod eager;
#[cfg(test)]
mod fail_safe;
#[cfg(test)]
mod fences;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod freshness;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod held;
#[cfg(test)]
mod level;
#[cfg(test)]
mod loads;
#[cfg(test)]
mod options;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod store;
#[cfg(test)]
mod stress;
#[cfg(test)]
mod suspects;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod timeouts;
#[cfg(test)]
mod world;
