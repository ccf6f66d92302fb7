//! Everything that can go wrong, by name: what the metrics count, and whose fault each is.

/// Who has to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    Client,
    Upstream,
    Pooler,
}

impl Fault {
    /// The value of the label `fault`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Pooler => "pooler",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $fault:ident $name:ident $label:literal,)*) => {
        /// Why something failed. `docs/pooler.md` has the table of all of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Who has to do something about it.
            pub fn fault(self) -> Fault {
                match self {
                    $(Self::$name => Fault::$fault,)*
                }
            }

            /// The value of the label `reason`. Only together with the fault is it one reason.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }
        }
    };
}

reasons! {
    // Limits that a client has passed.
    Client ClientIdleTimeout "client_idle_timeout",
    Client ClientLoginTimeout "client_login_timeout",
    Client ClientRequestTimeout "client_request_timeout",
    Client ClientWriteTimeout "client_write_timeout",
    Client IdleInTransactionTimeout "idle_in_transaction_timeout",
    /// A client let its connection rest while others waited for one in vain.
    Client ContendedIdleTimeout "contended_idle_timeout",
    Client TransactionTimeout "transaction_timeout",
    /// The time that the client itself had given its transaction was over before there was a
    /// connection for it.
    Client TxTimeout "tx_timeout",
    Client TooManyClients "too_many_clients",
    // Clients on their way in.
    Client LoginRefused "login_refused",
    Client MalformedLogin "malformed_login",
    Client TlsRequired "tls_required",
    Client TlsFailed "tls_failed",
    Client ClosedBeforeTls "closed_before_tls",
    /// Of the PROXY protocol: unasked for, missing or malformed.
    Client ProxyHeader "proxy_header",
    Client Http "http",
    Client NotBolt "not_bolt",
    Client ClientVersion "version",
    Client Handshake "handshake",
    // Clients that do what the protocol does not allow.
    Client UnknownMessage "unknown_message",
    Client IllegalMessage "illegal_message",
    Client MessageTooLarge "message_too_large",
    /// The client left, or a limit passed, in the middle of a request that was being passed on.
    Client RequestBrokenOff "request_broken_off",
    // Connections that could not be opened.
    Upstream Unreachable "unreachable",
    Upstream ConnectionTimeout "connection_timeout",
    Upstream UpstreamVersion "version",
    Upstream ClosedDuringLogin "closed_during_login",
    Upstream LoginProtocol "protocol",
    Upstream CredentialRefused "credential_refused",
    /// A login was told that the server can't be reached.
    Upstream LoginUnavailable "login_unavailable",
    /// A client with nothing under way asked whether anybody is there, and was closed.
    Upstream ServerDown "server_down",
    /// A unit of work was told so.
    Upstream Unavailable "unavailable",
    // Connections that were lost.
    Upstream UpstreamClosed "upstream_closed",
    /// What the victim of `dbms.killConnection` is told: SUCCESS with nothing in it, or IGNORED
    /// without a failure.
    Upstream UpstreamKilled "upstream_killed",
    /// It shuts down, and does not say whether it has carried out what it was asked for.
    Upstream UpstreamGoing "upstream_going",
    Upstream UpstreamSilent "upstream_silent",
    Upstream UpstreamUnsolicited "upstream_unsolicited",
    Upstream UpstreamProtocol "upstream_protocol",
    Upstream UpstreamMessageTooLarge "upstream_message_too_large",
    Upstream UpstreamResetFailed "upstream_reset_failed",
    Upstream RecoveryTimeout "recovery_timeout",
    Upstream LivenessCheck "liveness_check",
    /// A client was closed because nobody knows whether its work was carried out.
    Upstream OutcomeUnknown "outcome_unknown",
    // The pooler's own limits and faults.
    Pooler ConnectionAcquisitionTimeout "connection_acquisition_timeout",
    Pooler MaxWaitingClients "max_waiting_clients",
    Pooler Draining "draining",
    Pooler Panic "panic",
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The cells of the table in the documents, by the fault that its line begins with.
    fn documented() -> BTreeSet<(String, String)> {
        let text = include_str!("../../../docs/pooler.md");
        let (_, table) = text.split_once("| `fault` | `reason` |").expect("the table is there");
        let lines = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
        let mut found = BTreeSet::new();
        for line in lines {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let fault = cells[1].trim_matches('`').to_owned();
            // Every second piece stands between backquotes; a setting in brackets is no reason.
            let pieces: Vec<_> = cells[2].split('`').collect();
            for (before, name) in pieces.iter().zip(&pieces[1..]).step_by(2) {
                if !before.ends_with('(') {
                    found.insert((fault.clone(), (*name).to_owned()));
                }
            }
        }
        found
    }

    #[test]
    fn the_documents_name_every_reason_and_no_other() {
        let name = |reason: &Reason| (reason.fault().label().into(), reason.label().into());
        let known: BTreeSet<(String, String)> = Reason::ALL.iter().map(name).collect();
        assert_eq!(known.len(), Reason::ALL.len(), "two reasons have the same labels");
        assert_eq!(documented(), known);
    }
}
