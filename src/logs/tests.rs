//! What is packed comes back, and a search finds what the filter says.

use proptest::prelude::*;

use super::*;
use crate::model::{LogLevel, LogLevels, LogLine, LogMetadata, StoredLine, Timestamp};

/// Texts with few letters, so that they meet, and some that take several bytes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[abAB ]{0,6}",
        1 => "[aäÄ🦀]{0,4}",
        1 => Just("the quick brown fox jumps over the lazy dog, again and again".to_owned()),
    ]
}

fn name(of: &'static str) -> impl Strategy<Value = String> {
    (0..4u8).prop_map(move |n| if n == 0 { String::new() } else { format!("{of}{n}") })
}

fn metadata() -> impl Strategy<Value = LogMetadata> {
    prop_oneof![
        2 => Just(LogMetadata::default()),
        1 => text().prop_map(|text| {
            let value = serde_json::json!({"k": text});
            LogMetadata::new(value.as_object().expect("an object"))
        }),
    ]
}

/// Any line, of a short time.
pub(crate) fn line() -> impl Strategy<Value = LogLine> {
    let texts = (text(), metadata(), name("t"), name("u"));
    let names = (name("s"), name("f"), name("e"));
    (-30..30i64, 0..5usize, texts, names).prop_map(
        |(time, level, (message, metadata, trace_id, user_id), (source, feature, environment))| {
            LogLine {
                time: Timestamp::from_millis(time),
                level: LogLevel::ALL[level],
                message,
                source,
                feature,
                environment,
                trace_id,
                user_id,
                metadata,
            }
        },
    )
}

fn some_names(of: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(name(of), 1..3)]
}

fn text_match() -> impl Strategy<Value = Option<TextMatch>> {
    prop_oneof![
        2 => Just(None),
        2 => ("[abAB ]{0,3}", any::<bool>()).prop_map(|(t, fold)| Some(TextMatch::substring(&t, fold))),
        1 => ("[äÄ🦀]{1,2}", any::<bool>()).prop_map(|(t, fold)| Some(TextMatch::substring(&t, fold))),
        1 => prop::sample::select(vec!["^a", "b$", "a.b", "(?i)A+", r"\bfox", "^$"])
            .prop_map(|p| Some(TextMatch::regex(p).expect("valid"))),
    ]
}

/// Any filter.
pub(crate) fn filter() -> impl Strategy<Value = LogFilter> {
    let time = || prop::option::of((-30..30i64).prop_map(Timestamp::from_millis));
    let levels =
        prop_oneof![2 => Just(LogLevels::ALL), 1 => (0..32u8).prop_map(LogLevels::from_bits)];
    let names = (some_names("s"), some_names("f"), some_names("e"));
    let subjects = (prop::option::weighted(0.2, name("t")), prop::option::weighted(0.2, name("u")));
    (time(), time(), levels, names, subjects, text_match()).prop_map(
        |(from, until, levels, (sources, features, environments), (trace_id, user_id), text)| {
            LogFilter {
                from,
                until,
                levels,
                sources,
                features,
                environments,
                trace_id,
                user_id,
                text,
            }
        },
    )
}

fn columns(lines: &[LogLine]) -> Columns {
    let mut columns = Columns::default();
    for (number, line) in (7..).zip(lines) {
        columns.push(number, line);
    }
    columns
}

fn all(columns: &Columns) -> Vec<StoredLine> {
    (0..columns.len()).map(|row| columns.line(row)).collect()
}

