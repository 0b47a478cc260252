//! The table of figures, and each as a ratio to vedette's.

#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) cpu_s_per_million: f64,
    pub(crate) new_series_us: f64,
    pub(crate) samples_per_s: f64,
    pub(crate) ack_p50_ms: f64,
    pub(crate) ack_p99_ms: f64,
    pub(crate) memory_peak_mib: f64,
    pub(crate) memory_steady_mib: f64,
    pub(crate) bytes_per_sample: f64,
    pub(crate) query_ms: f64,
    pub(crate) query_cpu_s: f64,
    pub(crate) recovery_s: f64,
    pub(crate) missing: u64,
}

type Row = (&'static str, fn(&Figures) -> f64);

const ROWS: &[Row] = &[
    ("CPU seconds per million samples", |f| f.cpu_s_per_million),
    ("CPU µs per new series", |f| f.new_series_us),
    ("samples a second", |f| f.samples_per_s),
    ("acknowledgement p50, ms", |f| f.ack_p50_ms),
    ("acknowledgement p99, ms", |f| f.ack_p99_ms),
    ("memory peak, MiB", |f| f.memory_peak_mib),
    ("memory after ingest, MiB", |f| f.memory_steady_mib),
    ("bytes per sample, settled", |f| f.bytes_per_sample),
    ("query latency, mean ms", |f| f.query_ms),
    ("query CPU, s", |f| f.query_cpu_s),
    ("ready after kill -9, s", |f| f.recovery_s),
];

pub(crate) fn print(table: &[Figures]) {
    let Some(first) = table.first() else { return };
    print!("| figure |");
    table.iter().for_each(|f| print!(" {} |", f.name));
    print!("\n|---|");
    table.iter().for_each(|_| print!("---|"));
    println!();
    for (title, figure) in ROWS {
        print!("| {title} |");
        let base = figure(first);
        for figures in table {
            let value = figure(figures);
            print!(" {value:.3} ({:.2}×) |", value / base);
        }
        println!();
    }
    print!("| acknowledged samples missing after kill -9 |");
    table.iter().for_each(|f| print!(" {} |", f.missing));
    println!();
}
