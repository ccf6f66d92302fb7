//! Airflow's settings, all in the environment. What is not set here keeps Airflow's own default, because
//! the measured Airflow should be the one that users have. Longer time-outs change no count.

use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::limits::Limits;
use super::options::{Executor, Login, Options};
use super::start::WORKERS;
use super::stores::Stores;
use crate::service::Environment;
use crate::version::Version;

pub(super) fn environment(
    options: &Options,
    limits: &Limits,
    bin: &Path,
    stores: &Stores,
    login: &Login,
    home: &Path,
    port: u16,
) -> Result<Environment> {
    let mut environment = Environment::clean();
    set_sizes(&mut environment, options);
    for (name, value) in &limits.chosen {
        environment.set(name, value);
    }
    // What decides where Airflow is comes after all that a user can choose.
    set_places(&mut environment, options, bin, home)?;
    set_core(&mut environment, options);
    set_stores(&mut environment, stores, home);
    match options.version {
        Version::V2_8_1 => set_version_2(&mut environment, login)?,
        Version::V3_3_2 => set_version_3(&mut environment, login, home, port)?,
    }
    for (name, value) in &options.variables {
        environment.set(name, value);
    }
    Ok(environment)
}

/// The variables of this process, as far as they are text.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// How much at once.
fn set_sizes(environment: &mut Environment, options: &Options) {
    let mut set = |name: &str, value: usize| environment.set(name, value.to_string());
    set("AIRFLOW__CORE__PARALLELISM", options.parallelism);
    // Every task needs a slot. There are no fewer than Airflow has by default.
    let slots = options.parallelism.max(DEFAULT_POOL_SLOTS);
    set("AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT", slots);
    if options.executor == Executor::Celery {
        let concurrency = options.parallelism.div_ceil(WORKERS.len());
        set("AIRFLOW__CELERY__WORKER_CONCURRENCY", concurrency);
    }
}

fn set_places(
    environment: &mut Environment,
    options: &Options,
    bin: &Path,
    home: &Path,
) -> Result<()> {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    set("AIRFLOW_HOME", &home.to_string_lossy());
    set("AIRFLOW__CORE__DAGS_FOLDER", &options.folder.join("dags").to_string_lossy());
    // All logs stay when Airflow's home is gone.
    let logs = options.folder.join("logs");
    let log = |name: &str| logs.join(name).to_string_lossy().into_owned();
    set("AIRFLOW__LOGGING__BASE_LOG_FOLDER", &log("tasks"));
    set("AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY", &log("dags"));
    set("AIRFLOW__SCHEDULER__CHILD_PROCESS_LOG_DIRECTORY", &log("dags"));
    set("AIRFLOW__LOGGING__DAG_PROCESSOR_MANAGER_LOG_LOCATION", &log("dag-processor-manager.log"));
    // Elsewhere, the files that Airflow's web server caches would be left when it has ended.
    let temporary = home.join("tmp");
    std::fs::create_dir_all(&temporary)?;
    set("TMPDIR", &temporary.to_string_lossy());
    // Airflow finds its own programs through PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    set("PATH", &format!("{}:{path}", bin.display()));
    set("PYTHONDONTWRITEBYTECODE", "1");
    set("PYTHONUNBUFFERED", "1");
    Ok(())
}

fn set_core(environment: &mut Environment, options: &Options) {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    set("AIRFLOW__LOGGING__LOGGING_LEVEL", "INFO");
    set("AIRFLOW__CORE__LOAD_EXAMPLES", "False");
    set("AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION", "True");
    set("AIRFLOW__CORE__EXECUTOR", &options.executor.to_string());
    // Airflow's parts talk to each other over loopback, which must not go through a proxy.
    set("NO_PROXY", "127.0.0.1,localhost");
    set("no_proxy", "127.0.0.1,localhost");
    // Airflow 3 would report how it is used to a server on the internet.
    set("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False");
}

fn set_stores(environment: &mut Environment, stores: &Stores, home: &Path) {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    let sqlite = || format!("sqlite:///{}", home.join("airflow.db").display());
    let database = stores.database.clone().unwrap_or_else(sqlite);
    set("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", &database);
    set("AIRFLOW__CELERY__RESULT_BACKEND", &format!("db+{database}"));
    if let Some(broker) = &stores.broker {
        set("AIRFLOW__CELERY__BROKER_URL", broker);
    }
}

