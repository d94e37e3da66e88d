//! .

pub mod inbox;
