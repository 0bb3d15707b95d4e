//! A Docker Engine that pretends to run containers.
