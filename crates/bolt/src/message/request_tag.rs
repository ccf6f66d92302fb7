//! Which request a message is, without its fields.

use std::fmt;

use super::tag;

/// The requests of Bolt 4.4 to 6.1 by their tag, the byte after a message's structure marker.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestTag {
    Hello,
    Goodbye,
    Reset,
    Run,
    Begin,
    Commit,
    Rollback,
    Discard,
    Pull,
    Telemetry,
    Route,
    Logon,
    Logoff,
    /// No request has this tag. 0 stands for a message that does not begin as Bolt messages do.
    Unknown(u8),
}

impl RequestTag {
    /// Every request that there is.
    pub const ALL: [Self; 13] = [
        Self::Hello,
        Self::Goodbye,
        Self::Reset,
        Self::Run,
        Self::Begin,
        Self::Commit,
        Self::Rollback,
        Self::Discard,
        Self::Pull,
        Self::Telemetry,
        Self::Route,
        Self::Logon,
        Self::Logoff,
    ];

    /// PULL or DISCARD: asks for the records of a result, or to do without them.
    pub fn takes_records(self) -> bool {
        matches!(self, Self::Pull | Self::Discard)
    }

    /// COMMIT or ROLLBACK.
    pub fn ends_transaction(self) -> bool {
        matches!(self, Self::Commit | Self::Rollback)
    }

    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Hello => "HELLO",
            Self::Goodbye => "GOODBYE",
            Self::Reset => "RESET",
            Self::Run => "RUN",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Discard => "DISCARD",
            Self::Pull => "PULL",
            Self::Telemetry => "TELEMETRY",
            Self::Route => "ROUTE",
            Self::Logon => "LOGON",
            Self::Logoff => "LOGOFF",
            Self::Unknown(_) => return None,
        })
    }
}

impl From<u8> for RequestTag {
    fn from(byte: u8) -> Self {
        match byte {
            tag::HELLO => Self::Hello,
            tag::GOODBYE => Self::Goodbye,
            tag::RESET => Self::Reset,
            tag::RUN => Self::Run,
            tag::BEGIN => Self::Begin,
            tag::COMMIT => Self::Commit,
            tag::ROLLBACK => Self::Rollback,
            tag::DISCARD => Self::Discard,
            tag::PULL => Self::Pull,
            tag::TELEMETRY => Self::Telemetry,
            tag::ROUTE => Self::Route,
            tag::LOGON => Self::Logon,
            tag::LOGOFF => Self::Logoff,
            unknown => Self::Unknown(unknown),
        }
    }
}

impl From<RequestTag> for u8 {
    fn from(request: RequestTag) -> Self {
        match request {
            RequestTag::Hello => tag::HELLO,
            RequestTag::Goodbye => tag::GOODBYE,
            RequestTag::Reset => tag::RESET,
            RequestTag::Run => tag::RUN,
            RequestTag::Begin => tag::BEGIN,
            RequestTag::Commit => tag::COMMIT,
            RequestTag::Rollback => tag::ROLLBACK,
            RequestTag::Discard => tag::DISCARD,
            RequestTag::Pull => tag::PULL,
            RequestTag::Telemetry => tag::TELEMETRY,
            RequestTag::Route => tag::ROUTE,
            RequestTag::Logon => tag::LOGON,
            RequestTag::Logoff => tag::LOGOFF,
            RequestTag::Unknown(byte) => byte,
        }
    }
}

/// The specification's name, in capitals.
impl fmt::Display for RequestTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self) {
            (Some(name), _) => f.write_str(name),
            (None, Self::Unknown(byte)) => write!(f, "{byte:#04X}"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Debug for RequestTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_one_request_and_back() {
        for byte in 0..=u8::MAX {
            assert_eq!(u8::from(RequestTag::from(byte)), byte);
        }
        for request in RequestTag::ALL {
            assert_eq!(RequestTag::from(u8::from(request)), request);
            assert!(!matches!(request, RequestTag::Unknown(_)));
        }
        let known = (0..=u8::MAX).filter(|byte| RequestTag::from(*byte).name().is_some()).count();
        assert_eq!(known, RequestTag::ALL.len());
    }

    #[test]
    fn requests_are_named_as_in_the_specification() {
        assert_eq!(RequestTag::Begin.to_string(), "BEGIN");
        assert_eq!(format!("{:?}", RequestTag::Unknown(0x99)), "0x99");
    }
}