fn set_version_2(environment: &mut Environment, login: &Login) -> Result<()> {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    set("AIRFLOW__WEBSERVER__SECRET_KEY", &secret()?);
    set("AIRFLOW__WEBSERVER__BASE_URL", &login.url);
    set("BOLTBOUNCER_AIRFLOW_USER", &login.user);
    set("BOLTBOUNCER_AIRFLOW_PASSWORD", &login.password);
    let backends = ["basic_auth", "session"].map(|name| format!("airflow.api.auth.backend.{name}"));
    set("AIRFLOW__API__AUTH_BACKENDS", &backends.join(","));
    Ok(())
}

fn set_version_3(
    environment: &mut Environment,
    login: &Login,
    home: &Path,
    port: u16,
) -> Result<()> {
    let mut set = |name: &str, value: &str| environment.set(name, value);
    let passwords = home.join("passwords.json");
    let content = serde_json::json!({ &login.user: login.password });
    std::fs::write(&passwords, content.to_string())?;
    set("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", &format!("{}:admin", login.user));
    set("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", &passwords.to_string_lossy());
    set("AIRFLOW__API__SECRET_KEY", &secret()?);
    set("AIRFLOW__API__BASE_URL", &login.url);
    set("AIRFLOW__API__PORT", &port.to_string());
    set("AIRFLOW__API_AUTH__JWT_SECRET", &secret()?);
    set("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", &format!("{}/execution/", login.url));
    Ok(())
}

const DEFAULT_POOL_SLOTS: usize = 128;

/// 32 random bytes in hexadecimal digits.
pub(super) fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use super::*;
    use crate::service::KeeperProgram;

    /// What Airflow is given, if these were among the limits that a user can choose.
    fn given(version: Version, chosen: &[&str]) -> BTreeMap<String, Option<OsString>> {
        let home = tempfile::tempdir().unwrap();
        let options = Options {
            version,
            executor: Executor::Celery,
            python: None,
            port: None,
            parallelism: 200,
            folder: "/lab".into(),
            variables: vec![("NEO4J_URI".into(), "bolt://lab:7687".into())],
            keeper: KeeperProgram { program: "keeper".into(), arguments: Vec::new() },
        };
        let chosen = chosen.iter().map(|name| ((*name).to_owned(), "7".to_owned()));
        let mut limits = Limits::default();
        limits.chosen.extend(chosen);
        let broker = Some("redis+socket:///lab".into());
        let stores = Stores { name: "SQLite", database: None, broker };
        let login =
            Login { url: "http://127.0.0.1:1".into(), user: "u".into(), password: "p".into() };
        let bin = Path::new("/bin");
        let environment =
            environment(&options, &limits, bin, &stores, &login, home.path(), 1).unwrap();
        environment.0.into_iter().collect()
    }

    #[test]
    fn even_if_a_user_could_choose_it_airflow_is_where_the_lab_says() {
        let ours = [
            "AIRFLOW_HOME",
            "AIRFLOW__CORE__DAGS_FOLDER",
            "AIRFLOW__CORE__EXECUTOR",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            "AIRFLOW__CELERY__RESULT_BACKEND",
            "AIRFLOW__CELERY__BROKER_URL",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
            "NEO4J_URI",
        ];
        for version in Version::ALL {
            let given = given(version, &ours);
            for name in ours {
                let value = given[name].as_ref().unwrap();
                assert!(value != "7" && !value.is_empty(), "{name} on {version}");
            }
        }
    }

    #[test]
    fn sizes_are_the_labs_unless_the_user_chooses_others() {
        const WORKER: &str = "AIRFLOW__CELERY__WORKER_CONCURRENCY";
        const SLOTS: &str = "AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT";
        let value =
            |chosen: &[&str], name: &str| given(Version::V3_3_2, chosen)[name].clone().unwrap();
        assert_eq!((value(&[], WORKER), value(&[], SLOTS)), ("100".into(), "200".into()));
        assert_eq!(value(&[WORKER], WORKER), "7");
        assert_eq!(value(&[SLOTS], SLOTS), "7");
    }
}
