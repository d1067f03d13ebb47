//! The scenario runner: starts the whole system, drives it and judges what it did.

pub mod command;
pub mod stack;