proptest! {
    #[test]
    fn a_record_of_the_journal_gives_back_every_line(
        lines in prop::collection::vec(line(), 0..60),
    ) {
        let columns = columns(&lines);
        let bytes = encode_record(&mut Packer::new().expect("memory"), &columns);
        let back = decode_record(&mut Unpacker::new().expect("memory"), &bytes).expect("decodes");
        let said: Vec<LogLine> = all(&back).into_iter().map(|stored| stored.line).collect();
        prop_assert_eq!(&said, &lines);
        prop_assert_eq!(all(&back), all(&columns));
    }

    #[test]
    fn a_damaged_record_is_no_record_or_another_but_nothing_breaks(
        lines in prop::collection::vec(line(), 1..40),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode_record(&mut Packer::new().expect("memory"), &columns(&lines));
        for (place, flip) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        let mut unpacker = Unpacker::new().expect("memory");
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Some(columns) = decode_record(&mut unpacker, bytes) {
                all(&columns);
            }
        }
    }

    #[test]
    fn a_header_gives_back_what_it_says(lines in prop::collection::vec(line(), 1..40)) {
        let header = Header::of(&columns(&lines), Timestamp::from_millis(99));
        let mut names = std::collections::BTreeSet::new();
        prop_assert_eq!(Header::decode(&header.encode(), &mut names), Some(header));
    }

    #[test]
    fn a_search_finds_what_passes_the_filter_and_a_header_leaves_out_nothing_of_it(
        lines in prop::collection::vec(line(), 1..60),
        filter in filter(),
    ) {
        let columns = columns(&lines);
        let header = Header::of(&columns, Timestamp::default());
        let expected: Vec<u32> =
            (0..).zip(&lines).filter(|(_, line)| filter.matches(line)).map(|(row, _)| row).collect();
        let wanted = Wanted { filter: &filter, over: None, under: None };
        let mut tools = Tools::new().expect("memory");
        let found = Open::new(Place::Memory(&columns), &header).search(&wanted, &mut tools);
        prop_assert_eq!(&found.expect("in memory"), &expected);
        prop_assert!(wanted.may_be_in(&header) || expected.is_empty());
        prop_assert!(!wanted.takes_all(&header) || expected.len() == lines.len());
    }

    #[test]
    fn blocks_hold_all_lines_in_the_order_of_their_ids(
        lines in prop::collection::vec(line(), 1..60),
        cut in 1..20usize,
    ) {
        let units: Vec<_> = lines.chunks(cut).map(|part| std::sync::Arc::new(columns(part))).collect();
        let mut packer = Packer::new().expect("memory");
        let blocks = pack_all(&mut packer, &units, Timestamp::default());
        prop_assert_eq!(blocks.iter().map(|b| b.header.count).sum::<u64>(), lines.len() as u64);
        for (part, payload) in blocks.iter().flat_map(|block| &block.parts) {
            let key = block_key(*part, 3);
            let found = inspect(crate::store::Table::Logs, &key, payload);
            prop_assert!(found.is_ok(), "{part:?}: {found:?}");
        }
    }
}

#[test]
fn texts_of_thousands_of_lines_are_searched_without_finding_what_no_line_says() {
    let mut all = Columns::default();
    for n in 0..5000u64 {
        let line = LogLine { message: format!("{n} end"), ..LogLine::default() };
        all.push(n, &line);
    }
    let header = Header::of(&all, Timestamp::default());
    let mut tools = Tools::new().expect("memory");
    let mut search = |text: &str, ignore_case| {
        let text = Some(TextMatch::substring(text, ignore_case));
        let filter = LogFilter { text, ..LogFilter::default() };
        let wanted = Wanted { filter: &filter, over: None, under: None };
        let found = Open::new(Place::Memory(&all), &header).search(&wanted, &mut tools);
        found.expect("in memory")
    };
    // "10 end" is followed by "11 end": together they have "end11", which no line has.
    assert_eq!(search("end11", false), Vec::<u32>::new());
    assert_eq!(search("END11", true), Vec::<u32>::new());
    assert_eq!(search("1234 e", false), [1234]);
    assert_eq!(search("1234 E", true), [1234]);
    assert_eq!(search("END", true).len(), 5000);
}

#[test]
fn a_long_pause_begins_a_new_block_where_there_are_enough_lines() {
    let mut columns = Columns::default();
    for n in 0..2000u64 {
        // One late line, and 1999 of another day.
        let day = if n == 0 { 0 } else { 86_400_000 };
        let late = n % 1000 == 0 && n > 0;
        let time = Timestamp::from_millis(if late { 5 } else { day + n as i64 });
        columns.push(n, &LogLine { time, ..LogLine::default() });
    }
    let units = [std::sync::Arc::new(columns)];
    let mut packer = Packer::new().expect("memory");
    let blocks = pack_all(&mut packer, &units, Timestamp::default());
    // Two lines are not enough for a block of their own.
    assert_eq!(blocks.iter().map(|block| block.header.count).collect::<Vec<_>>(), [2000]);
    let mut many = Columns::default();
    for n in 0..1200u64 {
        let time = Timestamp::from_millis(if n < 600 { 5 } else { 86_400_000 });
        many.push(n, &LogLine { time, ..LogLine::default() });
    }
    let blocks = pack_all(&mut packer, &[std::sync::Arc::new(many)], Timestamp::default());
    assert_eq!(blocks.iter().map(|block| block.header.count).collect::<Vec<_>>(), [600, 600]);
}
