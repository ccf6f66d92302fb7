//! How many files this process may have open: every connection needs one.

/// The limit, after raising it as far as it goes.
pub fn max() -> usize {
    rlimit::increase_nofile_limit(u64::MAX)
        .ok()
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
}
