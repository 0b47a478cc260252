//! Senders against servers of this test.
