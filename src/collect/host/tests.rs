//! Against fixtures, whose values were worked out by hand from the kernel's documentation, and
//! against the real node_exporter.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::decode::exposition::{Format, Item, Parser};
use crate::model::{Row, is_stale_nan};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("below the root")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn fixture() -> (tempfile::TempDir, HostRoots) {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    let files = [
        (
            "proc/stat",
            "cpu  300 0 0 0 0 0 0 0 0 0\ncpu0 100 10 20 1000 5 1 2 3 50 4\ncpu1 200 0 0 0 0 0 0 0\n\
             intr 77 1 2 3\nctxt 88\nbtime 1700000000\nprocesses 9\nprocs_running 2\n\
             procs_blocked 1\nsoftirq 5 1\n",
        ),
        ("proc/loadavg", "0.50 1.25 2.00 1/100 999\n"),
        (
            "proc/meminfo",
            "MemTotal:       16 kB\nActive(anon):    2 kB\nHugePages_Total:       3\n",
        ),
        ("proc/vmstat", "nr_free_pages 5\npgpgin 6\npgmajfault 7\noom_kill 1\npgalloc_dma 4\n"),
        (
            "proc/pressure/io",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n\
             full avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n",
        ),
        (
            "proc/diskstats",
            "   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1\n\
             8       0 sda 10 1 8 250 20 2 16 500 3 750 800 4 5 6 700\n\
             8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n",
        ),
        ("udev/b8:0", "N:sda\nE:ID_MODEL=Disk_X\nE:ID_SERIAL_SHORT=S1\n"),
        ("proc/self/mounts", "/dev/sda1 / ext4 ro,relatime 0 0\nproc /proc proc rw 0 0\n"),
        (
            "proc/net/dev",
            "Inter-|   Receive                    |  Transmit\n face |bytes packets\n\
             eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
        ),
        ("sys/class/net/eth0/statistics/rx_nohandler", "17\n"),
        ("proc/net/sockstat", "sockets: used 290\nTCP: inuse 5 orphan 0 tw 1 alloc 9 mem 2\n"),
        ("proc/net/snmp", "Tcp: RtoAlgorithm ActiveOpens InErrs\nTcp: 1 22 33\n"),
        ("proc/net/snmp6", "Ip6InOctets                     \t44\nIp6InReceives 1\n"),
        ("proc/sys/fs/file-nr", "1024\t0\t65536\n"),
        ("sys/class/hwmon/hwmon0/name", "coretemp\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "45500\n"),
    ];
    for (name, text) in files {
        write(root, name, text);
    }
    let roots = HostRoots {
        proc: root.join("proc"),
        sys: root.join("sys"),
        root: root.to_owned(),
        udev: root.join("udev"),
    };
    (dir, roots)
}

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_500);

/// Values by series, the labels of the collector left out.
fn values(rows: &[Row]) -> BTreeMap<String, f64> {
    rows.iter()
        .map(|row| {
            let labels = row.labels.without(|name| matches!(name, JOB_LABEL | INSTANCE_LABEL));
            (labels.to_string(), row.value.as_float().expect("a number"))
        })
        .collect()
}

