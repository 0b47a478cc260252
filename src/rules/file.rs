//! Rule files as data, and how they are read.

use crate::promql::Expr;

use super::yaml::{Fault, Keys, Node, Place, read};

/// One rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFile {
    /// Its name, as the user gave it.
    pub name: String,
    /// Its groups, in order.
    pub groups: Vec<Group>,
}

/// Rules that are evaluated together, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Unique in its file.
    pub name: String,
    /// Milliseconds between evaluations; `None` for the default of whoever evaluates.
    pub interval_ms: Option<i64>,
    /// How far back rules look, in milliseconds; `None` for the default.
    pub query_offset_ms: Option<i64>,
    /// The most series or alerts that one rule may give; 0 for any number.
    pub limit: usize,
    /// The rules, in order. Labels of the group are in each rule's own already.
    pub rules: Vec<Rule>,
    /// Where the group stands.
    pub place: Place,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The metric that is recorded, or the alert's name.
    pub name: String,
    /// The expression.
    pub expr: Expr,
    /// The expression in canonical form.
    pub query: String,
    /// Labels that are set on each result, sorted by name; of an alerting rule they are
    /// templates. An empty value removes the label.
    pub labels: Vec<(String, String)>,
    /// What the rule is for.
    pub kind: RuleKind,
    /// Where the rule stands.
    pub place: Place,
}

/// What a rule is for.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// Writes its result as series.
    Recording,
    /// Decides about alerts.
    Alerting {
        /// How long an alert must hold before it fires, in milliseconds.
        for_ms: i64,
        /// How long an alert stays once it no longer holds, in milliseconds.
        keep_firing_for_ms: i64,
        /// Templates of texts for people, sorted by name.
        annotations: Vec<(String, String)>,
    },
}

impl Rule {
    /// Whether it is an alerting rule.
    pub fn is_alerting(&self) -> bool {
        matches!(self.kind, RuleKind::Alerting { .. })
    }
}

/// A file's text as read, before it is checked.
#[derive(Debug)]
pub(super) struct RawGroup {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) interval_ms: Option<i64>,
    pub(super) query_offset_ms: Option<i64>,
    pub(super) limit: usize,
    pub(super) labels: Vec<(String, String, Place)>,
    pub(super) rules: Vec<RawRule>,
}

/// A rule as read. `None` where a key is missing.
#[derive(Debug)]
pub(super) struct RawRule {
    pub(super) place: Place,
    pub(super) record: (String, Place),
    pub(super) alert: (String, Place),
    pub(super) expr: (String, Place),
    pub(super) for_ms: i64,
    pub(super) keep_firing_for_ms: i64,
    pub(super) labels: Vec<(String, String, Place)>,
    pub(super) annotations: Vec<(String, String, Place)>,
}

impl RawRule {
    /// The alert's name, else the recorded metric's, as Prometheus names a rule in errors.
    pub(super) fn name(&self) -> &str {
        if self.alert.0.is_empty() { &self.record.0 } else { &self.alert.0 }
    }
}

impl RuleFile {
    /// Reads and checks a file's text. Gives every fault, in the order of the file.
    ///
    /// # Errors
    ///
    /// What Prometheus refuses (`model/rulefmt/rulefmt.go`), in its words, with the place.
    pub fn parse(name: &str, text: &str) -> Result<RuleFile, Vec<Fault>> {
        let raw = read_groups(text).map_err(|fault| vec![fault])?;
        let groups = super::check::check(raw)?;
        Ok(RuleFile { name: name.to_owned(), groups })
    }
}

fn read_groups(text: &str) -> Result<Vec<RawGroup>, Fault> {
    let Some(root) = read(text)? else { return Ok(Vec::new()) };
    let keys = Keys::of(&root, "a rule file", &["groups"])?;
    let Some(groups) = keys.get("groups") else { return Ok(Vec::new()) };
    groups.list("groups")?.iter().map(read_group).collect()
}

const GROUP_KEYS: &[&str] = &["name", "interval", "query_offset", "limit", "rules", "labels"];
const RULE_KEYS: &[&str] =
    &["record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"];

fn read_group(node: &Node) -> Result<RawGroup, Fault> {
    let keys = Keys::of(node, "a rule group", GROUP_KEYS)?;
    let limit = match keys.get("limit").filter(|node| !node.is_null()) {
        None => 0,
        Some(node) => {
            let text = node.text("limit")?;
            // A negative limit means none, as in Prometheus, which asks for more than zero.
            let limit: i64 = text
                .parse()
                .map_err(|_| node.fault(format!("limit: {text:?} is not a whole number")))?;
            usize::try_from(limit).unwrap_or(0)
        }
    };
    let rules = match keys.get("rules") {
        Some(rules) => rules.list("rules")?.iter().map(read_rule).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    Ok(RawGroup {
        name: keys.text("name")?,
        place: node.place,
        interval_ms: keys.duration_ms("interval")?.filter(|ms| *ms > 0),
        query_offset_ms: keys.duration_ms("query_offset")?,
        limit,
        labels: texts(&keys, "labels")?,
        rules,
    })
}

fn read_rule(node: &Node) -> Result<RawRule, Fault> {
    let keys = Keys::of(node, "a rule", RULE_KEYS)?;
    let placed = |name: &str| -> Result<(String, Place), Fault> {
        let place = keys.get(name).map_or(node.place, |value| value.place);
        Ok((keys.text(name)?, place))
    };
    Ok(RawRule {
        place: node.place,
        record: placed("record")?,
        alert: placed("alert")?,
        expr: placed("expr")?,
        for_ms: keys.duration_ms("for")?.unwrap_or(0),
        keep_firing_for_ms: keys.duration_ms("keep_firing_for")?.unwrap_or(0),
        labels: texts(&keys, "labels")?,
        annotations: texts(&keys, "annotations")?,
    })
}

fn texts(keys: &Keys<'_>, name: &str) -> Result<Vec<(String, String, Place)>, Fault> {
    keys.get(name).map_or_else(|| Ok(Vec::new()), |node| node.texts(name))
}
