//! What happens when things go wrong: scenarios, crashes at every step, random worlds, and an oracle that believes
//! nothing. See docs/decisions/0006-how-faults-are-tested.md.

mod battery;
mod binary;
mod canary;
mod engine;
mod hand;
mod life;
mod oracle;
mod random;
mod recorder;
mod rig;
mod scenarios;
mod script;
mod show;
mod stack;
mod sweep;