#[test]
fn the_files_of_the_kernel_become_node_exporters_metrics() {
    let (_dir, roots) = fixture();
    let collected = HostCollector::new(roots, "box").collect(NOW);
    assert!(collected.rows.iter().all(|row| {
        row.at == NOW
            && row.labels.get("job") == Some("node")
            && row.labels.get("instance") == Some("box")
    }));
    let values = values(&collected.rows);
    let page = procfs::page_size() as f64;
    for (series, value) in [
        (r#"node_cpu_seconds_total{cpu="0", mode="user"}"#, 1.0),
        (r#"node_cpu_seconds_total{cpu="0", mode="idle"}"#, 10.0),
        (r#"node_cpu_seconds_total{cpu="0", mode="steal"}"#, 0.03),
        (r#"node_cpu_guest_seconds_total{cpu="0", mode="user"}"#, 0.5),
        (r#"node_cpu_guest_seconds_total{cpu="0", mode="nice"}"#, 0.04),
        (r#"node_cpu_seconds_total{cpu="1", mode="user"}"#, 2.0),
        ("node_intr_total", 77.0),
        ("node_context_switches_total", 88.0),
        ("node_boot_time_seconds", 1.7e9),
        ("node_forks_total", 9.0),
        ("node_procs_running", 2.0),
        ("node_procs_blocked", 1.0),
        ("node_load1", 0.5),
        ("node_load15", 2.0),
        ("node_memory_MemTotal_bytes", 16384.0),
        ("node_memory_Active_anon_bytes", 2048.0),
        ("node_memory_HugePages_Total", 3.0),
        ("node_vmstat_pgpgin", 6.0),
        ("node_vmstat_pgmajfault", 7.0),
        ("node_vmstat_oom_kill", 1.0),
        ("node_pressure_io_waiting_seconds_total", 2.5),
        ("node_pressure_io_stalled_seconds_total", 0.5),
        (r#"node_disk_reads_completed_total{device="sda"}"#, 10.0),
        (r#"node_disk_read_bytes_total{device="sda"}"#, 4096.0),
        (r#"node_disk_read_time_seconds_total{device="sda"}"#, 0.25),
        (r#"node_disk_io_now{device="sda"}"#, 3.0),
        (r#"node_disk_io_time_weighted_seconds_total{device="sda"}"#, 0.8),
        (r#"node_disk_discard_time_seconds_total{device="sda"}"#, 0.7),
        (r#"node_disk_info{device="sda", major="8", minor="0", model="Disk_X", serial="S1"}"#, 1.0),
        (r#"node_filesystem_readonly{device="/dev/sda1", fstype="ext4", mountpoint="/"}"#, 1.0),
        (r#"node_filesystem_device_error{device="/dev/sda1", fstype="ext4", mountpoint="/"}"#, 0.0),
        (r#"node_network_receive_bytes_total{device="eth0"}"#, 1.0),
        (r#"node_network_receive_multicast_total{device="eth0"}"#, 8.0),
        (r#"node_network_transmit_compressed_total{device="eth0"}"#, 16.0),
        (r#"node_network_receive_nohandler_total{device="eth0"}"#, 17.0),
        ("node_sockstat_sockets_used", 290.0),
        ("node_sockstat_TCP_tw", 1.0),
        ("node_sockstat_TCP_mem_bytes", 2.0 * page),
        ("node_netstat_Tcp_ActiveOpens", 22.0),
        ("node_netstat_Tcp_InErrs", 33.0),
        ("node_netstat_Ip6_InOctets", 44.0),
        ("node_filefd_allocated", 1024.0),
        ("node_filefd_maximum", 65536.0),
        ("node_time_seconds", 1_700_000_000.5),
        (r#"node_hwmon_chip_names{chip="hwmon0", chip_name="coretemp"}"#, 1.0),
        (r#"node_hwmon_temp_celsius{chip="hwmon0", sensor="temp1"}"#, 45.5),
    ] {
        assert_eq!(values.get(series), Some(&value), "{series}");
    }
    for absent in ["node_vmstat_pgalloc_dma", "node_netstat_Ip6_InReceives"] {
        assert!(!values.contains_key(absent), "{absent}");
    }
    assert!(!values.keys().any(|series| series.contains("loop0")
        || series.contains("sda1\"") && series.contains("node_disk")));
}

#[test]
fn an_empty_machine_fails_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let roots = HostRoots {
        proc: dir.path().join("proc"),
        sys: dir.path().join("sys"),
        root: dir.path().to_owned(),
        udev: dir.path().join("udev"),
    };
    let rows = HostCollector::new(roots, "box").collect(NOW).rows;
    let names: BTreeSet<&str> = rows.iter().filter_map(|row| row.labels.metric_name()).collect();
    assert!(names.contains("node_uname_info") && names.contains("node_time_seconds"));
    assert!(!names.contains("node_load1"));
}

#[test]
fn counters_of_a_cpu_do_not_step_back_a_little_and_a_disk_that_leaves_is_ended() {
    let (dir, roots) = fixture();
    let mut collector = HostCollector::new(roots, "box");
    collector.collect(NOW);
    write(dir.path(), "proc/stat", "cpu0 90 10 20 990 5 1 2 3 50 4\n");
    write(dir.path(), "proc/diskstats", "");
    let rows = collector.collect(NOW.plus_millis(15_000)).rows;
    let after = values(&rows);
    assert_eq!(after[r#"node_cpu_seconds_total{cpu="0", mode="idle"}"#], 10.0);
    assert_eq!(after[r#"node_cpu_seconds_total{cpu="0", mode="user"}"#], 1.0);
    assert!(is_stale_nan(after[r#"node_disk_io_now{device="sda"}"#]));
    assert!(is_stale_nan(after[r#"node_cpu_seconds_total{cpu="1", mode="idle"}"#]));
    // More than three seconds back: the CPU began anew.
    write(dir.path(), "proc/stat", "cpu0 1 0 0 100 0 0 0 0 0 0\n");
    let rows = collector.collect(NOW.plus_millis(30_000)).rows;
    assert_eq!(values(&rows)[r#"node_cpu_seconds_total{cpu="0", mode="idle"}"#], 1.0);
}

/// The exposition of a node_exporter that is started for it and ended after.
fn node_exporter() -> String {
    let mut child = Command::new("/usr/bin/prometheus-node-exporter")
        .args(["--web.listen-address=127.0.0.1:0", "--collector.filesystem.mount-timeout=2s"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("node_exporter is installed (Debian package prometheus-node-exporter)");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    // It says where it listens: `msg="Listening on" address=127.0.0.1:34567`.
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| {
            let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
            Some(address.trim().to_owned())
        })
        .expect("it listens");
    let mut answer = String::new();
    let fetched = std::net::TcpStream::connect(&address).and_then(|mut stream| {
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    child.kill().expect("it still runs");
    child.wait().expect("it ended");
    fetched.expect("it answers");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    body.to_owned()
}

#[test]
fn nothing_that_node_exporter_shows_of_the_same_collectors_is_missing() {
    let body = node_exporter();
    let ours = HostCollector::new(HostRoots::default(), "box").collect(NOW).rows;
    let ours = values(&ours);
    let shape = |labels: &crate::model::Labels| -> (String, Vec<String>) {
        let name = labels.metric_name().unwrap_or_default().to_owned();
        (name, labels.iter().map(|(n, _)| n.to_owned()).collect())
    };
    let own_shapes: BTreeSet<(String, Vec<String>)> =
        HostCollector::new(HostRoots::default(), "box")
            .collect(NOW)
            .rows
            .iter()
            .map(|row| shape(&row.labels.without(|n| matches!(n, JOB_LABEL | INSTANCE_LABEL))))
            .collect();
    let collectors = [
        "node_cpu_seconds",
        "node_cpu_guest",
        "node_load",
        "node_memory_",
        "node_pressure_",
        "node_disk_",
        "node_filesystem_",
        "node_network_receive_",
        "node_network_transmit_",
        "node_intr",
        "node_context",
        "node_forks",
        "node_procs",
        "node_boot",
        "node_uname",
        "node_time_",
        "node_vmstat_",
        "node_filefd_",
        "node_sockstat_",
        "node_netstat_",
    ];
    // Of netclass, not of netdev.
    let others = ["node_network_transmit_queue_length"];
    let fixed = [
        "node_uname_info",
        "node_boot_time_seconds",
        "node_memory_MemTotal_bytes",
        "node_memory_SwapTotal_bytes",
        "node_filesystem_size_bytes",
        "node_filesystem_files",
        "node_filesystem_readonly",
        "node_filefd_maximum",
        "node_disk_info",
        "node_time_zone_offset_seconds",
        "node_time_clocksource_current_info",
    ];
    let mut compared = 0;
    for item in Parser::new(body.as_bytes(), Format::Text).expect("UTF-8") {
        let Item::Sample(line) = item.expect("an exposition") else { continue };
        let mut pairs = Vec::new();
        line.labels(&mut pairs).expect("labels");
        let labels = crate::model::Labels::from_pairs(pairs).expect("a set");
        let name = labels.metric_name().expect("named").to_owned();
        if !collectors.iter().any(|start| name.starts_with(start))
            || others.contains(&name.as_str())
        {
            continue;
        }
        assert!(own_shapes.contains(&shape(&labels)), "{labels} is missing");
        if fixed.contains(&name.as_str()) {
            assert_eq!(ours.get(&labels.to_string()), Some(&line.value), "{labels}");
            compared += 1;
        }
    }
    assert!(compared >= fixed.len() - 2, "only {compared} fixed values were compared");
}
