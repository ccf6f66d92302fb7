//! Time-outs, retries and limits of Airflow: which ones the lab raises, because a busy machine is slow and not
//! broken, and which ones of the user's environment reach the lab's Airflow. All others don't: they might name
//! a production database, a broker, a place for secrets or somebody's DAGs.

use std::collections::BTreeMap;

use crate::version::Version;

/// What the lab and the user have chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// By variable: the lab's choice, or the user's in its stead.
    pub chosen: BTreeMap<String, String>,
    /// Those of them that are the user's.
    passed_on: Vec<String>,
    /// The user's variables that Airflow is not given, and why.
    kept_back: Vec<(String, Reason)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// It is none of the settings that users may choose.
    Foreign,
    NoNumber,
    /// There is an option for it, which says something else.
    Overruled,
}

impl Limits {
    /// The limits for `version`, given the user's environment. `parallelism` is what the lab was told to use.
    pub fn of(
        version: Version,
        variables: impl IntoIterator<Item = (String, String)>,
        parallelism: usize,
    ) -> Self {
        let allowed: BTreeMap<String, Option<&str>> = settings(version).collect();
        let raised =
            allowed.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?.to_owned())));
        let mut limits = Self { chosen: raised.collect(), ..Self::default() };
        for (name, value) in variables {
            if !name.starts_with(PREFIX) {
                continue;
            }
            let value = value.trim();
            let reason = match () {
                () if !allowed.contains_key(&name) => Reason::Foreign,
                () if !is_number(value) => Reason::NoNumber,
                () if name == PARALLELISM && value != parallelism.to_string() => Reason::Overruled,
                () => {
                    limits.chosen.insert(name.clone(), value.to_owned());
                    limits.passed_on.push(name);
                    continue;
                }
            };
            limits.kept_back.push((name, reason));
        }
        limits.passed_on.sort();
        limits.kept_back.sort();
        limits
    }

    /// What the user should know, in lines. Values that are kept back may be secret, so they are not said.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        if !self.passed_on.is_empty() {
            let passed = self.passed_on.iter().map(|name| format!("{name}={}", self.chosen[name]));
            sentences
                .push(format!("passed on to Airflow: {}", passed.collect::<Vec<_>>().join(", ")));
        }
        for (reason, why) in [
            (Reason::Foreign, "the lab's Airflow takes only time-outs, retries and limits"),
            (Reason::NoNumber, "they are no numbers"),
            (Reason::Overruled, "--parallelism says something else"),
        ] {
            let names = self.kept_back.iter().filter(|(_, its)| *its == reason);
            let names: Vec<_> = names.map(|(name, _)| name.as_str()).collect();
            if !names.is_empty() {
                sentences.push(format!("not passed on to Airflow, as {why}: {}", names.join(", ")));
            }
        }
        sentences
    }
}

/// How many tasks at once the user's environment asks Airflow for.
pub fn parallelism_of_environment() -> Option<usize> {
    parallelism_in(std::env::var(PARALLELISM).ok()?.trim())
}

fn parallelism_in(value: &str) -> Option<usize> {
    value.parse().ok().filter(|count| *count > 0)
}

/// Every variable that users may set, with the value that the lab gives it otherwise.
fn settings(version: Version) -> impl Iterator<Item = (String, Option<&'static str>)> {
    let lines = version.settings().lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (line, None),
        };
        (format!("AIRFLOW__{}", name.replace('.', "__").to_uppercase()), value)
    })
}

/// Nothing but a number passes, as Airflow would replace names in a text by what they stand for.
fn is_number(value: &str) -> bool {
    value.starts_with(|first: char| first.is_ascii_digit())
        && value.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
        && value.parse::<f64>().is_ok()
}

