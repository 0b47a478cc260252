//! The whole process: started, asked over HTTP, reloaded, stopped, killed.

mod access;
mod commands;
mod demo;
mod lifecycle;
mod process;
mod reloading;
mod rules;
mod systemd;
