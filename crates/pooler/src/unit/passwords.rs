//! Notes whether a unit of work may have changed somebody's password. It decides nothing about the
//! unit; when it is over, remembered credentials are checked anew if need be.

use bolt::RequestTag;

/// What a unit of work has shown so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Passwords {
    scope: Scope,
    /// RUNs whose result has not been read to its end: what it would say about itself is unknown.
    open_results: usize,
    /// What the queries were, as far as their text tells.
    queries: Query,
    verdict: Verdict,
}

/// What has to happen for a change to last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Scope {
    /// The end of the result.
    #[default]
    AutoCommit,
    /// COMMIT.
    Transaction,
}

/// What a query may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Query {
    /// Nothing to passwords.
    #[default]
    Harmless,
    MayAdminister,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Verdict {
    #[default]
    Unchanged,
    /// A result says that it has changed something, which lasts if the transaction is committed.
    Pending,
    /// A password was changed, or nobody can say that none was.
    MayHaveChanged,
}

/// What the summary of a result says about users and passwords. Neo4j says `contains-system-updates`
/// of every statement that has changed one, to whatever database it was sent, and of no other:
/// `type` is `s` for SHOW USERS, too (measured on 5.26 and 2026.09).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Updates {
    #[default]
    None,
    System,
}

impl Query {
    /// Judges a query by its text, of which nobody knows all if it is `None`. Statements about users
    /// have USER in them; procedures that change passwords are named after security or the system
    /// database; an escape could hide either.
    pub fn of(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::MayAdminister };
        let text = text.as_bytes();
        let begins = |at: usize, word: &[u8]| {
            text[at..].get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
        };
        // One look at each byte: every query goes through here, and some are long.
        let is_suspicious = text.iter().enumerate().any(|(at, byte)| match byte {
            b'u' | b'U' => begins(at, b"user"),
            b's' | b'S' => begins(at, b"security") || begins(at, b"systemdb"),
            b'\\' => begins(at, b"\\u"),
            _ => false,
        });
        if is_suspicious { Self::MayAdminister } else { Self::Harmless }
    }
}

impl Passwords {
    /// BEGIN was passed on.
    pub fn begun(&mut self) {
        self.scope = Scope::Transaction;
    }

    /// RUN was passed on.
    pub fn run(&mut self, query: Query) {
        self.open_results += 1;
        if query == Query::MayAdminister {
            self.queries = query;
        }
    }

    /// A request was answered with SUCCESS.
    pub fn succeeded(&mut self, request: RequestTag, updates: Updates, has_more: bool) {
        if request.takes_records() {
            self.open_results = self.open_results.saturating_sub(usize::from(!has_more));
            if updates == Updates::System {
                self.has_updated();
            }
        }
        if request == RequestTag::Commit {
            let is_known = self.open_results == 0 || self.queries == Query::Harmless;
            if self.verdict == Verdict::Pending || !is_known {
                self.verdict = Verdict::MayHaveChanged;
            }
        }
    }

    fn has_updated(&mut self) {
        self.verdict = match self.scope {
            Scope::AutoCommit => Verdict::MayHaveChanged,
            Scope::Transaction => Verdict::Pending,
        };
    }

    /// The connection was lost, or given up, while nobody knew what had been carried out.
    pub fn outcome_unknown(&mut self) {
        if self.queries == Query::MayAdminister || self.verdict == Verdict::Pending {
            self.verdict = Verdict::MayHaveChanged;
        }
    }

    pub fn may_have_changed(&self) -> bool {
        self.verdict == Verdict::MayHaveChanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALTER: &str = "alter user eve SET PASSWORD 'x'";

    struct Case {
        passwords: Passwords,
    }

    impl Case {
        fn auto_commit(query: &str) -> Self {
            let mut passwords = Passwords::default();
            passwords.run(Query::of(Some(query)));
            Self { passwords }
        }

        fn transaction(query: &str) -> Self {
            let mut passwords = Passwords::default();
            passwords.begun();
            passwords.run(Query::of(Some(query)));
            Self { passwords }
        }

        fn then(mut self, request: RequestTag, updates: Updates) -> Self {
            self.passwords.succeeded(request, updates, false);
            self
        }

        fn lost(mut self) -> Self {
            self.passwords.outcome_unknown();
            self
        }

        fn is_suspicious(&self) -> bool {
            self.passwords.may_have_changed()
        }
    }

    #[test]
    fn who_only_looks_at_users_has_changed_nothing() {
        use RequestTag::{Commit, Pull};
        assert!(!Case::auto_commit("SHOW USERS").then(Pull, Updates::None).is_suspicious());
        assert!(Case::auto_commit(ALTER).then(Pull, Updates::System).is_suspicious());
        let looked = Case::transaction("SHOW USERS").then(Pull, Updates::None);
        assert!(!looked.then(Commit, Updates::None).is_suspicious());
    }

    #[test]
    fn a_change_in_a_transaction_lasts_when_it_is_committed() {
        use RequestTag::{Commit, Pull, Rollback};
        let altered = || Case::transaction(ALTER).then(Pull, Updates::System);
        assert!(!altered().then(Rollback, Updates::None).is_suspicious());
        assert!(altered().then(Commit, Updates::None).is_suspicious());
        assert!(altered().lost().is_suspicious());
    }

    #[test]
    fn a_result_that_nobody_read_to_its_end_may_have_done_what_its_text_says() {
        use RequestTag::Commit;
        assert!(Case::transaction(ALTER).then(Commit, Updates::None).is_suspicious());
        assert!(!Case::transaction("CREATE ()").then(Commit, Updates::None).is_suspicious());
        assert!(Case::auto_commit(ALTER).lost().is_suspicious());
        assert!(!Case::auto_commit("CREATE ()").lost().is_suspicious());
    }

    #[test]
    fn what_a_text_may_hide_is_suspicious() {
        for text in [
            "CALL dbms.security.changePassword($p)",
            "ALTER \\u0055SER eve",
            "CALL apoc.systemDB.execute($x)",
        ] {
            assert_eq!(Query::of(Some(text)), Query::MayAdminister, "{text}");
        }
        for word in ["user", "USER", "sEcurity", "SystemDB", "\\u", "\\U"] {
            for text in [word.to_owned(), format!("s u \\ {word}"), format!("usesystem{word}x")] {
                assert_eq!(Query::of(Some(&text)), Query::MayAdminister, "{text}");
            }
            let cut = &word[..word.len() - 1];
            for text in [cut.to_owned(), format!("{cut}-"), format!("{cut}é")] {
                assert_eq!(Query::of(Some(&text)), Query::Harmless, "{text}");
            }
        }
        assert_eq!(Query::of(None), Query::MayAdminister);
        assert_eq!(Query::of(Some("MATCH (n) RETURN n")), Query::Harmless);
    }
}
