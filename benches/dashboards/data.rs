//! Series as node_exporter, cAdvisor, kube-state-metrics, kubelets and an API server have them:
//! names and labels as the queries need, values that move as theirs do.

use crate::queries::names;
use crate::side::Side;

/// How a value moves.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Rises by about so much a round.
    Counter(u64),
    /// Wavers about a level.
    Gauge(u64),
    /// Hardly ever anything else.
    Constant(f64),
}

pub(crate) struct Series {
    labels: Vec<u8>,
    shape: Shape,
    seed: u64,
}

/// Samples of a series in one request.
const ROUNDS_AT_ONCE: i64 = 20;
const SERIES_AT_ONCE: usize = 400;

const LE: &[&str] =
    &["0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "+Inf"];
const CPUS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7"];
const MODES: &[&str] = &["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
const DISKS: &[&str] = &["sda", "sdb", "nvme0n1"];
const NICS: &[&str] = &["eth0", "lo", "docker0", "cni0"];
const MOUNTS: &[&str] = &["/", "/boot", "/home", "/var", "/run", "/data"];
const COLLECTORS: &[&str] = &["cpu", "diskstats", "filesystem", "meminfo", "netdev", "netstat"];
const UNITS: &[&str] = &["activating", "active", "deactivating", "failed", "inactive"];
const OPERATIONS: &[&str] =
    &["create", "start", "stop", "remove", "list", "status", "pull", "exec"];
const VERBS: &[&str] = &["GET", "LIST", "POST", "PUT", "PATCH", "DELETE", "WATCH"];
const SCOPES: &[&str] = &["resource", "namespace", "cluster"];

type Labels = Vec<(&'static str, String)>;

#[derive(Default)]
struct Fleet {
    out: Vec<Series>,
}

impl Fleet {
    fn one(&mut self, name: &str, base: &Labels, more: &[(&str, &str)], shape: Shape) {
        let mut pairs: Vec<(&str, &str)> = base.iter().map(|(n, v)| (*n, v.as_str())).collect();
        pairs.extend(more.iter().copied().filter(|(_, value)| !value.is_empty()));
        pairs.push(("__name__", name));
        pairs.sort_unstable();
        let mut labels = Vec::new();
        for (name, value) in pairs {
            let mut label = Vec::new();
            put(&mut label, 0x0A, name.as_bytes());
            put(&mut label, 0x12, value.as_bytes());
            put(&mut labels, 0x0A, &label);
        }
        let seed = self.out.len() as u64;
        self.out.push(Series { labels, shape, seed });
    }

    fn each(&mut self, name: &str, base: &Labels, label: &str, values: &[&str], shape: Shape) {
        values.iter().for_each(|value| self.one(name, base, &[(label, value)], shape));
    }

    fn histogram(&mut self, name: &str, base: &Labels, more: &[(&str, &str)]) {
        for (place, le) in LE.iter().enumerate() {
            let pairs = [more, &[("le", *le)]].concat();
            self.one(&format!("{name}_bucket"), base, &pairs, Shape::Counter(place as u64 * 3 + 1));
        }
        self.one(&format!("{name}_count"), base, more, Shape::Counter(37));
        self.one(&format!("{name}_sum"), base, more, Shape::Counter(11));
    }

    /// One host as node_exporter shows it.
    fn host(&mut self, number: usize, plain: &[&str]) {
        let base: Labels = vec![
            ("cluster", "production".into()),
            ("instance", format!("10.0.0.{number}:9100")),
            ("job", "node-exporter".into()),
            ("namespace", "monitoring".into()),
            ("node", format!("node-{number}")),
            ("pod", format!("node-exporter-{number}")),
        ];
        let (count, level) = (Shape::Counter(40), Shape::Gauge(5_000_000));
        for name in plain {
            let is_counter = name.ends_with("_total")
                || ["node_netstat_", "node_vmstat_"].iter().any(|p| name.starts_with(p));
            let shape = if is_counter { count } else { level };
            match *name {
                "node_cpu_seconds_total" => CPUS.iter().for_each(|cpu| {
                    for mode in MODES {
                        let busy = if *mode == "idle" { 14 } else { 1 };
                        let more = [("cpu", *cpu), ("mode", *mode)];
                        self.one(name, &base, &more, Shape::Counter(busy));
                    }
                }),
                "node_cpu_guest_seconds_total" => CPUS.iter().for_each(|cpu| {
                    for mode in ["user", "nice"] {
                        let more = [("cpu", *cpu), ("mode", mode)];
                        self.one(name, &base, &more, Shape::Constant(0.0));
                    }
                }),
                "node_network_up" => {
                    for nic in NICS {
                        let more = [("device", *nic), ("operstate", "up")];
                        self.one(name, &base, &more, Shape::Constant(1.0));
                    }
                }
                "node_hwmon_temp_celsius" => {
                    for chip in ["platform_coretemp_0", "nvme_nvme0"] {
                        for sensor in ["temp1", "temp2", "temp3"] {
                            let more = [("chip", chip), ("sensor", sensor)];
                            self.one(name, &base, &more, Shape::Gauge(60));
                        }
                    }
                }
                "node_hwmon_chip_names" => {
                    for (chip, readable) in
                        [("platform_coretemp_0", "coretemp"), ("nvme_nvme0", "nvme")]
                    {
                        let more = [("chip", chip), ("chip_name", readable)];
                        // Of every host the same: the dashboard joins by chip within one host.
                        self.one(name, &base, &more, Shape::Constant(1.0));
                    }
                }
                "node_systemd_units" | "node_processes_state" => {
                    self.each(name, &base, "state", UNITS, Shape::Gauge(20));
                }
                name if name.starts_with("node_scrape_collector_") => {
                    self.each(name, &base, "collector", COLLECTORS, Shape::Gauge(3));
                }
                name if name.starts_with("node_disk_") => {
                    self.each(name, &base, "device", DISKS, shape);
                }
                name if name.starts_with("node_filesystem_") => {
                    for (place, mount) in MOUNTS.iter().enumerate() {
                        let fstype = if *mount == "/run" { "tmpfs" } else { "ext4" };
                        let device = format!("/dev/sda{place}");
                        let more =
                            [("device", &*device), ("fstype", fstype), ("mountpoint", mount)];
                        self.one(name, &base, &more, shape);
                    }
                }
                name if name.starts_with("node_network_") || name == "node_arp_entries" => {
                    self.each(name, &base, "device", NICS, shape);
                }
                name if ["node_softnet_", "node_schedstat_", "node_cpu_scaling"]
                    .iter()
                    .any(|p| name.starts_with(p)) =>
                {
                    self.each(name, &base, "cpu", CPUS, shape);
                }
                name if name.starts_with("node_cooling_") => {
                    self.each(name, &base, "type", &["Processor", "Fan"], shape);
                }
                name => self.one(name, &base, &[], shape),
            }
        }
        for name in ["process_resident_memory_bytes", "process_virtual_memory_bytes"] {
            self.one(name, &base, &[], level);
        }
        for name in ["process_open_fds", "process_max_fds", "up"] {
            self.one(name, &base, &[], Shape::Constant(64.0));
        }
        self.one("process_cpu_seconds_total", &base, &[], Shape::Counter(1));
        self.one("node:node_cpu_utilization:ratio_rate5m", &base, &[], Shape::Gauge(1));
    }

    /// What a kubelet and kube-state-metrics say of one host.
    fn kubelet(&mut self, number: usize) {
        let base: Labels = vec![
            ("cluster", "production".into()),
            ("instance", format!("10.0.0.{number}:10250")),
            ("job", "kubelet".into()),
            ("node", format!("node-{number}")),
        ];
        for name in ["kubelet_node_name", "kubelet_running_pods", "kubelet_running_containers"] {
            self.one(name, &base, &[], Shape::Constant(20.0));
        }
        let states = ["actual_state_of_world", "desired_state_of_world"];
        self.each("volume_manager_total_volumes", &base, "state", &states, Shape::Constant(9.0));
        for operation in OPERATIONS {
            let more = [("operation_type", *operation)];
            self.one("kubelet_runtime_operations_total", &base, &more, Shape::Counter(12));
            self.one("kubelet_runtime_operations_errors_total", &base, &more, Shape::Counter(0));
            self.histogram("kubelet_runtime_operations_duration_seconds", &base, &more);
            self.histogram("kubelet_cgroup_manager_duration_seconds", &base, &more);
            let more = [("operation_name", *operation), ("volume_plugin", "csi")];
            self.histogram("storage_operation_duration_seconds", &base, &more);
            let more = [("verb", VERBS[operation.len() % 7]), ("url", *operation)];
            self.histogram("rest_client_request_duration_seconds", &base, &more);
        }
        for name in [
            "pod_start_duration",
            "pod_worker_duration",
            "pleg_relist_interval",
            "pleg_relist_duration",
        ] {
            self.histogram(&format!("kubelet_{name}_seconds"), &base, &[]);
        }
        self.each(
            "rest_client_requests_total",
            &base,
            "code",
            &["200", "201", "404", "500"],
            Shape::Counter(30),
        );
        self.one("process_resident_memory_bytes", &base, &[], Shape::Gauge(90_000_000));
        self.one("process_cpu_seconds_total", &base, &[], Shape::Counter(2));
        self.one("go_goroutines", &base, &[], Shape::Gauge(300));
        let state: Labels = vec![
            ("cluster", "production".into()),
            ("job", "kube-state-metrics".into()),
            ("node", format!("node-{number}")),
        ];
        for name in ["kube_node_status_allocatable", "kube_node_status_capacity"] {
            self.each(name, &state, "resource", &["cpu", "memory", "pods"], Shape::Constant(8.0));
        }
        for condition in ["Ready", "DiskPressure", "MemoryPressure"] {
            for status in ["true", "false", "unknown"] {
                let more = [("condition", condition), ("status", status)];
                self.one("kube_node_status_condition", &state, &more, Shape::Constant(1.0));
            }
        }
    }

    /// What cAdvisor, kube-state-metrics and recording rules say of one pod.
    fn pod(&mut self, namespace: &str, workload: &str, number: usize, node: usize) {
        let pod = format!("{workload}-{namespace}-{number}");
        let place: Labels = vec![
            ("cluster", "production".into()),
            ("namespace", namespace.into()),
            ("pod", pod.clone()),
        ];
        let with = |more: &[(&'static str, String)]| [place.clone(), more.to_vec()].concat();
        let cadvisor = with(&[
            ("instance", format!("10.0.0.{node}:10250")),
            ("job", "cadvisor".into()),
            ("metrics_path", "/metrics/cadvisor".into()),
            ("node", format!("node-{node}")),
        ]);
        let state =
            with(&[("instance", "10.0.9.9:8080".into()), ("job", "kube-state-metrics".into())]);
        for direction in ["receive", "transmit"] {
            for kind in ["bytes", "packets", "packets_dropped", "errors"] {
                let name = format!("container_network_{direction}_{kind}_total");
                let more = [("interface", "eth0"), ("image", "pause:3.9")];
                self.one(&name, &cadvisor, &more, Shape::Counter(900));
            }
        }
        for container in ["app", "sidecar"] {
            let image = format!("registry.example/{workload}/{container}:v1");
            let id = format!("/kubepods/burstable/{pod}/{container}");
            let more = [("container", container), ("image", &*image), ("id", &*id)];
            for name in ["cpu_usage_seconds", "cpu_cfs_periods", "cpu_cfs_throttled_periods"] {
                let name = format!("container_{name}_total");
                self.one(&name, &cadvisor, &more, Shape::Counter(7));
            }
            for name in ["working_set_bytes", "rss", "cache", "swap"] {
                let name = format!("container_memory_{name}");
                self.one(&name, &cadvisor, &more, Shape::Gauge(200_000_000));
            }
            for name in ["reads", "writes", "reads_bytes", "writes_bytes"] {
                let more = [&more[..], &[("device", "/dev/sda")]].concat();
                self.one(
                    &format!("container_fs_{name}_total"),
                    &cadvisor,
                    &more,
                    Shape::Counter(3),
                );
            }
            let recorded =
                with(&[("container", container.into()), ("node", format!("node-{node}"))]);
            for name in [
                "container_cpu_usage_seconds_total:sum_rate5m",
                "container_memory_working_set_bytes",
            ] {
                let name = format!("node_namespace_pod_container:{name}");
                self.one(&name, &recorded, &[], Shape::Gauge(50));
            }
            for kind in ["requests", "limits"] {
                for (resource, unit) in [("cpu", "core"), ("memory", "byte")] {
                    let more = [("container", container), ("resource", resource), ("unit", unit)];
                    let name = format!("kube_pod_container_resource_{kind}");
                    self.one(&name, &state, &more, Shape::Constant(0.5));
                    let name = format!("cluster:namespace:pod_{resource}:active:{name}");
                    self.one(&name, &state, &more, Shape::Constant(0.5));
                }
            }
            let more = [("container", container), ("reason", "CrashLoopBackOff")];
            self.one(
                "kube_pod_container_status_waiting_reason",
                &state,
                &more,
                Shape::Constant(0.0),
            );
        }
        let node = format!("node-{node}");
        let one = Shape::Constant(1.0);
        self.one("kube_pod_info", &state, &[("node", &node)], one);
        self.one("node_namespace_pod:kube_pod_info:", &place, &[("node", &node)], one);
        let set = format!("{workload}-7d9f8b6c5");
        self.one(
            "kube_pod_owner",
            &state,
            &[("owner_kind", "ReplicaSet"), ("owner_name", &set)],
            one,
        );
        let more = [("workload", workload), ("workload_type", "deployment")];
        self.one("namespace_workload_pod:kube_pod_owner:relabel", &place, &more, one);
        for phase in ["Pending", "Running", "Succeeded", "Failed", "Unknown"] {
            let value = f64::from(u8::from(phase == "Running"));
            self.one("kube_pod_status_phase", &state, &[("phase", phase)], Shape::Constant(value));
        }
        if number == 1 {
            let state: Labels = state.into_iter().filter(|(name, _)| *name != "pod").collect();
            let more =
                [("replicaset", &*set), ("owner_kind", "Deployment"), ("owner_name", workload)];
            self.one("kube_replicaset_owner", &state, &more, one);
        }
    }

    fn namespace(&mut self, namespace: &str) {
        let base: Labels = vec![("cluster", "production".into()), ("namespace", namespace.into())];
        for resource in ["cpu", "memory"] {
            for kind in ["requests", "limits"] {
                let name = format!("namespace_{resource}:kube_pod_container_resource_{kind}:sum");
                self.one(&name, &base, &[], Shape::Constant(24.0));
                let name = format!("{kind}.{resource}");
                for which in ["hard", "used"] {
                    let more =
                        [("job", "kube-state-metrics"), ("resource", &*name), ("type", which)];
                    self.one("kube_resourcequota", &base, &more, Shape::Constant(40.0));
                }
            }
        }
    }

    fn api_server(&mut self, number: usize) {
        let base: Labels = vec![
            ("cluster", "production".into()),
            ("instance", format!("10.0.8.{number}:6443")),
            ("job", "kube-apiserver".into()),
        ];
        for verb in VERBS {
            for resource in ["pods", "nodes", "secrets", "configmaps", "deployments"] {
                for code in ["200", "201", "404", "500"] {
                    let more = [("verb", *verb), ("resource", resource), ("code", code)];
                    self.one("apiserver_request_total", &base, &more, Shape::Counter(25));
                }
                let scope = SCOPES[resource.len() % 3];
                let more = [("verb", *verb), ("resource", resource), ("scope", scope)];
                self.histogram("apiserver_request_sli_duration_seconds", &base, &more);
            }
        }
        for queue in OPERATIONS {
            let more = [("name", *queue)];
            self.one("workqueue_adds_total", &base, &more, Shape::Counter(5));
            self.one("workqueue_depth", &base, &more, Shape::Gauge(4));
            self.histogram("workqueue_queue_duration_seconds", &base, &more);
        }
    }
}

/// All series of a cluster of so many hosts, each with twenty pods.
pub(crate) fn fleet(nodes: usize, queries: &[String]) -> Vec<Series> {
    let mut fleet = Fleet::default();
    let plain = names(queries, "node_");
    for number in 1..=nodes {
        fleet.host(number, &plain);
        fleet.kubelet(number);
    }
    let namespaces = nodes.clamp(2, 10);
    for pod in 0..nodes * 20 {
        let (namespace, rest) = (pod % namespaces + 1, pod / namespaces);
        let namespace = format!("namespace-{namespace}");
        fleet.pod(&namespace, &format!("workload-{}", rest % 4 + 1), rest / 4 + 1, pod % nodes + 1);
    }
    (1..=namespaces).for_each(|number| fleet.namespace(&format!("namespace-{number}")));
    (1..=3).for_each(|number| fleet.api_server(number));
    let cluster: Labels = vec![("cluster", "production".into())];
    fleet.one("cluster:node_cpu:ratio_rate5m", &cluster, &[], Shape::Gauge(1));
    fleet.one(":node_memory_MemAvailable_bytes:sum", &cluster, &[], Shape::Gauge(9_000_000_000));
    fleet.out
}

/// SplitMix64's last steps, of series and round.
fn noise(seed: u64, round: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0xD134_2543_DE82_EF95)
        .wrapping_add(round.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Series {
    fn value(&self, round: u64) -> f64 {
        match self.shape {
            Shape::Counter(step) => {
                let base = noise(self.seed, 0) % 100_000;
                (base + round * step + noise(self.seed, round) % (step / 2 + 1)) as f64
            }
            Shape::Gauge(level) => {
                (level * 256 + noise(self.seed, round) % (level * 32 + 1)) as f64 / 256.0
            }
            Shape::Constant(value) => value,
        }
    }
}

/// Writes all samples, a few rounds of some series at a time.
pub(crate) async fn write(side: &Side, all: &[Series], start_s: i64, rounds: i64) {
    for from in (0..rounds).step_by(ROUNDS_AT_ONCE as usize) {
        for some in all.chunks(SERIES_AT_ONCE) {
            let mut body = Vec::new();
            for series in some {
                let mut one = series.labels.clone();
                for round in from..rounds.min(from + ROUNDS_AT_ONCE) {
                    let at_ms = (start_s + round * crate::INTERVAL_S) * 1000;
                    let mut sample = vec![0x09];
                    sample.extend_from_slice(&series.value(round as u64).to_le_bytes());
                    sample.push(0x10);
                    put_varint(&mut sample, at_ms as u64);
                    put(&mut one, 0x12, &sample);
                }
                put(&mut body, 0x0A, &one);
            }
            side.write(snap::raw::Encoder::new().compress_vec(&body).expect("compresses")).await;
        }
    }
}

fn put(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
