//! How programs reach one another.
