//! Notes whether a unit of work may have changed somebody's password. It decides nothing about the
//! unit; when it is over, remembered credentials are checked anew if need be.

use bolt::RequestTag;

/// What a unit of work has shown so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Passwords {
    access: Access,
    /// RUNs whose result has not been read to its end: what it would say about itself is unknown.
    open_results: usize,
    suspicion: Suspicion,
}

/// As BEGIN asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    #[default]
    MayWrite,
    Reads,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Suspicion {
    #[default]
    None,
    /// Something was, or may have been, written where passwords are kept.
    MayHaveChanged,
}

/// What an answer says about where something was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    /// `type` is `r`.
    Nothing,
    #[default]
    Data,
    /// On database `system`, where passwords are kept, or with `contains-system-updates` or `type`
    /// `s`: administration is carried out there whatever database it was sent to.
    System,
}

impl Passwords {
    /// A transaction was begun.
    pub fn begun(&mut self, access: Access, on_system: Written) {
        self.access = access;
        self.suspect_if(on_system == Written::System);
    }

    /// RUN was passed on.
    pub fn run(&mut self) {
        self.open_results += 1;
    }

    /// A request was answered with SUCCESS.
    pub fn succeeded(&mut self, request: RequestTag, written: Written, has_more: bool) {
        match request {
            RequestTag::Begin => self.suspect_if(written == Written::System),
            RequestTag::Commit => self.suspect_if(self.open_results > 0),
            _ if request.takes_records() => {
                self.suspect_if(written == Written::System);
                self.open_results = self.open_results.saturating_sub(usize::from(!has_more));
            }
            _ => {}
        }
    }

    /// The connection was lost while nobody knew what had been carried out.
    pub fn outcome_unknown(&mut self) {
        self.suspicion = Suspicion::MayHaveChanged;
    }

    pub fn may_have_changed(&self) -> bool {
        self.suspicion == Suspicion::MayHaveChanged
    }

    fn suspect_if(&mut self, seems_so: bool) {
        if seems_so && self.access == Access::MayWrite {
            self.suspicion = Suspicion::MayHaveChanged;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(access: Access, requests: &[(RequestTag, Written)]) -> bool {
        let mut passwords = Passwords::default();
        passwords.begun(access, Written::Data);
        for (request, written) in requests {
            match request {
                RequestTag::Run => passwords.run(),
                _ => passwords.succeeded(*request, *written, false),
            }
        }
        passwords.may_have_changed()
    }

    #[test]
    fn who_writes_to_system_may_have_changed_a_password() {
        let run = (RequestTag::Run, Written::Data);
        assert!(after(Access::MayWrite, &[run, (RequestTag::Pull, Written::System)]));
        assert!(!after(Access::Reads, &[run, (RequestTag::Pull, Written::System)]));
        assert!(!after(Access::MayWrite, &[run, (RequestTag::Pull, Written::Nothing)]));
    }

    #[test]
    fn a_result_that_nobody_read_to_its_end_may_have_done_anything() {
        let (run, pull, commit) = (RequestTag::Run, RequestTag::Pull, RequestTag::Commit);
        let data = |request| (request, Written::Data);
        assert!(after(Access::MayWrite, &[data(run), data(commit)]));
        assert!(!after(Access::MayWrite, &[data(run), data(pull), data(commit)]));
        assert!(!after(Access::Reads, &[data(run), data(commit)]));
    }
}
