//! Tools for an operator of the shop, as a library and as commands: the audit, an order's trace, parked work, dead letters,
//! reconciling, the choreography's diagram. Reads every database and every topic; starts nothing.

#![allow(clippy::print_stdout, reason = "what commands have to say to people goes to standard output")]

pub mod acl;
pub mod archive;
pub mod audit;
pub mod audited;
pub mod by_hand;
pub mod choreography;
pub mod cluster;
pub mod command;
pub mod credentials;
pub mod databases;
pub mod dead_letters;
mod environment;
pub mod erase;
pub mod exhibit;
pub mod heard;
pub mod listener;
pub(crate) mod manifest;
pub mod operator;
pub mod order_ids;
pub mod positions;
pub mod reconcile;
pub mod report;
pub mod requests;
pub mod timeline;
mod wait;

pub use environment::{
    AUDIT_VARIABLES, Environment, KAFKA_PREFIX, PAYMENT_DETAILS_KEY, PROGRAM_URLS, cluster_of_the_process,
    prefix_of_the_process, transport_of_the_process,
};
pub use manifest::{Database, Entry, Manifest, Program, Role, SYSTEM_MANIFEST};
pub use wait::until;
