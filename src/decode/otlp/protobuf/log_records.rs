//! The protobuf form of log records (`opentelemetry/proto/logs/v1/logs.proto`,
//! `collector/logs/v1/logs_service.proto`).

use super::super::logs::{LogRecord, LogsRequest, ResourceLogs, ScopeLogs};
use super::{PARTS_MAX, Read, Reader, VALUE_DEPTH_MAX, hexadecimal, text};
use crate::decode::wire::{
    Cursor,
    WireType::{Bytes, Fixed64, Varint},
};

/// Reads `ExportLogsServiceRequest`.
pub(in super::super) fn read(body: &[u8]) -> Read<LogsRequest> {
    let mut reader = Reader { parts_left: PARTS_MAX };
    let mut request = LogsRequest::default();
    let mut rest = Cursor::new(body, 0);
    while !rest.is_empty() {
        match rest.key()? {
            (1, Bytes) => request.resource_logs.push(reader.resource_logs(&mut rest)?),
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok(request)
}

impl Reader {
    fn resource_logs(&mut self, rest: &mut Cursor<'_>) -> Read<ResourceLogs> {
        message!(self, rest, out: ResourceLogs, field {
            (1, Bytes) => out.resource.attributes.append(&mut self.resource(&mut field)?.attributes),
            (2, Bytes) => out.scope_logs.push(self.scope_logs(&mut field)?),
        })
    }

    fn scope_logs(&mut self, rest: &mut Cursor<'_>) -> Read<ScopeLogs> {
        message!(self, rest, out: ScopeLogs, field {
            (1, Bytes) => out.scope = self.scope(&mut field)?,
            (2, Bytes) => out.log_records.push(self.log_record(&mut field)?),
        })
    }

    fn log_record(&mut self, rest: &mut Cursor<'_>) -> Read<LogRecord> {
        message!(self, rest, out: LogRecord, field {
            (1, Fixed64) => out.time_unix_nano = field.fixed64()?,
            (2, Varint) => out.severity_number = field.varint()?.cast_signed(),
            (3, Bytes) => out.severity_text = text(&mut field)?,
            (5, Bytes) => out.body = self.any_value(&mut field, VALUE_DEPTH_MAX)?,
            (6, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
            (9, Bytes) => out.trace_id = hexadecimal(&mut field)?,
            (10, Bytes) => out.span_id = hexadecimal(&mut field)?,
            (11, Fixed64) => out.observed_time_unix_nano = field.fixed64()?,
            (12, Bytes) => out.event_name = text(&mut field)?,
        })
    }
}
