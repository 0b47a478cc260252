//! The tree of routes: who is told of an alert, in which groups (`dispatch/route.go` of
//! Alertmanager).

use crate::model::{
    Escalation, Labels, LabelsBuilder, MatchOp, Matcher, Matchers, Name, Period, Route, Severity,
};

/// Labels that alerts of one group share where no route says which.
const GROUP_BY: &str = "alertname";
/// Stands for all labels in `group_by`.
const GROUP_BY_ALL: &str = "...";

/// The clocks of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Timing {
    /// How long a new group waits for more alerts.
    pub group_wait: Period,
    /// How long until a group is told of changes.
    pub group_interval: Period,
    /// How long until a group that goes on is told again.
    pub repeat_interval: Period,
}

/// A breach must be told well under a minute: Alertmanager's own defaults (30 s, 5 min, 4 h) are
/// made for hundreds of targets.
impl Default for Timing {
    fn default() -> Self {
        Timing {
            group_wait: Period::from_secs(2),
            group_interval: Period::from_secs(15),
            repeat_interval: Period::from_secs(4 * 3600),
        }
    }
}

/// One way that an alert takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// The route's key, as Alertmanager writes it: `{}/{severity="critical"}`.
    pub route: String,
    /// Tells routes of one key apart: 0 for the first of them.
    pub twin: usize,
    /// Who is told. Empty: those that are told by default.
    pub channels: Vec<Name>,
    /// The labels that the group's alerts share.
    pub group_labels: Labels,
    /// The group's clocks.
    pub timing: Timing,
    /// What happens while nobody acknowledges.
    pub escalations: Vec<Escalation>,
}

impl Routed {
    /// What Alertmanager calls the group: `{}/{severity="critical"}:{alertname="Down"}`.
    pub fn group_key(&self) -> String {
        format!("{}:{}", self.route, label_set(&self.group_labels))
    }
}

/// Labels as Alertmanager writes a set of them: `{a="b", c="d"}`.
fn label_set(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Matchers as a route's key has them: sorted, `{a="b",c=~"d"}`.
fn matchers_key(matchers: &Matchers) -> String {
    let mut sorted: Vec<&Matcher> = matchers.0.iter().collect();
    let order = |op: MatchOp| match op {
        MatchOp::Equal => 0,
        MatchOp::NotEqual => 1,
        MatchOp::Regex => 2,
        MatchOp::NotRegex => 3,
    };
    sorted.sort_by(|a, b| {
        (a.name(), a.value(), order(a.op())).cmp(&(b.name(), b.value(), order(b.op())))
    });
    let texts: Vec<String> = sorted.into_iter().map(ToString::to_string).collect();
    format!("{{{}}}", texts.join(","))
}

/// What a node passes on to those below it.
#[derive(Clone)]
struct Inherited<'r> {
    channels: &'r [Name],
    group_by: Option<&'r [String]>,
    timing: Timing,
    escalations: &'r [Escalation],
}

