//! The payment service against the gateway: two programs that do not know each other, brought together by a test.

mod calling;
mod interleavings;
#[path = "../../../services/payment/tests/payment/orders.rs"]
mod orders;
mod service;
