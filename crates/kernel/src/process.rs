//! Which processes there are, and what each of them uses.

/// A process at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process {
    pub parent: u32,
    /// It has ended, and its parent has not asked how.
    pub is_zombie: bool,
    /// Processor time since its start, its own and the kernel's on its behalf.
    pub cpu_s: f64,
    /// Resident memory.
    pub memory_bytes: u64,
}

impl Process {
    /// Nothing if there is no such process any more.
    pub fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let (ticks, page) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size());
        // A program's name need not be text.
        Self::parse(&String::from_utf8_lossy(&stat), ticks as f64, page as u64)
    }

    /// A line of proc_pid_stat(5). The second field is the program's name in brackets, which may hold
    /// spaces and brackets itself.
    fn parse(stat: &str, ticks_per_second: f64, page_bytes: u64) -> Option<Self> {
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - FIELD_AFTER_NAME)?.parse::<u64>().ok();
        let ticks = number(UTIME)? + number(STIME)?;
        Some(Self {
            parent: number(PPID)?.try_into().ok()?,
            is_zombie: *fields.first()? == "Z",
            cpu_s: ticks as f64 / ticks_per_second,
            memory_bytes: number(RSS)? * page_bytes,
        })
    }
}

/// The words of the command that a process runs; none of one that has ended, or on other systems.
pub fn command(pid: u32) -> Vec<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The ids of all processes that can be seen.
pub fn ids() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

/// The manual counts fields from one; the state comes after the name.
const FIELD_AFTER_NAME: usize = 3;
const PPID: usize = 4;
const UTIME: usize = 14;
const STIME: usize = 15;
const RSS: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "4711 (a) R (b) S 12 4711 4711 0 -1 4194560 900 0 0 0 250 50 7 9 20 0 1 0 5000 8000000 300 1844 \
            1 1 0 0 0 0 0 0 17 0 0 17 1 0 0 0 0 0 0 0 0 0 0";
        let process = Process { parent: 12, is_zombie: false, cpu_s: 3.0, memory_bytes: 1_228_800 };
        assert_eq!(Process::parse(stat, 100.0, 4096), Some(process));
    }

    #[test]
    fn what_is_no_such_line_says_nothing() {
        for line in ["", "1 (init", "1 (init) S", "1 (init) S 0 1 1 0 -1 4194560"] {
            assert_eq!(Process::parse(line, 100.0, 4096), None, "{line}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_is_found_with_its_parent_until_it_is_waited_for() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        assert!(ids().contains(&child.id()));
        assert_eq!(Process::read(child.id()).unwrap().parent, std::process::id());
        while !Process::read(child.id()).unwrap().is_zombie {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(Process::read(child.id()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_takes_memory() {
        assert!(Process::read(std::process::id()).unwrap().memory_bytes > 100_000);
    }
}
