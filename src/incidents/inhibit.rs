//! Alerts that explain others (`inhibit/inhibit.go` of Alertmanager).

use crate::model::{Inhibition, Labels};

/// The alerts among those that fire by which an alert need not be told: each that matches the
/// source side of an inhibition whose target side this alert matches, and agrees with it in all
/// labels of `equal` (an absent label and an empty one are the same). An alert that matches both
/// sides is not inhibited by others that do, and so never by itself.
pub fn inhibited_by<'a>(
    inhibitions: &'a [Inhibition],
    labels: &'a Labels,
    firing: &'a [Labels],
) -> impl Iterator<Item = (&'a Inhibition, &'a Labels)> + 'a {
    let about = inhibitions.iter().filter(|one| one.target_matchers.matches(labels));
    about.flat_map(move |inhibition| {
        let is_source = inhibition.source_matchers.matches(labels);
        let explains = move |source: &&Labels| {
            inhibition.source_matchers.matches(source)
                && inhibition.equal.iter().all(|name| source.get(name) == labels.get(name))
                && !(is_source && inhibition.target_matchers.matches(source))
        };
        firing.iter().filter(explains).map(move |source| (inhibition, source))
    })
}

/// What is wrong with an inhibition.
///
/// # Errors
///
/// Says which side has no matchers: it would be about every alert.
pub fn check(inhibition: &Inhibition) -> Result<(), String> {
    for (side, matchers) in [
        ("source_matchers", &inhibition.source_matchers),
        ("target_matchers", &inhibition.target_matchers),
    ] {
        if matchers.is_empty() {
            return Err(format!("{side}: at least one matcher required"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        Labels::from_pairs(pairs).expect("valid")
    }

    fn rule(source: &str, target: &str, equal: &[&str]) -> Inhibition {
        let json = serde_json::json!({
            "source_matchers": source, "target_matchers": target, "equal": equal,
        });
        serde_json::from_value(json).expect("valid")
    }

    fn inhibited(rules: &[Inhibition], target: &str, firing: &[&str]) -> Vec<String> {
        let firing: Vec<Labels> = firing.iter().map(|text| labels(text)).collect();
        let target = labels(target);
        inhibited_by(rules, &target, &firing).map(|(_, source)| source.to_string()).collect()
    }

    /// The cases of `TestInhibitRuleMatches` in Alertmanager's `inhibit/inhibit_test.go`.
    #[test]
    fn inhibitions_are_those_of_alertmanager() {
        let rules = [rule("s1=1", "t1=1", &["e"]), rule("s2=1", "t2=1", &["e"])];
        let firing = ["s1=1,t1=2,e=1", "s2=1,t2=1,e=1"];
        for (target, expected) in [
            // Matches target 1, agrees in e with source 1.
            ("t1=1,t2=1,e=1", true),
            ("t1=1,e=1", true),
            ("t2=1,e=1", true),
            // Matches no target, or does not agree.
            ("t1=0,e=1", false),
            ("t2=0,e=1", false),
            ("s1=1,t1=1,e=1", true),
            ("s2=1,t2=1,e=1", false),
            ("t1=1,e=0", false),
            ("t1=1", false),
        ] {
            assert_eq!(!inhibited(&rules, target, &firing).is_empty(), expected, "{target}");
        }
    }

    #[test]
    fn an_alert_on_both_sides_is_not_inhibited_by_itself_or_its_like() {
        let rules = [rule("a=1", "b=1", &[])];
        assert_eq!(inhibited(&rules, "a=1,b=1,n=1", &["a=1,b=1,n=1", "a=1,b=1,n=2"]), [""; 0]);
        assert_eq!(inhibited(&rules, "a=1,b=1,n=1", &["a=1"]), ["{a=\"1\"}"]);
        assert_eq!(inhibited(&rules, "b=1", &["a=1,b=1"]), ["{a=\"1\", b=\"1\"}"]);
    }

    #[test]
    fn labels_that_both_lack_agree() {
        let rules = [rule("a=1", "b=1", &["e"])];
        assert_eq!(inhibited(&rules, "b=1", &["a=1"]).len(), 1);
        assert_eq!(inhibited(&rules, "b=1,e=1", &["a=1"]).len(), 0);
    }

    #[test]
    fn a_side_without_matchers_is_refused() {
        assert!(check(&rule("a=1", "b=1", &[])).is_ok());
        assert!(check(&Inhibition::default()).is_err());
    }
}
