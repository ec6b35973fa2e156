//! The engine on a tiny network and tiny images: seconds each.

#[path = "engine/checkpoints.rs"]
mod checkpoints;
#[path = "engine/common.rs"]
mod common;
#[path = "engine/evaluation.rs"]
mod evaluation;
#[path = "engine/numbers.rs"]
mod numbers;
#[path = "engine/prediction.rs"]
mod prediction;
#[path = "engine/resume.rs"]
mod resume;
#[path = "engine/scores.rs"]
mod scores;
#[path = "engine/survival.rs"]
mod survival;
#[path = "engine/training.rs"]
mod training;
#[path = "engine/unreadable.rs"]
mod unreadable;
