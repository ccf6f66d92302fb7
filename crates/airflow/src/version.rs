//! The versions of Airflow that can be set up here.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The version of the reference set-up. LocalExecutor needs PostgreSQL.
    V2_8_1,
    /// LocalExecutor runs on SQLite too.
    V3_3_2,
}

impl Version {
    pub const ALL: [Self; 2] = [Self::V2_8_1, Self::V3_3_2];

    pub fn name(self) -> &'static str {
        match self {
            Self::V2_8_1 => "2.8.1",
            Self::V3_3_2 => "3.3.2",
        }
    }

    /// Every package with its version, in the form that pip reads.
    pub fn requirements(self) -> &'static str {
        match self {
            Self::V2_8_1 => include_str!("../../../airflow/requirements/2.8.1.txt"),
            Self::V3_3_2 => include_str!("../../../airflow/requirements/3.3.2.txt"),
        }
    }

    /// The settings of Airflow that users may choose, with the lab's own choice where it has one.
    pub(crate) fn settings(self) -> &'static str {
        match self {
            Self::V2_8_1 => include_str!("../../../airflow/settings/2.8.1.txt"),
            Self::V3_3_2 => include_str!("../../../airflow/settings/3.3.2.txt"),
        }
    }

    /// Minor versions of Python 3 that it runs on. The one that was tried most comes first.
    pub fn pythons(self) -> &'static [u32] {
        match self {
            Self::V2_8_1 => &[11, 10, 9],
            Self::V3_3_2 => &[11, 12, 10, 13],
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|version| version.name() == name.trim());
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(" or ");
            format!("Airflow {name} can't be set up here; choose {names}, or start it yourself and name it with --airflow-url")
        })
    }
}
