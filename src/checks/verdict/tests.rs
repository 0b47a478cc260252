//! Sequences of results, a letter each (`h`ealthy, `d`egraded, `u`nhealthy, `?` unknown), one a
//! second from 1 s on, and the changes that follow by hand.

use proptest::prelude::*;

use super::*;

fn status(letter: char) -> CheckStatus {
    match letter {
        'h' => CheckStatus::Healthy,
        'd' => CheckStatus::Degraded,
        'u' => CheckStatus::Unhealthy,
        'p' => CheckStatus::Paused,
        _ => CheckStatus::Unknown,
    }
}

fn letter(status: CheckStatus) -> char {
    match status {
        CheckStatus::Healthy => 'h',
        CheckStatus::Degraded => 'd',
        CheckStatus::Unhealthy => 'u',
        CheckStatus::Paused => 'p',
        CheckStatus::Unknown => '?',
    }
}

fn event(letter: char) -> Event {
    match letter {
        '?' => Event::Unknown(UnknownReason::Uplink),
        'p' => Event::Paused,
        'r' => Event::Resumed,
        letter => Event::Result(status(letter)),
    }
}

fn ms(seconds: usize) -> Timestamp {
    Timestamp::from_millis(i64::try_from(seconds).expect("small") * 1000)
}

fn policy(failure: Threshold, success: Threshold) -> Policy {
    Policy { failure, success }
}

/// Runs events; gives each change as `from>to@second of its beginning/second of decision`.
fn run(policy: &Policy, events: &str) -> (Verdict, Vec<String>) {
    let mut verdict = Verdict::new(ms(0));
    let mut changes = Vec::new();
    for (at, name) in events.chars().enumerate() {
        let (next, transition) = verdict.step(policy, event(name), ms(at + 1));
        verdict = next;
        changes.extend(transition.map(|t| {
            let second = |at: Timestamp| at.millis() / 1000;
            let (from, to) = (letter(t.from), letter(t.to));
            format!("{from}>{to}@{}/{}", second(t.at), second(t.decided_at))
        }));
    }
    (verdict, changes)
}

use Threshold::{Consecutive, Of};

#[test]
fn one_result_decides_unless_told_otherwise() {
    let (_, changes) = run(&Policy::default(), "hhuudh");
    assert_eq!(changes, ["?>h@1/1", "h>u@3/3", "u>d@5/5", "d>h@6/6"]);
}

#[test]
fn enough_in_a_row_decide_and_are_dated_back() {
    let three = policy(Consecutive(3), Consecutive(2));
    for (events, expected) in [
        ("huhuuhuuu", vec!["?>h@1/1", "h>u@7/9"]),
        ("huuuhuhh", vec!["?>h@1/1", "h>u@2/4", "u>h@7/8"]),
        // Degraded is what all three reach; the third unhealthy one in a row makes it worse.
        ("hduuu", vec!["?>h@1/1", "h>d@2/4", "d>u@3/5"]),
        ("hddd", vec!["?>h@1/1", "h>d@2/4"]),
        ("huuudhh", vec!["?>h@1/1", "h>u@2/4", "u>d@5/6", "d>h@6/7"]),
        // A new check: unknown until it is confirmed.
        ("uuu", vec!["?>u@1/3"]),
        ("uuh", vec!["?>h@3/3"]),
    ] {
        assert_eq!(run(&three, events).1, expected, "{events}");
    }
}

#[test]
fn some_of_the_last_decide_and_are_dated_back_to_the_first_of_them() {
    let some = policy(Of { of: 3, within: 5 }, Consecutive(1));
    for (events, expected) in [
        ("huhuu", vec!["?>h@1/1", "h>u@2/5"]),
        ("huhhhuu", vec!["?>h@1/1"]),
        ("huhhuu", vec!["?>h@1/1", "h>u@2/6"]),
        // What failed before the recovery counts no more.
        ("huuuhuuhu", vec!["?>h@1/1", "h>u@2/4", "u>h@5/5", "h>u@6/9"]),
    ] {
        assert_eq!(run(&some, events).1, expected, "{events}");
    }
    let slow = policy(Consecutive(1), Of { of: 2, within: 3 });
    assert_eq!(run(&slow, "huhuh").1, ["?>h@1/1", "h>u@2/2", "u>h@3/5"]);
}

#[test]
fn unknown_time_is_told_and_what_was_known_is_believed_again_at_the_first_agreement() {
    let two = policy(Consecutive(2), Consecutive(2));
    for (events, expected) in [
        ("h??h", vec!["?>h@1/1", "h>?@2/2", "?>h@4/4"]),
        ("h?uu", vec!["?>h@1/1", "h>?@2/2", "?>u@3/4"]),
        ("h?uh", vec!["?>h@1/1", "h>?@2/2", "?>h@4/4"]),
        // Failures on either side of a gap do not add up.
        ("hu?uh", vec!["?>h@1/1", "h>?@3/3", "?>h@5/5"]),
        ("huu?u", vec!["?>h@1/1", "h>u@2/3", "u>?@4/4", "?>u@5/5"]),
        ("huu?hh", vec!["?>h@1/1", "h>u@2/3", "u>?@4/4", "?>h@5/6"]),
    ] {
        assert_eq!(run(&two, events).1, expected, "{events}");
    }
    let (verdict, _) = run(&two, "h?");
    assert_eq!((verdict.reason, verdict.known), (Some(UnknownReason::Uplink), Some(status('h'))));
}

