//! The payment service against the gateway: two programs without a common dependency, combined only in this test.

mod calling;
mod interleavings;
#[path = "../../../services/payment/tests/payment/orders.rs"]
mod orders;
mod service;
