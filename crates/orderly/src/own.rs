//! What the process offers to those who look into it, on the private listener.

use actors::{Vitals, Waits};
use gateway::{Diagnostics, Form, MemoryUse, NoProfile, Profiled};
use std::sync::Arc;
use std::time::Duration;
use telemetry::{Frame, LogControl, MetricsHandle, Profile, ProfileError, Stack, Turn};

/// What clients send that is not HTTP at all is theirs to know, not an error of ours.
const ALWAYS: &str = ",actix_http::h1=off";

/// The log and the metrics of this process.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) metrics: MetricsHandle,
    pub(crate) logs: LogControl,
}

/// [`Own`], and the actors it runs.
pub(crate) struct Process {
    pub(crate) own: Own,
    pub(crate) actors: Vec<Arc<Vitals>>,
}

/// The filter of the log, of the part of it that may be chosen.
pub(crate) fn whole_filter(chosen: &str) -> String {
    format!("{chosen}{ALWAYS}")
}

impl Diagnostics for Process {
    fn log_filter(&self) -> Option<String> {
        let whole = self.own.logs.filter().ok()?;
        Some(whole.strip_suffix(ALWAYS).unwrap_or(&whole).to_owned())
    }

    fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        self.own.logs.set_filter(&whole_filter(filter)).map_err(|error| {
            let source = std::error::Error::source(&error);
            source.map_or_else(|| error.to_string(), ToString::to_string)
        })
    }

    fn profile(&self, of: Profiled, form: Form, time: Duration) -> Result<Vec<u8>, NoProfile> {
        let profile = match of {
            Profiled::Cpu => telemetry::cpu_profile(time),
            Profiled::Mailboxes => self.mailboxes(time),
        };
        let profile = profile.map_err(|error| match error {
            ProfileError::Busy => NoProfile::Busy,
            ProfileError::Failed(_) => NoProfile::Failed(error.to_string()),
        })?;
        Ok(match form {
            Form::Protobuf => profile.protobuf(),
            Form::FlameGraph => profile.flame_graph().into_bytes(),
        })
    }

    fn memory(&self) -> Option<MemoryUse> {
        let memory = telemetry::memory()?;
        Some(MemoryUse {
            resident_bytes: memory.resident,
            resident_peak_bytes: memory.resident_peak,
            anonymous_bytes: memory.anonymous,
            file_bytes: memory.files,
            swapped_bytes: memory.swapped,
            threads: memory.threads,
        })
    }
}

impl Process {
    /// How long messages waited that began to be worked on within `time`.
    fn mailboxes(&self, time: Duration) -> Result<Profile, ProfileError> {
        let _turn = Turn::take()?;
        let look = || self.actors.iter().map(|vitals| vitals.waits()).collect::<Vec<_>>();
        let before = look();
        std::thread::sleep(time);
        let mut stacks: Vec<Stack> = Vec::new();
        for ((vitals, before), after) in self.actors.iter().zip(before).zip(look()) {
            stacks.extend(after.iter().filter_map(|waits| stack(vitals.name(), waits, &before)));
        }
        stacks.sort_by_key(|stack| std::cmp::Reverse(stack.nanos));
        Ok(Profile::measured("mailbox_wait", "messages", stacks, time))
    }
}

/// What the waits of a kind of message came to since `before`; `None` if none has ended.
fn stack(actor: &str, waits: &Waits, before: &[Waits]) -> Option<Stack> {
    let before = before.iter().find(|before| before.kind == waits.kind);
    let (count, waited) = before.map_or((0, Duration::ZERO), |it| (it.count, it.waited));
    let frames = vec![Frame::named(actor), Frame::named(waits.kind)];
    let (count, nanos) = (waits.count - count, nanos(waits.waited.saturating_sub(waited)));
    (count > 0).then_some(Stack { frames, count, nanos })
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_of_waits_has_what_came_since_it_began() {
        let ms = Duration::from_millis;
        let waits = |count, waited| Waits { kind: "Place", count, waited, longest: ms(5) };
        let new = stack("orders", &waits(3, ms(9)), &[]).expect("three waits");
        assert_eq!((new.count, new.nanos), (3, 9_000_000));
        let more = stack("orders", &waits(5, ms(20)), &[waits(3, ms(9))]).expect("two waits");
        assert_eq!((more.count, more.nanos), (2, 11_000_000));
        assert_eq!(more.frames[1].name, "Place");
        assert_eq!(stack("orders", &waits(5, ms(20)), &[waits(5, ms(20))]), None);
    }
}
