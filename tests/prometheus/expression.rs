//! Expressions as trees that can be made smaller.

/// What an expression gives: only another of the same kind may stand in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vector,
    Scalar,
    Matrix,
}

/// A piece of an expression's text.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    /// May be left out: matchers, offsets, groupings, modifiers.
    Extra(String),
    Inner(Expression),
}

#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) kind: Kind,
    parts: Vec<Part>,
    /// Whether both sides compute it by the same operations in the same order, so that every
    /// bit of the answer is the same.
    own_exact: bool,
}

impl Expression {
    pub(crate) fn new(kind: Kind) -> Self {
        Expression { kind, parts: Vec::new(), own_exact: true }
    }

    pub(crate) fn vector() -> Self {
        Self::new(Kind::Vector)
    }

    pub(crate) fn matrix() -> Self {
        Self::new(Kind::Matrix)
    }

    pub(crate) fn scalar(text: &str) -> Self {
        Self::new(Kind::Scalar).text(text)
    }

    pub(crate) fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    pub(crate) fn extra(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.parts.push(Part::Extra(text));
        }
        self
    }

    pub(crate) fn inner(mut self, inner: Expression) -> Self {
        self.parts.push(Part::Inner(inner));
        self
    }

    pub(crate) fn inexact(mut self) -> Self {
        self.own_exact = false;
        self
    }

    /// Whether every bit of the answer is the same on both sides.
    pub(crate) fn is_exact(&self) -> bool {
        self.own_exact && self.children().all(Expression::is_exact)
    }

    fn children(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Inner(inner) => Some(inner),
            _ => None,
        })
    }

    fn write(&self, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) | Part::Extra(text) => out.push_str(text),
                Part::Inner(inner) => inner.write(out),
            }
        }
    }

    /// The simplest of each kind.
    fn simplest(kind: Kind) -> [Expression; 2] {
        match kind {
            Kind::Vector => [Self::vector().text("vector(1)"), Self::vector().text("up")],
            Kind::Scalar => [Self::scalar("1"), Self::scalar("0")],
            Kind::Matrix => [Self::matrix().text("up[5m]"), Self::matrix().text("temperature[5m]")],
        }
    }

    /// A measure that every step of shrinking makes smaller.
    pub(crate) fn size(&self) -> usize {
        let text = self.to_string().len();
        let nodes: usize = self.children().map(Expression::size).sum();
        let extras = self.parts.iter().filter(|p| matches!(p, Part::Extra(_))).count();
        text + nodes + extras
    }

    /// How many of its parts can fail for a reason of their own.
    pub(crate) fn mistakes(&self) -> usize {
        let operands = self.children().filter(|child| child.kind == Kind::Vector).count();
        let fails = |part: &Part| match part {
            Part::Text(text) => ["double_exponential_smoothing(", "label_replace(", "label_join("]
                .iter()
                .any(|name| text.contains(name)),
            _ => false,
        };
        usize::from(operands > 1)
            + usize::from(self.parts.iter().any(fails))
            + self.children().map(Expression::mistakes).sum::<usize>()
    }

    fn descendants<'e>(&'e self, kind: Kind, out: &mut Vec<&'e Expression>) {
        for child in self.children() {
            if child.kind == kind {
                out.push(child);
            }
            child.descendants(kind, out);
        }
    }

    /// Every expression that is one step smaller, the smallest first.
    pub(crate) fn simpler(&self) -> Vec<Expression> {
        let mut out: Vec<Expression> = Self::simplest(self.kind).to_vec();
        let mut below = Vec::new();
        self.descendants(self.kind, &mut below);
        out.extend(below.into_iter().cloned());
        for (place, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(_) => {}
                Part::Extra(_) => {
                    let mut without = self.clone();
                    without.parts.remove(place);
                    out.push(without);
                }
                Part::Inner(inner) => out.extend(inner.simpler().into_iter().map(|smaller| {
                    let mut with = self.clone();
                    with.parts[place] = Part::Inner(smaller);
                    with
                })),
            }
        }
        let size = self.size();
        out.retain(|one| one.size() < size);
        out.sort_by_key(Expression::size);
        out
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(&text)
    }
}

#[test]
fn an_expression_shrinks_to_its_parts_and_loses_its_extras() {
    let inner = Expression::matrix().text("up").extra("{job=\"api\"}").text("[5m]");
    let whole = Expression::vector()
        .text("abs(")
        .inner(Expression::vector().text("rate(").inner(inner).text(")"));
    let whole = whole.text(")");
    let smaller: Vec<String> = whole.simpler().iter().map(ToString::to_string).collect();
    for one in ["up", "rate(up{job=\"api\"}[5m])", "abs(rate(up[5m]))", "abs(up)"] {
        assert!(smaller.iter().any(|s| s == one), "{one} is not in {smaller:?}");
    }
}
