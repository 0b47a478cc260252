//! Remote write, without a sender.

use super::*;

/// A remote write 1.0 request of one sample, put together by hand from the definition of
/// `prometheus.WriteRequest` (`prompb/remote.proto`, `prompb/types.proto`).
fn write_request(name: &str, value: f64, at_ms: i64) -> Vec<u8> {
    fn field(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
        out.push(tag);
        out.push(u8::try_from(bytes.len()).expect("short"));
        out.extend_from_slice(bytes);
    }
    let mut label = Vec::new();
    field(&mut label, 0x0a, b"__name__");
    field(&mut label, 0x12, name.as_bytes());
    let mut sample = vec![0x09];
    sample.extend_from_slice(&value.to_le_bytes());
    sample.push(0x10);
    let mut rest = at_ms.cast_unsigned();
    while rest >= 0x80 {
        sample.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    sample.push(rest as u8);
    let mut series = Vec::new();
    field(&mut series, 0x0a, &label);
    field(&mut series, 0x12, &sample);
    let mut request = Vec::new();
    field(&mut request, 0x0a, &series);
    snap::raw::Encoder::new().compress_vec(&request).expect("packed")
}

fn remote_write(headers: &[(&str, &str)], body: Vec<u8>) -> Request<Body> {
    let mut request = Request::post("/api/v1/write");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).expect("a request")
}

#[tokio::test]
async fn remote_write_is_acknowledged_without_a_body_and_then_readable() {
    let served = serve(Settings::default());
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
    let body = write_request("pushed", 7.0, NOW_S * 1000);
    let (status, answer) = ask(&served, remote_write(&headers, body)).await;
    assert_eq!((status.as_u16(), answer), (204, Value::Null));
    let (_, read) = get(&served, "/api/v1/query?query=pushed").await;
    assert_eq!(read["data"]["result"][0]["value"][1], "7");
}

#[tokio::test]
async fn remote_write_refuses_what_it_does_not_speak_and_what_is_too_old() {
    let served = serve(Settings::default());
    let body = || write_request("pushed", 7.0, NOW_S * 1000);
    for (headers, status) in [
        ([("content-type", "application/json"), ("content-encoding", "snappy")], 415),
        ([("content-type", "application/x-protobuf"), ("content-encoding", "gzip")], 415),
        (
            [
                ("content-type", "application/x-protobuf;proto=io.prometheus.write.v9.Request"),
                ("content-encoding", "snappy"),
            ],
            415,
        ),
    ] {
        assert_eq!(ask(&served, remote_write(&headers, body())).await.0, status);
    }
    let old = write_request("pushed", 7.0, 1_000);
    let (status, answer) = ask(&served, remote_write(&[], old)).await;
    assert_eq!(status, 400);
    let error = answer["error"].as_str().expect("a text");
    assert!(error.contains("pushed") && error.contains("retention.raw"), "{error}");
    let (status, _) = ask(&served, remote_write(&[], b"no snappy".to_vec())).await;
    assert_eq!(status, 400);
}
