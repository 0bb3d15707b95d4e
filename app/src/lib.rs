//! The pages and the server functions behind them. Pages are drawn by the server, always. What moves on them ([`parts`]) is
//! built for the browser too, and goes on there; the rest the browser's program (`client`) draws again when something happens.
//! Components contain no decision; those are in the core and in [`view`].

#![expect(unreachable_pub, reason = "what the component macro makes of an item is not what is exported")]
#![expect(clippy::needless_pass_by_value, reason = "props are owned: the component macro hands them over")]

#[cfg(feature = "browser")]
pub mod client;
pub mod clock;
pub mod components;
pub mod error;
pub mod icon;
pub mod live;
pub mod parts;
pub mod read;
pub mod rpc;
pub mod rpc_access;
pub mod view;

#[cfg(feature = "ssr")]
pub mod access;
#[cfg(feature = "ssr")]
mod app;
#[cfg(feature = "ssr")]
pub mod app_data;
#[cfg(feature = "ssr")]
mod drawn;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
mod shell;

#[cfg(feature = "ssr")]
pub use app::App;
#[cfg(feature = "ssr")]
pub use shell::shell;
