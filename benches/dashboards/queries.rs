//! The list of queries, its variables substituted as Grafana does.

/// What the variables of the dashboards stand for here.
const VARIABLES: &[(&str, &str)] = &[
    ("$__rate_interval", "1m"),
    ("$diskdevices", "[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+"),
    ("$namespace", "namespace-1"),
    ("$kubenode", "node-1"),
    ("$node", "10.0.0.1:9100"),
    ("$job", "node-exporter"),
    ("$cluster", "production"),
    ("$instance", ".+"),
    ("$type", ".+"),
    ("$workload", "workload-1"),
    ("$pod", "workload-1-namespace-1-1"),
];

/// Every query of the list.
pub(crate) fn queries() -> Vec<String> {
    include_str!("queries.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            VARIABLES.iter().fold(line.to_owned(), |text, (name, value)| text.replace(name, value))
        })
        .collect()
}

/// The names of metrics in queries that begin with a prefix.
pub(crate) fn names<'q>(queries: &'q [String], prefix: &str) -> Vec<&'q str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = queries.iter().flat_map(|query| query.split(|c| !is_name(c)));
    let mut out: Vec<&str> =
        words.filter(|word| word.starts_with(prefix) && !word.contains(':')).collect();
    out.sort_unstable();
    out.dedup();
    out
}
