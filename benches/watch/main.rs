//! Checks and rules under load: vedette beside Prometheus with blackbox_exporter, asking the same
//! nginx the same things at the same time.
//!
//! `cargo bench --bench watch -- [--minutes 10] [--checks 1000] [--rules 1000]`. Needs the Debian
//! packages nginx-light, prometheus and prometheus-blackbox-exporter. Checks are asked every 10 s,
//! rules every 15 s. Both sides share the machine during the same minutes, so that only the ratio
//! of their figures means anything.

#[path = "../peers/process.rs"]
#[expect(dead_code, reason = "the comparison of stores needs more of it")]
mod process;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use process::Process;

const NGINX: u16 = 19_280;
const VEDETTE: u16 = 19_277;
const PROMETHEUS: u16 = 19_290;
const BLACKBOX: u16 = 19_215;

/// What happens before figures count: programs start, the first round of everything is over.
const WARM_UP: Duration = Duration::from_secs(30);
/// Between two looks at memory.
const LOOK: Duration = Duration::from_secs(10);

struct Wanted {
    minutes: u64,
    checks: usize,
    rules: usize,
}

impl Wanted {
    fn read() -> Wanted {
        let mut wanted = Wanted { minutes: 10, checks: 1000, rules: 1000 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let text = arguments.next().unwrap_or_default();
                text.parse().unwrap_or_else(|_| panic!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--minutes" => wanted.minutes = number(),
                "--checks" => wanted.checks = number() as usize,
                "--rules" => wanted.rules = number() as usize,
                // What cargo adds.
                "--bench" => {}
                other => panic!("{other}? known: --minutes, --checks, --rules"),
            }
        }
        wanted
    }
}

fn main() {
    let wanted = Wanted::read();
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    let _nginx = nginx(at);
    let vedette = vedette(at, &wanted);
    let (prometheus, blackbox) = (prometheus(at, &wanted), blackbox(at));
    println!("{} checks every 10 s, {} rules every 15 s", wanted.checks, wanted.rules);
    std::thread::sleep(WARM_UP);

    let cpu = |processes: &[&Process]| processes.iter().map(|p| p.cpu()).sum::<Duration>();
    let (ours, theirs) = ([&vedette], [&prometheus, &blackbox]);
    let before = (cpu(&ours), cpu(&theirs));
    let looks = wanted.minutes * 60 / LOOK.as_secs();
    for look in 1..=looks {
        std::thread::sleep(LOOK);
        if look % 6 == 0 || look == looks {
            println!(
                "{:>5} s   memory, MiB: vedette {:.1}   prometheus {:.1} + blackbox {:.1}",
                look * LOOK.as_secs(),
                vedette.memory_mib(),
                prometheus.memory_mib(),
                blackbox.memory_mib(),
            );
        }
    }
    let (ours, theirs) = (cpu(&ours) - before.0, cpu(&theirs) - before.1);
    let share = |cpu: Duration| 100.0 * cpu.as_secs_f64() / (wanted.minutes * 60) as f64;
    println!("CPU, % of one core: vedette {:.1}, theirs {:.1}", share(ours), share(theirs));
    println!("vedette/theirs: {:.2}", ours.as_secs_f64() / theirs.as_secs_f64());
    println!("{}", figures());
}

