//! unstale and a live .NET FusionCache node on one Redis.

mod both_ways;
mod holes;
mod outages;
mod peer;
mod stalls;
