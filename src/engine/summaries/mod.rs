//! How features and providers do within a window: outcomes, checks and incidents put together.
//!
//! Owns: asking for the figures, and what belongs to a subject besides its outcomes. Never: what
//! figures mean (that is [`crate::features`]), or when somebody asks. Start reading at
//! [`Around::summary`].

mod around;
mod figures;

pub use around::{Around, OpenIncident, Subject, Summary};
pub use figures::{FiguresError, Found, Window, figures_of};