/// What vedette says of its own checks and rules.
fn figures() -> String {
    let text = fetch(&format!("http://127.0.0.1:{VEDETTE}/metrics"));
    let ours = ["vedette_checks_", "vedette_check_runs", "vedette_check_start", "vedette_rule_"];
    let lines = text.lines().filter(|line| {
        ours.iter().any(|name| line.starts_with(name)) && !line.contains("rule_group=")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn fetch(url: &str) -> String {
    // Installing it a second time is refused and does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fetching = async { reqwest::get(url).await?.text().await };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(fetching).unwrap_or_else(|error| format!("{url}: {error}"))
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn nginx(at: &Path) -> Process {
    let directory = at.join("nginx");
    std::fs::create_dir_all(&directory).expect("a directory");
    let config = directory.join("nginx.conf");
    let text = format!(
        "daemon off; pid {0}/pid; error_log /dev/null; worker_processes 1;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p;\n\
         fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
         server {{ listen 127.0.0.1:{NGINX}; location / {{ return 200 'ok'; }} }} }}\n",
        directory.display()
    );
    write(&config, &text);
    Process::start(Command::new("nginx").arg("-c").arg(&config).arg("-p").arg(&directory))
}

fn target(number: usize) -> String {
    format!("http://127.0.0.1:{NGINX}/{number}")
}

/// Rules in groups of 50, as people have them.
fn rules(wanted: &Wanted, expression: impl Fn(usize) -> String) -> String {
    let mut text = "groups:\n".to_owned();
    for number in 0..wanted.rules {
        if number % 50 == 0 {
            let _ = writeln!(text, "- name: g{}\n  interval: 15s\n  rules:", number / 50);
        }
        let expression = expression(number % wanted.checks.max(1));
        let _ = writeln!(text, "  - {{alert: A{number}, expr: '{expression}', for: 1m}}");
    }
    text
}

fn vedette(at: &Path, wanted: &Wanted) -> Process {
    let rule_file = at.join("vedette-rules.yml");
    write(&rule_file, &rules(wanted, |n| format!("vedette_check_up{{check=\"c{n}\"}} == 0")));
    let mut text = format!(
        "[rules]\nfiles = [{:?}]\n[checks]\nconcurrency = 64\nper_host = 64\n\
         [defaults]\nenabled = false\n[collect.host]\nenabled = false\n",
        rule_file.display().to_string()
    );
    for number in 0..wanted.checks {
        let _ = write!(
            text,
            "[[check]]\nname = \"c{number}\"\nkind = \"http\"\ntarget = \"{}\"\nevery = \"10s\"\n\
             timeout = \"5s\"\nconditions = [\"[STATUS] == 200\"]\n",
            target(number)
        );
    }
    let config = at.join("vedette.toml");
    write(&config, &text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    command.args(["serve", "--listen", &format!("127.0.0.1:{VEDETTE}"), "--data-dir"]);
    command.arg(at.join("vedette")).arg("--config").arg(&config).env("MALLOC_ARENA_MAX", "2");
    Process::start(&mut command)
}

fn prometheus(at: &Path, wanted: &Wanted) -> Process {
    let rule_file = at.join("prometheus-rules.yml");
    write(
        &rule_file,
        &rules(wanted, |n| format!("probe_success{{instance=\"{}\"}} == 0", target(n))),
    );
    let targets: Vec<String> = (0..wanted.checks).map(|n| format!("'{}'", target(n))).collect();
    let text = format!(
        "rule_files: ['{}']\nscrape_configs:\n- job_name: blackbox\n  scrape_interval: 10s\n  \
         scrape_timeout: 5s\n  metrics_path: /probe\n  params: {{module: [http_2xx]}}\n  \
         static_configs: [{{targets: [{}]}}]\n  relabel_configs:\n  \
         - {{source_labels: [__address__], target_label: __param_target}}\n  \
         - {{source_labels: [__param_target], target_label: instance}}\n  \
         - {{target_label: __address__, replacement: '127.0.0.1:{BLACKBOX}'}}\n",
        rule_file.display(),
        targets.join(", ")
    );
    let config = at.join("prometheus.yml");
    write(&config, &text);
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", at.join("prometheus").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{PROMETHEUS}"));
    Process::start(&mut command)
}

fn blackbox(at: &Path) -> Process {
    let config = at.join("blackbox.yml");
    write(
        &config,
        "modules:\n  http_2xx:\n    prober: http\n    http: {preferred_ip_protocol: ip4}\n",
    );
    let mut command = Command::new("prometheus-blackbox-exporter");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{BLACKBOX}"));
    Process::start(&mut command)
}
