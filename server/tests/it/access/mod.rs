//! Who may come in, and what they may do: the whole server over a real socket.

mod audit;
mod gate;
mod house;
mod log_lines;
mod login;
mod matrix;
mod oidc;
mod secrets;
