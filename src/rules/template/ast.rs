//! A template as a tree.

/// What stands between two ends.
pub(super) type Block = Vec<Item>;

/// A fault while a template is read or run: the line, from 1, and what is wrong.
pub(super) type Failure = (usize, String);

/// One part of a template.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Text(String),
    Action { line: usize, pipe: Pipe },
    If { line: usize, pipe: Pipe, then: Block, otherwise: Block },
    With { line: usize, pipe: Pipe, then: Block, otherwise: Block },
    Range { line: usize, pipe: Pipe, body: Block, otherwise: Block },
    Template { line: usize, name: String, pipe: Option<Pipe> },
    Break,
    Continue,
}

/// Commands that hand their results on, and the variables that take the last one.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipe {
    pub(super) variables: Vec<String>,
    /// `=` rather than `:=`.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// One word of a command.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A`
    Variable(String, Vec<String>),
    Function(String),
    /// `(…).A`
    Pipe(Box<Pipe>, Vec<String>),
}
