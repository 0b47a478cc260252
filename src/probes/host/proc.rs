//! Load and memory, as `/proc` has them (proc(5)).

type Values = Vec<(String, f64)>;

fn read(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {path}: {error}; is /proc there?"))
}

/// Load averages.
pub(super) fn load() -> Result<Values, String> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    load_of(&read("/proc/loadavg")?, cpus)
}

fn load_of(text: &str, cpus: usize) -> Result<Values, String> {
    let mut numbers = text.split_ascii_whitespace().map_while(|word| word.parse::<f64>().ok());
    let mut next = || numbers.next().ok_or_else(|| format!("/proc/loadavg is odd: {text:?}"));
    let (one, five, fifteen) = (next()?, next()?, next()?);
    Ok(vec![
        ("LOAD1".to_owned(), one),
        ("LOAD5".to_owned(), five),
        ("LOAD15".to_owned(), fifteen),
        ("LOAD5_PER_CPU".to_owned(), five / cpus as f64),
    ])
}

/// Memory that programs can still have.
pub(super) fn memory() -> Result<Values, String> {
    memory_of(&read("/proc/meminfo")?)
}

fn memory_of(text: &str) -> Result<Values, String> {
    let kib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()
    };
    let (Some(total), Some(available)) = (kib("MemTotal"), kib("MemAvailable")) else {
        return Err("/proc/meminfo has no MemTotal or no MemAvailable".to_owned());
    };
    let mut out = vec![("AVAILABLE_BYTES".to_owned(), available * 1024.0)];
    if total > 0.0 {
        out.push(("AVAILABLE_PERCENT".to_owned(), 100.0 * available / total));
    }
    if let (Some(swap), Some(free)) = (kib("SwapTotal"), kib("SwapFree"))
        && swap > 0.0
    {
        out.push(("SWAP_FREE_PERCENT".to_owned(), 100.0 * free / swap));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_read_and_shared_among_processors() {
        let found = load_of("0.50 1.00 2.25 1/234 5678\n", 4).expect("reads");
        assert_eq!(found[2], ("LOAD15".to_owned(), 2.25));
        assert_eq!(found[3], ("LOAD5_PER_CPU".to_owned(), 0.25));
        assert!(load_of("", 1).is_err());
    }

    #[test]
    fn memory_is_read() {
        let text = "MemTotal:        1000 kB\nMemFree: 1 kB\nMemAvailable:     250 kB\n\
                    SwapTotal: 0 kB\nSwapFree: 0 kB\n";
        let found = memory_of(text).expect("reads");
        assert_eq!(
            found,
            [("AVAILABLE_BYTES".to_owned(), 256_000.0), ("AVAILABLE_PERCENT".to_owned(), 25.0)]
        );
    }
}
