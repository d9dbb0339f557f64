//! The messages of `profile.proto` that a profile needs.

use std::collections::HashMap;

use prost::Message;

use super::{Frame, Profile};

#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// Innermost first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// Texts, functions and places, each once.
#[derive(Default)]
struct Tables<'a> {
    texts: HashMap<&'a str, i64>,
    functions: HashMap<(&'a str, &'a str), u64>,
    locations: HashMap<&'a Frame, u64>,
    proto: Proto,
}

impl<'a> Tables<'a> {
    fn text(&mut self, text: &'a str) -> i64 {
        let next = signed(self.proto.string_table.len() as u64);
        *self.texts.entry(text).or_insert_with(|| {
            self.proto.string_table.push(text.to_owned());
            next
        })
    }

    fn location(&mut self, frame: &'a Frame) -> u64 {
        if let Some(known) = self.locations.get(frame) {
            return *known;
        }
        let function_id = self.function(frame);
        let id = self.proto.location.len() as u64 + 1;
        let line = vec![Line { function_id, line: i64::from(frame.line) }];
        self.proto.location.push(Location { id, line });
        self.locations.insert(frame, id);
        id
    }

    fn function(&mut self, frame: &'a Frame) -> u64 {
        let key = (frame.name.as_str(), frame.file.as_str());
        if let Some(known) = self.functions.get(&key) {
            return *known;
        }
        let id = self.proto.function.len() as u64 + 1;
        let (name, filename) = (self.text(key.0), self.text(key.1));
        self.proto.function.push(Function { id, name, system_name: name, filename });
        self.functions.insert(key, id);
        id
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The bytes of the profile.
pub(super) fn encode(profile: &Profile) -> Vec<u8> {
    let mut tables = Tables::default();
    // The first text is the empty one.
    tables.text("");
    let (counted, count) = (tables.text(profile.counted), tables.text("count"));
    let (what, nanos) = (tables.text(profile.what), tables.text("nanoseconds"));
    let measured = ValueType { kind: what, unit: nanos };
    tables.proto.sample_type = vec![ValueType { kind: counted, unit: count }, measured.clone()];
    for stack in &profile.stacks {
        let location_id = stack.frames.iter().rev().map(|frame| tables.location(frame)).collect();
        let value = vec![signed(stack.count), signed(stack.nanos)];
        tables.proto.sample.push(Sample { location_id, value });
    }
    let mut proto = tables.proto;
    proto.time_nanos = signed(profile.ended_ns.saturating_sub(profile.took_ns));
    proto.duration_nanos = signed(profile.took_ns);
    proto.period_type = Some(measured);
    proto.period = signed(profile.period_ns);
    proto.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::Stack;
    use super::*;

    #[test]
    fn a_profile_names_each_function_once() {
        let frame = |name: &str, line| Frame { name: name.to_owned(), file: "a.rs".into(), line };
        let stack = |frames, count| Stack { frames, count, nanos: count * 10 };
        let profile = Profile {
            what: "cpu",
            counted: "samples",
            stacks: vec![
                stack(vec![frame("main", 1), frame("work", 2)], 3),
                stack(vec![frame("main", 1), frame("work", 5)], 4),
            ],
            period_ns: 10,
            took_ns: 70,
            ended_ns: 1_000,
        };
        let read = Proto::decode(&*encode(&profile)).expect("decodes");
        assert_eq!(read.string_table[0], "");
        assert_eq!(read.function.len(), 2);
        assert_eq!(read.location.len(), 3);
        assert_eq!(read.sample[1].value, [4, 40]);
        let innermost = read.sample[1].location_id[0];
        let location = read.location.iter().find(|it| it.id == innermost).expect("is there");
        let function = &read.function[location.line[0].function_id as usize - 1];
        assert_eq!(read.string_table[function.name as usize], "work");
        assert_eq!(location.line[0].line, 5);
        assert_eq!((read.time_nanos, read.duration_nanos), (930, 70));
        assert_eq!(read.string_table[read.sample_type[1].unit as usize], "nanoseconds");
    }
}
