//! A task's log, which is its standard error.

pub(super) fn log(message: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    eprintln!("[{now}] {}", harmless::text(message));
}