impl<'r> Inherited<'r> {
    fn below(&self, route: &'r Route) -> Inherited<'r> {
        let timing = Timing {
            group_wait: route.group_wait.unwrap_or(self.timing.group_wait),
            group_interval: route.group_interval.unwrap_or(self.timing.group_interval),
            repeat_interval: route.repeat_interval.unwrap_or(self.timing.repeat_interval),
        };
        let or = |own: &'r [Name], above| if own.is_empty() { above } else { own };
        Inherited {
            channels: or(&route.channels, self.channels),
            group_by: route.group_by.as_deref().or(self.group_by),
            timing,
            escalations: match route.escalations.is_empty() {
                true => self.escalations,
                false => &route.escalations,
            },
        }
    }

    fn routed(&self, key: String, twin: usize, labels: &Labels) -> Routed {
        let group_labels = match self.group_by {
            Some(names) if names.iter().any(|name| name == GROUP_BY_ALL) => labels.clone(),
            Some(names) => only(labels, |label| names.iter().any(|name| name == label)),
            None => only(labels, |label| label == GROUP_BY),
        };
        Routed {
            route: key,
            twin,
            channels: self.channels.to_vec(),
            group_labels,
            timing: self.timing,
            escalations: self.escalations.to_vec(),
        }
    }
}

fn only(labels: &Labels, keep: impl Fn(&str) -> bool) -> Labels {
    let mut builder = LabelsBuilder::new(labels);
    builder.retain(keep);
    // Fewer labels of a valid set are one.
    builder.build().unwrap_or_default()
}

/// How deep routes may be nested: bounds the stack.
pub const DEPTH_MAX: usize = 32;

/// The ways that an alert takes. `channels`, if its definition names some, go by the tree: they
/// are told in groups of the root. Empty when no route takes it.
pub fn route(tree: &Route, labels: &Labels, severity: Severity, channels: &[Name]) -> Vec<Routed> {
    let nothing =
        Inherited { channels: &[], group_by: None, timing: Timing::default(), escalations: &[] };
    if !channels.is_empty() {
        let root = Inherited { channels, ..nothing.below(tree) };
        return vec![root.routed(matchers_key(&tree.matchers), 0, labels)];
    }
    let mut out = Vec::new();
    let key = matchers_key(&tree.matchers);
    descend(tree, &nothing, key, 0, (labels, severity), DEPTH_MAX, &mut out);
    out
}

/// Adds the ways below `route`; whether there is any.
fn descend<'r>(
    route: &'r Route,
    above: &Inherited<'r>,
    key: String,
    twin: usize,
    alert: (&Labels, Severity),
    depth: usize,
    out: &mut Vec<Routed>,
) -> bool {
    let (labels, severity) = alert;
    let takes =
        route.matchers.matches(labels) && route.min_severity.is_none_or(|min| severity >= min);
    if !takes {
        return false;
    }
    let own = above.below(route);
    let mut taken = false;
    let mut keys: Vec<String> = Vec::new();
    for child in &route.routes {
        if depth == 0 {
            break;
        }
        let child_key = format!("{key}/{}", matchers_key(&child.matchers));
        let twins = keys.iter().filter(|known| **known == child_key).count();
        keys.push(child_key.clone());
        if descend(child, &own, child_key, twin * 1000 + twins, alert, depth - 1, out) {
            taken = true;
            if !child.go_on {
                break;
            }
        }
    }
    if !taken {
        out.push(own.routed(key, twin, labels));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("valid")
    }

    /// The tree of `TestRouteMatchers` in Alertmanager's `dispatch/route_test.go`.
    fn tree() -> Route {
        serde_json::from_value(serde_json::json!({
            "channels": ["notify-def"],
            "routes": [
                {
                    "matchers": ["owner=\"team-A\"", "level!=\"critical\""],
                    "channels": ["notify-a"],
                    "routes": [
                        {
                            "matchers": ["env=testing", "baz!~\".*quux\""],
                            "channels": ["notify-testing"],
                            "group_by": ["..."]
                        },
                        {
                            "matchers": ["env=production"],
                            "channels": ["notify-production-a"],
                            "group_wait": "1m",
                            "continue": true
                        },
                        {
                            "matchers": ["env=~\"produ.*\"", "job=~\".*\""],
                            "channels": ["notify-production-b"],
                            "group_wait": "30s",
                            "group_interval": "5m",
                            "repeat_interval": "1h",
                            "group_by": ["job"]
                        }
                    ]
                },
                {
                    "matchers": ["owner=~\"team-(B|C)\""],
                    "group_by": ["foo", "bar"],
                    "group_wait": "2m",
                    "channels": ["notify-bc"]
                },
                {
                    "matchers": ["group_by=role"],
                    "group_by": ["role"],
                    "routes": [{
                        "matchers": ["env=testing"],
                        "channels": ["notify-testing"],
                        "routes": [{ "matchers": ["wait=long"], "group_wait": "2m" }]
                    }]
                }
            ]
        }))
        .expect("a route")
    }

    /// Key, channel, group wait in seconds and group labels of each way.
    fn ways(pairs: &[(&str, &str)]) -> Vec<(String, String, i64, String)> {
        route(&tree(), &labels(pairs), Severity::Warning, &[])
            .into_iter()
            .map(|way| {
                let channel = way.channels[0].to_string();
                let wait = way.timing.group_wait.millis() / 1000;
                (way.route, channel, wait, way.group_labels.to_string())
            })
            .collect()
    }

    #[test]
    fn an_alert_takes_the_ways_that_it_takes_in_alertmanager() {
        let way = |key: &str, channel: &str, wait, group: &str| {
            (key.to_owned(), channel.to_owned(), wait, group.to_owned())
        };
        let a = "{}/{level!=\"critical\",owner=\"team-A\"}";
        let name = ("alertname", "x");
        let named = "{alertname=\"x\"}";
        assert_eq!(ways(&[name, ("owner", "team-A")]), [way(a, "notify-a", 2, named)]);
        assert_eq!(
            ways(&[name, ("owner", "team-A"), ("env", "unset")]),
            [way(a, "notify-a", 2, named)]
        );
        assert_eq!(
            ways(&[("owner", "team-C"), ("foo", "1"), ("x", "y")]),
            [way("{}/{owner=~\"team-(B|C)\"}", "notify-bc", 120, "{foo=\"1\"}")]
        );
        let testing = format!("{a}/{{baz!~\".*quux\",env=\"testing\"}}");
        assert_eq!(
            ways(&[("owner", "team-A"), ("env", "testing")]),
            [way(&testing, "notify-testing", 2, "{env=\"testing\", owner=\"team-A\"}")]
        );
        assert_eq!(
            ways(&[name, ("owner", "team-A"), ("env", "production"), ("job", "j")]),
            [
                way(&format!("{a}/{{env=\"production\"}}"), "notify-production-a", 60, named),
                way(
                    &format!("{a}/{{env=~\"produ.*\",job=~\".*\"}}"),
                    "notify-production-b",
                    30,
                    "{job=\"j\"}"
                ),
            ]
        );
        assert_eq!(
            ways(&[("group_by", "role"), ("env", "testing"), ("wait", "long")]),
            [way(
                "{}/{group_by=\"role\"}/{env=\"testing\"}/{wait=\"long\"}",
                "notify-testing",
                120,
                "{}"
            )]
        );
        assert_eq!(ways(&[name]), [way("{}", "notify-def", 2, named)]);
    }

    #[test]
    fn a_group_is_named_as_alertmanager_names_it() {
        let alert = labels(&[("alertname", "x"), ("cluster", "c")]);
        let tree = Route {
            group_by: Some(vec!["alertname".to_owned(), "cluster".to_owned()]),
            ..Route::default()
        };
        let ways = route(&tree, &alert, Severity::Info, &[]);
        assert_eq!(ways[0].group_key(), "{}:{alertname=\"x\", cluster=\"c\"}");
    }

    #[test]
    fn a_severity_below_the_least_is_not_taken() {
        let tree = Route { min_severity: Some(Severity::Critical), ..Route::default() };
        let alert = labels(&[("alertname", "x")]);
        assert!(route(&tree, &alert, Severity::Warning, &[]).is_empty());
        assert_eq!(route(&tree, &alert, Severity::Critical, &[]).len(), 1);
    }

    #[test]
    fn channels_of_an_alert_go_by_the_tree() {
        let own = Name::new("own").expect("valid");
        let alert = labels(&[("alertname", "x"), ("owner", "team-A")]);
        let ways = route(&tree(), &alert, Severity::Info, std::slice::from_ref(&own));
        assert_eq!(ways.len(), 1);
        assert_eq!((ways[0].channels.as_slice(), ways[0].route.as_str()), ([own].as_slice(), "{}"));
    }

    #[test]
    fn twins_among_routes_are_told_apart() {
        let child = |min| Route { min_severity: Some(min), go_on: true, ..Route::default() };
        let tree = Route {
            routes: vec![child(Severity::Info), child(Severity::Warning)],
            ..Route::default()
        };
        let ways = route(&tree, &Labels::empty(), Severity::Critical, &[]);
        let twins: Vec<_> = ways.iter().map(|way| (way.route.as_str(), way.twin)).collect();
        assert_eq!(twins, [("{}/{}", 0), ("{}/{}", 1)]);
    }
}
