//! The messages as prost knows them, declared from the `.proto` files of OpenTelemetry: bodies of
//! the tests are encoded by it and not by us.

macro_rules! messages {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty,)* })*) => {$(
        #[derive(Clone, PartialEq, prost::Message)]
        pub(crate) struct $name { $($(#[$attribute])* pub(crate) $field: $kind,)* }
    )*};
}

messages! {
    Request {
        #[prost(message, repeated, tag = "1")] resource_metrics: Vec<ResourceMetrics>,
    }
    ResourceMetrics {
        #[prost(message, optional, tag = "1")] resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")] scope_metrics: Vec<ScopeMetrics>,
        #[prost(string, tag = "3")] schema_url: String,
    }
    Resource {
        #[prost(message, repeated, tag = "1")] attributes: Vec<KeyValue>,
        #[prost(uint32, tag = "2")] dropped_attributes_count: u32,
    }
    ScopeMetrics {
        #[prost(message, optional, tag = "1")] scope: Option<Scope>,
        #[prost(message, repeated, tag = "2")] metrics: Vec<Metric>,
        #[prost(string, tag = "3")] schema_url: String,
    }
    Scope {
        #[prost(string, tag = "1")] name: String,
        #[prost(string, tag = "2")] version: String,
        #[prost(message, repeated, tag = "3")] attributes: Vec<KeyValue>,
    }
    KeyValue {
        #[prost(string, tag = "1")] key: String,
        #[prost(message, optional, tag = "2")] value: Option<AnyValue>,
    }
    AnyValue {
        #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 7")] value: Option<Value>,
    }
    ArrayValue {
        #[prost(message, repeated, tag = "1")] values: Vec<AnyValue>,
    }
    Metric {
        #[prost(string, tag = "1")] name: String,
        #[prost(string, tag = "2")] description: String,
        #[prost(string, tag = "3")] unit: String,
        #[prost(oneof = "Data", tags = "5, 7, 9, 10, 11")] data: Option<Data>,
        #[prost(message, repeated, tag = "12")] metadata: Vec<KeyValue>,
    }
    Gauge {
        #[prost(message, repeated, tag = "1")] data_points: Vec<NumberPoint>,
    }
    Sum {
        #[prost(message, repeated, tag = "1")] data_points: Vec<NumberPoint>,
        #[prost(int32, tag = "2")] aggregation_temporality: i32,
        #[prost(bool, tag = "3")] is_monotonic: bool,
    }
    Histogram {
        #[prost(message, repeated, tag = "1")] data_points: Vec<HistogramPoint>,
        #[prost(int32, tag = "2")] aggregation_temporality: i32,
    }
    ExponentialHistogram {
        #[prost(message, repeated, tag = "1")] data_points: Vec<ExponentialPoint>,
        #[prost(int32, tag = "2")] aggregation_temporality: i32,
    }
    Summary {
        #[prost(message, repeated, tag = "1")] data_points: Vec<SummaryPoint>,
    }
    NumberPoint {
        #[prost(message, repeated, tag = "7")] attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")] start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")] time_unix_nano: u64,
        #[prost(message, repeated, tag = "5")] exemplars: Vec<Exemplar>,
        #[prost(uint32, tag = "8")] flags: u32,
        #[prost(oneof = "Number", tags = "4, 6")] value: Option<Number>,
    }
    HistogramPoint {
        #[prost(message, repeated, tag = "9")] attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")] start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")] time_unix_nano: u64,
        #[prost(fixed64, tag = "4")] count: u64,
        #[prost(double, optional, tag = "5")] sum: Option<f64>,
        #[prost(fixed64, repeated, tag = "6")] bucket_counts: Vec<u64>,
        #[prost(double, repeated, tag = "7")] explicit_bounds: Vec<f64>,
        #[prost(message, repeated, tag = "8")] exemplars: Vec<Exemplar>,
        #[prost(uint32, tag = "10")] flags: u32,
        #[prost(double, optional, tag = "11")] min: Option<f64>,
        #[prost(double, optional, tag = "12")] max: Option<f64>,
    }
    ExponentialPoint {
        #[prost(message, repeated, tag = "1")] attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")] start_time_unix_nano: u64,
        #[prost(fixed64, tag = "3")] time_unix_nano: u64,
        #[prost(fixed64, tag = "4")] count: u64,
        #[prost(double, optional, tag = "5")] sum: Option<f64>,
        #[prost(sint32, tag = "6")] scale: i32,
        #[prost(fixed64, tag = "7")] zero_count: u64,
        #[prost(message, optional, tag = "8")] positive: Option<Buckets>,
        #[prost(message, optional, tag = "9")] negative: Option<Buckets>,
        #[prost(uint32, tag = "10")] flags: u32,
        #[prost(message, repeated, tag = "11")] exemplars: Vec<Exemplar>,
        #[prost(double, optional, tag = "12")] min: Option<f64>,
        #[prost(double, optional, tag = "13")] max: Option<f64>,
        #[prost(double, tag = "14")] zero_threshold: f64,
    }
    Buckets {
        #[prost(sint32, tag = "1")] offset: i32,
        #[prost(uint64, repeated, tag = "2")] bucket_counts: Vec<u64>,
    }
    SummaryPoint {
        #[prost(message, repeated, tag = "7")] attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "3")] time_unix_nano: u64,
        #[prost(fixed64, tag = "4")] count: u64,
        #[prost(double, tag = "5")] sum: f64,
        #[prost(message, repeated, tag = "6")] quantile_values: Vec<QuantileValue>,
        #[prost(uint32, tag = "8")] flags: u32,
    }
    QuantileValue {
        #[prost(double, tag = "1")] quantile: f64,
        #[prost(double, tag = "2")] value: f64,
    }
    Exemplar {
        #[prost(message, repeated, tag = "7")] filtered_attributes: Vec<KeyValue>,
        #[prost(fixed64, tag = "2")] time_unix_nano: u64,
        #[prost(oneof = "ExemplarNumber", tags = "3, 6")] value: Option<ExemplarNumber>,
        #[prost(bytes = "vec", tag = "4")] span_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "5")] trace_id: Vec<u8>,
    }
    // `ExportLogsServiceRequest`
    LogsExport {
        #[prost(message, repeated, tag = "1")] resource_logs: Vec<OracleResourceLogs>,
    }
    OracleResourceLogs {
        #[prost(message, optional, tag = "1")] resource: Option<Resource>,
        #[prost(message, repeated, tag = "2")] scope_logs: Vec<OracleScopeLogs>,
    }
    OracleScopeLogs {
        #[prost(message, optional, tag = "1")] scope: Option<Scope>,
        #[prost(message, repeated, tag = "2")] log_records: Vec<OracleRecord>,
    }
    OracleRecord {
        #[prost(fixed64, tag = "1")] time_unix_nano: u64,
        #[prost(fixed64, tag = "11")] observed_time_unix_nano: u64,
        #[prost(int32, tag = "2")] severity_number: i32,
        #[prost(string, tag = "3")] severity_text: String,
        #[prost(message, optional, tag = "5")] body: Option<AnyValue>,
        #[prost(message, repeated, tag = "6")] attributes: Vec<KeyValue>,
        #[prost(fixed32, tag = "8")] flags: u32,
        #[prost(bytes = "vec", tag = "9")] trace_id: Vec<u8>,
        #[prost(bytes = "vec", tag = "10")] span_id: Vec<u8>,
        #[prost(string, tag = "12")] event_name: String,
    }
    // `ExportMetricsServiceResponse`
    Response {
        #[prost(message, optional, tag = "1")] partial_success: Option<PartialSuccess>,
    }
    PartialSuccess {
        #[prost(int64, tag = "1")] rejected_data_points: i64,
        #[prost(string, tag = "2")] error_message: String,
    }
    // `google.rpc.Status`
    Status {
        #[prost(int32, tag = "1")] code: i32,
        #[prost(string, tag = "2")] message: String,
    }
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
    #[prost(message, tag = "10")]
    Exponential(ExponentialHistogram),
    #[prost(message, tag = "11")]
    Summary(Summary),
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(crate) enum Number {
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Integer(i64),
}

#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub(crate) enum ExemplarNumber {
    #[prost(double, tag = "3")]
    Double(f64),
    #[prost(sfixed64, tag = "6")]
    Integer(i64),
}

pub(crate) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::Text(value.to_owned()))
}

/// A request of one resource, with `service.name` shop and `host.name` a, and one scope.
pub(crate) fn request(metrics: Vec<Metric>) -> Request {
    let attributes = vec![
        text("service.name", "shop"),
        text("service.namespace", "prod"),
        text("service.instance.id", "1"),
        text("host.name", "a"),
    ];
    let scope = Scope { name: "lib".to_owned(), version: "2".to_owned(), ..Scope::default() };
    Request {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, dropped_attributes_count: 1 }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope),
                metrics,
                schema_url: "https://x".to_owned(),
            }],
            schema_url: String::new(),
        }],
    }
}

pub(crate) fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        description: format!("About {name}."),
        unit: unit.to_owned(),
        data: Some(data),
        metadata: vec![text("x", "y")],
    }
}

pub(crate) fn point(at_ms: u64, value: Number) -> NumberPoint {
    NumberPoint { time_unix_nano: at_ms * 1_000_000, value: Some(value), ..NumberPoint::default() }
}
