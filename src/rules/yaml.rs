//! YAML as a tree whose every part knows its line and column.
//!
//! A rule file's errors must say where. Text that expands through aliases is counted as if it
//! were written out, so that a few lines cannot stand for billions of values.

use std::collections::BTreeMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Values in one file, aliases written out. The largest known rule collections have a tenth.
const NODES_MAX: usize = 1_000_000;
/// Values inside values.
const DEPTH_MAX: usize = 32;

/// Where something stands: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Something wrong at a place of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What, and how to mend it.
    pub message: String,
}

impl Fault {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Fault { place, message: message.into() }
    }
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Arc<Value>,
    /// How many values it is, itself included.
    size: usize,
}

/// What a value can be.
#[derive(Debug)]
pub(super) enum Value {
    /// A text, and whether it was written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file; keys are unique.
    Map(Vec<(Node, Node)>),
}

/// Reads the first document; `None` if there is nothing in it.
pub(super) fn read(text: &str) -> Result<Option<Node>, Fault> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Fault::new(place_of(error.marker()), format!("yaml: {}", error.info()))
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(event, span)?;
    }
    Ok(builder.root.filter(|node| !node.is_null()))
}

fn place_of(marker: &saphyr_parser::Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

/// A list or map that is still open.
struct Open {
    place: Place,
    anchor: usize,
    is_map: bool,
    items: Vec<Node>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let place = place_of(&span.start);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let value = Arc::new(Value::Scalar { text: text.into_owned(), plain });
                self.finish(Node { place, value, size: 1 }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.begin(place, anchor, false),
            Event::MappingStart(anchor, _) => self.begin(place, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let size = 1 + open.items.iter().map(|item| item.size).sum::<usize>();
                let value = match open.is_map {
                    true => Value::Map(pairs(open.items)?),
                    false => Value::List(open.items),
                };
                let node = Node { place: open.place, value: Arc::new(value), size };
                self.finish(node, open.anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(Fault::new(place, "yaml: this alias stands inside its own anchor"));
                };
                self.finish(Node { place, ..node }, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, is_map: bool) -> Result<(), Fault> {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("yaml: more than {DEPTH_MAX} values inside each other");
            return Err(Fault::new(place, message));
        }
        self.open.push(Open { place, anchor, is_map, items: Vec::new() });
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        // Each finished part counts what it holds, so that every value counts once per level of
        // depth, which is bounded.
        self.nodes = self.nodes.saturating_add(node.size);
        if self.nodes > NODES_MAX {
            let message = format!("yaml: more than {NODES_MAX} values, aliases written out");
            return Err(Fault::new(node.place, message));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.items.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// Puts keys and values together; `<<` takes in the keys of other maps that are not given.
fn pairs(items: Vec<Node>) -> Result<Vec<(Node, Node)>, Fault> {
    let mut pairs: Vec<(Node, Node)> = Vec::with_capacity(items.len() / 2);
    let mut merged = Vec::new();
    let mut known: BTreeMap<String, Place> = BTreeMap::new();
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let Value::Scalar { text, plain } = &*key.value else {
            return Err(Fault::new(key.place, "yaml: a key must be a text"));
        };
        if *plain && text == "<<" {
            merged.push(value);
            continue;
        }
        if let Some(first) = known.insert(text.clone(), key.place) {
            let message =
                format!("yaml: mapping key {text:?} already defined at line {}", first.line);
            return Err(Fault::new(key.place, message));
        }
        pairs.push((key, value));
    }
    for node in merged {
        let maps: Vec<&Node> = match &*node.value {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![&node],
        };
        for map in maps {
            let Value::Map(inner) = &*map.value else {
                return Err(Fault::new(
                    map.place,
                    "yaml: map merge requires map or sequence of maps as the value",
                ));
            };
            for (key, value) in inner {
                let text = key.scalar().unwrap_or_default().to_owned();
                if let std::collections::btree_map::Entry::Vacant(entry) = known.entry(text) {
                    entry.insert(key.place);
                    pairs.push((key.clone(), value.clone()));
                }
            }
        }
    }
    Ok(pairs)
}

impl Node {
    /// The text as it is written, if it is one.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &*self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it says nothing (`null`, `~` or an empty place).
    pub(super) fn is_null(&self) -> bool {
        match &*self.value {
            Value::Scalar { text, plain: true } => {
                matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }

    /// The fault at this place.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(self.place, message)
    }

    /// A text; nothing counts as the empty one, and numbers as they are written.
    pub(super) fn text(&self, what: &str) -> Result<String, Fault> {
        match &*self.value {
            _ if self.is_null() => Ok(String::new()),
            Value::Scalar { text, .. } => Ok(text.clone()),
            other => Err(self.fault(format!("{what} must be a text, not a {}", kind(other)))),
        }
    }

    /// The items of a list; nothing counts as an empty one.
    pub(super) fn list(&self, what: &str) -> Result<&[Node], Fault> {
        match &*self.value {
            Value::List(items) => Ok(items),
            _ if self.is_null() => Ok(&[]),
            other => Err(self.fault(format!("{what} must be a list, not a {}", kind(other)))),
        }
    }

    /// Keys and values of a map; nothing counts as an empty one.
    pub(super) fn map(&self, what: &str) -> Result<&[(Node, Node)], Fault> {
        match &*self.value {
            Value::Map(pairs) => Ok(pairs),
            _ if self.is_null() => Ok(&[]),
            other => Err(self.fault(format!("{what} must be a map, not a {}", kind(other)))),
        }
    }

    /// A map from texts to texts, with the place of each key.
    pub(super) fn texts(&self, what: &str) -> Result<Vec<(String, String, Place)>, Fault> {
        let mut out = Vec::new();
        for (key, value) in self.map(what)? {
            let name = key.text("a key")?;
            let text = value.text(&format!("the value of {name:?}"))?;
            out.push((name, text, key.place));
        }
        Ok(out)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Scalar { .. } => "text",
        Value::List(_) => "list",
        Value::Map(_) => "map",
    }
}

/// The keys of one map, taken out one by one; what is left in the end is unknown.
pub(super) struct Keys<'n> {
    what: &'static str,
    known: &'static [&'static str],
    pairs: &'n [(Node, Node)],
}

impl<'n> Keys<'n> {
    /// The keys of a map that may have those in `known` and no others.
    pub(super) fn of(
        node: &'n Node,
        what: &'static str,
        known: &'static [&'static str],
    ) -> Result<Self, Fault> {
        let keys = Keys { what, known, pairs: node.map(what)? };
        for (key, _) in keys.pairs {
            let name = key.scalar().unwrap_or_default();
            if !known.contains(&name) {
                return Err(key.fault(format!(
                    "field {name} not found in {}; known here: {}",
                    keys.what,
                    keys.known.join(", ")
                )));
            }
        }
        Ok(keys)
    }

    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let found = self.pairs.iter().find(|(key, _)| key.scalar() == Some(name));
        found.map(|(_, value)| value)
    }

    /// A text; empty where the key is missing.
    pub(super) fn text(&self, name: &str) -> Result<String, Fault> {
        self.get(name).map_or_else(|| Ok(String::new()), |node| node.text(name))
    }

    /// A duration in milliseconds; `None` where the key is missing.
    pub(super) fn duration_ms(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(node) = self.get(name).filter(|node| !node.is_null()) else { return Ok(None) };
        let text = node.text(name)?;
        crate::model::parse_duration_ms(&text)
            .map(Some)
            .map_err(|error| node.fault(format!("{name}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line_and_column() {
        let root = read("a: 1\nb:\n  - x\n  - \"y\"\n").expect("valid").expect("something");
        let pairs = root.map("root").expect("a map");
        let list = pairs[1].1.list("b").expect("a list");
        assert_eq!((list[1].place.line, list[1].place.column), (4, 5));
        assert_eq!(list[1].scalar(), Some("y"));
    }

    #[test]
    fn a_few_lines_of_aliases_cannot_stand_for_billions_of_values() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let before = n - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        let fault = read(&text).expect_err("a bomb");
        assert!(fault.message.contains("aliases written out"), "{fault}");
    }

    #[test]
    fn depth_is_bounded() {
        assert!(read(&"[".repeat(1000)).is_err());
        assert!(read(&format!("{}{}", "- ".repeat(200), "x")).is_err());
    }

    #[test]
    fn a_merge_key_gives_what_is_not_given() {
        let text = "base: &b {x: 1, y: 2}\nout:\n  <<: *b\n  y: 3\n";
        let root = read(text).expect("valid").expect("something");
        let out = root.map("root").expect("a map")[1].1.texts("out").expect("texts");
        let pairs: Vec<(&str, &str)> =
            out.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("y", "3"), ("x", "1")]);
    }

    #[test]
    fn a_key_twice_is_refused_at_the_second() {
        let fault = read("a: 1\na: 2\n").expect_err("twice");
        assert_eq!(fault.to_string(), "2:1: yaml: mapping key \"a\" already defined at line 1");
    }
}