/// Of every setting of Airflow in the environment.
const PREFIX: &str = "AIRFLOW__";
const PARALLELISM: &str = "AIRFLOW__CORE__PARALLELISM";

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(version: Version, variables: &[(&str, &str)]) -> Limits {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        Limits::of(version, variables, 32)
    }

    /// Sections, or sections and keys, that decide where Airflow is and what it talks to.
    const FOREIGN: [&str; 22] = [
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_ENGINE_ARGS",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
        "AIRFLOW__CORE__EXECUTOR",
        "AIRFLOW__CORE__DAGS_FOLDER",
        "AIRFLOW__CORE__PLUGINS_FOLDER",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__CORE__FERNET_KEY_CMD",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST",
        "AIRFLOW__CELERY__BROKER_URL",
        "AIRFLOW__CELERY__BROKER_URL_CMD",
        "AIRFLOW__CELERY__RESULT_BACKEND",
        "AIRFLOW__CELERY__RESULT_BACKEND_SECRET",
        "AIRFLOW__SECRETS__BACKEND",
        "AIRFLOW__SECRETS__BACKEND_KWARGS",
        "AIRFLOW__WORKERS__SECRETS_BACKEND",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER",
    ];

    #[test]
    fn what_says_where_airflow_is_never_reaches_it() {
        for version in Version::ALL {
            for name in FOREIGN {
                // A number too, so that it is the name that keeps it back.
                for value in ["postgresql://production/airflow", "5"] {
                    let limits = limits(version, &[(name, value)]);
                    assert!(!limits.chosen.contains_key(name), "{name} on {version}");
                    let said = limits.sentences().join("\n");
                    assert!(said.contains(name) && !said.contains("production"), "{said}");
                }
            }
        }
    }

    #[test]
    fn no_variant_of_an_allowed_name_is_allowed() {
        for version in Version::ALL {
            let names: Vec<_> = settings(version).map(|(name, _)| name).collect();
            for name in &names {
                for variant in
                    [format!("{name}_CMD"), format!("{name}_SECRET"), name.to_lowercase()]
                {
                    assert!(!names.contains(&variant));
                    assert!(!limits(version, &[(&variant, "5")]).chosen.contains_key(&variant));
                }
                let key = name.rsplit("__").next().unwrap();
                for word in ["CONN", "URL", "URI", "BACKEND", "FOLDER", "KEY", "HOME", "EXECUTOR"] {
                    assert!(
                        key.split('_').all(|part| part != word),
                        "{name} says where something is"
                    );
                }
            }
        }
    }

    #[test]
    fn every_allowed_setting_reaches_airflow_and_is_said() {
        for version in Version::ALL {
            for (name, _) in settings(version) {
                let value = if name == PARALLELISM { "32" } else { "77" };
                let limits = limits(version, &[(&name, value)]);
                assert_eq!(limits.chosen[&name], value);
                assert_eq!(limits.sentences(), [format!("passed on to Airflow: {name}={value}")]);
            }
        }
    }

    #[test]
    fn only_numbers_pass() {
        let name = "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT";
        for value in ["%(sql_alchemy_conn)s", "$HOME", "-1", "inf", "nan", "1e9", "", ".5", "1.2.3"]
        {
            let limits = limits(Version::V3_3_2, &[(name, value)]);
            assert_eq!(limits.chosen[name], "60", "{value}");
            let said = limits.sentences().join("\n");
            assert!(said.contains("no numbers") && said.contains(name), "{said}");
        }
        assert_eq!(limits(Version::V3_3_2, &[(name, " 7.5 ")]).chosen[name], "7.5");
    }

    #[test]
    fn a_setting_of_the_other_version_is_not_passed_on() {
        let name = "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT";
        assert!(!limits(Version::V2_8_1, &[(name, "7")]).chosen.contains_key(name));
    }

    #[test]
    fn the_labs_own_choices_are_numbers_and_need_no_environment() {
        for version in Version::ALL {
            let limits = limits(version, &[("PATH", "/bin"), ("AIRFLOW_HOME", "/production")]);
            assert!(
                limits.chosen.len() > 5 && limits.chosen.values().all(|value| is_number(value))
            );
            assert!(limits.sentences().is_empty());
        }
        let airflow_3 = limits(Version::V3_3_2, &[]);
        assert_eq!(airflow_3.chosen["AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT"], "60");
    }

    #[test]
    fn the_option_overrules_the_environment_and_that_is_said() {
        let limits = limits(Version::V3_3_2, &[(PARALLELISM, "8")]);
        assert!(!limits.chosen.contains_key(PARALLELISM));
        let said = limits.sentences().join("\n");
        assert!(said.contains("--parallelism") && said.contains(PARALLELISM), "{said}");
        assert_eq!(parallelism_in("8"), Some(8));
        assert_eq!(parallelism_in("0").or(parallelism_in("many")), None);
    }
}