#[test]
fn a_paused_check_forgets() {
    let two = policy(Consecutive(2), Consecutive(1));
    assert_eq!(run(&two, "huupuurh").1, ["?>h@1/1", "h>u@2/3", "u>p@4/4", "p>?@7/7", "?>h@8/8"]);
    assert_eq!(run(&two, "hp?pp").1, ["?>h@1/1", "h>p@2/2"]);
}

/// By Nagios's formula: a change at place n of 20 weighs 0.75 + 0.5 (n − 1) / 19.
#[test]
fn the_share_of_changes_is_weighted_as_nagios_weighs_it() {
    let steady = "h".repeat(20);
    let (verdict, _) = run(&Policy::default(), &format!("{steady}u"));
    // Only the newest of 20 changed: 1.25 / 20.
    assert_eq!(verdict.change_permille, 63);
    let (verdict, _) = run(&Policy::default(), &format!("h{}", "u".repeat(20)));
    // Only the oldest: 0.75 / 20.
    assert_eq!(verdict.change_permille, 38);
    let (verdict, _) = run(&Policy::default(), &"hu".repeat(20));
    assert_eq!(verdict.change_permille, 1000);
}

#[test]
fn what_flaps_gets_worse_once_and_better_only_when_it_settles() {
    let flaps = format!("{}{}{}", "h".repeat(21), "uh".repeat(10), "h".repeat(20));
    let (verdict, changes) = run(&Policy::default(), &flaps);
    // Changes weigh 1.25, 1.22, … from the newest on: three on either side of the fifth make
    // less than 30 %, five newest 1.25+1.224+1.197+1.171+1.145 = 5.99 of 20, so 29.9 %; the
    // sixth is more.
    let at = |n: usize| format!("{}", 21 + n);
    let mut expected = vec!["?>h@1/1".to_owned()];
    for n in 1..=5 {
        let (from, to) = if n % 2 == 1 { ('h', 'u') } else { ('u', 'h') };
        expected.push(format!("{from}>{to}@{0}/{0}", at(n)));
    }
    assert_eq!(changes[..6], expected);
    assert_eq!(changes.len(), 7, "{changes:?}");
    // The last failure was at 21 + 19; healthy since the one after it.
    assert!(changes[6].starts_with("u>h@41/"), "{changes:?}");
    assert!(!verdict.flapping && verdict.status == CheckStatus::Healthy);
    let (verdict, _) = run(&Policy::default(), &flaps[..40]);
    assert!(verdict.flapping && verdict.status == CheckStatus::Unhealthy);
}

#[test]
fn thresholds_that_cannot_be_met_are_refused() {
    let check = |threshold: &str| {
        let text =
            format!("{{\"name\": \"a\", \"kind\": \"tcp\", \"failure_threshold\": {threshold}}}");
        Policy::of(&serde_json::from_str(&text).expect("a check"))
    };
    for threshold in ["0", "101", "{\"of\": 3, \"within\": 2}", "{\"of\": 0, \"within\": 2}"] {
        assert!(check(threshold).expect_err(threshold).starts_with("failure_threshold:"));
    }
    assert_eq!(check("3").map(|policy| policy.failure), Ok(Consecutive(3)));
}

fn threshold() -> impl Strategy<Value = Threshold> {
    prop_oneof![
        (1u32..5).prop_map(Consecutive),
        (1u32..5, 0u32..4).prop_map(|(of, more)| Of { of, within: of + more }),
    ]
}

proptest! {
    #[test]
    fn changes_are_chained_in_order_and_survive_being_stored(
        failure in threshold(), success in threshold(), events in "[hhhhduu?pr]{0,80}",
    ) {
        let policy = policy(failure, success);
        let mut verdict = Verdict::new(ms(0));
        let mut last = ms(0);
        let mut streak = (' ', 0);
        for (at, name) in events.chars().enumerate() {
            let now = ms(at + 1);
            let before = verdict.status;
            let (next, transition) = verdict.step(&policy, event(name), now);
            streak = if streak.0 == name { (name, streak.1 + 1) } else { (name, 1) };
            match transition {
                None => prop_assert_eq!(before, next.status),
                Some(change) => {
                    prop_assert_eq!(change.from, before);
                    prop_assert_eq!(change.to, next.status);
                    prop_assert!(change.from != change.to);
                    prop_assert!(change.at >= last && change.at <= now);
                    prop_assert_eq!(change.decided_at, now);
                    last = change.at;
                }
            }
            // What has held long enough is what the check is.
            let asked = next.status != CheckStatus::Paused && matches!(name, 'h' | 'd' | 'u');
            if asked && streak.1 >= 9 && !next.flapping {
                prop_assert_eq!(next.status, status(name));
            }
            let text = serde_json::to_string(&next).expect("written");
            verdict = serde_json::from_str(&text).expect("read");
            prop_assert_eq!(&verdict, &next);
        }
    }

    /// One threshold of n in a row: an independent reading of the same rule.
    #[test]
    fn a_failure_is_confirmed_by_the_nth_in_a_row_and_not_before(
        n in 1u32..6, quiet in 1usize..5, failures in 1usize..10,
    ) {
        let policy = policy(Consecutive(n), Consecutive(1));
        let events = format!("{}{}", "h".repeat(quiet), "u".repeat(failures));
        let (verdict, changes) = run(&policy, &events);
        let confirmed = failures >= n as usize;
        prop_assert_eq!(verdict.status == CheckStatus::Unhealthy, confirmed);
        if confirmed {
            let expected = format!("h>u@{}/{}", quiet + 1, quiet + n as usize);
            prop_assert_eq!(&changes[1], &expected);
        }
    }
}
