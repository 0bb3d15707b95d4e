//! Has a service truly converged? Pure: no clock and no daemon; the same observations always get the same answer.
